"""What the chapters share: the look of figures, tables, shipped runs, how numbers are written."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checkout import checkout
from ttfslib._table import Table

if TYPE_CHECKING:
    from ttfslib.experiment.recipe import Samples
    from ttfslib.experiment.runs import Run

MISSING = "–"
"""How a table shows that there is no number."""
_GLUED = "application/papermill.record/"
# Of the color map: what lies between can be read on white and on the dark page
_SHADES_FROM, _SHADES_TO = 0.12, 0.75
_MNIST_SIZE, _STAND_IN_SIZE, _STAND_IN_CONTRAST = 28, 20, 1.5


def use_style() -> None:
    """Give this process's matplotlib figures the look of the book."""
    import matplotlib.pyplot as plt

    from ttfslib import plotting

    plt.style.use(plotting.STYLE)


def shades(n_colors: int) -> list[str]:
    """Colors from dark to light for an ordered row of lines.

    Parameters
    ----------
    n_colors : int

    Returns
    -------
    list of str
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    n_colors = _checks.integer("n_colors", n_colors)
    shares = np.linspace(_SHADES_FROM, _SHADES_TO, n_colors)
    return [to_hex(colormaps["viridis"](share)) for share in shares]


def glue(name: str, text: object) -> None:
    """Keep a text under a name for the prose; without `myst_nb`, which builds the page, do nothing.

    Parameters
    ----------
    name : str
        Unique in the book; prose shows it by the role ``glue:text``.
    text : object
        What is shown is ``str(text)``.
    """
    _checks.text("name", name)
    try:
        import myst_nb  # noqa: F401
        from IPython.display import display
    except ImportError:
        return
    # As `myst_nb.glue` does, once it has imported for a second what this does not need.
    metadata = {"scrapbook": {"name": name, "mime_prefix": _GLUED}}
    display({f"{_GLUED}text/plain": repr(str(text))}, metadata=metadata, raw=True)


def between(values: Iterable[float], fmt: str = ".2f", unit: str = "") -> str:
    r"""Range of some numbers in words: ``98.2–98.3 %``, or one number where both ends read alike.

    Parameters
    ----------
    values : iterable of float
        At least one; NaN is refused.
    fmt : str
        Format of each end.
    unit : str
        Follows after a no-break space.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there are no values, or one is NaN.

    Examples
    --------
    >>> between([0.983, 0.981, 0.982])
    '0.98'
    >>> between([98.31, 98.17], ".1f", "%")
    '98.2–98.3\xa0%'
    """
    found = _checks.each("values", values, partial(_checks.real, allow_inf=True))
    if not found:
        raise ValueError("values must be numbers, at least one, got none")
    unit = _checks.text("unit", unit)
    ends = dict.fromkeys(number(value, fmt) for value in (min(found), max(found)))
    return "–".join(ends) + (f"\N{NO-BREAK SPACE}{unit}" if unit else "")


def span(values: ArrayLike, fmt: str = ".2f", unit: str = "") -> str:
    """Range of those among some numbers that are finite, in words; `MISSING` where none is.

    Parameters
    ----------
    values : array_like
        Of any shape.
    fmt, unit : str
        As in `between`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If `values` are no numbers.

    Examples
    --------
    >>> span([[0.31, float("nan")], [0.28, 0.3]])
    '0.28–0.31'
    """
    found = np.ravel(_checks.numbers("values", values, allow_empty=True))
    known = found[np.isfinite(found)]
    return between(known, fmt, unit) if len(known) else MISSING


def spans(table: ArrayLike, fmt: str = ".2f") -> list[str]:
    """Give the `span` of each column: of what a layer measures in all networks, for example.

    Parameters
    ----------
    table : array_like, shape (n_rows, n_columns)
    fmt : str
        As in `between`.

    Returns
    -------
    list of str, one for each column

    Raises
    ------
    ValueError
        If `table` has no columns or holds no numbers.

    Examples
    --------
    >>> spans([[1, 2], [3, 5]], ".0f")
    ['1–3', '2–5']
    """
    columns = np.transpose(_checks.numbers("table", table, ndim=2))
    return [span(column, fmt) for column in columns]


def number(value: Real | float, fmt: str = ".2f") -> str:
    """Write a number with a true minus sign and no negative zero."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"value must be a number, got {type(value).__name__}")
    try:
        said = format(value, _checks.text("fmt", fmt))
    except ValueError as error:
        got = _checks.shown(fmt)
        raise ValueError(f"fmt must be a format of numbers, got {got} ({error})") from None
    if said.startswith("-"):
        is_zero = not any(digit in said for digit in "123456789") and "inf" not in said
        said = said[1:] if is_zero else "−" + said[1:]
    return said


def table(columns: Mapping[str, Iterable[Any]], fmt: str | Mapping[str, str] = ".3f") -> Table:
    """Show columns as a table; the first one names the rows.

    Parameters
    ----------
    columns : mapping of str to sequence
        Heads, with the unit in brackets, and equally many entries for each: text, or numbers. NaN
        and None are shown as a dash.
    fmt : str or mapping of str to str
        Format of all numbers but integers, or of those of the named columns (others: ``.3f``).

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If there are no columns, or their lengths differ.

    Examples
    --------
    >>> table({"layer": ["input", "hidden 1"], "width (τ_s)": [0.0594, 0.1389]})
    layer     width (τ_s)
    input           0.059
    hidden 1        0.139
    """
    if not isinstance(columns, Mapping) or not columns:
        raise ValueError(f"columns must map heads to columns, got {_checks.shown(columns)}")
    entries = {
        head: _checks.each(f"columns[{head}]", column, _as_it_is)
        for head, column in columns.items()
    }
    format_of = _formats(fmt)
    lengths = {head: len(column) for head, column in entries.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns must have the same length, got {lengths}")
    formats = {head: format_of(head) for head in entries}
    said = [[_cell(value, formats[head]) for value in column] for head, column in entries.items()]
    numeric = [all(map(_is_numeric, column)) for column in entries.values()]
    return Table(list(entries), list(zip(*said, strict=True)), numeric)


def _formats(fmt: Any) -> Callable[[str], str]:
    """What format a column has, by its head."""
    if isinstance(fmt, str):
        return lambda _head: fmt
    if isinstance(fmt, Mapping):
        return lambda head: fmt.get(head, ".3f")
    got = _checks.shown(fmt)
    raise ValueError(f"fmt must be a format or a mapping of heads to formats, got {got}")


def _as_it_is(_name: str, value: Any) -> Any:
    return value


def _is_numeric(value: Any) -> bool:
    return value is None or isinstance(value, Real)


def _cell(value: Any, fmt: str) -> str:
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return MISSING
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return number(value, "d" if isinstance(value, Integral) else fmt)


def data_path(name: str = "") -> Path:
    """Where a file or folder of the book's data lies.

    It is looked for in the checkout that this package is installed from, and above the working
    folder.

    Parameters
    ----------
    name : str
        Below ``data/``: ``"runs/mnist-dale-seed1"``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OSError
        If there is no such thing.
    """
    _checks.text("name", name)
    found = checkout() / "data" / name
    if not found.exists():
        raise OSError(f"the book ships no data/{name} in {checkout()}")
    return found


def shipped(name: str, seed: int = 1) -> Run:
    """Read a run that the book ships.

    Where MNIST is neither here nor to be had, a warning says so, and the network is shown
    scikit-learn's digits instead, made to look like MNIST's.

    Parameters
    ----------
    name : str
        Of its configuration: ``"mnist-dale"``.
    seed : int

    Returns
    -------
    Run

    Raises
    ------
    OSError
        If there is no such run.
    """
    from ttfslib.experiment.runs import load_run

    name, seed = _checks.text("name", name), _checks.integer("seed", seed, minimum=0)
    run = load_run(data_path(f"runs/{name}-seed{seed}"))
    stand_in = mnist_stand_in() if run.config.dataset.name == "mnist" else None
    return run if stand_in is None else run.showing(stand_in)


def shipped_seeds(name: str) -> dict[int, Run]:
    """Read all runs of a configuration that the book ships, by seed in rising order."""
    _checks.text("name", name)
    folders = data_path("runs").glob(f"{name}-seed*")
    seeds = sorted(int(folder.name.rpartition("seed")[2]) for folder in folders)
    return {seed: shipped(name, seed) for seed in seeds}


@cache
def mnist_stand_in() -> Samples | None:
    """None where MNIST's test samples are to be had; otherwise other digits, after one warning."""
    from ttfslib import datasets

    try:
        datasets.load_mnist("test")
    except OSError as error:
        warnings.warn(
            f"{error}. Until then scikit-learn's digits, enlarged, stand in: what is computed from "
            "single images differs from what the book says",
            stacklevel=3,
        )
        return digits_like_mnist()
    return None


def digits_like_mnist() -> Samples:
    """Make all 1797 digits of scikit-learn look like those of MNIST, 28 x 28 pixels.

    They are enlarged from 8 x 8 to 20 x 20 pixels, their contrast is raised, and they are placed
    so that the center of mass of the ink is the center of the picture, as was done for MNIST.
    """
    from scipy import ndimage

    from ttfslib import datasets
    from ttfslib.experiment.recipe import Samples

    images, labels = (
        np.concatenate(parts)
        for parts in zip(*map(datasets.load_digits, datasets.SPLITS), strict=True)
    )
    large = ndimage.zoom(images, (1, *[_STAND_IN_SIZE / images.shape[1]] * 2), order=3)
    ink = np.clip(0.5 + _STAND_IN_CONTRAST * (large - 0.5), 0, 255 / 256)
    margin = (_MNIST_SIZE - _STAND_IN_SIZE) // 2
    framed = np.pad(ink, [(0, 0), (margin, margin), (margin, margin)])
    return Samples(np.stack([_centered(image) for image in framed]).astype(np.float32), labels)


def _centered(image: NDArray[Any]) -> NDArray[Any]:
    from scipy import ndimage

    middle = (np.array(image.shape) - 1) / 2
    offset = np.round(middle - ndimage.center_of_mass(image)).astype(int)
    return ndimage.shift(image, offset, order=0)

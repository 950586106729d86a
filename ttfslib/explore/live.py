"""Live figures: what a page computes itself, for every position of the sliders.

The still picture is drawn by matplotlib, once. On the page its axes stay, and a short program, the
figure's kind (`assets/live/KIND.js`), draws what moves with the browser's engine, `engine.js`.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ttfslib import _checks, _colors
from ttfslib.explore import _dark, _frames
from ttfslib.explore._controls import Control, Slider, Values
from ttfslib.explore._page import assemble, asset, check_size, controls_of, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAYS, MOVES = "stays", "moves"
_PROGRAM = ("engine.js", "alive.js", "controls.js", "live.js")
_TYPES = {"f4": "float32", "f8": "float64", "i4": "int32"}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\b")
_IMAGE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]+")


def kinds() -> list[str]:
    """Return the names of all kinds of live figures."""
    folder = importlib.resources.files("ttfslib.explore").joinpath("assets", "live")
    return sorted(file.name.removesuffix(".js") for file in folder.iterdir())


def live_figure(
    plot: Callable[..., Figure],
    /,
    *,
    kind: str,
    data: Mapping[str, Any] | None = None,
    alt: str | Callable[..., str],
    label: str = "Interactive figure",
    **sliders: Slider | Values,
) -> LiveFigure:
    r"""Draw `plot` once; the page draws it anew wherever the reader moves the sliders.

    There are no frames, so a slider may have as many values as the eye can tell apart. Without
    scripts the picture for the initial values stays. With them the page keeps its axes, images and
    whatever has ``gid="stays"``; lines, dots, areas and words are drawn by the kind, and so are the
    ticks and labels of an axis that has ``gid="moves"``.

    Parameters
    ----------
    plot : callable
        Called with the initial value of each slider; returns a new matplotlib `Figure` with fixed
        limits and linear axes.
    kind : str
        Name of the program that draws on the page: ``crossings``, ``decision``, ``grazing``,
        ``lessons``, ``moved_input``, ``pulses``, ``replay`` or ``scatter``.
    data : mapping, optional
        What the program needs besides the sliders: numbers, strings, arrays, and lists and
        mappings of these.
    alt : str or callable
        What the picture shows, in a sentence. A callable gets the arguments of `plot`. When
        something has moved, the program says what it found.
    label : str, optional
        Name of the group of picture and sliders.
    **sliders : Slider, sequence or mapping
        The values of each argument of `plot`, see `Slider`. The program gets the numbers that the
        reader sees, with the digits of `fmt`, and the values of a mapping.

    Returns
    -------
    LiveFigure
        Shown by Jupyter when it is the last value of a cell.

    Raises
    ------
    ValueError
        If `kind` is unknown, `data` holds something else, a slider is bad or missing, `plot`
        returns no figure, an axis is not linear, a text is missing, or the figure would take
        more than 1 MB.
    """
    controls = controls_of(plot, sliders)
    if kind not in kinds():
        raise ValueError(f"kind must be one of {', '.join(kinds())}, got {_checks.shown(kind)}")
    if data is not None and not isinstance(data, Mapping):
        raise ValueError(f"data must be a mapping, got {type(data).__name__}")
    return LiveFigure(plot, kind, _sent("data", data or {}), controls, alt, label)


class LiveFigure:
    """What `live_figure` returns; the last line of a cell displays it.

    Attributes
    ----------
    html : str
        The figure, complete in itself: a page needs no kernel and no network to show it.
    """

    def __init__(
        self,
        plot: Callable[..., Figure],
        kind: str,
        data: dict[str, Any],
        controls: Sequence[Control],
        alt: str | Callable[..., str],
        label: str,
    ) -> None:
        self.kind = kind
        self._controls = controls
        values = {c.name: c.arguments[c.initial] for c in controls}
        alt = sentence("alt", alt(**values) if callable(alt) else alt)
        self.html = self._page(*_draw(plot, values), data, alt, sentence("label", label))
        check_size(self.html, "live figure", advice="hand over less data or draw fewer points")

    def __repr__(self) -> str:
        sizes = ", ".join(f"{c.name}: {len(c.options)} values" for c in self._controls)
        return f"LiveFigure({self.kind}, {sizes})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self.html}

    def _page(
        self, still: str, panels: list[Any], data: dict[str, Any], alt: str, label: str
    ) -> str:
        files = [*_PROGRAM, f"live/{self.kind}.js"]
        parcel = {
            "panels": panels,
            "data": data,
            "choices": {
                c.name: _sent(f"value of {c.name}", c.arguments)
                for c in self._controls
                if c.is_choice
            },
            "colors": _colors.ROLES,
            "images": _IMAGE.findall(_dark.svg_on_dark(still)),
        }
        text = json.dumps(parcel, separators=(",", ":"))
        data_text = text.replace("<", "\\u003c")
        program = _frames.squeeze("".join(map(asset, files)))
        return assemble(
            still,
            self._controls,
            alt=alt,
            label=label,
            css=asset("explore.css") + asset("live.css") + _style(still + text),
            classes="ttfs-interactive ttfs-live",
            attributes=f'data-kind="{self.kind}"',
            scripts=(
                f'<script type="application/json" class="ttfs-data">{data_text}</script>\n'
                f'<script class="ttfs-program" data-files="{" ".join(files)}">\n'
                f'{asset("loader.js")}}})("{program}");</script>'
            ),
        )


def _draw(plot: Callable[..., Figure], values: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the still picture, in which what moves is marked, and where its panels lie."""
    from matplotlib.figure import Figure

    drawn: list[Figure] = []

    def marked(**values: Any) -> Figure:
        figure = plot(**values)
        if isinstance(figure, Figure):
            drawn.append(figure)
            for ax in figure.axes:
                _mark(ax)
        return figure

    still = _frames.draw(marked, values)
    return still, [_panel(ax, *_frames.size_in_points(still)) for ax in drawn[0].axes]


def _mark(ax: Axes) -> None:
    artists = (*ax.lines, *ax.collections, *ax.patches, *ax.texts, ax.title)
    moving = [artist for artist in artists if artist.get_gid() != STAYS]
    moving += [axis for axis in (ax.xaxis, ax.yaxis) if axis.get_gid() == MOVES]
    for artist in moving:
        artist.set_gid(_frames.MOVES)


def _panel(ax: Axes, width: float, height: float) -> dict[str, Any]:
    """Return box (left, top, width and height in points) and limits of one of the axes."""
    for name, scale in (("x", ax.get_xscale()), ("y", ax.get_yscale())):
        if scale != "linear":
            raise ValueError(f"the {name} axis of a live figure must be linear, got {scale}")
    box = ax.get_position()
    left, top = box.x0 * width, (1 - box.y1) * height
    size = (box.width * width, box.height * height)
    return {
        "box": [round(float(length), 3) for length in (left, top, *size)],
        "xlim": list(map(float, ax.get_xlim())),
        "ylim": list(map(float, ax.get_ylim())),
    }


def _style(markup: str) -> str:
    """Return what becomes of each color on the dark page, as a rule of CSS."""
    colors = sorted({color.lower() for color in _COLOR.findall(markup)} | {"#ffffff"})
    turned = "".join(f"--ttfs-{color[1:]}:{_dark.hex_on_dark(color)};" for color in colors)
    return f'html[data-theme="dark"] .ttfs-live {{ {turned} }}\n'


def _sent(name: str, value: Any) -> Any:
    """Return `value` as JSON can hold it: an array as its bytes, an infinite number by its name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _sent(f"{name}[{key!r}]", entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    if isinstance(value, np.ndarray):
        return _array_sent(name, value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{name} must be a number, a string or an array, got {type(value).__name__}")


def _array_sent(name: str, array: np.ndarray[Any, Any]) -> dict[str, str]:
    kind = array.dtype
    if np.issubdtype(kind, np.integer):
        array = array.astype(np.int32)
    code = array.dtype.str[1:]
    if code not in _TYPES:
        raise ValueError(f"{name} must hold floats or integers, got {kind}")
    content = np.ascontiguousarray(array.astype(f"<{code}")).tobytes()
    return {"$type": _TYPES[code], "$bytes": base64.b64encode(content).decode()}

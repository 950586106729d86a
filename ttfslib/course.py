"""Problem sets: what their checks are made of, and how a notebook is run part by part.

A problem set is a notebook whose cells carry the metadata of nbgrader. A *part* is a cell with
points: code that checks an answer, or a text that a person reads. Nothing here needs nbgrader.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ttfslib import _checks

__all__ = ["Part", "agree", "by_hand", "check", "part_of", "read_cells", "run_cell", "run_cells"]

CHECK = "check-"  # what the name of a cell that checks begins with
EMPTY = "nothing is written here yet"
Function = Callable[..., Any]


@dataclass(frozen=True)
class Part:
    """What one part of a problem set came to.

    Parameters
    ----------
    name : str
    points : float
        What it is worth.
    passed : bool or None
        None where a person reads the answer.
    message : str
        Why it did not pass.
    """

    name: str
    points: float
    passed: bool | None
    message: str = ""

    @property
    def earned(self) -> float:
        """Points that the checks give."""
        return self.points if self.passed else 0.0


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Cells of a notebook, each with its source as one text.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If the file is no notebook.
    OSError
        If it cannot be read.
    """
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        kept = ("cell_type", "source")
        return [cell | {key: "".join(cell[key]) for key in kept} for cell in cells]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no Jupyter notebook ({type(error).__name__})") from None


def marks(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of nbgrader in a cell; empty if it has none."""
    return dict(cell.get("metadata", {}).get("nbgrader", {}))


def run_cells(
    cells: Iterable[Mapping[str, Any]], scope: dict[str, Any] | None = None
) -> list[Part]:
    """Run cells one after another, as a kernel would, and say what each part came to.

    A cell that fails does not stop the next ones. Lines for IPython alone (``%...``, ``!...``)
    are left out, and what cells print is dropped.

    Parameters
    ----------
    cells : iterable of dict
        From `read_cells`.
    scope : dict, optional
        Names that the cells find, and to which they add theirs.

    Returns
    -------
    list of Part
    """
    scope = {} if scope is None else scope
    scope.setdefault("__name__", "__main__")
    parts = []
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        for cell in cells:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                is_code = cell["cell_type"] == "code"
                message = run_cell(cell["source"], scope) if is_code else None
            if marks(cell).get("grade"):
                parts.append(part_of(cell, message))
    return parts


def part_of(cell: Mapping[str, Any], message: str | None) -> Part:
    """The part that a cell with points decides, with what running it said.

    Parameters
    ----------
    cell : dict
    message : str or None
        Why it failed; None if it did not.

    Returns
    -------
    Part
    """
    mark = marks(cell)
    passed = message is None if cell["cell_type"] == "code" else None
    name = str(mark["grade_id"]).removeprefix(CHECK)
    return Part(name, float(mark["points"]), passed, message or "")


def run_cell(source: str, scope: dict[str, Any]) -> str | None:
    """Run one cell; return in one line why it failed, if it did.

    Parameters
    ----------
    source : str
    scope : dict
        The names that cells share.

    Returns
    -------
    str or None
    """
    lines = ["" if line.startswith(("%", "!")) else line for line in source.split("\n")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile("\n".join(lines), "<cell>", "exec"), scope)
    except NotImplementedError:
        return EMPTY
    except AssertionError as error:
        return " ".join(str(error).split()) or "an assertion fails"
    except (Exception, SystemExit) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def check(path: Path) -> list[Part]:
    """Run the checks of a notebook on the answers in it, in its own folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Part

    Raises
    ------
    ValueError
        If the file is no notebook, or holds no part with points.
    OSError
        If it cannot be read.
    """
    path = Path(path).resolve()
    os.environ.setdefault("MPLBACKEND", "agg")
    with contextlib.chdir(path.parent):
        parts = run_cells(read_cells(path))
    if not parts:
        raise ValueError(f"{path} holds no part with points: is it a problem set?")
    return parts


def report(parts: Sequence[Part]) -> str:
    """Say part by part what passes."""
    said = {True: "passes", None: "is read by a person"}
    width = max(len(part.name) for part in parts)
    lines = [
        f"{part.name:<{width}}  {part.points:2g}  {said.get(part.passed, part.message)}"
        for part in parts
    ]
    checked = [part for part in parts if part.passed is not None]
    earned, total = sum(part.earned for part in checked), sum(part.points for part in checked)
    return "\n".join([*lines, f"{earned:g} of {total:g} points pass the checks in this notebook"])


def agree(
    answer: Function,
    right: Function,
    cases: Iterable[Sequence[Any]],
    *,
    rtol: float = 1e-6,
    own: bool = False,
    mistakes: Mapping[str, Function] | None = None,
) -> None:
    """Hold a function to the right one, case by case, and name a mistake that is known.

    Parameters
    ----------
    answer, right : callable
        Both take the values of a case and return numbers or arrays.
    cases : iterable of sequence
        Arguments of each call.
    rtol : float
        Tolerance, relative, and absolute below 1.
    own : bool
        Whether the answer has to do `by_hand`.
    mistakes : dict of str to callable, optional
        A wrong function for each message. The message is given if that function agrees with
        the answer in all cases.

    Raises
    ------
    AssertionError
        If any case disagrees.
    """
    cases = list(cases)
    with by_hand() if own else contextlib.nullcontext():
        found = [_called(answer, case) for case in cases]
    expected = [_called(right, case) for case in cases]
    apart = [not _close(f, e, rtol) for f, e in zip(found, expected, strict=True)]
    if not any(apart):
        return
    for message, wrong in (mistakes or {}).items():
        if all(_close(f, _called(wrong, c), rtol) for f, c in zip(found, cases, strict=True)):
            raise AssertionError(message)
    first = apart.index(True)
    name = getattr(answer, "__name__", "answer")
    given = ", ".join(_shown(value) for value in cases[first])
    if found[first] is None:
        raise AssertionError(f"{name}({given}) returns None: does your function end with return?")
    raise AssertionError(
        f"{name}({given}) is {_shown(found[first])}, right is {_shown(expected[first])}"
    )


def _called(function: Function, case: Sequence[Any]) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*copy.deepcopy(list(case)))


def _close(found: Any, expected: Any, rtol: float) -> bool:
    """Tell whether both are the same numbers, in the same shape."""
    try:
        found, expected = np.asarray(found, complex), np.asarray(expected, complex)
    except (TypeError, ValueError):
        return False
    if found.shape != expected.shape:
        return False
    return bool(np.allclose(found, expected, rtol=rtol, atol=rtol, equal_nan=True))


def _shown(value: Any) -> str:
    """A value as short text, on one line."""
    try:
        with np.printoptions(precision=6, threshold=12):
            text = str(np.asarray(value, float))
    except (TypeError, ValueError):
        text = _checks.printable(repr(value))
    return " ".join(text.split())


@contextlib.contextmanager
def by_hand() -> Iterator[None]:
    """Refuse the library's solvers inside the block: the answer has to find the spike itself.

    `psp`, `psp_slope` and `membrane_potential` stay available.

    Raises
    ------
    AssertionError
        From a solver that is called.
    """

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("write the solution yourself, without the solvers of ttfslib")

    with contextlib.ExitStack() as stack:
        for module in ("lif", "_crossing"):
            stack.enter_context(mock.patch(f"ttfslib.{module}.delay_to_threshold", refuse))
        yield

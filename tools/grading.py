"""Grade a class: each submission in a cage of its own, cell by cell, and what came of it in files.

`cages` holds what limits a submission; `protection` says what of it holds on this machine.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cages
import marks
from cages import Limits, has_cage

from ttfslib import _checks, course

__all__ = ["Graded", "Limits", "grade", "grade_class", "protection", "students_of", "warm"]

ROOT = Path(__file__).resolve().parents[1]
HELD_BACK = [ROOT / name for name in ("assignments", "_build", ".git")]  # they hold solutions
PATIENCE = 120.0  # seconds until the worker has started
LARGEST = 20 * 2**20  # bytes of a notebook
UNREACHED = "not reached: cells before it end the process"
CAGED = (
    "own process, limits of time, memory and files; no network; the file system is read-only, and "
    "other submissions and the hidden checks are out of sight. Not protected: a submission can "
    "read other files that you can read, and code that looks into its own process can forge marks."
)
FREE = (
    "own process, limits of time, memory and files. Not protected, for want of namespaces: a "
    "submission can read, write and delete what you can, and reach the network. "
    "Grade in a container."
)


@dataclass(frozen=True)
class Graded:
    """A graded submission.

    Parameters
    ----------
    parts : list of course.Part
    seconds : float
    megabytes : float
        The most memory it had.
    unread : str
        Why nothing of it could be graded; empty if it was.
    """

    parts: list[course.Part]
    seconds: float
    megabytes: float
    unread: str = ""


def merged(
    submission: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The answers of a submission among the checks of the grader, in the grader's order.

    Cells that students added run before the given cell that follows them, and give no points.
    Whatever else they changed (a check, a given cell) is as the grader has it.
    """
    given = {course.marks(cell).get("grade_id"): cell for cell in checks}
    answers: dict[Any, Mapping[str, Any]] = {}
    added: dict[Any, list[Mapping[str, Any]]] = {}
    kept: list[Mapping[str, Any]] = []
    for cell in submission:
        mark = course.marks(cell)
        name = mark.get("grade_id")
        if name not in given:
            kept.append({**cell, "metadata": {}})  # it gives no points
        else:
            added[name], kept = [*added.get(name, []), *kept], []
            answers.setdefault(name, cell)
    cells: list[Mapping[str, Any]] = []
    for name, cell in given.items():
        own = course.marks(cell).get("solution") and name in answers
        text = answers[name]["source"] if own else cell["source"]
        cells += [*added.get(name, []), {**cell, "source": text}]
    return cells


def grade(
    path: Path,
    checks: Sequence[Mapping[str, Any]],
    limits: Limits,
    covered: Sequence[Path] = (),
    cache: Path | None = None,
) -> Graded:
    """Grade one submission; whatever it does ends in points and messages.

    Parameters
    ----------
    path : Path
        The notebook that was handed in.
    checks : sequence of dict
        Cells of the grader's version.
    limits : Limits
    covered : sequence of Path
        Folders that it must not see.
    cache : Path, optional
        What numba has compiled.

    Returns
    -------
    Graded
    """
    begin, kilobytes, unread = time.monotonic(), 0, ""
    try:
        cells = merged(_handed_in(path), checks)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        said = f"cannot be read: {error}".replace(str(path), path.name)
        cells, unread = list(checks), _checks.printable(" ".join(said.split()))
        ends: Mapping[int, str | None] = dict.fromkeys(range(len(cells)), unread)
    else:
        ends, kilobytes = _survived(cells, limits, covered, cache)
    return Graded(_parts(cells, ends), time.monotonic() - begin, kilobytes / 1024, unread)


def _handed_in(path: Path) -> list[dict[str, Any]]:
    """The cells of a submission, if it is a file of its own and no larger than one may be."""
    if path.parent.is_symlink():
        raise ValueError("its folder is a link")
    if path.is_symlink() or not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.ipynb") if other != path)
        beside = f"; the folder holds {', '.join(others[:3])}" if others else ""
        raise ValueError(f"{path.name} is missing, or it is no file but a link{beside}")
    if path.stat().st_size > LARGEST:
        raise ValueError("a notebook of at most 20 MB is expected")
    return course.read_cells(path)


def _parts(cells: Sequence[Mapping[str, Any]], ends: Mapping[int, str | None]) -> list[course.Part]:
    parts = []
    for n, cell in enumerate(cells):
        if course.marks(cell).get("grade"):
            checked = cell["cell_type"] == "code"
            parts.append(course.part_of(cell, ends.get(n) if checked else None))
    return parts


def _survived(
    cells: Sequence[Mapping[str, Any]],
    limits: Limits,
    covered: Sequence[Path],
    cache: Path | None,
) -> tuple[dict[int, str | None], int]:
    """Run the cells, and again without one that ends the process; their messages, the memory."""
    fatal: dict[int, str] = {}
    for _ in range(limits.restarts + 1):
        with cages.caged(limits, covered, cache) as process:
            ends, kilobytes, killer = _run(process, cells, fatal, limits)
        if killer is None:
            break
        fatal[killer[0]] = killer[1]
    return dict.fromkeys(range(len(cells)), UNREACHED) | ends | fatal, kilobytes


def _run(
    process: subprocess.Popen[bytes],
    cells: Sequence[Mapping[str, Any]],
    skipped: Mapping[int, str],
    limits: Limits,
) -> tuple[dict[int, str | None], int, tuple[int, str] | None]:
    """Run the cells; return their messages, the memory, and which cell ended the process, how."""
    ends: dict[int, str | None] = {}
    kilobytes = 0
    if isinstance(cages.asked(process, "", PATIENCE), str):
        raise OSError("the process that runs a submission does not start")
    for n, cell in enumerate(cells):
        if cell["cell_type"] != "code" or n in skipped:
            continue
        answer = cages.asked(process, str(cell["source"]), limits.seconds)
        if isinstance(answer, str):
            return ends, kilobytes, (n, answer)
        ends[n], kilobytes = answer
    return ends, kilobytes, None


def warm(solution: Sequence[Mapping[str, Any]], limits: Limits, cache: Path) -> None:
    """Run the solution, which is trusted, outside any cage: what numba compiles stays in `cache`.

    Raises
    ------
    ValueError
        If the solution does not get full marks on this machine.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with cages.free(limits, cache) as process:
        ends, _, killer = _run(process, solution, {}, limits)
    lost = [part for part in _parts(solution, ends) if part.passed is False]
    if killer or lost:
        why = killer[1] if killer else f"{lost[0].name}: {lost[0].message}"
        raise ValueError(f"the solution must get full marks before a class is graded, got {why}")


def protection() -> str:
    """Say what a submission can and cannot do on this machine."""
    return CAGED if has_cage() else FREE


def grade_class(
    submitted: Path,
    name: str,
    checks: Sequence[Mapping[str, Any]],
    out: Path,
    limits: Limits,
    cache: Path | None = None,
    jobs: int = 1,
    tell: Callable[[str, Graded], None] = lambda *_: None,
) -> dict[str, Graded]:
    """Grade `submitted`/STUDENT/NAME/NAME.ipynb of every student; write marks and feedback.

    Parameters
    ----------
    submitted : Path
        The folder of nbgrader's name.
    name : str
        Of the problem set.
    checks : sequence of dict
        Cells of the grader's version.
    out : Path
        Gets `NAME.csv`, a line for each part of each student, `NAME-points.csv`, a line for each
        student, and `feedback/STUDENT/NAME.md`. Until all are graded, there is
        `NAME-unfinished.csv` in the place of the tables.
    limits : Limits
    cache : Path, optional
        What numba has compiled.
    jobs : int
        How many submissions run at a time.
    tell : callable
        Called with the name of each student and the result, as they come.

    Returns
    -------
    dict of str to Graded
    """
    students = students_of(submitted, name)
    covered = [submitted.resolve(), out.resolve(), *HELD_BACK]
    graded: dict[str, Graded] = {}

    def result_of(student: str) -> Graded:
        path = submitted / student / name / f"{name}.ipynb"
        return grade(path, checks, limits, covered, cache)

    (out / "feedback").mkdir(parents=True, exist_ok=True)
    with marks.table(out / f"{name}.csv") as add, ThreadPoolExecutor(jobs) as pool:
        try:
            for student, result in zip(students, pool.map(result_of, students), strict=True):
                graded[student] = result
                marks.give_back(out / "feedback" / student / f"{name}.md", result)
                add(student, result)
                tell(student, result)
        finally:
            pool.shutdown(cancel_futures=True)
    marks.write_points(out / f"{name}-points.csv", graded)
    return graded


def students_of(submitted: Path, name: str) -> list[str]:
    """Who has a folder in `submitted`.

    Raises
    ------
    ValueError
        If nobody has handed in this problem set.
    """
    if not any(submitted.glob(f"*/{name}/{name}.ipynb")):
        raise ValueError(f"{submitted} must hold STUDENT/{name}/{name}.ipynb, and holds none")
    hidden = (".", "__")  # what systems leave beside the folders of students
    folders = [path.name for path in submitted.iterdir() if path.is_dir()]
    return sorted(folder for folder in folders if not folder.startswith(hidden))

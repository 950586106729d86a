"""What the grading of a class leaves: tables of marks, and a page for each student."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttfslib import course

if TYPE_CHECKING:
    from grading import Graded

COLUMNS = ("student", "part", "points", "of", "says", "seconds", "megabytes")
POINTS = ("student", "points", "of", "says")


@contextlib.contextmanager
def table(path: Path) -> Iterator[Callable[[str, Graded], None]]:
    """A table to which students are added; it bears another name until all are in it."""
    unfinished = path.with_stem(f"{path.stem}-unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)

        def add(student: str, result: Graded) -> None:
            writer.writerows(_rows(student, result))
            file.flush()

        yield add
    unfinished.replace(path)


def _rows(student: str, result: Graded) -> Iterator[list[Any]]:
    """Lines of the table; none begins what a spreadsheet takes for a formula."""
    used = f"{result.seconds:.1f}", f"{result.megabytes:.0f}"
    for part in result.parts:
        points = "" if part.passed is None else f"{part.earned:g}"
        says = f"'{part.message}" if part.message.startswith(tuple("=+-@")) else part.message
        yield [student, part.name, points, part.points, says, *used]


def write_points(path: Path, graded: Mapping[str, Graded]) -> None:
    """Write a line for each student: the points of all parts that have checks."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(POINTS)
        for student, result in graded.items():
            checked = [part for part in result.parts if part.passed is not None]
            sums = sum(part.earned for part in checked), sum(part.points for part in checked)
            writer.writerow([student, *(f"{number:g}" for number in sums), result.unread])


def give_back(page: Path, result: Graded) -> None:
    """Write what a student gets to read."""
    page.parent.mkdir(exist_ok=True)
    text = f"# {page.stem}\n\n```\n{course.report(result.parts)}\n```\n"
    page.write_text(text, encoding="utf-8")

"""Problem sets: student, instructor and grader versions of each, and the proof of the grading.

    python tools/course.py grade SUBMITTED NAME --out FOLDER
    python tools/course.py table                 # which wrong answers the checks catch

A problem set is one notebook in `assignments`, with the marks of nbgrader, and beside it a file of
answers that its checks are held to. `[eq-NAME]` stands for the number of that equation in the book.
`tools/bundles.py` packs the versions for those who need them.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import math
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands
import grading
import nbformat
from nbformat import NotebookNode

from ttfslib import course

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = ROOT / "assignments"
TABLE = ASSIGNMENTS / "README.md"
MARKS = ("<!-- table: begin -->", "<!-- table: end -->")
COMPILED = ROOT / "_build" / "numba"  # what numba compiles for the solutions
FIRST = grading.Limits(seconds=600)  # for the solution, before anything is compiled
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
NBGRADER = """c = get_config()
c.CourseDirectory.course_id = "first-spikes"
c.ClearSolutions.code_stub = {"python": "# your answer\\nraise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer*"
c.ExecutePreprocessor.timeout = 60
"""


@dataclass(frozen=True)
class Answer:
    """An answer to one part that somebody might give.

    Parameters
    ----------
    part : str
    source : str
        Of the cell with the answer.
    says : str or None
        What the checks say about it; None if it is right.
    """

    part: str
    source: str
    says: str | None


Tried = tuple[Answer, list[course.Part]]


def problem_sets() -> list[Path]:
    """The source notebooks, in order."""
    return sorted(ASSIGNMENTS.glob("*.ipynb"))


@functools.cache
def equation_numbers() -> dict[str, str]:
    """Number of each labelled equation, as the book prints it."""
    numbers: dict[str, str] = {}
    for path in sorted((ROOT / "chapters").glob("ch*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        labels = re.findall(r"(?m)\$\$ \((eq-[\w-]+)\)", text)
        chapter = int(path.name[2:4])
        numbers |= {label: f"Eq. {chapter}.{n}" for n, label in enumerate(labels, 1)}
    return numbers


def instructor(path: Path) -> NotebookNode:
    """The whole problem set, with numbers for the labels of equations."""
    notebook = nbformat.read(path, as_version=4)
    numbers = equation_numbers()
    for cell in notebook.cells:
        cell.source = re.sub(r"\[(eq-[\w-]+)\]", lambda label: numbers[label[1]], cell.source)
    return notebook


def student(path: Path) -> NotebookNode:
    """The problem set without solutions and hidden checks, made by the steps of nbgrader."""
    from nbgrader import preprocessors as steps
    from traitlets.config import Config

    config = Config()
    exec(NBGRADER, {"get_config": lambda: config})
    notebook, resources = instructor(path), dict[str, Any]()
    for step in (
        steps.LockCells,
        steps.ClearSolutions,
        steps.ClearOutput,
        steps.ClearHiddenTests,
        steps.ClearMarkScheme,
        steps.ComputeChecksums,
        steps.CheckCellMetadata,
    ):
        notebook, resources = step(config=config).preprocess(notebook, resources)
    return notebook


def grader(path: Path) -> NotebookNode:
    """The student version with the hidden checks: it holds no solutions."""
    notebook = student(path)
    whole = {name(cell): cell.source for cell in instructor(path).cells}
    for cell in notebook.cells:
        if is_check(cell):
            cell.source = whole[name(cell)]
    return notebook


def name(cell: NotebookNode) -> str | None:
    """The name under which nbgrader knows a cell."""
    return course.marks(cell).get("grade_id")


def is_check(cell: NotebookNode) -> bool:
    """Tell whether a cell checks an answer."""
    return cell.cell_type == "code" and bool(course.marks(cell).get("grade"))


def answers(path: Path) -> list[Answer]:
    """The answers that the checks of a problem set are held to, wrong and right ones."""
    solutions = {name(cell): cell.source for cell in instructor(path).cells}
    with path.with_suffix(".toml").open("rb") as file:
        listed = tomllib.load(file)
    return [
        Answer(part, _source(solutions[part], entry), entry.get("says"))
        for part, kinds in listed.items()
        for kind in ("wrong", "right")
        for entry in kinds.get(kind, [])
    ]


def _source(solution: str, entry: dict[str, Any]) -> str:
    """The cell that an entry of the file of answers describes."""
    if "code" in entry:
        return str(entry["code"])
    old, new = entry["change"]
    if old not in solution:
        raise ValueError(f"change must start from a text of the solution, got {old!r}")
    return solution.replace(old, new)


def answered(notebook: NotebookNode, given: dict[str, str]) -> NotebookNode:
    """A copy of a notebook with other answers, by the names of their parts."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = given.get(name(cell) or "", cell.source)
    return notebook


def tried(path: Path) -> Iterator[Tried]:
    """Each answer of the file, in an otherwise right notebook, and what every part came to.

    What stands before a part runs once, and what it has made serves all answers to that part:
    functions made before it must not use it, and nothing that a part changes may stand there.
    """
    whole = instructor(path)
    places = {name(cell): i for i, cell in enumerate(whole.cells)}
    for part, given in itertools.groupby(answers(path), key=lambda answer: answer.part):
        place, scope = places[part], dict[str, Any]()
        before = course.run_cells(whole.cells[:place], scope)
        for answer in given:
            changed = answered(whole, {part: answer.source}).cells[place:]
            yield answer, before + course.run_cells(changed, dict(scope))


def is_caught(answer: Answer, parts: list[course.Part]) -> bool:
    """Tell whether a wrong answer loses its own part, no other one, and is told why."""
    lost = [part for part in parts if part.passed is False]
    return [part.name for part in lost] == [answer.part] and str(answer.says) in lost[0].message


def table(tries: dict[Path, list[Tried]]) -> str:
    """A row for each part: its points, and the answers of either kind that are graded rightly."""
    rows = [
        "| problem set | part | points | wrong answers caught | right in another style |",
        "|---|---|--:|--:|--:|",
    ]
    for path, results in tries.items():
        for cell in instructor(path).cells:
            mark = course.marks(cell)
            if not mark.get("grade"):
                continue
            part = str(mark["grade_id"]).removeprefix(course.CHECK)
            mine = [(answer, parts) for answer, parts in results if answer.part == part]
            caught = [is_caught(*result) for result in mine if result[0].says]
            kept = [
                all(part.passed is not False for part in parts)
                for answer, parts in mine
                if not answer.says
            ]
            counts = [f"{sum(found)} of {len(found)}" for found in (caught, kept)]
            counts = counts if is_check(cell) else ["read with a rubric", "–"]
            row = [path.stem, part, str(mark["points"]), *counts]
            rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def write_table() -> None:
    """Write the table into the page about the problem sets."""
    before, rest = TABLE.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    tries = {path: list(tried(path)) for path in problem_sets()}
    text = f"{before}{MARKS[0]}\n\n{table(tries)}\n\n{MARKS[1]}{after}"
    TABLE.write_text(text, encoding="utf-8")


def grade(
    submitted: Path, name: str, out: Path, limits: grading.Limits, jobs: int
) -> dict[str, grading.Graded]:
    """Grade what a class has handed in, and print a line for each student.

    What would end in an error after minutes ends in one before.
    """
    grading.students_of(submitted, name)
    if out.resolve().is_relative_to(submitted.resolve()):
        raise ValueError(f"--out must lie outside of {submitted}, got {out}")
    out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out).close()
    print(grading.protection())
    path, begin = ASSIGNMENTS / f"{name}.ipynb", time.monotonic()
    grading.warm(instructor(path).cells, FIRST, COMPILED)
    print(f"the solution gets full marks {time.monotonic() - begin:5.1f} s", flush=True)
    checks, begin = grader(path).cells, time.monotonic()
    graded = grading.grade_class(submitted, name, checks, out, limits, COMPILED, jobs, _tell)
    seconds = time.monotonic() - begin
    most = max((result.megabytes for result in graded.values()), default=0)
    print(f"{len(graded)} submissions, {jobs} at a time: {seconds:.0f} s, up to {most:.0f} MB each")
    if unread := [student for student, result in graded.items() if result.unread]:
        print(f"not graded: {', '.join(unread)}")
    print(out / f"{name}.csv")
    print(out / f"{name}-points.csv")
    return graded


def _tell(student: str, result: grading.Graded) -> None:
    earned = sum(part.earned for part in result.parts)
    used = f"{result.seconds:6.1f} s {result.megabytes:6.0f} MB"
    print(f"{student:<22} {earned:5g} {used} {result.unread}".rstrip(), flush=True)


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text}")
    return number


def main() -> int:
    """Write the table, or grade a class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    choices.add_parser("table", help="try the wrong answers and write the table of them")
    marking = choices.add_parser("grade", help="grade SUBMITTED/STUDENT/NAME/NAME.ipynb")
    marking.add_argument("submitted", type=Path, metavar="SUBMITTED")
    names = [path.stem for path in problem_sets()]
    marking.add_argument("name", metavar="NAME", choices=names, help=", ".join(names))
    marking.add_argument("--out", type=Path, required=True, help="folder of marks and feedback")
    marking.add_argument("--seconds", type=_positive, default=120.0, help="for one cell")
    marking.add_argument("--memory", type=_count, default=4096, help="megabytes")
    marking.add_argument("--jobs", type=_count, default=2, help="submissions at a time")
    arguments = parser.parse_args()
    if arguments.command == "table":
        return commands.in_one_line(write_table)
    limits = grading.Limits(arguments.seconds, arguments.memory)
    asked = arguments.submitted, arguments.name, arguments.out, limits, arguments.jobs
    try:
        return commands.in_one_line(lambda: grade(*asked))
    except KeyboardInterrupt:
        print("stopped: what is graded so far is in the unfinished table", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

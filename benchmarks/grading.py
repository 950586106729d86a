"""Grade a class of thirty, some of whom misbehave: how long it takes, in how much memory.

    python benchmarks/grading.py [NAME] [--students 30] [--jobs 2]

Eight submissions do what none should; the others hand in the solution, the untouched notebook, or
one of the wrong answers on which the checks are tested. Before that, one solution is graded with
and without the code that numba has compiled. All of it runs in the cage of `tools/cages.py`. The
last lines are what the instructor's guide tells.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from peers import IDLE, machine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import course  # noqa: E402
import grading  # noqa: E402

BAD = {
    "crash": "import os\nos.abort()",
    "loop": "while True:\n    pass",
    "memory": "hoard = [bytes(10**9) for _ in range(100)]",
    "print": "for _ in range(10**5):\n    print('x' * 10**4)",
    "disk": "open('big', 'wb').write(bytes(10**9))",
    "delete": "import os, shutil\nshutil.rmtree(os.path.expanduser('~/..'), ignore_errors=True)",
    "network": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:1', timeout=5)",
    "spy": "import pathlib\nprint([p.read_text() for p in pathlib.Path('/').rglob('*.toml')])",
}


def submissions(path: Path, number: int) -> list[tuple[str, nbformat.NotebookNode]]:
    """Name and notebook of each student."""
    stub, whole = course.student(path), course.instructor(path)
    first = next(cell for cell in whole.cells if cell.metadata.get("nbgrader", {}).get("solution"))
    part = first.metadata["nbgrader"]["grade_id"]
    found = [("solution", whole), ("stub", stub)]
    found += [(f"bad-{kind}", course.answered(whole, {part: text})) for kind, text in BAD.items()]
    wrong = itertools.cycle(answer for answer in course.answers(path) if answer.says)
    while len(found) < number:
        answer = next(wrong)
        notebook = course.answered(whole, {answer.part: answer.source})
        found.append((f"wrong-{len(found) + 1:02d}-{answer.part}", notebook))
    return found[:number]


def summary(graded: dict[str, grading.Graded]) -> str:
    """Times, memory, and whether each that misbehaves has lost the part that does."""
    seconds = {student: result.seconds for student, result in graded.items()}
    slowest = sorted(seconds, key=seconds.__getitem__)[:-4:-1]
    bad = [result for student, result in graded.items() if student.startswith("bad-")]
    lost = [sum(part.passed is False for part in result.parts) for result in bad]
    return "\n".join(
        [
            f"a submission: {statistics.median(seconds.values()):.0f} s in the median; longest: "
            + ", ".join(f"{student} {seconds[student]:.0f} s" for student in slowest),
            f"memory: {max(result.megabytes for result in graded.values()):.0f} MB at most",
            f"misbehaving submissions that lost one part: {lost.count(1)} of {len(bad)}",
        ]
    )


def main() -> None:
    """Hand in, and grade."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="ps5_synchrony")
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    path = course.ASSIGNMENTS / f"{arguments.name}.ipynb"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = "" if load < IDLE else "; it has other work, times are too long"
    print(f"{machine()}, {os.cpu_count()} processors, load {load:.1f}{busy}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        submitted = Path(folder, "submitted")
        for student, notebook in submissions(path, arguments.students):
            place = submitted / student / path.stem
            place.mkdir(parents=True)
            nbformat.write(notebook, place / path.name)
        checks, limits = course.grader(path).cells, grading.Limits()
        grading.warm(course.instructor(path).cells, course.FIRST, course.COMPILED)
        for words, cache in (("compiles by itself", None), ("finds it compiled", course.COMPILED)):
            begin = time.monotonic()
            grading.grade(submitted / "solution" / path.stem / path.name, checks, limits, (), cache)
            print(f"one solution that {words}: {time.monotonic() - begin:.0f} s", flush=True)
        out = Path(folder, "marks")
        print(summary(course.grade(submitted, path.stem, out, limits, arguments.jobs)))


if __name__ == "__main__":
    main()

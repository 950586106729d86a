"""Grading a class: a submission that misbehaves costs nobody but itself."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import nbformat
import pytest

from ttfslib import course

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def grading():
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(ROOT / "tools"))
    import grading

    yield grading
    patch.undo()


def cell(name, source, points=0, solution=False):
    marks = {"grade_id": name, "grade": points > 0, "points": points, "solution": solution}
    metadata = {"nbgrader": marks} if name else {}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


STUB = "raise NotImplementedError"
CHECKS = [
    cell("imports", "import math"),
    cell("one", STUB, solution=True),
    cell("check-one", "assert one() == 1, 'one is wrong'", 2),
    cell("two", STUB, solution=True),
    cell("check-two", "assert math.isclose(two(), 2), 'two is wrong'", 3),
]
RIGHT = {"one": "def one():\n    return 1", "two": "def two():\n    return 2"}


def hand_in(folder, student, given, extra=()):
    """A submission with these answers, and with cells that the student added in front."""
    notebook = nbformat.v4.new_notebook()
    added = [cell(None, source) for source in extra]
    notebook.cells = [*added, *(cell(name, text, solution=True) for name, text in given.items())]
    path = folder / student / "set" / "set.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def marks(graded):
    return [part.earned for part in graded.parts]


BAD = {
    "crashes": "import os\nos.abort()",
    "quits": "import os\nos._exit(0)",
    "loops": "while True:\n    pass",
    "eats memory": "hoard = [bytes(10**9) for _ in range(100)]",
    "prints": "for _ in range(10**5):\n    print('x' * 10**4)",
    "fills the disk": "open('big', 'wb').write(bytes(10**9))",
    "closes its pipes": "import os\nos.closerange(0, 100)",
    "talks to the grader": "import os\nfor n in range(3, 9):\n    os.write(n, b'{}\\n')",
}


@pytest.mark.parametrize("name", BAD)
def test_a_cell_that_misbehaves_costs_its_own_part_alone(grading, tmp_path, name):
    answers = RIGHT | {"one": BAD[name]}
    path = hand_in(tmp_path, "eve", answers)
    graded = grading.grade(path, CHECKS, grading.Limits(seconds=10, memory=1500))
    assert marks(graded) == [0, 3]
    assert graded.parts[0].message


def test_a_class_with_all_of_them_is_graded_and_reported(grading, tmp_path):
    submitted = tmp_path / "submitted"
    hand_in(submitted, "ada", RIGHT)
    hand_in(submitted, "bob", RIGHT | {"two": "def two():\n    return 3"})
    hand_in(submitted, "eve", RIGHT, [BAD["quits"]])
    (submitted / "dan" / "set").mkdir(parents=True)
    (submitted / "fay" / "set").mkdir(parents=True)
    (submitted / "fay" / "set" / "set.ipynb").write_text("[broken")
    (submitted / "gil" / "set").mkdir(parents=True)
    ada = submitted / "ada" / "set" / "set.ipynb"
    (submitted / "gil" / "set" / "set.ipynb").symlink_to(ada)
    graded = grading.grade_class(submitted, "set", CHECKS, tmp_path / "out", grading.Limits())
    earned = {student: sum(marks(result)) for student, result in graded.items()}
    assert earned == {"ada": 5, "bob": 2, "dan": 0, "eve": 5, "fay": 0, "gil": 0}
    assert graded["ada"].megabytes > 10
    lines = (tmp_path / "out" / "set.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * len(earned)
    assert "two is wrong" in (tmp_path / "out" / "feedback" / "bob" / "set.md").read_text()


def test_whoever_cannot_be_graded_is_told_why(grading, tmp_path):
    """A notebook with another name, and a damaged one: what to mend, and no more of the disk."""
    submitted = tmp_path / "submitted"
    hand_in(submitted, "ada", RIGHT)
    path = hand_in(submitted, "bob", RIGHT)
    path.rename(path.with_name("set (1).ipynb"))
    path = hand_in(submitted, "cem", RIGHT)
    path.write_text(path.read_text()[:200])
    graded = grading.grade_class(submitted, "set", CHECKS, tmp_path / "out", grading.Limits())
    assert graded["ada"].unread == ""
    assert graded["bob"].unread.endswith("; the folder holds set (1).ipynb")
    page = (tmp_path / "out" / "feedback" / "cem" / "set.md").read_text()
    assert "cannot be read: set.ipynb is no Jupyter notebook" in page
    lines = (tmp_path / "out" / "set-points.csv").read_text().splitlines()
    assert lines[:2] == ["student,points,of,says", "ada,5,5,"]
    assert [line[:8] for line in lines[2:]] == ["bob,0,5,", "cem,0,5,"]


ODD_CELLS = [
    {"source": "x = 1", "metadata": {}},
    {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade": True}}},
    {
        "cell_type": "code",
        "source": "",
        "metadata": {"nbgrader": {"grade": True, "grade_id": "bonus", "points": 100}},
    },
]


def test_odd_notebooks_cost_their_students_alone_and_earn_nothing(grading, tmp_path):
    submitted = tmp_path / "submitted"
    hand_in(submitted, "ada", RIGHT)
    for n, odd in enumerate(ODD_CELLS):
        path = hand_in(submitted, f"odd-{n}", RIGHT)
        notebook = json.loads(path.read_text())
        notebook["cells"].insert(0, odd)
        path.write_text(json.dumps(notebook))
    hand_in(submitted, "deep", RIGHT).write_text("[" * 10**5)
    hand_in(submitted, "text", RIGHT | {"one": "def one():\n    assert 0, '=\\ud800'"})
    deep = "import os\nfor n in range(3, 9):\n    os.write(n, b'[' * 9000 + b'\\n')"
    hand_in(submitted, "answer", RIGHT | {"one": deep})
    graded = grading.grade_class(submitted, "set", CHECKS, tmp_path / "out", grading.Limits())
    earned = {student: marks(result) for student, result in graded.items()}
    assert earned.pop("odd-0") == earned.pop("deep") == [0, 0]
    assert earned.pop("text") == earned.pop("answer") == [0, 3]
    assert set(map(tuple, earned.values())) == {(2, 3)}
    assert r",'=\ud800," in (tmp_path / "out" / "set.csv").read_text()


def test_a_grading_that_breaks_off_leaves_what_was_graded(grading, tmp_path):
    for student in ("ada", "bob"):
        hand_in(tmp_path / "submitted", student, RIGHT)
    out = tmp_path / "submitted" / "out"
    out.mkdir()
    (out / "set.csv").write_text("of last week")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grading.grade_class(tmp_path / "submitted", "set", CHECKS, out, grading.Limits(), tell=stop)
    assert (out / "set.csv").read_text() == "of last week"
    assert "ada,one,2" in (out / "set-unfinished.csv").read_text()
    with pytest.raises(ValueError, match="and holds none"):
        grading.grade_class(out, "set", CHECKS, tmp_path / "marks", grading.Limits())
    assert not (tmp_path / "marks").exists()


def test_what_students_change_of_the_checks_counts_for_nothing(grading, tmp_path):
    path = hand_in(tmp_path, "eve", {"check-one": "pass", "imports": "import os", **RIGHT})
    notebook = nbformat.read(path, as_version=4)
    for changed in notebook.cells[:2]:
        changed.metadata.nbgrader |= {"solution": True, "points": 100}
    nbformat.write(notebook, path)
    wrong = hand_in(tmp_path, "fay", {"check-one": "pass", "one": "def one():\n    return 2"})
    assert marks(grading.grade(path, CHECKS, grading.Limits())) == [2, 3]
    assert marks(grading.grade(wrong, CHECKS, grading.Limits())) == [0, 0]


def test_a_process_that_does_not_read_is_not_waited_for(grading):
    with subprocess.Popen(["sleep", "60"], stdin=-1, stdout=-1) as process:
        assert grading.cages.asked(process, "#" * 10**6, 0.5) == "runs longer than 0.5 s"
        process.kill()


def test_hidden_checks_are_not_in_the_process_before_they_run(grading, tmp_path):
    looks = "import sys, gc\ntext = repr(gc.get_objects())\nassert 'two is ' + 'wrong' not in text"
    graded = grading.grade(hand_in(tmp_path, "eve", RIGHT, [looks]), CHECKS, grading.Limits())
    assert marks(graded) == [2, 3]


@pytest.fixture
def caged(grading):
    if not grading.has_cage():
        pytest.skip("this machine makes no namespaces")
    return grading


def test_in_the_cage_nothing_of_others_is_seen_or_changed(caged, tmp_path):
    """Each attempt is an answer that is right only if the attempt fails."""
    secret = hand_in(tmp_path / "submitted", "ada", RIGHT)
    outside = tmp_path / "precious"
    outside.write_text("precious")
    attempts = {
        "one": f"""
import os, pathlib, subprocess
def one():
    for attempt in (
        lambda: pathlib.Path({str(secret)!r}).read_text(),
        lambda: pathlib.Path({str(outside)!r}).unlink(),
        lambda: pathlib.Path({str(outside)!r}).write_text("gone"),
        lambda: next(pathlib.Path({str(ROOT / "assignments")!r}).glob("*.toml")).read_text(),
        lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
        lambda: subprocess.run(["umount", {str(tmp_path / "submitted")!r}], check=True),
        lambda: subprocess.run(["mount", "-o", "remount,bind,rw", "/"], check=True),
    ):
        try:
            attempt()
        except (OSError, StopIteration, subprocess.CalledProcessError):
            continue
        return 0
    open("scratch", "w").write("mine")
    return 1
""",
        "two": "def two():\n    return 2",
    }
    path = hand_in(tmp_path / "submitted", "eve", attempts)
    covered = [tmp_path / "submitted", ROOT / "assignments"]
    assert marks(caged.grade(path, CHECKS, caged.Limits(), covered)) == [2, 3]
    assert outside.read_text() == "precious"


def test_in_the_cage_there_is_no_network(caged, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        call = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=5)"
        assert course.run_cell(call, {}) is None, "outside it can be reached"
        path = hand_in(tmp_path, "eve", RIGHT | {"one": f"{call}\n{RIGHT['one']}"})
        assert marks(caged.grade(path, CHECKS, caged.Limits())) == [0, 3]


def test_what_is_not_protected_is_said(grading, monkeypatch):
    assert "Not protected" in grading.protection()
    monkeypatch.setattr(grading, "has_cage", lambda: False)
    assert "container" in grading.protection()


def test_compiled_code_is_at_hand_and_nobody_spoils_it_for_others(caged, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "kernel.nbc").write_text("compiled")
    spoils = """
import os, pathlib
kernel = pathlib.Path(os.environ["NUMBA_CACHE_DIR"], "kernel.nbc")
assert kernel.read_text() == "compiled"
kernel.write_text("spoiled")
"""
    path = hand_in(tmp_path / "submitted", "eve", RIGHT | {"one": spoils + RIGHT["one"]})
    for _ in range(2):
        graded = caged.grade(path, CHECKS, caged.Limits(), [cache], cache)
        assert marks(graded) == [2, 3]
    assert (cache / "kernel.nbc").read_text() == "compiled"


def test_no_class_is_graded_while_the_solution_does_not_pass(grading, tmp_path):
    def answered(answers):
        return [
            {**c, "source": answers.get(c.metadata.nbgrader.grade_id, c.source)} for c in CHECKS
        ]

    grading.warm(answered(RIGHT), grading.Limits(), tmp_path / "cache")
    wrong = answered(RIGHT | {"two": "def two():\n    return 3"})
    with pytest.raises(ValueError, match="full marks before a class is graded, got two: two is w"):
        grading.warm(wrong, grading.Limits(), tmp_path / "cache")

"""Problem sets: versions that keep what they must, and checks that grade as they should."""

from __future__ import annotations

import csv
import importlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bundles
import minutes
import nbformat
import pytest
from notebooks import complaints

import ttfslib
from ttfslib import book, course, first_spike_time
from ttfslib.cli import main

ROOT = Path(__file__).resolve().parents[1]
SETS = sorted((ROOT / "assignments").glob("*.ipynb"))
CHAPTERS = sorted((ROOT / "chapters").glob("ch*.ipynb"))
PROJECT = ROOT / "assignments" / "project"
MARKERS = ("SOLUTION", "HIDDEN TESTS", "Full marks", "Half marks")

each_set = pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)


@pytest.fixture
def tool(monkeypatch):
    pytest.importorskip("nbgrader")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import course as tool

    return tool


def within(text, marker):
    """Lines between the begin and the end of each region with this name."""
    regions = re.findall(rf"(?ms)### BEGIN {marker}$(.*?)### END {marker}$", text)
    lines = {line.strip() for region in regions for line in region.splitlines()}
    return {line for line in lines if len(line) > 12}


def source_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells)


@each_set
def test_the_student_version_holds_no_solution_and_no_hidden_check(tool, path):
    """In no text, output or metadata, not even a line of it."""
    notebook = tool.student(path)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    written = json.dumps(notebook, ensure_ascii=False)
    metadata = json.dumps([cell.metadata for cell in notebook.cells] + [notebook.metadata])
    visible = {line.strip() for cell in notebook.cells for line in cell.source.splitlines()}
    assert [marker for marker in MARKERS if marker in written] == []
    kept = re.sub(r"(?ms)### BEGIN (SOLUTION|HIDDEN TESTS)$.*?### END \1$", "", source_of(path))
    shared = {line.strip() for line in kept.splitlines()}
    for marker in ("SOLUTION", "HIDDEN TESTS"):
        secret = within(source_of(path), marker) - shared
        assert len(secret) > 10
        assert secret & visible == set()
        assert [line for line in secret if line in metadata] == []
    kinds = {key for cell in notebook.cells for key in cell.metadata}
    assert kinds <= {"nbgrader", "deletable", "editable"}


@each_set
def test_the_graders_version_holds_every_check_and_no_solution(tool, path):
    notebook = tool.grader(path)
    written = "\n".join(cell.source for cell in notebook.cells)
    hidden = {cell.source for cell in tool.instructor(path).cells if "HIDDEN TESTS" in cell.source}
    assert hidden <= {cell.source for cell in notebook.cells}
    assert "BEGIN SOLUTION" not in written


@each_set
def test_source_notebooks_are_stored_without_outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.get("outputs") for cell in cells)
    assert all(set(cell.metadata) == {"nbgrader"} for cell in cells)


@each_set
def test_the_solution_gets_full_marks(tool, path):
    parts = course.run_cells(tool.instructor(path).cells)
    assert [part for part in parts if part.passed is False] == []
    assert [part.name for part in parts if part.passed is None] == ["explain"]


@each_set
@pytest.mark.parametrize("version", ["student", "grader"])
def test_the_untouched_notebook_gets_nothing(tool, path, version):
    parts = course.run_cells(getattr(tool, version)(path).cells)
    assert sum(part.earned for part in parts) == 0
    assert len(parts) >= 6


@each_set
def test_the_points_and_minutes_on_the_first_page_add_up(tool, path):
    cells = tool.instructor(path).cells
    parts = course.run_cells(tool.grader(path).cells)
    said = int(re.search(r"\*\*Points:\*\* (\d+)", cells[0].source)[1])
    assert sum(part.points for part in parts) == said
    titles = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert sum(map(int, re.findall(r"^## .*\((\d+) points\)$", titles, re.MULTILINE))) == said
    total, rest = re.search(
        r"\*\*Time:\*\* (\d+) minutes: (.*)\.$", cells[0].source, re.MULTILINE
    ).groups()
    assert sum(map(int, re.findall(r"\d+", rest))) == int(total)
    assert 60 <= int(total) <= 120


def test_minutes_are_those_of_the_first_pages():
    """Of ten chapters and of all sets, or the page for instructors cannot be built."""
    said = (
        "an hour and a half to read, the boxes a quarter of an hour more, the exercises two hours"
    )
    assert minutes.of_chapter(f"- Time: {said}. It runs in a minute.") == (90, 120)
    with pytest.raises(ValueError, match="must tell minutes for reading and for exercises"):
        minutes.of_chapter("- Time: an hour to read.")
    rows = minutes.rows(ROOT)
    assert len(rows) == len(SETS) + len(CHAPTERS)
    by_name = {name.strip("`"): spent for name, _, spent in rows}
    for path in SETS:
        assert f"**Time:** {by_name[path.stem]} minutes" in source_of(path)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_tell_how_long_they_take_and_the_longer_ones_have_a_hint(path):
    text = source_of(path)
    told = set(re.findall("★+", re.search(r"(?m)^★.* longer\.", text)[0]))
    exercises = re.findall(r"(?ms)^(`{3,})\{exercise\}[^\n]*\n:label: (\S+)\n\n(.*?)^\1$", text)
    assert len(exercises) == text.count("{exercise}")
    for _, label, asked in exercises:
        marks = re.match("★+(?= )", asked)
        assert marks, label
        assert marks[0] in told, label
        assert marks[0] == "★" or "{dropdown} Hint" in asked, label


@each_set
def test_a_set_says_how_right_is_right_and_shows_full_and_half_marks(path):
    text = source_of(path)
    assert re.search(r"Results have to be right to (six|seven|eight) digits", text)
    rubric = text[text.index("**Full marks (2):**") :]
    full, half = rubric.split("**No marks:**")[0].split("**Half marks (1):**")
    assert 'Example: "' in full
    assert 'Example: "' in half


@each_set
def test_a_set_needs_no_data_but_those_of_the_bundle(path):
    loaded = re.findall(r"shipped\w*\(\s*[\"']([\w-]+)|(load_\w+)", source_of(path))
    names = {name or loader for name, loader in loaded}
    assert names <= {"digits-dale", "digits-free", "load_digits", "load_yin_yang"}


@each_set
def test_the_answers_are_enough(tool, path):
    """For each part that is checked: three wrong answers or more, with their own messages."""
    checked = {
        tool.name(cell).removeprefix(course.CHECK)
        for cell in tool.instructor(path).cells
        if tool.is_check(cell)
    }
    answers = tool.answers(path)
    assert {answer.part for answer in answers} == checked
    for part in checked:
        says = [answer.says for answer in answers if answer.part == part]
        assert len({message for message in says if message}) >= 3, part
        assert None in says, f"{part} has no right answer in another style"


@pytest.mark.slow
def test_wrong_answers_lose_their_part_alone_and_right_ones_nothing(tool):
    tries = {path: list(tool.tried(path)) for path in SETS}
    for answer, parts in itertools.chain(*tries.values()):
        lost = {part.name: part.message for part in parts if part.passed is False}
        if answer.says is None:
            assert lost == {}, answer.source
        else:
            assert list(lost) == [answer.part], answer.source
            assert answer.says in lost[answer.part]
    written = tool.TABLE.read_text(encoding="utf-8")
    assert tool.table(tries) in written, "the table is old: python tools/course.py table"


def test_a_wrong_answer_that_is_not_caught_is_told_apart(tool):
    """What the table counts can fail in each of its three ways."""
    answer = tool.Answer("a", "", "because")
    lost = course.Part("a", 1, False, "because of this")
    other = course.Part("b", 1, False, "because")
    assert tool.is_caught(answer, [lost])
    assert not tool.is_caught(answer, [course.Part("a", 1, True)])
    assert not tool.is_caught(answer, [lost, other])
    assert not tool.is_caught(answer, [course.Part("a", 1, False, "something else")])


def test_equations_are_named_as_the_book_numbers_them(tool):
    numbers = tool.equation_numbers()
    assert numbers["eq-current"] == "Eq. 1.1"
    assert len(set(numbers.values())) == len(numbers)
    for path in SETS:
        assert "[eq-" not in "\n".join(cell.source for cell in tool.instructor(path).cells)


def test_the_rubric_adds_up_and_the_worked_example_answers_all_of_it():
    page = (PROJECT / "project.md").read_text(encoding="utf-8")
    rubric = dict(re.findall(r"(?m)^\| ([a-z ]+) \| (\d) \|", page))
    assert sum(map(int, rubric.values())) == 20
    assert "Twenty points" in page
    assert 4 <= len(re.findall(r"(?m)^\d\. \*\*.*\?\*\* \(chapter", page)) <= 6
    headings = "\n".join(re.findall(r"(?m)^## .*$", source_of(PROJECT / "example.ipynb")))
    assert [part for part in rubric if f"({part})" not in headings] == []


def test_what_the_final_project_names_is_there():
    page = (PROJECT / "project.md").read_text(encoding="utf-8")
    begins = " ".join(re.findall(r"\*Begin with\* (.*?)\*Not without", page))
    names = [name for name in re.findall(r"`([\w.]+)`", begins) if "/" not in name]
    assert len(names) > 8
    for name in names:
        module, _, function = name.rpartition(".")
        home = importlib.import_module(module) if module else ttfslib
        assert hasattr(home, function), name
    for table in re.findall(r"`([\w/]+\.csv)`", begins):
        assert book.data_path(table).is_file()


def test_the_worked_example_is_stored_as_it_ran(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import execute

    path = PROJECT / "example.ipynb"
    notebook = nbformat.read(path, as_version=4)
    execute.normalise(notebook)
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")
    checked = [c for c in notebook.cells if "nbval-check-output" in c.metadata.get("tags", ())]
    assert len(checked) >= 4
    assert all(cell.outputs for cell in checked)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.output_type == "error"] == []


@pytest.mark.slow
def test_the_worked_example_prints_what_it_stores_without_mnist(tmp_path):
    nowhere = dict.fromkeys(("TTFSLIB_DATA", "XDG_CACHE_HOME", "HOME"), str(tmp_path))
    nowhere["HTTPS_PROXY"] = "http://127.0.0.1:9"
    assert complaints(PROJECT / "example.ipynb", **nowhere) == ""


@pytest.mark.slow
def test_nbgrader_makes_the_same_release_and_gives_the_same_marks(tool, tmp_path, monkeypatch):
    """From the instructor's bundle: two hand in, one the solution, the other nothing."""
    path = SETS[0]
    monkeypatch.setattr(tool, "problem_sets", lambda: [path])
    bundles.write_instructor(tmp_path)
    folder = tmp_path / "nbgrader"

    # nbgrader calls a program that lies beside its own.
    path_with_its_own = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path_with_its_own}

    def nbgrader(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    nbgrader("generate_assignment", path.stem)
    release = folder / "release" / path.stem / path.name
    found, expected = (
        {tool.name(cell): cell.source for cell in notebook.cells}
        for notebook in (nbformat.read(release, as_version=4), tool.student(path))
    )
    assert found == expected
    for student, given in (("ada", folder / "source" / path.stem / path.name), ("bob", release)):
        (folder / "submitted" / student / path.stem).mkdir(parents=True)
        shutil.copy(given, folder / "submitted" / student / path.stem)
    nbgrader("autograde", path.stem)
    nbgrader("export")
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        marks = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    parts = course.run_cells(tool.instructor(path).cells)
    assert marks == {"ada": sum(part.earned for part in parts), "bob": 0}


def notebook_of(path, *cells):
    """Write a notebook of (source, points) pairs."""
    kinds = [
        {"grade": True, "grade_id": f"check-{n}", "points": points} if points else {}
        for n, (_, points) in enumerate(cells)
    ]
    notebook = nbformat.v4.new_notebook()
    for (source, _), marks in zip(cells, kinds, strict=True):
        metadata = {"nbgrader": marks} if marks else {}
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata=metadata))
    nbformat.write(notebook, path)
    return path


def test_check_says_part_by_part_what_passes(tmp_path, capsys):
    path = notebook_of(
        tmp_path / "set.ipynb",
        ("%matplotlib inline\nprint('noise')\nx = 2", None),
        ("assert x == 2", 3),
        ("assert x == 3, 'x is one\\ntoo small'", 4),
        ("1 / 0", 1),
        ("raise SystemExit", 1),
    )
    assert main(["check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "1   3  passes",
        "2   4  x is one too small",
        "3   1  ZeroDivisionError: division by zero",
        "4   1  SystemExit:",
        "3 of 9 points pass the checks in this notebook",
    ]
    assert err == "ttfs: checks do not pass yet: 2, 3, 4\n"


def test_check_runs_in_the_folder_of_the_notebook(tmp_path, capsys):
    (tmp_path / "data.txt").write_text("2")
    path = notebook_of(tmp_path / "set.ipynb", ("assert open('data.txt').read() == '2'", 3))
    assert main(["check", str(path)]) == 0
    assert "3 of 3" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [{}]}', '{"cells": []}'])
def test_what_is_no_problem_set_is_one_line(tmp_path, capsys, text):
    path = tmp_path / "set.ipynb"
    path.write_text(text)
    assert main(["check", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line


def test_the_solvers_are_refused_where_the_answer_has_to_find_the_spike():
    def asks(weight):
        return first_spike_time([0.0], [weight])

    course.agree(asks, asks, [(3.0,)])
    with pytest.raises(AssertionError, match="without the solvers of ttfslib"):
        course.agree(asks, asks, [(3.0,)], own=True)
    assert asks(3.0) < 1, "they are back afterwards"


def test_a_known_mistake_is_named_and_an_unknown_one_is_shown():
    def right(x):
        return x + 1

    cases, mistakes = [(1,), (2,)], {"one too much": lambda x: x + 2}
    for answer, says in [
        (lambda x: x + 2, "^one too much$"),
        (lambda x: x + 3, r"\(1\.0\) is 4\.0, right is 2\.0$"),
        (lambda x: [x + 1], "right is"),
        (lambda _: None, "does your function end with return"),
        (lambda _: float("nan"), "is nan, right is"),
    ]:
        with pytest.raises(AssertionError, match=says):
            course.agree(answer, right, cases, mistakes=mistakes)
    course.agree(lambda x: 1 + x + 1e-9, right, cases, mistakes=mistakes)


def test_an_answer_cannot_change_what_it_is_given():
    def spoils(x):
        x.append(1)
        return len(x)

    case = [0]
    course.agree(spoils, lambda _: 2, [(case,), (case,)])
    assert case == [0]

"""Bundles: each holds what it is for, and the students' one works where nothing else is."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import bundles
import course
import folders
import nbformat
import pytest
import wheels

from ttfslib.course import run_cells

MARKERS = ("SOLUTION", "HIDDEN TESTS", "Full marks", "Half marks")
PROJECT_FILES = {"project/project.md", "project/example.ipynb"}
SETS = course.problem_sets()

# To look for nbgrader is enough: to import it takes half a second, in every process of the tests.
needs_nbgrader = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None, reason="the extra `course` is not installed"
)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bundles"), needs_nbgrader]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder with both bundles."""
    folder = tmp_path_factory.mktemp("bundles")
    slides = folder / "slides"
    slides.mkdir()
    (slides / "index.html").write_text("slides")
    bundles.make(folder / "out", slides)
    return folder / "out"


@pytest.fixture(scope="module")
def unpacked(out, tmp_path_factory):
    """A clean folder with nothing in it but what the two archives hold."""
    folder = tmp_path_factory.mktemp("unpacked")
    for name in ("student", "instructor"):
        with zipfile.ZipFile(out / f"{name}.zip") as bundle:
            bundle.extractall(folder)
    return folder


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_unpacks_into_a_folder_of_its_own(unpacked):
    assert {path.name for path in unpacked.iterdir()} == {"student", "instructor"}


def test_students_get_what_they_need_and_no_solution(unpacked):
    files = names(unpacked / "student")
    texts = [(unpacked / "student" / path.name).read_text(encoding="utf-8") for path in SETS]
    assert {path.name for path in SETS} | PROJECT_FILES | {"START.html", "START.md"} <= files
    assert {"requirements.txt", "constraints.txt", "LICENSE", "LICENSE-TEXT"} <= files
    assert not any(marker in text for marker in MARKERS for text in texts)
    assert not files & {path.with_suffix(".toml").name for path in SETS}


def test_instructors_get_sources_checks_and_slides(unpacked):
    folder = unpacked / "instructor"
    for path in SETS:
        source = folder / "nbgrader" / "source" / path.stem / path.name
        assert "BEGIN SOLUTION" in source.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" in (folder / "grader" / path.name).read_text(encoding="utf-8")
    extra = {"slides/index.html", "README.md", "nbgrader/nbgrader_config.py"}
    assert extra | PROJECT_FILES <= names(folder)


def test_otter_grader_gives_the_same_marks(unpacked, tmp_path):
    """Otter itself, offline, on the solution, and with one answer right, one wrong, others open."""
    pytest.importorskip("otter")
    path = SETS[0]
    wrong = next(answer for answer in course.answers(path) if answer.says)
    right = course.instructor(path)
    full = {part.name: part.earned for part in run_cells(right.cells) if part.passed}
    alone = list(full)[-1]  # needs no other part
    sources = {course.name(cell): cell.source for cell in right.cells}
    given = {wrong.part: wrong.source, alone: sources[alone]}
    handed_in = {"right": right, "mixed": course.answered(course.student(path), given)}
    offline = os.environ | {"HTTPS_PROXY": "http://127.0.0.1:9"}

    def otter(*words):
        command = [sys.executable, "-m", "otter", *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]

    otter("generate", "-t", unpacked / "instructor" / "otter" / path.stem / "tests")
    marks, says = {}, {}
    for kind, notebook in handed_in.items():
        nbformat.write(notebook, tmp_path / f"{kind}.ipynb")
        otter("run", "--no-logo", "-a", "autograder.zip", f"{kind}.ipynb")
        tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
        marks[kind] = {test["name"]: test["score"] for test in tests if "score" in test}
        says[kind] = {test["name"]: test["output"] for test in tests}
    assert marks["right"] == full
    assert marks["mixed"] == dict.fromkeys(full, 0) | {alone: full[alone]}
    assert wrong.part != alone
    assert wrong.says in says["mixed"][wrong.part]


def test_the_start_page_names_what_is_there(unpacked):
    page = (unpacked / "student" / "START.html").read_text(encoding="utf-8")
    found = set(re.findall(r"[\w/]+\.(?:ipynb|txt|md)\b", page))
    assert len(found) >= 4
    assert found <= names(unpacked / "student")


@pytest.fixture(scope="module")
def student(unpacked, tmp_path_factory):
    """The Python of a student who has installed the bundle's wheel, beside the packages here."""
    (wheel,) = (unpacked / "student").glob("*.whl")
    return wheels.install(wheel, tmp_path_factory.mktemp("home") / ".venv")


def run(*command, folder, home, code=0):
    """What a command says in a student's folder, where nothing tells of the book."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TTFSLIB"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_what_the_start_page_installs_is_complete(student, unpacked):
    """With the packages that are here, the tested versions, nothing is left to fetch."""
    asked = ["install", "--no-index", "--dry-run", "-r", "requirements.txt"]
    said = run(*wheels.PIP, student, *asked, folder=unpacked / "student", home=student.parents[2])
    assert "Requirement already satisfied: torch" in said
    assert "Would install" not in said


def test_a_student_checks_a_set_with_nothing_but_the_bundle(student, unpacked):
    """The book is out of sight."""
    place = {"folder": unpacked / "student", "home": student.parents[2]}
    path = unpacked / "student" / SETS[0].name
    notebook = nbformat.read(path, as_version=4)
    solution = next(c for c in course.instructor(SETS[0]).cells if course.name(c) == "potential")
    nbformat.write(course.answered(notebook, {"potential": solution.source}), path)
    said = run(wheels.script(student, "ttfs"), "check", path.name, **place, code=1)
    said = dict(re.findall(r"(?m)^(\w+) +\d+  (.*)$", said))
    assert said["potential"] == "passes"
    assert said["spike"] == "nothing is written here yet"
    looks = (
        "import ttfslib; from ttfslib import book; print(ttfslib.__file__); "
        "print(book.shipped('digits-dale', 2).config.name, book.data_path('ensemble_digits'))"
    )
    where, data = run(student, "-c", looks, **place).splitlines()
    assert Path(where).is_relative_to(student.parents[1])
    assert str(unpacked) in data


def test_what_is_no_bundle_is_not_cleared_away(out, tmp_path):
    slides_tool = pytest.importorskip("slides")
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match="holds something else"):
        bundles.make(tmp_path)
    with pytest.raises(ValueError, match="slides must lie outside of"):
        bundles.make(tmp_path, tmp_path / "slides")
    with pytest.raises(ValueError, match="holds something else"):
        slides_tool.write(tmp_path, tmp_path, None)
    assert (tmp_path / "notes.txt").read_text() == "precious"
    folders.clear(out / "nothing", "mark")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mark").touch()
    folders.clear(tmp_path / "bundle", "mark")
    assert not (tmp_path / "bundle").exists()

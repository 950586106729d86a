"""Bundles: each holds what it is for, and the students' one works where nothing else is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader")

import bundles
import course
import folders

from ttfslib.course import run_cells

MARKERS = ("SOLUTION", "HIDDEN TESTS", "Full marks", "Half marks")
PROJECT_FILES = {"project/project.md", "project/example.ipynb"}
SETS = course.problem_sets()

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bundles")]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder with both bundles."""
    folder = tmp_path_factory.mktemp("bundles")
    slides = folder / "slides"
    slides.mkdir()
    (slides / "index.html").write_text("slides")
    bundles.make(folder / "out", slides)
    return folder / "out"


def names(archive):
    return {name for name in archive.namelist() if not name.endswith("/")}


def test_students_get_what_they_need_and_no_solution(out):
    with zipfile.ZipFile(out / "student.zip") as bundle:
        files = names(bundle)
        texts = [bundle.read(path.name).decode() for path in SETS]
    assert {path.name for path in SETS} | PROJECT_FILES | {"START.html", "START.md"} <= files
    assert {"requirements.txt", "constraints.txt", "LICENSE", "LICENSE-TEXT"} <= files
    assert not any(marker in text for marker in MARKERS for text in texts)
    assert not files & {path.with_suffix(".toml").name for path in SETS}


def test_instructors_get_sources_checks_and_slides(out):
    with zipfile.ZipFile(out / "instructor.zip") as bundle:
        for path in SETS:
            source = bundle.read(f"nbgrader/source/{path.stem}/{path.name}").decode()
            assert "BEGIN SOLUTION" in source
            assert "HIDDEN TESTS" in bundle.read(f"grader/{path.name}").decode()
        extra = {"slides/index.html", "README.md", "nbgrader/nbgrader_config.py"}
        assert extra | PROJECT_FILES <= names(bundle)


def test_otter_grader_gives_the_same_marks(out, tmp_path):
    """Otter itself, offline, on the solution, a wrong answer and the untouched notebook."""
    pytest.importorskip("otter")
    path = SETS[0]
    wrong = next(answer for answer in course.answers(path) if answer.says)
    handed_in = {
        "right": course.instructor(path),
        "wrong": course.answered(course.instructor(path), {wrong.part: wrong.source}),
        "untouched": course.student(path),
    }
    offline = os.environ | {"HTTPS_PROXY": "http://127.0.0.1:9"}

    def otter(*words):
        command = [sys.executable, "-m", "otter", *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]

    otter("generate", "-t", out / "instructor" / "otter" / path.stem / "tests")
    marks, says = {}, {}
    for kind, notebook in handed_in.items():
        nbformat.write(notebook, tmp_path / f"{kind}.ipynb")
        otter("run", "--no-logo", "-a", "autograder.zip", f"{kind}.ipynb")
        tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
        marks[kind] = {test["name"]: test["score"] for test in tests if "score" in test}
        says[kind] = {test["name"]: test["output"] for test in tests}
    full = {part.name: part.earned for part in run_cells(handed_in["right"].cells) if part.passed}
    assert marks["right"] == full
    assert marks["wrong"] == full | {wrong.part: 0}
    assert wrong.says in says["wrong"][wrong.part]
    assert marks["untouched"] == dict.fromkeys(full, 0)


def test_the_start_page_names_what_is_there(out):
    with zipfile.ZipFile(out / "student.zip") as bundle:
        page = bundle.read("START.html").decode()
        found = re.findall(r"[\w/]+\.(?:ipynb|txt|md)\b", page)
        assert len(set(found)) >= 4
        assert set(found) <= names(bundle)


def test_every_requirement_has_its_tested_version(out):
    folder = out / "student"
    lines = (folder / "constraints.txt").read_text().split()
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    options, *needed = (folder / "requirements.txt").read_text().splitlines()[1:]
    assert options == "-c constraints.txt"
    assert (folder / needed[0]).is_file()
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in needed[1:]} <= pinned


def test_a_student_checks_a_set_with_nothing_but_the_bundle(out, tmp_path):
    """The wheel of the bundle is unpacked beside it, as pip would; the book is out of sight."""
    folder, site = tmp_path / "somewhere", tmp_path / "site"
    with zipfile.ZipFile(out / "student.zip") as bundle:
        bundle.extractall(folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        package.extractall(site)
    path = folder / SETS[0].name
    notebook = nbformat.read(path, as_version=4)
    solution = next(c for c in course.instructor(SETS[0]).cells if course.name(c) == "potential")
    nbformat.write(course.answered(notebook, {"potential": solution.source}), path)

    environment = os.environ | {"PYTHONPATH": str(site), "HOME": str(tmp_path)}

    def run(*words):
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    done = run("-m", "ttfslib", "check", path.name)
    said = dict(re.findall(r"(?m)^(\w+) +\d+  (.*)$", done.stdout))
    assert said["potential"] == "passes", done.stderr
    assert said["spike"] == "nothing is written here yet"
    looks = "import ttfslib; from ttfslib import book; print(ttfslib.__file__)"
    run_name = (
        "; print(book.shipped('digits-dale', 2).config.name, book.data_path('ensemble_digits'))"
    )
    place, data = run("-c", looks + run_name).stdout.splitlines()
    assert Path(place).is_relative_to(site)
    assert str(folder) in data


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

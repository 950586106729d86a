"""Pack the course: `student.zip` and `instructor.zip`, each beside its folder.

    python tools/bundles.py [--out FOLDER] [--slides FOLDER]

Students get the problem sets without solutions and hidden checks, the final project, the data that
both need, and what installs `ttfslib`: a wheel of it, and the tested versions of everything else.
Instructors get the folder of a course for nbgrader, the grader's versions, the same checks as test
files of otter-grader, and the slides. Both bundles hold the final project: a person marks it, with
the rubric on its page.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import commands
import course
import folders
import nbformat
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from ttfslib.course import CHECK

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "_build" / "course"
PROJECT = course.ASSIGNMENTS / "project"
START = course.ASSIGNMENTS / "START.md"
# What problem sets and final project load, and the file by which ttfslib knows the book's folder
DATA = ("data/runs/digits-*", "data/ensemble_digits", "data/README.md", "_toc.yml")
SOURCES = ("ttfslib", "configs", "pyproject.toml", "README.md", "LICENSE")
LICENSES = ("LICENSE", "LICENSE-TEXT")
NEEDED = ("ipykernel", "jupyterlab", "jupyterlab_myst")
REQUIREMENTS = """# The tested versions: pip install -r requirements.txt, in this folder
-c constraints.txt
./{wheel}
{needed}
"""
OTTER = """from otter.test_files import test_case

OK_FORMAT = False
name = {part!r}
points = {points}
CHECKS = {checks!r}


@test_case(points={points}, hidden=True)
def test_answer(env):
    exec(CHECKS, dict(env))
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Start here</title>
<style>
body {{ font: 18px/1.6 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ background: #f6f8fa; padding: 0.8rem; overflow-x: auto }}
</style>
{}</html>
"""


def project_files() -> list[Path]:
    """The page of the final project and its worked example, without what an editor leaves."""
    return [PROJECT / "project.md", PROJECT / "example.ipynb"]


def make(out: Path, slides: Path | None = None) -> None:
    """Write both bundles.

    Parameters
    ----------
    out : Path
        The folder for them; bundles that are in it go.
    slides : Path, optional
        What `tools/slides.py` has written, not in `out`.

    Raises
    ------
    ValueError
        If `out` holds anything else, or the wheel of ttfslib cannot be built.
    """
    if slides is not None and slides.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"slides must lie outside of {out}, got {slides}")
    folders.clear(out, f"student/{course.problem_sets()[0].name}")
    student, instructor = out / "student", out / "instructor"
    write_student(student)
    write_instructor(instructor)
    if slides is not None:
        shutil.copytree(slides, instructor / "slides")
    for folder in (student, instructor):
        for path in project_files():
            shutil.copy(path, _folder(folder / PROJECT.name))
        for name in LICENSES:
            shutil.copy(ROOT / name, folder)
        shutil.make_archive(str(folder), "zip", out, folder.name)
        print(folder.with_suffix(".zip"))


def write_student(folder: Path) -> None:
    """Write what students get, all but the final project."""
    for path in course.problem_sets():
        _write(course.student(path), folder / path.name)
    for pattern in DATA:
        for source in sorted(ROOT.glob(pattern)):
            _copy(source, folder / source.relative_to(ROOT))
    wheel = build_wheel(folder)
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    versions = [line for line in pinned if "==" in line]
    _say(folder / "constraints.txt", "\n".join([*versions, ""]))
    needed = "\n".join(NEEDED)
    _say(folder / "requirements.txt", REQUIREMENTS.format(wheel=wheel.name, needed=needed))
    text = START.read_text(encoding="utf-8")
    _say(folder / START.name, text)
    _say(folder / "START.html", PAGE.format(MarkdownIt().render(text)))


def write_instructor(folder: Path) -> None:
    """Write what instructors get, all but final project and slides."""
    for path in course.problem_sets():
        _write(course.instructor(path), folder / "nbgrader" / "source" / path.stem / path.name)
        _write(course.grader(path), folder / "grader" / path.name)
        write_otter(path, folder / "otter" / path.stem / "tests")
    _say(folder / "nbgrader" / "nbgrader_config.py", course.NBGRADER)
    shutil.copy(course.TABLE, folder)


def write_otter(path: Path, folder: Path) -> None:
    """Write the checks of a problem set as test files of otter-grader, one for each part."""
    for cell in filter(course.is_check, course.grader(path).cells):
        part = str(course.name(cell)).removeprefix(CHECK)
        points = cell.metadata["nbgrader"]["points"]
        text = OTTER.format(part=part, points=points, checks=cell.source)
        _say(_folder(folder) / f"{part}.py", text)


def build_wheel(folder: Path) -> Path:
    """Build a wheel of ttfslib, from a copy so that nothing is left in the checkout.

    Raises
    ------
    ValueError
        If it cannot be built.
    """
    with tempfile.TemporaryDirectory() as place:
        for name in SOURCES:
            _copy(ROOT / name, Path(place, "source", name))
        command = [sys.executable, "-m", "build", "--no-isolation", "--wheel"]
        command += ["--outdir", str(folder), str(Path(place, "source"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"the wheel of ttfslib cannot be built: {done.stderr[-500:]}")
    (wheel,) = folder.glob("ttfslib-*.whl")
    return wheel


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder without what Python leaves in it."""
    _folder(target.parent)
    if source.is_dir():
        left = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(source, target, ignore=left)
    else:
        shutil.copy(source, target)


def _write(notebook: NotebookNode, path: Path) -> None:
    nbformat.write(notebook, _folder(path.parent) / path.name)


def _say(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def main() -> int:
    """Write the bundles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--slides", type=Path, help="folder that `make slides` has written")
    arguments = parser.parse_args()
    if arguments.slides is not None and not arguments.slides.is_dir():
        print(f"--slides must name a folder, got {arguments.slides}", file=sys.stderr)
        return 1
    return commands.in_one_line(lambda: make(arguments.out, arguments.slides))


if __name__ == "__main__":
    raise SystemExit(main())

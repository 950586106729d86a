"""The first page that anyone sees: its example runs, its links lead somewhere."""

import doctest
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_is_shown():
    outcome = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert outcome.attempted > 8
    assert outcome.failed == 0


def test_the_example_is_short():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    lines = [line for line in example.splitlines() if line.startswith((">>>", "..."))]
    assert len([line for line in lines if "import" not in line]) <= 14


def test_every_link_to_a_file_leads_there():
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    files = [target for target in targets if "://" not in target]
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_pictures_say_what_they_show():
    assert min(map(len, re.findall(r"!\[([^\]]*)\]", README))) > 40


def test_the_picture_is_the_one_of_the_chapter(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import readme_picture

    drawing = readme_picture.cells_up_to(readme_picture.CHAPTER, readme_picture.FIGURE)[-1]
    shown = readme_picture.shown_digest(readme_picture.PICTURE)
    assert shown == readme_picture.digest(drawing), "run python tools/readme_picture.py"
    assert str(readme_picture.PICTURE.relative_to(ROOT)) in README
    with pytest.raises(ValueError, match="stores no picture for the figure fig-none"):
        readme_picture.cells_up_to(readme_picture.CHAPTER, "fig-none")


def test_every_command_exists():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"book", "test", "lab"} <= named <= set(targets)


def test_every_folder_is_explained():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines() if "/" in line}
    explained = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    assert {name for name in folders if not name.startswith(".")} <= explained
    assert [name for name in explained if not (ROOT / name).is_dir()] == []


def test_the_preface_leads_to_every_chapter():
    preface = (ROOT / "chapters" / "preface.md").read_text(encoding="utf-8")
    chapters = {path.stem for path in (ROOT / "chapters").glob("ch*.ipynb")}
    assert chapters <= set(re.findall(r"\{chapter-card\} (\w+)", preface))

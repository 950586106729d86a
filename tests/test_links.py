"""The address of the repository: everywhere once it is known, nowhere before."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/someone/first-spikes"


@pytest.fixture
def links(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import links

    return links


def addressed(config, address, **services):
    config = copy.deepcopy(config)
    config["repository"]["url"] = address
    config["launch_buttons"].update(services)
    return config


def test_every_place_says_what_the_config_says(links):
    for name, renew in links.PLACES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert renew(text, links.settings()) == text, "run `make links`"


def test_an_address_comes_and_goes_without_a_trace(links):
    unknown, known = (addressed(links.settings(), address) for address in ("", ADDRESS + "/"))
    for name, renew in links.PLACES.items():
        without = renew((ROOT / name).read_text(encoding="utf-8"), unknown)
        named = renew(without, known)
        assert ADDRESS not in without
        assert ADDRESS in named
        assert renew(named, known) == named
        assert renew(named, unknown) == without


def test_the_written_files_are_read_by_others(links):
    config = addressed(links.settings(), ADDRESS)
    project = links.in_project((ROOT / "pyproject.toml").read_text(encoding="utf-8"), config)
    assert tomllib.loads(project)["project"]["urls"] == {"Source": ADDRESS}
    citation = links.in_citation((ROOT / "CITATION.cff").read_text(encoding="utf-8"), config)
    assert yaml.safe_load(citation)["repository-code"] == ADDRESS


@pytest.mark.parametrize("missing", [True, False])
def test_a_chapter_that_comes_alone_fetches_the_book(links, monkeypatch, missing):
    config = addressed(links.settings(), ADDRESS)
    text = links.in_chapter((ROOT / links.FIRST_CHAPTER).read_text(encoding="utf-8"), config)
    title, cell, *_ = nbformat.reads(text, as_version=4).cells
    assert title.source.startswith("# ")
    assert cell.metadata.tags == ["remove-cell"]
    asked = []

    class Shell:
        system = asked.append

        def run_line_magic(self, name, line, **_):
            asked.append(f"%{name} {line}")

    if missing:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    exec(TransformerManager().transform_cell(cell.source), {"get_ipython": Shell})
    clone = f"git clone --quiet --depth 1 --branch main {ADDRESS} first-spikes"
    wanted = [clone, "%cd first-spikes", "%pip install --quiet ."]
    assert asked == (wanted if missing else [])


def test_badges_lead_to_what_can_be_opened_there(links):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = links.in_readme(text, addressed(links.settings(), ADDRESS))
    badges = re.findall(r"\[!\[([^\]]+)\]\([^)]+\)\]\(([^)]+)\)", readme)
    assert [name for name, _ in badges] == ["Tests", "Open in Binder", "Open in Colab"]
    opened = [re.search(r"chapters/\S+\.ipynb", target) for _, target in badges[1:]]
    assert all((ROOT / found[0]).is_file() for found in opened)
    assert (ROOT / ".github" / "workflows" / Path(badges[0][1]).name).is_file()
    elsewhere = addressed(links.settings(), "https://forge.example/someone/first-spikes")
    assert "Open in" not in links.in_readme(text, elsewhere)


@pytest.fixture
def book(tmp_path):
    """A book of one page and one notebook, with the tools and the settings of this one."""
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=compiled)
    shutil.copytree(ROOT / "chapters" / "_static", tmp_path / "chapters" / "_static")
    shutil.copy(ROOT / "chapters" / "references.bib", tmp_path / "chapters")
    page = "# Start\n\nA page.\n"
    (tmp_path / "chapters" / "start.md").write_text(page, encoding="utf-8")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# One\n\nText."), nbformat.v4.new_code_cell("1 + 1")],
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}},
    )
    nbformat.write(notebook, tmp_path / "chapters" / "one.ipynb")
    contents = "format: jb-book\nroot: chapters/start\nchapters:\n  - file: chapters/one\n"
    (tmp_path / "_toc.yml").write_text(contents, encoding="utf-8")
    return tmp_path


def built(book, config):
    """Build the book and return the HTML of its notebook.

    What is drawn from the chapters and the package is left out: this book has neither.
    """
    own = dict.fromkeys(("press", "links"), "tools")
    config = {**config, "sphinx": {**config["sphinx"], "local_extensions": own}}
    (book / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tools'); "
        "import build_site; build_site.build(Path.cwd(), Path.cwd() / '_build')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=book, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return (book / "_build" / "html" / "chapters" / "one.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pages_have_buttons_once_the_address_is_known(book, links):
    config = addressed(links.settings(), ADDRESS, jupyterhub_url="https://hub.example")
    page = built(book, config)
    targets = re.findall(r'href="(https://[^"]+)"', page)
    assert ADDRESS in targets
    assert [target for target in targets if target.startswith(f"{ADDRESS}/issues")]
    assert f"{ADDRESS}/blob/main/chapters/one.ipynb?plain=1" in targets
    hosts = {target.split("/")[2] for target in targets}
    assert {"mybinder.org", "colab.research.google.com", "hub.example"} <= hosts
    loaded = re.findall(r"<(?:script|link|img)[^>]*\s(?:src|href)=\"https?://[^\"]+", page)
    assert loaded == []


@pytest.mark.slow
def test_pages_have_none_before(book, links):
    page = built(book, addressed(links.settings(), ""))
    assert re.findall(r"mybinder|colab|github\.com|/issues|launch-buttons", page) == []

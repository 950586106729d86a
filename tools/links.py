"""Links to the repository: `repository.url` in `_config.yml` is the one place that names it.

    python tools/links.py   # after a change there: renews the files in PLACES

As a Sphinx extension it switches the buttons of the pages (repository, source, report, Binder,
Colab, JupyterHub). Without an address there are no buttons, no badges and no links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[1]
BUTTONS = ("use_repository_button", "use_source_button", "use_issues_button")
BADGES = "<!-- badges -->"
FIRST_CHAPTER = "chapters/ch01_one_neuron.ipynb"
CHAPTERS = sorted((ROOT / "chapters").glob("ch*.ipynb"))
FETCH = "fetch-the-book"
_FETCHING = """\
# Where the book is not installed, as on Colab, this fetches it.
from importlib.util import find_spec

if find_spec("ttfslib") is None:
    !git clone --quiet --depth 1 --branch {branch} {address} first-spikes
    %cd first-spikes
    %pip install --quiet ."""


def settings(folder: Path = ROOT) -> dict[str, Any]:
    """Return what `_config.yml` says: `repository`, and the services of `launch_buttons`."""
    said: dict[str, Any] = yaml.safe_load((folder / "_config.yml").read_text(encoding="utf-8"))
    return said


def in_readme(text: str, config: dict[str, Any]) -> str:
    """Return README.md with the badges of the address between the two marks, or with none."""
    before, _, after = text.split(BADGES)
    return BADGES.join([before, f"\n{_badges(config)}\n" if _address(config) else "\n", after])


def in_citation(text: str, config: dict[str, Any]) -> str:
    """Return CITATION.cff with the address, or without."""
    without = re.sub(r"^repository-code: .*\n", "", text, flags=re.MULTILINE)
    line = f'repository-code: "{_address(config)}"\n' if _address(config) else ""
    return re.sub(r"^(version: .*\n)", rf"\1{line}", without, count=1, flags=re.MULTILINE)


def in_project(text: str, config: dict[str, Any]) -> str:
    """Return pyproject.toml with the address, or without."""
    without = re.sub(r"^\[project\.urls\]\n.*\n\n", "", text, flags=re.MULTILINE)
    table = f'[project.urls]\nSource = "{_address(config)}"\n\n' if _address(config) else ""
    return without.replace("[project.scripts]\n", f"{table}[project.scripts]\n")


def in_chapter(text: str, config: dict[str, Any]) -> str:
    """Return a chapter with a cell that fetches the book where it is missing, or without.

    On Colab, a notebook comes alone. The cell stands behind the title and is not shown on the site.
    """
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != FETCH]
    if _address(config):
        source = _FETCHING.format(address=_address(config), branch=config["repository"]["branch"])
        cell = nbformat.v4.new_code_cell(source, id=FETCH, metadata={"tags": ["remove-cell"]})
        notebook.cells.insert(1, cell)
    written: str = nbformat.writes(notebook) + "\n"
    return written


PLACES: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "README.md": in_readme,
    "CITATION.cff": in_citation,
    "pyproject.toml": in_project,
    **dict.fromkeys((f"chapters/{file.name}" for file in CHAPTERS), in_chapter),
}


def _address(config: dict[str, Any]) -> str:
    return str(config["repository"].get("url") or "").rstrip("/")


def _badges(config: dict[str, Any]) -> str:
    address, branch = _address(config), config["repository"]["branch"]
    services = config["launch_buttons"]
    tests = f"{address}/actions/workflows/tests.yml"
    badges = [f"[![Tests]({tests}/badge.svg?branch={branch})]({tests})"]
    on_github = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", address)
    if on_github and services.get("binderhub_url"):
        hub = services["binderhub_url"].rstrip("/")
        target = f"{hub}/v2/gh/{on_github[1]}/{branch}?urlpath=lab/tree/{FIRST_CHAPTER}"
        badges.append(f"[![Open in Binder]({hub}/badge_logo.svg)]({target})")
    if on_github and services.get("colab_url"):
        colab = services["colab_url"].rstrip("/")
        target = f"{colab}/github/{on_github[1]}/blob/{branch}/{FIRST_CHAPTER}"
        badges.append(f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({target})")
    return "\n".join(badges)


def switch_buttons(app: Sphinx, config: Config) -> None:
    """Show the buttons of the pages where the address is known.

    The theme's own options in `_config.yml` replace what Jupyter Book gathers from its other keys,
    so that the address is read again here.
    """
    said = settings(Path(app.srcdir))
    known = bool(_address(said))
    config.html_theme_options.update(dict.fromkeys(BUTTONS, known))
    if known:
        config.html_theme_options.update(
            repository_url=_address(said),
            repository_branch=said["repository"]["branch"],
            path_to_docs=said["repository"]["path_to_book"],
            launch_buttons=said["launch_buttons"],
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the switch before the theme looks at its options."""
    app.connect("config-inited", switch_buttons, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main() -> int:
    """Write the address to where it is named."""
    config = settings()
    for name, renew in PLACES.items():
        path = ROOT / name
        path.write_text(renew(path.read_text(encoding="utf-8"), config), encoding="utf-8")
    print(f"The repository is {_address(config) or 'not named, so nothing links to it'}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Sphinx extension: a line below a chapter's goals that says what running it takes.

Seconds are those that the last run of the chapter took (`tools/execute.py` keeps them in
`chapters/seconds.json`, an object of chapter names and seconds); data are what its cells load.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECONDS = Path("chapters", "seconds.json")
ROUND_TO_S = 5
GOALS = "goals"
# What a cell says that loads something, and what that is
DATA = {
    r"shipped(_seeds)?\(": "trained networks that the book ships",
    r"shipped(_seeds)?\(f?\"mnist|load_mnist": "MNIST (without it, other digits stand in)",
    r"load_fashion_mnist": "Fashion-MNIST",
    r"load_digits": "the digits of scikit-learn",
    r"load_yin_yang": "Yin-Yang",
    r"data_path\(\"\w+\.csv": "tables that the book ships",
    r"paper_networks\.json": "measures of the paper's own networks",
}


def seconds(source: Path, chapter: str) -> float | None:
    """Return how long the chapter ran, if that has been measured."""
    path = source / SECONDS
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8")).get(chapter)
    return None if measured is None else float(measured)


def data_used(code: str) -> list[str]:
    """Name the data that some code loads."""
    return [name for pattern, name in DATA.items() if re.search(pattern, code)]


def facts(source: Path, chapter: str, code: str) -> str:
    """Say in one line how long a chapter runs and what data it uses."""
    said = []
    measured = seconds(source, chapter)
    if measured is not None:
        rounded = max(ROUND_TO_S, ROUND_TO_S * round(measured / ROUND_TO_S))
        said.append(
            f"The code of this chapter runs in about {rounded} s, as measured at its last run."
        )
    data = data_used(code)
    said.append(f"Data: {', '.join(data)}." if data else "It needs no data set.")
    return " ".join(said)


def add_facts(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line below the box of goals of a chapter."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    goals = next((n for n in doctree.findall(nodes.admonition) if GOALS in n["classes"]), None)
    if goals is None:
        return
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    line = nodes.paragraph("", facts(Path(app.srcdir), path.stem, code), classes=["fs-facts"])
    goals.parent.insert(goals.parent.index(goals) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the step."""
    app.connect("doctree-read", add_facts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The site for a class has every exercise and no solution."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from build_site import drop_solutions

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
START = "````{solution-start} ex-one\n:class: dropdown\n````"
END = "````{solution-end}\n````"


def notebook_of(*cells):
    """Markdown cells; a cell that begins with `=` is code."""
    make = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    return nbformat.v4.new_notebook(cells=[make[text[0] != "="](text) for text in cells])


@pytest.mark.parametrize(
    ("cells", "left"),
    [
        (["text", START, "=code", f"more\n\n{END}\n\nnext", "=kept"], ["text", "next", "=kept"]),
        ([f"text\n\n{START}\n\nin one cell\n\n{END}\n\nnext"], ["text\n\n\n\nnext"]),
        ([START, END, START, "=code", END], []),
        (["text", "=code"], ["text", "=code"]),
    ],
)
def test_what_stands_between_start_and_end_goes(cells, left):
    notebook = notebook_of(*cells)
    drop_solutions(notebook)
    assert [cell.source for cell in notebook.cells] == left


@pytest.mark.parametrize("cells", [[END], [START, START], [START, "=code"]])
def test_a_solution_without_an_end_or_a_start_is_refused(cells):
    with pytest.raises(ValueError, match=r"a solution's|the last solution does not end"):
        drop_solutions(notebook_of(*cells))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_keep_their_exercises_and_lose_their_solutions(path):
    notebook = nbformat.read(path, as_version=4)
    before = text_of(notebook)
    solved = set(re.findall(r"\{solution-start\} (\S+)", before))
    drop_solutions(notebook)
    after = text_of(notebook)
    assert solved
    assert "{solution" not in after
    for kept in (r":label: ex-\S+", r"^## .*", r"\{admonition\}.*"):
        assert re.findall(kept, after, re.MULTILINE) == re.findall(kept, before, re.MULTILINE)
    assert {f":label: {label}" for label in solved} <= set(re.findall(r":label: ex-\S+", after))


def text_of(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")

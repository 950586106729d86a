"""Every number in the text comes out of a cell: no page types a digit into its prose.

What remains when all that is not prose, or not a number of ours, has been taken out of a page may
hold no digit: formulas, code, roles (`glue` among them), headings, options of directives, marks of
lists; what an exercise gives to the reader, and the minutes a chapter takes; names that bear a
number (chapters, layers, seeds, versions) and years. Captions of figures are prose, too.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = sorted((ROOT / "chapters").glob("*.md"))

# What is no prose, in the order in which it is taken out.
NOT_PROSE = [
    r"(?ms)^(```+|~~~+)(?:\{code[\w-]*\}|\{eval-rst\}|\{math\}|python|console|bash|text|bibtex|toml)?\n.*?^\1$",
    r"(?ms)^([`:]{3,})\{exercise[\w-]*\}.*?^\1$",
    r"(?m)^- Time:.*$",
    r"(?s)\$\$.*?\$\$",
    r"(?s)\$[^$]+\$",
    r"(?m)^#+ .*$",
    r"(?m)^[ \t]*:[\w-]+:.*$",
    r"(?m)^\([\w-]+\)=$",
    r"(?m)^[`:]{3,}\{(?:solution|chapter-card|figure)[\w-]*\}.*$",
    r"(?m)^[`:~]{3,}(?:\{[\w-]+\})?",
    r"(?:\{[\w:-]+\})?(`+)[^`]+\1",
    r"\]\([^)]*\)",
    r"<https?:[^>]*>",
    r"(?m)^[ \t]*\d+\.[ \t]",
]
# Names and dates: numbers that no cell computes.
NAMES = [
    r"(?i)\b(?:chapter|section|exercise|fig\.|eq\.)s? \d+(?:\.\d+)?(?:(?:,| and| to)+ [\d.]+)*",
    r"(?i)\b(?:layer|hidden|seed|epoch|digit|class)s? \d+(?:(?:,| and| to| or)+ \d+)*",
    r"\b(?:1[89]|20)\d\d\b",
    r"\b(?:Python|CC BY|MIT|version) \d+(?:\.\d+)*",
]
# What is so by definition: the origin of time and the unit of the threshold.
ALLOWED = {"0", "1"}
NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d.,]*(?:e[-−]?\d+)?\b|(?<=[×^])\d+")


def typed_numbers(text: str) -> list[str]:
    """Numbers that a text holds bare, each with the words around it."""
    for pattern in (*NOT_PROSE, *NAMES):
        text = re.sub(pattern, lambda found: " " if "\n" not in found[0] else "\n", text)
    words = " ".join(text.split())
    return [
        words[max(0, found.start() - 30) : found.end() + 15]
        for found in NUMBER.finditer(words)
        if found[0].rstrip(".,") not in ALLOWED
    ]


def cells(path: Path) -> list[str]:
    """Texts of a chapter."""
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def captions(path: Path) -> list[str]:
    """Captions of a chapter's figures."""
    notebook = nbformat.read(path, as_version=4)
    figures = (cell.metadata.get("mystnb", {}).get("figure", {}) for cell in notebook.cells)
    return [figure["caption"] for figure in figures if "caption" in figure]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_page_types_a_number(path):
    assert typed_numbers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_chapter_types_a_number(path):
    assert [number for cell in cells(path) for number in typed_numbers(cell)] == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_caption_types_a_number(path):
    assert [number for caption in captions(path) for number in typed_numbers(caption)] == []


@pytest.mark.parametrize(
    "text",
    [
        "It takes 88.7 seconds.",
        "There are 300,000 synapses.",
        "a step of 1e-3",
        "about 98 % of the images",
        "| hidden 1 | 0.059 |",
        "- from −2 to the end",
        "```{admonition} Predict\nIs it 17?\n```",
        "```python\nx = 3\n```\n\nThat makes 3.\n\n```python\ny = 4\n```",
        "4 remedies keep them alive",
    ],
)
def test_a_typed_number_is_found(text):
    assert len(typed_numbers(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "It takes {glue:text}`ch1-seconds` s, see {eq}`eq-psp` and $t = 2.5$.",
        "$$\nx = 3\n$$ (eq-a)",
        "```python\nx = 3\n```",
        "## 3 things",
        "```{exercise}\n:label: ex-ch4-xi\nTake 5,000 trials.\n```",
        "- Time: about 45 minutes.",
        "Chapters 6 to 8, layer 3, seeds 1, 2 and 3, exercise 4.2, and the year 2001.",
        "Python 3.11 and `float32`, [a link](page-2.html).",
        "1. first\n2. second",
        "the threshold is 1, and time starts at 0.",
    ],
)
def test_what_is_not_a_number_of_the_text_is_left_alone(text):
    assert typed_numbers(text) == []

"""How long chapters and problem sets take, as each says on its first page."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

# The longer phrases first: some begin like shorter ones.
WORDS = {
    "an hour and three quarters": 105,
    "an hour and a half": 90,
    "an hour and a quarter": 75,
    "three quarters of an hour": 45,
    "a quarter of an hour": 15,
    "half an hour": 30,
    "two hours and a half": 150,
    "two hours": 120,
    "an hour": 60,
}


def of_chapter(text: str) -> tuple[int, int]:
    """Minutes for reading and for the exercises, from the first and the last span of `Time:`.

    Raises
    ------
    ValueError
        If the text does not tell both, in words that are known.
    """
    line = re.search(r"(?m)^- Time: ([^.]+)", text)
    spans = re.findall("|".join(WORDS), line[1]) if line else []
    if len(spans) < 2:
        raise ValueError(f"Time: must tell minutes for reading and for exercises, got {line}")
    return WORDS[spans[0]], WORDS[spans[-1]]


def of_set(text: str) -> int:
    """Minutes for a problem set.

    Raises
    ------
    ValueError
        If the text does not tell them.
    """
    found = re.search(r"\*\*Time:\*\* (\d+) minutes", text)
    if found is None:
        raise ValueError("a problem set must tell its minutes")
    return int(found[1])


def sources(root: Path) -> tuple[list[Path], list[Path]]:
    """Chapters and problem sets of the book in `root`; a public copy may lack the sets."""
    chapters, sets = (root / "chapters").glob("ch*.ipynb"), (root / "assignments").glob("*.ipynb")
    return sorted(chapters), sorted(sets)


def rows(root: Path) -> list[tuple[str, str, str]]:
    """A row for each chapter and for each problem set: name, minutes to read, minutes to work."""
    chapters, sets = sources(root)
    found = []
    for path in chapters:
        reading, exercises = of_chapter(_first(path))
        found.append((f"{{doc}}`{path.stem}`", str(reading), str(exercises)))
    return found + [(f"`{path.stem}`", "–", str(of_set(_first(path)))) for path in sets]


def _first(path: Path) -> str:
    return str(nbformat.read(path, as_version=4).cells[0].source)

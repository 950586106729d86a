"""Take the picture of the README out of the chapter that draws it."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
CHAPTER, FIGURE = ROOT / "chapters" / "ch01_one_neuron.ipynb", "fig-fan"
PICTURE = ROOT / "chapters" / "_static" / "fan.png"


def stored_picture(chapter: Path, figure: str) -> bytes:
    """Return the PNG that the cell of this figure has stored.

    Raises
    ------
    ValueError
        If no cell of the chapter holds that figure.
    """
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") != figure:
            continue
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output.data["image/png"])
    raise ValueError(f"{chapter.name} stores no picture for the figure {figure}")


def main() -> int:
    """Write the picture beside the other static files of the site."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    PICTURE.write_bytes(stored_picture(CHAPTER, FIGURE))
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

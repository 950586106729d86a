"""Draw the picture of the README and of social cards with the cells of the chapter that has it.

A chapter stores the figure without a ground, and as SVG; these two want a PNG on white. It bears
the digest of the stored figure, which tells whether it still shows the same.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
CHAPTER, FIGURE = ROOT / "chapters" / "ch01_one_neuron.ipynb", "fig-fan"
PICTURE = ROOT / "chapters" / "_static" / "fan.png"
DIGEST, DPI = "Source", 200


def cells_up_to(chapter: Path, figure: str) -> list[NotebookNode]:
    """Return the code cells of a chapter up to the one that draws this figure.

    Raises
    ------
    ValueError
        If none does.
    """
    cells = [c for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "code"]
    for index, cell in enumerate(cells):
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            return cells[: index + 1]
    raise ValueError(f"{chapter.name} stores no picture for the figure {figure}")


def digest(cell: NotebookNode) -> str:
    """Digest of the pictures that a cell has stored."""
    stored = [output.data[kind] for output in cell.outputs for kind in sorted(output.data)]
    return hashlib.sha256("\n".join(stored).encode()).hexdigest()


def shown_digest(picture: Path) -> str | None:
    """Digest of the stored figure that a picture was drawn from."""
    with Image.open(picture) as image:
        return image.info.get(DIGEST)


def main() -> int:
    """Write the picture beside the other static files of the site."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    mpl.use("agg")
    cells, names = cells_up_to(CHAPTER, FIGURE), {"__name__": "__main__"}
    for cell in cells:
        exec(cell.source, names)
    said = {"Software": None, DIGEST: digest(cells[-1])}
    plt.gcf().savefig(PICTURE, dpi=DPI, facecolor="white", metadata=said)
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

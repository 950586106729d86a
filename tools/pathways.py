"""Write data/pathways.csv: what chapter 8 measures, of other networks and other images.

    python tools/pathways.py

The cells of the chapter are run as they stand, for one network at a time: only the cell tagged
`parameters` gives way to another network, another number of images and another size of the sets.
What they call `measured` becomes the rows of the network, one for each layer and each size, in
minutes for all networks that ship. The networks of the chapter itself are shown images from the
second half of MNIST's test set (`mnist-dale-later`). Clothes need the images of Fashion-MNIST.

`networks`, `seed`, `layer` and `size` name a row; what the other columns are, the chapter says. A
measure is nan where it has no value, or was not taken for sets of that size.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import numpy as np
import tables
from numpy.typing import NDArray

from ttfslib import Run, book
from ttfslib.experiment.recipe import Samples, load_test_samples

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "ch08_pathways.ipynb"
TABLE = ROOT / "data" / "pathways.csv"
PARAMETERS, RESULT = "parameters", "measured"
GIVEN = {"mnist-dale": (800, 20), "fashion-dale": (800, 20)}
GIVEN |= {"digits-dale": (360, 5), "digits-free": (360, 5)}
"""Images, and neurons of a pathway, by the name of the configuration."""
IN_THE_CHAPTER = {"mnist-dale": (1, 2, 3)}
LATER = 5000
"""First of the later images."""

Row = dict[str, str]


@dataclass(frozen=True)
class Subject:
    """A network, the group that it belongs to, and what the cell of parameters says."""

    group: str
    run: Run
    n_images: int
    size: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Sizes of sets, the smallest first."""
        return self.size // 4, self.size // 2, self.size


def subjects() -> Iterator[Subject]:
    """All networks that ship; those of the chapter see later images."""
    for name, given in GIVEN.items():
        for seed, run in book.shipped_seeds(name).items():
            if seed in IN_THE_CHAPTER.get(name, ()):
                yield Subject(f"{name}-later", shown_later(run), *given)
            else:
                yield Subject(name, run, *given)


def shown_later(run: Run) -> Run:
    """The run, shown the later test images."""
    images, labels = load_test_samples(run.config)
    return run.showing(Samples(images[LATER:], labels[LATER:]))


def rows_of(subject: Subject) -> Iterator[Row]:
    """Rows of a network: by layer, and by size from the smallest."""
    found = run_cells(runs=[subject.run], N_IMAGES=subject.n_images, SIZE=subject.size)
    for layer in range(len(subject.run.config.hidden)):
        for k, size in enumerate(subject.sizes):
            names = subject.group, subject.run.seed, layer + 1, size
            row = dict(zip(("networks", "seed", "layer", "size"), map(str, names), strict=True))
            yield row | {name: f"{array[0, layer, k]:.5g}" for name, array in found.items()}


def run_cells(**parameters: Any) -> dict[str, NDArray[np.float64]]:
    """Run the chapter up to its result: arrays of shape (n_networks, n_layers, n_sizes)."""
    scope = dict(parameters)
    with patch.object(book, "glue"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|invalid value", RuntimeWarning)
        for source in sources():
            exec(compile(source, f"<a cell of {CHAPTER.name}>", "exec"), scope)
    return scope[RESULT]


def sources() -> list[str]:
    """Code of the cells up to the last that adds to the result, but for those with a figure."""
    cells = [cell.source for cell in nbformat.read(CHAPTER, as_version=4).cells if is_needed(cell)]
    return cells[: max(i for i, source in enumerate(cells) if RESULT in assigned(source)) + 1]


def is_needed(cell: Any) -> bool:
    """Whether a cell computes something, and not what comes from outside."""
    is_parameters = PARAMETERS in cell.metadata.get("tags", [])
    is_figure = "figure" in cell.metadata.get("mystnb", {})
    return cell.cell_type == "code" and not is_parameters and not is_figure


def assigned(source: str) -> set[str]:
    """Names that a cell gives a value, or an entry."""
    nodes = [node for node in ast.walk(ast.parse(source)) if hasattr(node, "ctx")]
    stored = [node for node in nodes if isinstance(node.ctx, ast.Store)]
    values = [node.value if isinstance(node, ast.Subscript) else node for node in stored]
    return {node.id for node in values if isinstance(node, ast.Name)}


def main(out: Path = TABLE) -> None:
    """Write the table of all these networks."""
    rows: list[Row] = []
    for subject in subjects():
        print(subject.group, subject.run.seed, flush=True)
        rows += rows_of(subject)
    tables.write(out, list(rows[0]), (row.values() for row in rows))


if __name__ == "__main__":
    main(tables.path_from_arguments(__doc__, TABLE))

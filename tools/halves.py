"""Write data/halves.csv: packets of large networks in both halves of the test images, and noisy.

    python tools/halves.py  # in two minutes; clothes need the images of Fashion-MNIST

A row for each layer of each large network of chapter 9 that the book ships, trained and untrained,
measured as by `tools/ensemble.py`, on two thousand images of the first half of the test set and on
as many of the second. Trained ones that read are also shown them with noise on the inputs: a
little, and as much as they were trained with.

============================  =====================================================================
``group``, ``seed``           as in the tables of `tools/ensemble.py`
``half``, ``noise``           of the test images; standard deviation, in tau_s
``state``                     trained or not
``layer``                     0 is the input
``accuracy``                  share of the images that are read correctly
``width``, ``width_early``,   mean over images of the shorth of twelve spikes, cut at the decision,
``width_fixed``               at the decision or before the background, and at 1.5 tau_s
``median``, ``median_early``  medians over images for the first two of these cuts
``separability``              of the responses
============================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tables
from ensemble import Measured, mean_of

from ttfslib import Run, book
from ttfslib.experiment.recipe import Samples, load_test_samples

TABLE = Path(__file__).resolve().parents[1] / "data" / "halves.csv"
GROUPS = {
    "dale": "mnist-dale",
    "free": "mnist-free",
    "fashion-dale": "fashion-dale",
    "shuffled": "mnist-shuffled",
    "unhurried": "mnist-shuffled-unhurried",
}
"""Runs that ship, by their groups in the tables of `tools/ensemble.py`."""
HALVES = {"first": 0, "second": 5000}
"""First image of each."""
LITTLE = 0.1
"""Standard deviation of a little noise, in tau_s."""


def by_layer(net: Measured) -> dict[str, Any]:
    """What the table says of each layer of a network in one state."""
    drawn = {name: net.drawn_widths(cut) for name, cut in net.cuts().items() if name != "_uncut"}
    widths = {f"width{name}": mean_of(each) for name, each in drawn.items()}
    medians = {f"median{name}": mean_of(drawn[name], np.nanmedian) for name in ("", "_early")}
    return widths | medians | {"separability": net.separabilities()}


def conditions(run: Run) -> Iterator[tuple[int | None, float]]:
    """Epochs and noises in which a network is measured."""
    noises = () if run.config.shuffle_labels else (LITTLE, run.config.input_noise)
    yield 0, 0.0
    yield from ((None, noise) for noise in (0.0, *noises))


def rows_of(group: str, run: Run) -> Iterator[dict[str, Any]]:
    """Rows of a network: by half, state and noise, and by layer."""
    images, labels = load_test_samples(run.config)
    for (half, start), (epoch, noise) in product(HALVES.items(), conditions(run)):
        net = Measured(run.showing(Samples(images[start:], labels[start:])), epoch, noise)
        place = {"group": group, "seed": run.seed, "half": half, "noise": noise}
        place["state"] = "untrained" if epoch == 0 else "trained"
        found = {"accuracy": np.full(len(net.layers), net.is_right().mean()), **by_layer(net)}
        for layer in range(len(net.layers)):
            values = {name: f"{column[layer]:.4g}" for name, column in found.items()}
            yield place | {"layer": layer} | values


def main(out: Path = TABLE) -> None:
    """Write the table of all networks."""
    rows: list[dict[str, Any]] = []
    for group, name in GROUPS.items():
        for run in book.shipped_seeds(name).values():
            print(run.path.name)
            rows += rows_of(group, run)
    tables.write(out, list(rows[0]), (row.values() for row in rows))


if __name__ == "__main__":
    main(tables.path_from_arguments(__doc__, TABLE))

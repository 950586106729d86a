"""Write data/robustness_mnist.csv: accuracy and widths of damaged networks.

    python tools/robustness.py

Each row is one damage to one of the networks under Dale's law, shown every tenth test image of
MNIST; widths are mean shorths of twelve spikes of each packet, input first. Damage to spikes is
done with and without the output's own spikes. Rows that the table already has are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch

from ttfslib import Damage, TTFSNetwork, robustness
from ttfslib.book import shipped
from ttfslib.experiment.recipe import encode, load_test_samples

TABLE = Path(__file__).resolve().parents[1] / "data" / "robustness_mnist.csv"
SEEDS, EVERY, N_SPIKES = (1, 2, 3, 4, 5), 10, 12
COLUMNS = ("damage", "level", "output", "seed", "images", "accuracy", "widths")
LEVELS: dict[str, tuple[float, ...]] = {
    "none": (0,),
    "jitter": (0.02, 0.05, 0.1, 0.2),
    "lost": (0.01, 0.03, 0.1, 0.2),
    "weight_noise": (0.1, 0.2, 0.4),
    "n_bits": (6, 5, 4, 3),
    "threshold_spread": (0.1, 0.2, 0.4),
    "tau_spread": (0.1, 0.2, 0.4),
}
OF_SPIKES = ("jitter", "lost")

Row = tuple[str, float, str, int]


def rows() -> Iterator[Row]:
    """Damage, its level, what happens to the output's spikes, and the seed of the network."""
    for damage, levels in LEVELS.items():
        outputs = ("spared", "damaged") if damage in OF_SPIKES else ("spared",)
        for level in levels:
            for output in outputs:
                for seed in SEEDS:
                    yield damage, level, output, seed


@cache
def network(seed: int) -> tuple[TTFSNetwork, torch.Tensor, Any]:
    """A network, its inputs and their labels."""
    run = shipped("mnist-dale", seed)
    images, labels = load_test_samples(run.config)
    return run.network(), encode(run.config, images[::EVERY]), labels[::EVERY]


def measured(row: Row) -> list[str]:
    """Number of images, accuracy and widths of one row."""
    damage, level, output, seed = row
    given: dict[str, Any] = {} if damage == "none" else {damage: level}
    after = robustness(
        *network(seed),
        Damage(**given),
        n_spikes=N_SPIKES,
        rng=np.random.default_rng(seed),
        spare_output=output == "spared",
    )
    widths = " ".join(f"{width:.4f}" for width in after.widths[:-1])
    return [str(len(network(seed)[2])), f"{after.accuracy:.4f}", widths]


def key(row: Row) -> tuple[str, ...]:
    """The columns that name a row."""
    return tuple(map(str, row))


def main(out: Path = TABLE) -> None:
    """Add what the table lacks."""
    tables.complete(out, COLUMNS, rows(), key, measured)


if __name__ == "__main__":
    main(tables.path_from_arguments(__doc__, TABLE))

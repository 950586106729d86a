"""Show trained networks their own training images as they are: no noise, no shifts, not bent.

    python tools/plain_training.py  # data/plain_training.csv, in a minute or two

Chapter 5 shows the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tables

from ttfslib import Run, load_run
from ttfslib.experiment.recipe import Samples, load_samples

ROOT = Path(__file__).resolve().parents[1]
NAMES = "mnist-dale", "mnist-free", "mnist-paper", "mnist-eight"
N_IMAGES = 10_000
COLUMNS = ("name", "seed", "n_images", "train_accuracy", "test_accuracy")


def plain_accuracy(run: Run, n_images: int) -> float:
    """Share of the first training images that the trained network reads."""
    images, labels = load_samples(run.config)["train"]
    seen = run.showing(Samples(images[:n_images], labels[:n_images])).evaluate()
    return float((seen.predicted == seen.labels).mean())


def write(runs: Sequence[Run], out: Path, n_images: int = N_IMAGES) -> None:
    """Write the table, a row for each run."""
    rows = []
    for run in runs:
        shares = plain_accuracy(run, n_images), run.metrics["test_accuracy"]
        cells = [f"{share:.4f}" for share in shares]
        rows.append([run.config.name, run.seed, n_images, *cells])
    tables.write(out, COLUMNS, rows)


def main() -> None:
    """Read the runs that the book ships and write the table."""
    out = tables.path_from_arguments(__doc__, ROOT / "data" / "plain_training.csv")
    runs = ROOT / "data" / "runs"
    write([load_run(path) for name in NAMES for path in sorted(runs.glob(f"{name}-seed*"))], out)


if __name__ == "__main__":
    main()

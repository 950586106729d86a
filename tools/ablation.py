"""Train the digits with one thing changed at a time, and write data/ablation.csv.

    python tools/ablation.py

Chapter 5 shows the table. The accuracies are those on the validation samples, since choosing a
recipe by them is what the table is about.
"""

from __future__ import annotations

import csv
import io
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ttfslib import TrainingConfig, fit

ROOT = Path(__file__).resolve().parents[1]
RECIPE = TrainingConfig.from_toml(ROOT / "configs" / "digits-dale.toml")
TABLE = ROOT / "data" / "ablation.csv"
SEEDS = (1, 2, 3)
COLUMNS = ("validation_accuracy", "train_accuracy", "decision_time")


def scaled(factor: float) -> dict[str, Any]:
    """Settings with smaller initial weights."""
    means, stds = RECIPE.weight_mean, RECIPE.weight_std
    return {
        "weight_mean": tuple(factor * mean for mean in means),
        "weight_std": tuple(factor * std for std in stds),
    }


NO_HELP = {"silent_hidden_share": 1.0, "silent_output_share": 1.0}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no help for the silent": NO_HELP,
    "half the initial weights": scaled(0.5),
    "both of these": scaled(0.5) | NO_HELP,
    "no input noise": {"input_noise": 0.0, "final_noise": 0.0},
    "noise that does not fade": {"final_noise": RECIPE.input_noise},
    "gradients limited to 0.2": {"gradient_limit": 0.2},
    "constant learning rate": {"schedule": "step", "decay": 1.0},
    "batches of 80": {"batch_size": 80},
    "no pressure for early spikes": {"alpha": 0.0},
    "free signs instead of Dale's law": {"excitatory_share": None},
}


def train(change: str, seed: int) -> list[str]:
    """Train with a change and return a row of the table; nothing decided counts as no accuracy."""
    config = replace(RECIPE, **CHANGES[change])
    with tempfile.TemporaryDirectory() as folder:
        try:
            history = fit(config, seed, Path(folder) / "run", progress=False).history
        except ValueError:  # the training broke down
            return [change, str(seed), "0", "0", "inf"]
    return [change, str(seed), *(f"{history[name][-1]:.4f}" for name in COLUMNS)]


def main() -> None:
    """Train everything, two networks at a time, and write the table."""
    jobs = [(change, seed) for change in CHANGES for seed in SEEDS]
    with ProcessPoolExecutor(2) as pool:
        rows = pool.map(train, *zip(*jobs, strict=True))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["change", "seed", *COLUMNS])
        writer.writerows(rows)
    TABLE.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Train with one thing changed at a time, and write a table of what came out.

    python tools/ablation.py digits   # data/ablation_digits.csv, in minutes
    python tools/ablation.py mnist    # data/ablation_mnist.csv, in hours
    python tools/ablation.py fashion  # data/ablation_fashion.csv, in hours

Chapters 5, 6 and 9 show the tables.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ttfslib import Run, TrainingConfig, fit

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ablation:
    """What is changed in the recipe, for which seeds, and which measures the table has."""

    changes: dict[str, dict[str, Any]]
    measures: tuple[str, ...]
    seeds: tuple[int, ...] = (1, 2, 3)
    other_seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """For changes that are not tried for the same seeds as all."""

    @property
    def jobs(self) -> list[tuple[str, int]]:
        """Every change with every seed that it is tried for."""
        return [
            (change, seed)
            for change in self.changes
            for seed in self.other_seeds.get(change, self.seeds)
        ]


def recipe(name: str) -> TrainingConfig:
    """What the changes start from."""
    return TrainingConfig.from_toml(ROOT / "configs" / f"{name}-dale.toml")


def table(name: str) -> Path:
    """Where the results go."""
    return ROOT / "data" / f"ablation_{name}.csv"


def scaled(factor: float) -> dict[str, Any]:
    """Settings of the digits with smaller initial weights."""
    means, stds = recipe("digits").weight_mean, recipe("digits").weight_std
    return {
        "weight_mean": tuple(factor * mean for mean in means),
        "weight_std": tuple(factor * std for std in stds),
    }


def loss(name: str, **changes: float) -> dict[str, Any]:
    """The loss of a recipe with other parameters."""
    return recipe(name).loss.as_mapping() | changes


def fall(run: Run) -> float:
    """How much narrower packets are in the last hidden layer than in the wider of the first two."""
    widths = run.metrics["layers"]["shorth"]
    return float(max(widths[1:3]) / widths[-2])


# Recipes are chosen by what the validation samples say; the rest is for the reader.
MEASURES: dict[str, Callable[[Run], float]] = {
    "validation_accuracy": lambda run: run.history["validation_accuracy"][-1],
    "train_accuracy": lambda run: run.history["train_accuracy"][-1],
    "decision_time": lambda run: run.history["decision_time"][-1],
    "test_accuracy": lambda run: run.metrics["test_accuracy"],
    "fall": fall,
}
FIRST_RECIPE = {
    "loss": loss("mnist", xi=0.2),
    "batch_size": 80,
    "learning_rate": 0.005,
    "deformation": 0.0,
}
# The mean and spread of the weights of each layer once Dale's law has clipped them at birth
FREE_BUT_BORN_ALIKE = {
    "excitatory_share": None,
    "weight_mean": (0.0099, 0.0251, 0.0249, 0.0251, 0.233),
    "weight_std": (0.1001, 0.0693, 0.0695, 0.0694, 0.562),
}
# What had helped on clothes in short trainings, all at once
EVERYTHING = {
    "excitatory_share": None,
    "hidden": (800, 400, 400, 400),
    "contrast": 2.0,
    "input_dropout": 0.1,
    "dropout": 0.1,
    "epochs": 24,
}
NO_HELP = {"silent_hidden_share": 1.0, "silent_output_share": 1.0}
ABLATIONS = {
    "digits": Ablation(
        changes={
            "nothing": {},
            "no help for the silent": NO_HELP,
            "half the initial weights": scaled(0.5),
            "both of these": scaled(0.5) | NO_HELP,
            "no input noise": {"input_noise": 0.0, "final_noise": 0.0},
            "noise that does not fade": {"final_noise": recipe("digits").input_noise},
            "gradients limited to 0.2": {"gradient_limit": 0.2},
            "constant learning rate": {"schedule": "step", "decay": 1.0},
            "batches of 80": {"batch_size": 80},
            "no pressure for early spikes": {"loss": loss("digits", alpha=0.0)},
            "free signs instead of Dale's law": {"excitatory_share": None},
        },
        measures=("validation_accuracy", "train_accuracy", "decision_time"),
    ),
    "mnist": Ablation(
        changes={
            "nothing": {},
            "no input noise": {"input_noise": 0.0},
            "images not bent": {"deformation": 0.0},
            "512 neurons a layer": {"hidden": (512,) * 4},
            "free signs; born as under the law": FREE_BUT_BORN_ALIKE,
            "first recipe": FIRST_RECIPE,
            "first recipe; 40 epochs": FIRST_RECIPE | {"epochs": 40},
            "first recipe; 40 epochs; noise fades; no shifts": FIRST_RECIPE
            | {"epochs": 40, "final_noise": 0.05, "max_shift": 0},
        },
        measures=tuple(MEASURES),
        other_seeds={
            "nothing": (1, 2, 3, 4, 5),
            "no input noise": (1,),
            "images not bent": (1, 2, 4),
            "512 neurons a layer": (1,),
            "free signs; born as under the law": (1,),
            "first recipe; 40 epochs": (1,),
            "first recipe; 40 epochs; noise fades; no shifts": (1,),
        },
    ),
    "fashion": Ablation(
        changes={
            "nothing": {},
            "free signs; 800 neurons first; contrast; spikes dropped; 24 epochs": EVERYTHING,
        },
        measures=tuple(MEASURES),
        other_seeds={"free signs; 800 neurons first; contrast; spikes dropped; 24 epochs": (1,)},
    ),
}


def row(name: str, change: str, run: Run) -> list[str]:
    """What the table says of a run."""
    measures = ABLATIONS[name].measures
    return [change, str(run.seed), *(f"{MEASURES[measure](run):.4f}" for measure in measures)]


def train(name: str, change: str, seed: int) -> list[str]:
    """Train with a change and return a row of the table; NaN where the training breaks down."""
    config = replace(recipe(name), **ABLATIONS[name].changes[change])
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = fit(config, seed, Path(folder) / "run", progress=False)
        except ValueError:
            return [change, str(seed), *["nan"] * len(ABLATIONS[name].measures)]
        return row(name, change, run)


def write(name: str, rows: list[list[str]], out: Path) -> None:
    """Write the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["change", "seed", *ABLATIONS[name].measures])
    writer.writerows(rows)
    out.write_text(text.getvalue(), encoding="utf-8")


def main() -> None:
    """Train everything, two networks at a time, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(ABLATIONS))
    parser.add_argument("--out", type=Path, help="where to write it instead")
    options = parser.parse_args()
    name = options.name
    jobs = [(name, *job) for job in ABLATIONS[name].jobs]
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(train, *zip(*jobs, strict=True)))
    write(name, rows, options.out or table(name))


if __name__ == "__main__":
    main()

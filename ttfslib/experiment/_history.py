"""The course of a training, epoch by epoch, and the file that tells it.

The columns of ``history.csv``; layer 0 is the input, the last one the output:

=======================  ==========================================================================
``epoch``                0 is the untrained network
``learning_rate``        where the schedule stands after the epoch
``train_loss``           mean over the epoch's batches, each before its step; none for epoch 0
``train_accuracy``       likewise
``validation_loss``      after the epoch, on samples that are never trained on
``validation_accuracy``  likewise; undecided samples count as wrong
``decision_time``        median over the validation samples; infinite if most are undecided
``silent_I``             share of spikes missing from layer I, on the validation samples
``activity_I``           share of layer I in the pulse packet, mean over 1000 validation samples
``shorth_I``             width of the pulse packet of layer I, likewise
``seconds``              by the clock on the wall
``cpu_seconds``          of all processor cores together
=======================  ==========================================================================
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _files
from ttfslib.experiment.config import TrainingConfig

History = dict[str, NDArray[np.float64]]

_CELL = 32
"""Characters of a cell of ``history.csv``, at most."""
_RANGES = {
    "epoch": (0.0, math.inf),
    "learning_rate": (0.0, 1.0),
    "train_loss": (-math.inf, math.inf),
    "train_accuracy": (0.0, 1.0),
    "validation_loss": (-math.inf, math.inf),
    "validation_accuracy": (0.0, 1.0),
    "decision_time": (0.0, math.inf),
    "silent": (0.0, 1.0),
    "activity": (0.0, 1.0),
    "shorth": (0.0, math.inf),
    "seconds": (0.0, math.inf),
    "cpu_seconds": (0.0, math.inf),
}
"""Of the columns of ``history.csv``, without the layer's number."""
_MAY_BE_MISSING = ("activity", "shorth")
_OF_LAYERS = ("silent", "activity", "shorth")


def columns(config: TrainingConfig) -> list[str]:
    """Names of the columns of ``history.csv``."""
    layers = range(len(config.sizes))
    return [
        name
        for column in _RANGES
        for name in ([f"{column}_{i}" for i in layers] if column in _OF_LAYERS else [column])
    ]


def from_rows(rows: Any) -> History:
    """Rows by the names of their numbers, as columns; ValueError if they are something else."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("history must be a list of rows")
    for row in rows:
        if row.keys() != rows[0].keys() or not all(type(v) in (int, float) for v in row.values()):
            raise ValueError("history must have the same columns of numbers in every row")
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def check(history: History, config: TrainingConfig, epoch: int) -> None:
    """Check that a history is one of this config up to that epoch; ValueError if not."""
    if list(history) != columns(config):
        odd = sorted(history.keys() ^ set(columns(config)))
        wrong = f"another {odd[0]!r}" if odd else "another order"
        raise ValueError(f"history must have the columns of its config, got {wrong}")
    if history["epoch"].tolist() != list(range(epoch + 1)):
        raise ValueError(f"history must have a row for each epoch from 0 to {epoch}")
    for name, values in history.items():
        column = name.rstrip("0123456789").removesuffix("_")
        low, high = _RANGES[column]
        fits = np.where(
            _missing(column, values), np.isnan(values), (values >= low) & (values <= high)
        )
        if not fits.all():
            raise ValueError(
                f"history must have numbers in [{low:g}, {high:g}] in {name}, got "
                f"{values[~fits][0]:g}"
            )


def _missing(column: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where there has to be no number."""
    if column.startswith("train_"):
        return np.arange(len(values)) == 0  # nothing was trained before the first epoch
    return np.isnan(values) if column in _MAY_BE_MISSING else np.zeros(len(values), dtype=bool)


def largest(config: TrainingConfig) -> int:
    """Bytes that the file has at most."""
    return (config.epochs + 2) * len(columns(config)) * _CELL


def read(file: Path, content: bytes, config: TrainingConfig) -> History:
    """History in a file with this content; OSError if it is not the whole one of the config."""
    try:
        rows = list(csv.DictReader(io.StringIO(_files.decoded(content))))
        if not rows:
            raise ValueError("it has no rows")
        history = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        check(history, config, config.epochs)
        return history
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        said = _files.one_line(error)
        raise OSError(f"{file} is damaged or not of a run: {said}") from None


def as_csv(history: Sequence[Mapping[str, float]]) -> str:
    """Text of ``history.csv`` for one row for each epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    return text.getvalue()

"""The files of a run, for the writer and the reader alike.

=======================  ==========================================================================
``config.toml``          the settings and the seed: all that is needed to make the run again
``history.csv``          a row for each epoch, the untrained network first
``weights.safetensors``  float16 weights of the kept epochs, 0 being the untrained network
``metrics.json``         results on the whole test set, versions, checksums of the other files
=======================  ==========================================================================

What is published is the network whose weights were rounded to float16: all metrics are its own.
``metrics.json`` is written last and names the checksum of every other file as it was written by
the same training, so that files of two trainings never pass for one run. Nothing is unpickled.

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
import hashlib
import io
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks, _files
from ttfslib._files import Arrays
from ttfslib.experiment.config import TrainingConfig

if TYPE_CHECKING:
    from ttfslib.experiment.evaluation import Evaluation
    from ttfslib.nn import TTFSNetwork

FORMAT = 3
CONFIG, HISTORY, WEIGHTS = "config.toml", "history.csv", "weights.safetensors"
METRICS = "metrics.json"

History = dict[str, NDArray[np.float64]]


def settings(config: TrainingConfig, seed: int) -> str:
    """Text of ``config.toml``."""
    return f"seed = {seed}\n{config.to_toml()}"


def read_settings(path: Path) -> tuple[TrainingConfig, int]:
    """Config and seed of a run's folder; OSError if there are none."""
    file = path / CONFIG
    try:
        values = tomllib.loads(_files.read_text(file))
        seed = _checks.integer("seed", values.pop("seed"), minimum=0)
        return TrainingConfig.from_mapping(values), seed
    except (ValueError, KeyError) as error:
        raise OSError(f"{file} is damaged or not of a run: {error}") from None


def weight_arrays(network: TTFSNetwork, epoch: int) -> Arrays:
    """Weights of a network as float16 arrays named ``EPOCH/weight_LAYER``.

    Raises
    ------
    ValueError
        If a weight is too large for a float16.
    """
    largest = max(float(matrix.abs().max()) for matrix in network.weights)
    limit = float(np.finfo(np.float16).max)
    if largest > limit:
        raise ValueError(f"weights must stay below {limit:g} to be kept, got {largest:g}")
    return {
        f"{epoch}/weight_{i}": matrix.cpu().numpy().astype(np.float16)
        for i, matrix in enumerate(network.weights, start=1)
    }


def weights_at(arrays: Arrays, epoch: int) -> list[NDArray[np.float32]]:
    """Weights that `weight_arrays` has stored for an epoch, from input to output."""
    n_layers = sum(name.startswith(f"{epoch}/weight_") for name in arrays)
    return [arrays[f"{epoch}/weight_{i}"].astype(np.float32) for i in range(1, n_layers + 1)]


def network_of(config: TrainingConfig, weights: Sequence[NDArray[np.float32]]) -> TTFSNetwork:
    """Network of a config with given weights."""
    import torch

    from ttfslib.nn import TTFSNetwork

    return TTFSNetwork.from_weights(
        [torch.from_numpy(matrix) for matrix in weights],
        config.params,
        excitatory_share=config.excitatory_share,
        gradient_limit=config.gradient_limit,
    )


def write(
    path: Path,
    config: TrainingConfig,
    seed: int,
    history: Sequence[Mapping[str, float]],
    weights: Arrays,
    outcome: Evaluation,
    device: str,
) -> None:
    """Write all files of a finished run, ``metrics.json`` last.

    Parameters
    ----------
    path : Path
        An existing folder.
    history : sequence of mappings
        One row for each epoch.
    weights : dict of arrays
        What `weight_arrays` returned, for all kept epochs.
    outcome : Evaluation
        Of the last kept weights on the test samples.
    device : str
        On which the network was trained.
    """
    parts = {
        CONFIG: settings(config, seed).encode(),
        HISTORY: _csv(history).encode(),
        WEIGHTS: _files.pack_tensors(weights, {"settings": settings(config, seed)}),
    }
    for name, content in parts.items():
        _files.write(path / name, content)
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    metrics = _results(config, seed, history, outcome) | {
        "device": device,
        "versions": _versions(),
        "sha256": checksums,
    }
    sealed = metrics | {"seal": seal(metrics)}
    _files.write(path / METRICS, json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def read(path: Path) -> tuple[TrainingConfig, int, History, dict[str, Any], Arrays]:
    """Config, seed, history, metrics and weights of a finished run, if it is whole.

    Raises
    ------
    OSError
        If the folder is not that of a finished run, or a file is missing, damaged, or not of the
        same training as the others.
    """
    metrics = _read_metrics(path)
    for name in (CONFIG, HISTORY, WEIGHTS):
        if not (path / name).is_file():
            raise OSError(f"{path} is damaged: {name} is missing")
        if _files.sha256(path / name) != metrics["sha256"][name]:
            raise OSError(f"{path} is damaged: {name} does not match its checksum")
    config, seed = read_settings(path)
    tensors, about = _files.load_tensors(path / WEIGHTS)
    if about.get("settings") != _files.read_text(path / CONFIG):
        raise OSError(f"{path} is damaged: {WEIGHTS} is of a training with other settings")
    return config, seed, _read_history(path / HISTORY), metrics, tensors


def seal(metrics: Mapping[str, Any]) -> str:
    """Checksum of the metrics themselves, whatever their layout in the file."""
    return hashlib.sha256(json.dumps(metrics, sort_keys=True).encode()).hexdigest()


def _results(
    config: TrainingConfig, seed: int, history: Sequence[Mapping[str, float]], outcome: Evaluation
) -> dict[str, Any]:
    packets = outcome.packets
    means = {k: [_number(v) for v in values] for k, values in packets.mean().items()}
    return {
        "format": FORMAT,
        "name": config.name,
        "seed": seed,
        "test_accuracy": outcome.accuracy,
        "test_loss": outcome.loss,
        "n_undecided": int((outcome.predicted < 0).sum()),
        "decision_time_median": _number(np.median(outcome.decision_times)),
        "layers": means | {"n_too_small": packets.n_too_small.tolist()},
        "silent": [float(np.isinf(times).mean()) for times in outcome.layers],
        "seconds": sum(row["seconds"] for row in history),
    }


def _read_metrics(path: Path) -> dict[str, Any]:
    file = path / METRICS
    if not file.exists():
        unfinished = (path / CONFIG).exists()
        what = "is not finished: resume it" if unfinished else "is not the folder of a run"
        raise OSError(f"{path} {what} (no {METRICS})")
    try:
        metrics = json.loads(_files.read_text(file))
        found = metrics.pop("seal")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OSError(f"{file} is damaged or not of a run: {error!r}") from None
    if metrics.get("format") != FORMAT:
        raise OSError(f"{file} has format {metrics.get('format')!r}, this ttfslib reads {FORMAT}")
    if found != seal(metrics):
        raise OSError(f"{file} is damaged: it does not match its own checksum")
    return metrics


def _read_history(path: Path) -> History:
    try:
        rows = list(csv.DictReader(io.StringIO(_files.read_text(path))))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (ValueError, IndexError, TypeError, csv.Error) as error:
        raise OSError(f"{path} is damaged or not of a run: {error}") from None


def _csv(history: Sequence[Mapping[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    return text.getvalue()


def _number(value: Any) -> float | None:
    """A float that JSON knows: None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None


def _versions() -> dict[str, str]:
    import numba
    import torch

    import ttfslib

    return {
        "ttfslib": ttfslib.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "torch": str(torch.__version__),
    }

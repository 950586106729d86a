"""Writing a run: claiming its folder, what is kept of it, and its files."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _files
from ttfslib._files import Arrays
from ttfslib.config import TrainingConfig
from ttfslib.runs import FILES, FORMAT, mistakes, pack, read_settings, seal
from ttfslib.synchrony import packet_statistics

if TYPE_CHECKING:
    from ttfslib.evaluation import Evaluation
    from ttfslib.nn import TTFSNetwork

FEW_SAMPLES = 50
"""How many test samples' spikes are kept for epochs before the last one."""


def is_finished(path: Path) -> bool:
    """Whether a training has ended in this folder."""
    return (path / "metrics.json").exists()


def is_begun(path: Path, config: TrainingConfig, seed: int, *, resume: bool) -> bool:
    """Whether this very training has begun in the folder; if not, the folder must be free.

    Raises
    ------
    ValueError
        If the folder holds another run, or this one although it is not to be resumed, or
        anything else.
    OSError
        If it cannot be read.
    """
    if (path / "config.toml").exists():
        if not resume:
            raise ValueError(f"out holds a run already, got {path}: resume it or choose another")
        if read_settings(path) != (config, seed):
            raise ValueError(f"out holds a run of other settings or another seed, got {path}")
        return True
    if path.exists() and not (path.is_dir() and set(path.iterdir()) == _files.drafts(path)):
        raise ValueError(f"out must be a new or empty folder, got {path}")
    return False


def begin(path: Path, config: TrainingConfig, seed: int) -> None:
    """Make the folder of a run with its ``config.toml``."""
    path.mkdir(parents=True, exist_ok=True)
    _files.write(path / "config.toml", settings(config, seed))


def settings(config: TrainingConfig, seed: int) -> str:
    """Text of a run's ``config.toml``."""
    return f"seed = {seed}\n{config.to_toml()}"


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


def spike_arrays(layers: Sequence[NDArray[Any]], epoch: int, n_samples: int) -> Arrays:
    """Spike times of the first samples as integers named ``EPOCH/layer_LAYER``, from layer 1 on.

    Layer 0, the input, is the data set's and is not kept.
    """
    return {
        f"{epoch}/layer_{i}": pack(times[:n_samples]) for i, times in enumerate(layers[1:], start=1)
    }


def write_run(
    path: Path,
    config: TrainingConfig,
    seed: int,
    history: list[dict[str, float]],
    kept: Arrays,
    outcome: Evaluation,
    labels: NDArray[np.int64],
    device: str,
) -> None:
    """Write all files of a finished run, ``metrics.json`` last.

    Parameters
    ----------
    path : Path
        A folder that `begin` has made.
    history : list of dict
        One row for each epoch.
    kept : dict of arrays
        What `weight_arrays` and `spike_arrays` returned.
    outcome : Evaluation
        Of the last kept weights on the test samples.
    labels : int array, shape (n_samples,)
        Of the test samples; what is kept of the answers is where they differ from these.
    device : str
        On which the network was trained.
    """
    packets = packet_statistics(outcome.layers, outcome.decision_times)
    measures = outcome.measures()
    measures["mistake"] = mistakes(measures.pop("predicted"), labels)
    per_sample = {f"test/{name}": array for name, array in measures.items()}
    weights = {name: array for name, array in kept.items() if "/weight_" in name}
    spikes = {name: array for name, array in kept.items() if "/layer_" in name}
    _files.save_tensors(path / "weights.safetensors", weights, {"seed": seed})
    _files.save_arrays(path / "spikes.npz", spikes | per_sample)
    _files.write(path / "history.csv", _csv(history))
    means = {k: [_number(v) for v in values] for k, values in packets.mean().items()}
    metrics = {
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
        "device": device,
        "versions": _versions(),
        "sha256": {name: _files.sha256(path / name) for name in FILES},
    }
    sealed = metrics | {"seal": seal(metrics)}
    _files.write(path / "metrics.json", json.dumps(sealed, indent=2, allow_nan=False) + "\n")


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


def _csv(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, history[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    return text.getvalue()

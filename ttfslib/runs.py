"""A trained run on disk: a folder that explains itself, and is read only if it is whole.

====================  =============================================================================
``config.toml``       the settings and the seed: all that is needed to make the run again
``history.csv``       a row for each epoch, the untrained network first
``weights.safetensors``  float16 weights of the kept epochs, 0 being the untrained network
``spikes.npz``        spike times of the first test samples, for the kept epochs; measures of all
``metrics.json``      results on the whole test set, versions, checksums of the other files
====================  =============================================================================

What is published is the network whose weights were rounded to float16: all spikes and metrics are
its own. Spike times are stored as multiples of 1/8192 tau_s, and those of the input sorted, which
leaves its pulse packet but no image. Nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import io
import json
import platform
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _files
from ttfslib._files import Arrays
from ttfslib.config import TrainingConfig
from ttfslib.synchrony import packet_statistics

if TYPE_CHECKING:
    from ttfslib.nn import TTFSNetwork
    from ttfslib.training import Evaluation

FORMAT = 1
FILES = ("config.toml", "history.csv", "weights.safetensors", "spikes.npz")
FEW_SAMPLES = 50
"""How many test samples' spikes are kept for epochs before the last one."""
RESOLUTION = 1 / 8192
_SILENT = np.uint16(65535)


@dataclass(frozen=True)
class Spikes:
    """Spike times of the first test samples in one state of the network.

    Attributes
    ----------
    labels : int array, shape (n_samples,)
        The true classes; sample `i` is test sample `i` of the data set.
    input : float64 array, shape (n_samples, n_inputs)
        Input spike times, sorted within each sample.
    layers : list of float64 arrays, shapes (n_samples, n_neurons)
        Spike times of the hidden layers and the output; ``inf`` where silent.
    """

    labels: NDArray[np.int64]
    input: NDArray[np.float64]
    layers: list[NDArray[np.float64]]


@dataclass(frozen=True)
class Run:
    """A trained run, read from its folder by `load_run`.

    Attributes
    ----------
    path : Path
    config : TrainingConfig
    seed : int
    history : dict of float arrays, shape (epochs + 1,)
        The columns of ``history.csv`` by name, the untrained network first.
    metrics : dict
        The content of ``metrics.json``.
    epochs : list of int
        The epochs whose weights and spikes were kept; 0 is the untrained network.
    """

    path: Path
    config: TrainingConfig
    seed: int
    history: dict[str, NDArray[np.float64]]
    metrics: dict[str, Any]
    _tensors: Arrays = field(repr=False)

    @property
    def epochs(self) -> list[int]:
        """Kept epochs in rising order."""
        return sorted({int(name.split("/")[0]) for name in self._tensors})

    def weights(self, epoch: int | None = None) -> list[NDArray[np.float32]]:
        """Weight matrices (n_pre, n_post) from input to output after `epoch`, by default the last.

        Raises
        ------
        ValueError
            If that epoch was not kept.
        """
        return weights_at(self._tensors, self._kept(epoch))

    def network(self, epoch: int | None = None) -> TTFSNetwork:
        """Build the network after `epoch`, by default the last."""
        return network_of(self.config, self.weights(epoch))

    def spikes(self, epoch: int | None = None) -> Spikes:
        """Spike times of the kept test samples after `epoch`, by default the last."""
        epoch = self._kept(epoch)
        names = sorted(
            (name for name in self._arrays if name.startswith(f"{epoch}/layer_")),
            key=lambda name: int(name.rsplit("_", 1)[1]),
        )
        times = [_unpack(self._arrays[name]) for name in names]
        labels = self._arrays["test/labels"][: len(times[0])].astype(np.int64)
        return Spikes(labels, times[0], times[1:])

    @cached_property
    def test(self) -> dict[str, NDArray[Any]]:
        """Measures of every test sample of the trained network.

        ``labels``, ``predicted`` (-1 undecided), ``decision_time``, and, of shape
        (n_samples, n_layers) with the input first, ``shorth`` and ``activity``.
        """
        return {
            name.removeprefix("test/"): array
            for name, array in self._arrays.items()
            if name.startswith("test/")
        }

    @cached_property
    def _arrays(self) -> Arrays:
        with np.load(self.path / "spikes.npz", allow_pickle=False) as file:
            return dict(file)

    def _kept(self, epoch: int | None) -> int:
        if epoch is None:
            return self.epochs[-1]
        if epoch not in self.epochs:
            raise ValueError(f"epoch must be one of the kept {self.epochs}, got {epoch!r}")
        return epoch


def load_run(path: str | Path) -> Run:
    """Read a run and check that it is whole.

    Parameters
    ----------
    path : path
        The folder of the run.

    Returns
    -------
    Run

    Raises
    ------
    OSError
        If the folder is not a finished run, or a file is missing or differs from its checksum.
    """
    path = Path(path)
    try:
        metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        found, sums = metrics["format"], metrics["sha256"]
        seed = metrics["seed"]
    except FileNotFoundError:
        unfinished = (path / "config.toml").exists()
        what = "is not finished: resume it" if unfinished else "is not the folder of a run"
        raise OSError(f"{path} {what} (no metrics.json)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path}/metrics.json is damaged or not of a run: {error!r}") from None
    if found != FORMAT:
        raise OSError(f"{path} has format {found!r}, this ttfslib reads {FORMAT}")
    for name in FILES:
        if not (path / name).is_file():
            raise OSError(f"{path} is damaged: {name} is missing")
        if _files.sha256(path / name) != sums.get(name):
            raise OSError(f"{path} is damaged: {name} does not match its checksum")
    tensors, _ = _files.load_tensors(path / "weights.safetensors")
    config, _ = _read_config(path)
    return Run(path, config, seed, _read_history(path / "history.csv"), metrics, tensors)


def is_finished(path: Path) -> bool:
    """Whether a training has ended in this folder."""
    return (path / "metrics.json").exists()


def claim(path: Path, config: TrainingConfig, seed: int, *, resume: bool) -> None:
    """Make the folder of a new run, or check that the one to resume is of these settings.

    Raises
    ------
    ValueError
        If the folder holds another run, or anything else.
    OSError
        If it cannot be made.
    """
    if (path / "config.toml").exists():
        if not resume:
            raise ValueError(f"out holds a run already, got {path}: resume it or choose another")
        if _read_config(path) != (config, seed):
            raise ValueError(f"out holds a run of other settings or another seed, got {path}")
        return
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"out must be a new or empty folder, got {path}")
    path.mkdir(parents=True, exist_ok=True)
    _files.write(path / "config.toml", f"seed = {seed}\n{config.to_toml()}")


def weight_arrays(network: TTFSNetwork, epoch: int) -> Arrays:
    """Weights of a network as float16 arrays named ``EPOCH/weight_LAYER``."""
    return {
        f"{epoch}/weight_{i}": matrix.numpy().astype(np.float16)
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


def spike_arrays(layers: Sequence[NDArray[Any]], epoch: int, n_samples: int) -> Arrays:
    """Spike times of the first samples as integers named ``EPOCH/layer_LAYER``, 0 the input."""
    first = [np.sort(layers[0][:n_samples], axis=1), *(times[:n_samples] for times in layers[1:])]
    return {f"{epoch}/layer_{i}": _pack(times) for i, times in enumerate(first)}


def _pack(times: NDArray[Any]) -> NDArray[np.uint16]:
    """Spike times in units of RESOLUTION, from 0 to just under 8; beyond, they are cut."""
    units = np.round(np.where(np.isinf(times), 0, times) / RESOLUTION).clip(0, _SILENT - 1)
    return np.where(np.isinf(times), _SILENT, units).astype(np.uint16)


def _unpack(units: NDArray[np.uint16]) -> NDArray[np.float64]:
    return np.where(units == _SILENT, np.inf, units * RESOLUTION)


def write_run(
    path: Path,
    config: TrainingConfig,
    seed: int,
    history: list[dict[str, float]],
    kept: Arrays,
    outcome: Evaluation,
    labels: NDArray[np.int64],
) -> None:
    """Write all files of a finished run, ``metrics.json`` last.

    Parameters
    ----------
    path : Path
        A folder that `claim` has made.
    history : list of dict
        One row for each epoch.
    kept : dict of arrays
        What `weight_arrays` and `spike_arrays` returned.
    outcome : Evaluation
        Of the last kept weights on the test samples.
    labels : int array
        Of the test samples.
    """
    packets = packet_statistics(outcome.layers, outcome.decision_times)
    per_sample: Arrays = {
        "test/labels": labels.astype(np.int8),
        "test/predicted": outcome.predicted.astype(np.int8),
        "test/decision_time": outcome.decision_times.astype(np.float32),
        "test/shorth": packets.shorth.astype(np.float16),
        "test/activity": packets.activity.astype(np.float16),
    }
    weights = {name: array for name, array in kept.items() if "/weight_" in name}
    spikes = {name: array for name, array in kept.items() if "/layer_" in name}
    _files.save_tensors(path / "weights.safetensors", weights, {"seed": seed})
    _files.write(path / "spikes.npz", _npz(spikes | per_sample))
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
        "versions": _versions(),
        "sha256": {name: _files.sha256(path / name) for name in FILES},
    }
    _files.write(path / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")


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


def _npz(arrays: Arrays) -> bytes:
    """Compressed, and the same bytes for the same arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.save(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), compresslevel=9,
                             compress_type=zipfile.ZIP_DEFLATED)  # fmt: skip
    return file.getvalue()


def _csv(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, history[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    return text.getvalue()


def _read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def _read_config(path: Path) -> tuple[TrainingConfig, int]:
    try:
        values = tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
        seed = values.pop("seed")
        return TrainingConfig.from_mapping(values), seed
    except (ValueError, KeyError) as error:
        raise OSError(f"{path}/config.toml is damaged or not of a run: {error}") from None

"""A trained run on disk: a folder that explains itself, and is read only if it is whole.

=======================  ==========================================================================
``config.toml``          the settings and the seed: all that is needed to make the run again
``history.csv``          a row for each epoch, the untrained network first
``weights.safetensors``  float16 weights of the kept epochs, 0 being the untrained network
``spikes.npz``           spike times of the first test samples, for the kept epochs; measures of all
``metrics.json``         results on the whole test set, versions, checksums of the other files
=======================  ==========================================================================

What is published is the network whose weights were rounded to float16: all spikes and metrics are
its own. Spike times are stored as multiples of 1/8192 tau_s; a spike that comes later than 8 tau_s
is stored as if it came just before. Of the data set nothing is stored: labels and input spikes are
taken from it when they are asked for, and of the answers only their mistakes are kept, as right
answers are labels; where MNIST cannot be had, other digits may stand in, see
`load_run`. Nothing is ever unpickled.

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
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks, _files, datasets
from ttfslib._files import Arrays
from ttfslib.config import LATEST, TrainingConfig

if TYPE_CHECKING:
    from ttfslib.evaluation import Evaluation
    from ttfslib.nn import TTFSNetwork
    from ttfslib.samples import Samples

FORMAT = 2
UNDECIDED = np.int8(127)
FILES = ("config.toml", "history.csv", "weights.safetensors", "spikes.npz")
RESOLUTION = LATEST / 2**16
"""Spike times are stored as multiples of this, in units of tau_s."""
SILENT = np.uint16(2**16 - 1)
"""What is stored for a neuron that stays silent."""


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
    _stand_in: bool = field(default=False, repr=False)

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
        """Spike times of the kept test samples after `epoch`, by default the last.

        Raises
        ------
        OSError
            If the data set, which has the labels and the input, cannot be had, and nothing may
            stand in.
        """
        from ttfslib.samples import Samples, encode

        epoch = self._kept(epoch)
        names = sorted(
            (name for name in self._arrays if name.startswith(f"{epoch}/layer_")),
            key=lambda name: int(name.rsplit("_", 1)[1]),
        )
        layers = [unpack(self._arrays[name]) for name in names]
        shown, is_own = self._shown
        n_kept = len(layers[0])
        few = Samples(shown.features[:n_kept], shown.labels[:n_kept])
        if not is_own:
            layers = [unpack(pack(times)) for times in self._outcome(few, epoch).layers[1:]]
        inputs = np.sort(encode(self.config, few.features).numpy(), axis=1)
        return Spikes(few.labels, unpack(pack(inputs)), layers)

    @cached_property
    def test(self) -> dict[str, NDArray[Any]]:
        """Measures of every test sample of the trained network.

        ``labels``, ``predicted`` (-1 undecided), ``decision_time``, and, of shape
        (n_samples, n_layers) with the input first, ``shorth`` and ``activity``.
        """
        shown, is_own = self._shown
        if not is_own:
            return {"labels": shown.labels} | self._outcome(shown, self.epochs[-1]).measures()
        stored = {
            name.removeprefix("test/"): array
            for name, array in self._arrays.items()
            if name.startswith("test/")
        }
        stored["predicted"] = predicted(stored.pop("mistake"), shown.labels)
        return {"labels": shown.labels} | stored

    @cached_property
    def _shown(self) -> tuple[Samples, bool]:
        """The samples that the network is shown, and whether they are its own test samples."""
        from ttfslib import samples

        if self._stand_in and self.config.dataset == "mnist":
            return _mnist_or_stand_in()
        return samples.load_test_samples(self.config), True

    def _outcome(self, shown: Samples, epoch: int) -> Evaluation:
        import torch

        from ttfslib.evaluation import evaluate, make_loss
        from ttfslib.samples import encode

        inputs, labels = encode(self.config, shown.features), torch.from_numpy(shown.labels)
        return evaluate(self.network(epoch), inputs, labels, make_loss(self.config))

    @cached_property
    def _arrays(self) -> Arrays:
        return _files.load_arrays(self.path / "spikes.npz")

    def _kept(self, epoch: int | None) -> int:
        if epoch is None:
            return self.epochs[-1]
        if epoch not in self.epochs:
            raise ValueError(f"epoch must be one of the kept {self.epochs}, got {epoch!r}")
        return epoch


def load_run(path: str | Path, *, stand_in: bool = False) -> Run:
    """Read a run and check that it is whole.

    Parameters
    ----------
    path : path
        The folder of the run.
    stand_in : bool
        Where MNIST is not here and cannot be downloaded, warn, and let `Run.spikes` and `Run.test`
        show the network the digits of scikit-learn instead, enlarged to the same size.

    Returns
    -------
    Run

    Raises
    ------
    OSError
        If the folder is not a finished run, or a file is missing or differs from its checksum.
    """
    path = Path(path).expanduser().absolute()
    metrics = _read_metrics(path)
    for name in FILES:
        if not (path / name).is_file():
            raise OSError(f"{path} is damaged: {name} is missing")
        if _files.sha256(path / name) != metrics["sha256"][name]:
            raise OSError(f"{path} is damaged: {name} does not match its checksum")
    tensors, _ = _files.load_tensors(path / "weights.safetensors")
    config, seed = read_settings(path)
    history = _read_history(path / "history.csv")
    return Run(path, config, seed, history, metrics, tensors, stand_in)


@cache
def _mnist_or_stand_in() -> tuple[Samples, bool]:
    """MNIST's test samples, once for all runs; or other digits, and False."""
    from ttfslib import samples

    try:
        return samples.Samples(*datasets.load_mnist("test")), True
    except OSError as error:
        warnings.warn(
            f"{error}. Until then scikit-learn's digits, enlarged, stand in: what is computed from "
            "single images differs from what the book says",
            stacklevel=2,
        )
        return samples.digits_like_mnist(), False


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


def pack(times: NDArray[Any]) -> NDArray[np.uint16]:
    """Spike times in units of RESOLUTION, from 0 to just under LATEST; beyond, they are cut."""
    units = np.round(np.where(np.isinf(times), 0, times) / RESOLUTION).clip(0, SILENT - 1)
    return np.where(np.isinf(times), SILENT, units).astype(np.uint16)


def unpack(units: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Spike times from their stored form."""
    return np.where(units == SILENT, np.inf, units * RESOLUTION)


def mistakes(predicted: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int8]:
    """Answers without the labels in them: 0 where right, else answer - label; UNDECIDED for -1."""
    return np.where(predicted < 0, UNDECIDED, predicted - labels).astype(np.int8)


def predicted(mistake: NDArray[np.int8], labels: NDArray[np.int64]) -> NDArray[np.int8]:
    """Answers from their `mistakes`, given the labels; -1 where undecided."""
    return np.where(mistake == UNDECIDED, -1, labels + mistake).astype(np.int8)


def seal(metrics: dict[str, Any]) -> str:
    """Checksum of the metrics themselves, whatever their layout in the file."""
    return hashlib.sha256(json.dumps(metrics, sort_keys=True).encode()).hexdigest()


def _read_metrics(path: Path) -> dict[str, Any]:
    file = path / "metrics.json"
    if not file.exists():
        unfinished = (path / "config.toml").exists()
        what = "is not finished: resume it" if unfinished else "is not the folder of a run"
        raise OSError(f"{path} {what} (no metrics.json)")
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


def _read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        rows = list(csv.DictReader(io.StringIO(_files.read_text(path))))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (ValueError, IndexError, TypeError, csv.Error) as error:
        raise OSError(f"{path} is damaged or not of a run: {error}") from None


def read_settings(path: Path) -> tuple[TrainingConfig, int]:
    """Config and seed of a run's ``config.toml``."""
    file = path / "config.toml"
    try:
        values = tomllib.loads(_files.read_text(file))
        seed = _checks.integer("seed", values.pop("seed"), minimum=0)
        return TrainingConfig.from_mapping(values), seed
    except (ValueError, KeyError) as error:
        raise OSError(f"{file} is damaged or not of a run: {error}") from None

"""A trained run, read from its folder: settings, history, weights, and what its network does.

What the files hold is told in ``ttfslib/experiment/_format.py``. Spike times are not stored:
weights and data set bring them back when they are asked for, 10,000 images in about two seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks
from ttfslib._files import Arrays
from ttfslib.experiment import _format
from ttfslib.experiment.config import TrainingConfig

if TYPE_CHECKING:
    from ttfslib.experiment.evaluation import Evaluation
    from ttfslib.experiment.recipe import Samples
    from ttfslib.nn import TTFSNetwork


@dataclass(frozen=True)
class Spikes:
    """Spike times of the first test samples in one state of the network.

    Attributes
    ----------
    labels : int array, shape (n_samples,)
        The true classes; sample `i` is test sample `i` of the data set.
    input : float array, shape (n_samples, n_inputs)
        Input spike times.
    layers : list of float arrays, shapes (n_samples, n_neurons)
        Spike times of the hidden layers and the output; ``inf`` where silent.
    """

    labels: NDArray[np.int64]
    input: NDArray[Any]
    layers: list[NDArray[Any]]


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
        The epochs whose weights were kept; 0 is the untrained network.
    """

    path: Path
    config: TrainingConfig
    seed: int
    history: dict[str, NDArray[np.float64]]
    metrics: dict[str, Any]
    _tensors: Arrays = field(repr=False)
    _shown: Samples | None = field(default=None, repr=False)

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
        return _format.weights_at(self._tensors, self._kept(epoch))

    def delays(self, epoch: int | None = None) -> list[NDArray[np.float32]]:
        """Delays (n_pre,) of each layer's inputs after `epoch`; an empty list if there are none."""
        return _format.weights_at(self._tensors, self._kept(epoch), _format.DELAY)

    def network(self, epoch: int | None = None) -> TTFSNetwork:
        """Build the network after `epoch`, by default the last."""
        return _format.network_of(self.config, self.weights(epoch), self.delays(epoch))

    def showing(self, samples: Samples) -> Run:
        """The same run, whose network is shown other samples than its own test samples."""
        return replace(self, _shown=samples)

    def evaluate(self, epoch: int | None = None, n_samples: int | None = None) -> Evaluation:
        """Run the network after `epoch`, by default the last, on the first test samples.

        Parameters
        ----------
        epoch : int, optional
        n_samples : int, optional
            All of them by default, or where there are fewer.

        Returns
        -------
        Evaluation

        Raises
        ------
        ValueError
            If that epoch was not kept.
        OSError
            If the data set cannot be had.
        """
        import torch

        from ttfslib.experiment.evaluation import evaluate
        from ttfslib.experiment.recipe import encode, make_loss

        chosen = slice(n_samples if n_samples is None else _checks.integer("n_samples", n_samples))
        features, labels = self._samples
        return evaluate(
            self.network(epoch),
            encode(self.config, features[chosen]),
            torch.from_numpy(labels[chosen]),
            make_loss(self.config),
        )

    def spikes(self, epoch: int | None = None, n_samples: int | None = None) -> Spikes:
        """Spike times of the first test samples, with the arguments and errors of `evaluate`."""
        outcome = self.evaluate(epoch, n_samples)
        return Spikes(outcome.labels, outcome.layers[0], outcome.layers[1:])

    @cached_property
    def test(self) -> dict[str, NDArray[Any]]:
        """Measures of every test sample of the trained network.

        ``labels``, ``predicted`` (-1 undecided), ``decision_time``, and, of shape
        (n_samples, n_layers) with the input first, ``shorth`` and ``activity``.
        """
        outcome = self.evaluate()
        return {
            "labels": outcome.labels,
            "predicted": outcome.predicted,
            "decision_time": outcome.decision_times,
            "shorth": outcome.packets.shorth,
            "activity": outcome.packets.activity,
        }

    @cached_property
    def _samples(self) -> Samples:
        from ttfslib.experiment.recipe import load_test_samples

        return self._shown or load_test_samples(self.config)

    def _kept(self, epoch: int | None) -> int:
        if epoch is None:
            return self.epochs[-1]
        is_number = isinstance(epoch, (int, np.integer)) and not isinstance(epoch, bool)
        if not is_number or epoch not in self.epochs:
            raise ValueError(
                f"epoch must be one of the kept {self.epochs}, got {_checks.shown(epoch)}"
            )
        return int(epoch)


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
    ValueError
        If `path` is none.
    OSError
        If the folder is not a finished run, or a file is missing, damaged, of another training
        or of an older format.
    """
    path = _checks.path("path", path).absolute()
    return Run(path, *_format.read(path))

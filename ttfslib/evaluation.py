"""What a network does with samples: its spikes, its answers and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttfslib.config import TrainingConfig
from ttfslib.losses import FirstSpikeCrossEntropy, SpikeTimeMSE, first_spike_class
from ttfslib.nn import TTFSNetwork
from ttfslib.synchrony import decision_time, packet_statistics

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Evaluation:
    """What a network does with given samples.

    Attributes
    ----------
    loss, accuracy : float
        Undecided samples, those without an output spike, count as wrong.
    predicted : int array, shape (n_samples,)
        -1 where undecided.
    layers : list of float arrays, shapes (n_samples, n_neurons)
        Spike times from the input to the output.
    """

    loss: float
    accuracy: float
    predicted: NDArray[np.int64]
    layers: list[NDArray[Any]]

    @property
    def decision_times(self) -> NDArray[np.float64]:
        """First output spike of each sample, ``inf`` where undecided."""
        return decision_time(self.layers[-1])

    def measures(self) -> dict[str, NDArray[Any]]:
        """Measures of every sample, as a run keeps them.

        ``predicted``, ``decision_time``, and, of shape (n_samples, n_layers) with the input first,
        ``shorth`` and ``activity`` of the pulse packets.
        """
        packets = packet_statistics(self.layers, self.decision_times)
        return {
            "predicted": self.predicted.astype(np.int8),
            "decision_time": self.decision_times.astype(np.float32),
            "shorth": packets.shorth.astype(np.float16),
            "activity": packets.activity.astype(np.float16),
        }


def make_loss(config: TrainingConfig) -> torch.nn.Module:
    """Make the loss of a config."""
    if config.loss == "mse":
        return SpikeTimeMSE(config.correct_time, config.wrong_time)
    return FirstSpikeCrossEntropy(config.xi, config.alpha, config.beta)


@torch.no_grad()
def evaluate(
    network: TTFSNetwork, inputs: Tensor, labels: Tensor, loss: torch.nn.Module
) -> Evaluation:
    """Run a network on samples.

    Parameters
    ----------
    network : TTFSNetwork
        On any device.
    inputs : float Tensor, shape (n_samples, n_inputs)
        Input spike times, see `encode`; on the CPU, like the labels.
    labels : int64 Tensor, shape (n_samples,)
    loss : Module
        Takes output times and labels, see `make_loss`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If there is not one label for each sample, or as for the network and the loss.
    """
    if len(inputs) != len(labels):
        raise ValueError(f"labels must be one for each of {len(inputs)} inputs, got {len(labels)}")
    batches = zip(inputs.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True)
    device = network.stack[0].weight.device
    outcomes = []
    for times, truth in batches:
        layers = [layer.cpu() for layer in network(times.to(device))]
        outcomes.append((float(loss(layers[-1], truth)) * len(truth), [times, *layers]))
    layers = [torch.cat(parts) for parts in zip(*(o[1] for o in outcomes), strict=True)]
    predicted = first_spike_class(layers[-1])
    return Evaluation(
        loss=sum(o[0] for o in outcomes) / len(labels),
        accuracy=float((predicted == labels).double().mean()),
        predicted=predicted.numpy(),
        layers=[times.numpy() for times in layers],
    )

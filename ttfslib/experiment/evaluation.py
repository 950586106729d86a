"""What a network does with samples: its spikes, its answers and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttfslib.analysis.synchrony import PacketStatistics, packet_statistics
from ttfslib.functional import check_float_tensor, check_times
from ttfslib.nn import TTFSNetwork
from ttfslib.readout import decided_class, decision_time

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Evaluation:
    """What a network does with given samples.

    Attributes
    ----------
    loss, accuracy : float
        Undecided samples, those without an output spike, count as wrong.
    labels : int array, shape (n_samples,)
    layers : list of float arrays, shapes (n_samples, n_neurons)
        Spike times from the input to the output, ``inf`` where silent.
    """

    loss: float
    accuracy: float
    labels: NDArray[np.int64]
    layers: list[NDArray[Any]]

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Class that each sample is decided for, -1 where undecided."""
        return decided_class(self.layers[-1])

    @cached_property
    def decision_times(self) -> NDArray[np.float64]:
        """First output spike of each sample, ``inf`` where undecided."""
        return decision_time(self.layers[-1])

    @cached_property
    def packets(self) -> PacketStatistics:
        """Width and activity of every layer's pulse packet in every sample."""
        return packet_statistics(self.layers, self.decision_times)


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
        Takes output times and labels: `FirstSpikeCrossEntropy`, `SpikeTimeMSE`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If an argument is of another kind, there is not one label for each sample, or as for the
        network and the loss.
    """
    _check_kinds(network, inputs, labels, loss)
    if len(inputs) != len(labels):
        raise ValueError(f"labels must be one for each of {len(inputs)} inputs, got {len(labels)}")
    batches = zip(inputs.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True)
    device = network.stack[0].weight.device
    outcomes = []
    for times, truth in batches:
        layers = [layer.cpu() for layer in network(times.to(device))]
        outcomes.append((float(loss(layers[-1], truth)) * len(truth), [times, *layers]))
    layers = [torch.cat(parts) for parts in zip(*(o[1] for o in outcomes), strict=True)]
    return Evaluation(
        loss=sum(o[0] for o in outcomes) / len(labels),
        accuracy=float((decided_class(layers[-1]) == labels).double().mean()),
        labels=labels.detach().numpy(),
        layers=[times.numpy() for times in layers],
    )


def _check_kinds(network: Any, inputs: Any, labels: Any, loss: Any) -> None:
    kinds = {
        "network": (network, TTFSNetwork),
        "inputs": (inputs, Tensor),
        "labels": (labels, Tensor),
        "loss": (loss, torch.nn.Module),
    }
    for name, (value, kind) in kinds.items():
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    for name, tensor in {"inputs": inputs, "labels": labels}.items():
        if tensor.device.type != "cpu" or tensor.layout != torch.strided:
            raise ValueError(
                f"{name} must be a dense Tensor on the CPU, got {tensor.layout} on {tensor.device}"
            )
    check_float_tensor("inputs", inputs)
    if inputs.ndim != 2 or labels.ndim != 1 or not len(inputs):
        raise ValueError(
            "inputs and labels must have shapes (n_samples, n_inputs) and (n_samples,), got "
            f"{tuple(inputs.shape)} and {tuple(labels.shape)}"
        )
    check_times("inputs", inputs)

"""What brings back neurons that stay silent, which no gradient can."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ttfslib import _checks
from ttfslib.functional import check_float_tensor, check_times
from ttfslib.nn import TTFSNetwork

SILENT_HIDDEN_SHARE, SILENT_OUTPUT_SHARE, SILENT_STEP = 0.15, 0.05, 0.0005
"""Of the published recipe: tolerated shares of missing spikes, and the first rise of weights."""
_MAX_DOUBLINGS = 1000  # 2.0 ** 1024 is no float


class SilentNeuronRemedy:
    """Raises the weights into neurons that stay silent, the only way to bring them back.

    A silent neuron has no spike time and hence no gradient. After each batch, every layer of
    which more than the tolerated share of spikes is missing gets help: the weights into each of
    its neurons that is silent too often are raised by `step`, and twice as much each time that
    the layer needs help again. Inhibitory weights stop at zero if the network obeys Dale's law.

    Parameters
    ----------
    network : TTFSNetwork
    hidden_share, output_share : float
        Tolerated share of missing spikes, in hidden layers and in the output layer.
    step : float
        First rise of the weights, in units of the threshold.
    largest_step : float
        Where the doubling ends.

    Attributes
    ----------
    times_in_a_row : list of int
        How often in succession each layer has been helped; all that there is to checkpoint.

    References
    ----------
    Göltz et al. (2021), Nature Machine Intelligence 3; Oberste-Frielinghaus et al. (2025).
    """

    def __init__(
        self,
        network: TTFSNetwork,
        hidden_share: float = SILENT_HIDDEN_SHARE,
        output_share: float = SILENT_OUTPUT_SHARE,
        step: float = SILENT_STEP,
        largest_step: float = 0.1,
    ) -> None:
        if not isinstance(network, TTFSNetwork):
            raise ValueError(f"network must be a TTFSNetwork, got {type(network).__name__}")
        hidden = _checks.within("hidden_share", hidden_share, 0, 1)
        n_layers = len(network.layers)
        self.network = network
        self.tolerated = [hidden] * (n_layers - 1)
        self.tolerated.append(_checks.within("output_share", output_share, 0, 1))
        self.step = _checks.positive("step", step)
        self.largest_step = _checks.positive("largest_step", largest_step)
        self.times_in_a_row = [0] * n_layers

    @torch.no_grad()
    def __call__(self, layers: Sequence[Tensor]) -> list[int]:
        """Help the layers in need, given each layer's spike times; return their indices."""
        stack = self.network.stack
        if not isinstance(layers, Sequence) or len(layers) != len(stack):
            found = len(layers) if isinstance(layers, Sequence) else type(layers).__name__
            raise ValueError(f"layers must be the spike times of {len(stack)} layers, got {found}")
        for i, (times, layer) in enumerate(zip(layers, stack, strict=True)):
            _check_layer(f"layers[{i}]", times, layer.weight.shape[1])
        return [i for i, times in enumerate(layers) if self._help(i, torch.isinf(times))]

    def _help(self, i: int, silent: Tensor) -> bool:
        missing = silent.to(torch.float64).mean(0)
        if missing.mean() <= self.tolerated[i]:
            self.times_in_a_row[i] = 0
            return False
        doublings = min(self.times_in_a_row[i], _MAX_DOUBLINGS)
        rise = min(self.step * 2.0**doublings, self.largest_step)
        layer = self.network.stack[i]
        layer.weight.add_(rise * (missing > self.tolerated[i]))
        layer.obey_dale()
        self.times_in_a_row[i] += 1
        return True


def _check_layer(name: str, times: Tensor, n_neurons: int) -> None:
    check_float_tensor(name, times)
    shape = tuple(times.shape)
    if times.ndim != 2 or times.shape[1] != n_neurons:
        raise ValueError(f"{name} must be a tensor (n_samples, {n_neurons}), got {shape}")
    if not len(times):
        raise ValueError(f"{name} must hold a sample or more, got shape {shape}")
    check_times(name, times)

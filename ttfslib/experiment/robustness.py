r"""Damage as hardware and biology do it: late and lost spikes, inexact weights, unequal neurons.

:func:`perturbed_layers` runs a network whose every layer is damaged in the same way, and
:func:`robustness` measures what that does to the accuracy and, at equal counts, to the widths of
the pulse packets.

Unequal thresholds and time constants need no other engine. A neuron of threshold
:math:`\theta_j` fires when one of threshold :math:`\theta` would whose incoming weights are
multiplied by :math:`\theta/\theta_j`. Neurons of a layer are sorted into groups of nearly the same
time constants, and each group is computed for itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.equal_counts import mean_widths
from ttfslib.functional import check_float_tensor, first_spike_times
from ttfslib.lif import LIFParameters
from ttfslib.nn import TTFSLayer, TTFSNetwork
from ttfslib.readout import decided_class, decision_time

N_GROUPS = 8
"""Of neurons with nearly the same time constants."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with a network; by default nothing.

    Parameters
    ----------
    jitter : float
        Standard deviation of Gaussian noise on every spike, input included, in units of tau_s.
    lost : float
        Share of the spikes of each layer, input included, that arrive nowhere.
    weight_noise : float
        Standard deviation of a factor around 1 for each weight; it does not become negative, so
        that Dale's law holds.
    n_bits : int, optional
        Bits of each weight, its sign included; exact weights by default.
    threshold_spread, tau_spread : float
        Standard deviation of the logarithm of each neuron's threshold, and of both of its time
        constants in common.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    jitter: float = 0.0
    lost: float = 0.0
    weight_noise: float = 0.0
    n_bits: int | None = None
    threshold_spread: float = 0.0
    tau_spread: float = 0.0

    def __post_init__(self) -> None:
        """Validate."""
        for name in ("jitter", "weight_noise"):
            _checks.within(name, getattr(self, name), 0, math.inf)
        for name in ("lost", "threshold_spread", "tau_spread"):
            _checks.within(name, getattr(self, name), 0, 1)
        if self.n_bits is not None:
            _checks.integer("n_bits", self.n_bits, minimum=2, maximum=32)


@dataclass(frozen=True)
class Robustness:
    """What a damaged network still does.

    Attributes
    ----------
    accuracy : float
        Share of the samples that are decided for their class.
    widths : float array, shape (n_layers,)
        Mean shorth of as many spikes drawn from each packet, input first; NaN for a layer none of
        whose packets is large enough.
    n_measured : int array, shape (n_layers,)
        Samples whose packet is large enough.
    """

    accuracy: float
    widths: FloatArray
    n_measured: NDArray[np.int64]


def quantized(weights: ArrayLike, n_bits: int) -> FloatArray:
    """Round weights to the levels that a number of bits can tell apart.

    Levels are whole multiples of one step, from ``-(2**(n_bits - 1) - 1)`` to
    ``2**(n_bits - 1) - 1`` steps, and the largest weight is the largest level. No weight changes
    its sign.

    Parameters
    ----------
    weights : array_like, shape (n_pre, n_post)
    n_bits : int
        The sign included; at least 2.

    Returns
    -------
    array, shape (n_pre, n_post)

    Raises
    ------
    ValueError
        If the weights are no finite matrix, or `n_bits` is out of range.

    Examples
    --------
    >>> quantized([[3.0, 1.2], [-0.4, -1.6]], 3)
    array([[ 3.,  1.],
           [-0., -2.]])
    """
    matrix = _checks.matrix("weights", weights)
    whole, step = levels(matrix, _checks.integer("n_bits", n_bits, minimum=2, maximum=32))
    return np.asarray(step * whole, np.float64)


def levels(
    matrix: NDArray[np.floating[Any]], n_bits: int
) -> tuple[NDArray[np.floating[Any]], float]:
    """Return the level of each weight, a whole number, and what one level is worth."""
    step = float(np.abs(matrix).max()) / (2 ** (n_bits - 1) - 1) or 1.0
    return np.round(matrix / step), step


@torch.no_grad()
def perturbed_layers(
    network: TTFSNetwork,
    inputs: Tensor,
    damage: Damage,
    rng: np.random.Generator,
    *,
    spare_output: bool = False,
) -> list[NDArray[np.floating[Any]]]:
    """Spike times of every layer of a damaged network, as they arrive at the next one.

    Parameters
    ----------
    network : TTFSNetwork
        On the CPU; it stays as it is.
    inputs : float Tensor, shape (n_samples, n_inputs)
        Input spike times; ``inf`` where silent.
    damage : Damage
    rng : numpy.random.Generator
    spare_output : bool
        Whether the spikes of the output, which say the decision, are neither late nor lost.

    Returns
    -------
    list of arrays, shapes (n_samples, n_neurons)
        Input first, output last.

    Raises
    ------
    ValueError
        If an argument is of another kind or out of range.
    """
    network = _checks.instance("network", network, TTFSNetwork)
    damage = _checks.instance("damage", damage, Damage)
    rng = _checks.generator("rng", rng)
    spare_output = _checks.instance("spare_output", spare_output, bool)
    check_float_tensor("inputs", _checks.instance("inputs", inputs, Tensor))
    _checks.layer_times("inputs", inputs)
    times = _late_and_lost(inputs, damage, rng)
    arrived = [times]
    for number, layer in enumerate(network.stack, start=1):
        times = _damaged(layer, times, damage, rng)
        if not (spare_output and number == len(network.stack)):
            times = _late_and_lost(times, damage, rng)
        arrived.append(times)
    return [each.numpy() for each in arrived]


def robustness(
    network: TTFSNetwork,
    inputs: Tensor,
    labels: ArrayLike,
    damage: Damage,
    *,
    n_spikes: int,
    rng: np.random.Generator,
    spare_output: bool = False,
) -> Robustness:
    """Accuracy of a damaged network, and the widths of its packets at equal counts.

    Parameters
    ----------
    network, inputs, damage, rng, spare_output
        As for :func:`perturbed_layers`.
    labels : array_like of int, shape (n_samples,)
    n_spikes : int
        Spikes that are drawn from each packet; at least 4.

    Returns
    -------
    Robustness

    Raises
    ------
    ValueError
        As for :func:`perturbed_layers`, or if there is not one label for each sample.
    """
    n_spikes = _checks.integer("n_spikes", n_spikes, minimum=4)
    arrived = perturbed_layers(network, inputs, damage, rng, spare_output=spare_output)
    classes = _checks.sample_labels("labels", labels, len(inputs))
    widths, n_measured = mean_widths(arrived, decision_time(arrived[-1]), n_spikes, rng)
    accuracy = float(np.mean(decided_class(arrived[-1]) == classes))
    return Robustness(accuracy, widths, n_measured)


def _late_and_lost(times: Tensor, damage: Damage, rng: np.random.Generator) -> Tensor:
    shape = tuple(times.shape)
    late = times + damage.jitter * torch.from_numpy(rng.standard_normal(shape)).to(times.dtype)
    return torch.where(torch.from_numpy(rng.random(shape) < damage.lost), torch.inf, late)


def _damaged(layer: TTFSLayer, times: Tensor, damage: Damage, rng: np.random.Generator) -> Tensor:
    """First spikes of one layer with inexact weights and unequal neurons."""
    weights = layer.weight.detach().double().numpy()
    if damage.n_bits is not None:
        weights = quantized(weights, damage.n_bits)
    if damage.weight_noise > 0:
        noise = 1 + damage.weight_noise * rng.standard_normal(weights.shape)
        weights = weights * noise.clip(min=0)
    n_post = weights.shape[1]
    easier = np.exp(-damage.threshold_spread * rng.standard_normal(n_post))
    matrix = torch.from_numpy(weights * easier).to(times.dtype)
    factors = np.exp(damage.tau_spread * rng.standard_normal(n_post))
    return _in_groups(layer.arriving(times), matrix, layer.params, factors)


def _in_groups(
    times: Tensor, weights: Tensor, params: LIFParameters, factors: FloatArray
) -> Tensor:
    """First spikes of neurons whose time constants are multiplied by factors."""
    order = np.argsort(factors, kind="stable")
    spikes = torch.empty((len(times), len(factors)), dtype=times.dtype)
    for group in np.array_split(order, 1 if np.ptp(factors) == 0 else N_GROUPS):
        if len(group):
            factor = float(np.exp(np.log(factors[group]).mean()))
            slower = replace(params, tau_m=factor * params.tau_m, tau_s=factor * params.tau_s)
            spikes[:, group] = first_spike_times(times, weights[:, group].contiguous(), slower)
    return spikes

r"""Losses on output spike times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ttfslib import _checks
from ttfslib._registry import Registry
from ttfslib.functional import check_float_tensor, check_times

LOSSES: Registry[nn.Module] = Registry("loss")
"""Losses that a config may name; each is called with output times and labels."""

SILENT_TIME = 10.0
"""Where a loss counts a spike that never came, in units of tau_s."""
RESOLUTION = 0.01
"""Widths of pulse packets that `log_packet_width` tells apart, in units of tau_s."""


@LOSSES.register("cross_entropy")
class FirstSpikeCrossEntropy(nn.Module):
    r"""Cross-entropy of which output neuron fires first (:eq:`eq-first-spike-loss`).

    With output spike times t and true class y, the mean over samples of
    :math:`-\log\mathrm{softmax}(-t/\xi)_y + \alpha e^{\beta t_y}`. The second term presses
    the true class to fire early.

    A silent output counts as firing at `silent_time` and passes no gradient. A sample whose true
    class is silent passes none at all: it could only push the other outputs later, until they are
    silent as well, and bringing the true one back is the work of `SilentNeuronRemedy`.

    Parameters
    ----------
    xi : float
        Temperature in units of tau_s: how far apart two spikes must be to count as decided.
    alpha, beta : float
        Size and steepness of the pressure for early spikes.
    silent_time : float
        In units of tau_s.

    References
    ----------
    Göltz et al. (2021), Nature Machine Intelligence 3; Oberste-Frielinghaus et al. (2025).
    """

    def __init__(
        self,
        xi: float = 0.2,
        alpha: float = 0.005,
        beta: float = 1.0,
        silent_time: float = SILENT_TIME,
    ) -> None:
        super().__init__()
        self.xi = _checks.positive("xi", xi)
        self.alpha = _checks.within("alpha", alpha, 0, math.inf)
        self.beta = _checks.real("beta", beta)
        self.silent_time = _checks.positive("silent_time", silent_time)

    def forward(self, output_times: Tensor, labels: Tensor) -> Tensor:
        """Mean loss for output times (n_samples, n_classes) and labels (n_samples,)."""
        times = _heard(output_times, labels, self.silent_time)
        is_heard = torch.isfinite(output_times.gather(1, labels[:, None]))
        times = torch.where(is_heard, times, times.detach())
        loss = nn.functional.cross_entropy(-times / self.xi, labels)
        if self.alpha:
            true_times = times.gather(1, labels[:, None])
            loss = loss + self.alpha * torch.exp(self.beta * true_times).mean()
        return loss


@LOSSES.register("mse")
class SpikeTimeMSE(nn.Module):
    """Half the squared distance of output spikes to target times.

    The output of the true class is to fire at `correct`, all others at `wrong`; the mean over
    samples of the sum over classes. A silent output counts as firing at `silent_time` and passes
    no gradient.

    Parameters
    ----------
    correct, wrong : float
        Target times in units of tau_s.
    silent_time : float
        In units of tau_s.
    """

    def __init__(
        self, correct: float = 1.5, wrong: float = 2.0, silent_time: float = SILENT_TIME
    ) -> None:
        super().__init__()
        self.correct = _checks.real("correct", correct)
        self.wrong = _checks.real("wrong", wrong)
        self.silent_time = _checks.positive("silent_time", silent_time)

    def forward(self, output_times: Tensor, labels: Tensor) -> Tensor:
        """Mean loss for output times (n_samples, n_classes) and labels (n_samples,)."""
        times = _heard(output_times, labels, self.silent_time)
        targets = torch.full_like(times, self.wrong)
        targets.scatter_(1, labels[:, None], self.correct)
        return (times - targets).square().sum(1).mean() / 2


def log_packet_width(layers: Sequence[Tensor]) -> Tensor:
    r"""How wide the packets of the hidden layers are, with a gradient (:eq:`eq-pressure`).

    The width of a packet is the standard deviation :math:`\sigma` of the spikes up to the decision,
    which itself passes no gradient. Widths below `RESOLUTION` are not told apart: the result is
    the mean of :math:`\tfrac{1}{2}\log(\sigma^2 + r^2)` over layers and samples.

    Parameters
    ----------
    layers : sequence of Tensor
        What `TTFSNetwork` returns: spike times of each layer, (n_samples, n_neurons), the output
        last.

    Returns
    -------
    Tensor
        One number; 0 if no hidden packet has two spikes.
    """
    if not isinstance(layers, Sequence) or len(layers) < 2:
        found = len(layers) if isinstance(layers, Sequence) else type(layers).__name__
        raise ValueError(f"layers must be the spike times of at least 2 layers, got {found}")
    for i, times in enumerate(layers):
        _check_times(f"layers[{i}]", times)
    decision = layers[-1].detach().amin(1, keepdim=True)
    logs = torch.cat([_log_width(t, decision) for t in layers[:-1]])
    return logs.mean() if len(logs) else layers[-1].new_zeros(())


def _log_width(times: Tensor, decision: Tensor) -> Tensor:
    """Log width of the samples with two spikes or more up to the decision, shape (n_found,)."""
    counted = (times <= decision) & torch.isfinite(times)
    found = counted.sum(1) > 1
    times, counted = times[found], counted[found]
    n = counted.sum(1, keepdim=True)
    mean = torch.where(counted, times, 0).sum(1, keepdim=True) / n
    deviations = torch.where(counted, times, mean) - mean
    return (deviations.square().sum(1) / n[:, 0] + RESOLUTION**2).log() / 2


def _heard(output_times: Tensor, labels: Tensor, silent_time: float) -> Tensor:
    """Output times with silence at `silent_time`, once both arguments have been checked."""
    _check_times("output_times", output_times)
    n_samples, n_classes = output_times.shape
    if not isinstance(labels, Tensor) or labels.layout != torch.strided:
        raise ValueError(f"labels must be a dense int64 tensor, got {type(labels).__name__}")
    if labels.shape != (n_samples,) or labels.dtype != torch.int64:
        raise ValueError(
            f"labels must be int64 of shape ({n_samples},), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    if labels.device != output_times.device:
        raise ValueError(
            f"labels must be on the device of output_times {output_times.device}, "
            f"got {labels.device}"
        )
    low, high = (bound.item() for bound in labels.aminmax())
    if low < 0 or high >= n_classes:
        raise ValueError(f"labels must lie in [0, {n_classes - 1}], got {labels.tolist()[:5]}")
    return torch.where(torch.isinf(output_times), silent_time, output_times)


def _check_times(name: str, times: Tensor) -> None:
    check_float_tensor(name, times)
    if times.ndim != 2 or not times.numel():
        raise ValueError(
            f"{name} must have shape (n_samples, n_neurons), not empty, got {tuple(times.shape)}"
        )
    check_times(name, times)

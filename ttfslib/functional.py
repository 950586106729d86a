r"""First spike times of a layer as one differentiable operation on torch tensors.

The passes are those of an engine, see :mod:`ttfslib.engines`: on the CPU and on a CUDA device they
are compiled, elsewhere plain torch operations do the same walk.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ttfslib import _checks
from ttfslib.engines import engine_for
from ttfslib.lif import DEFAULT, LIFParameters, peak_delay

FLOATS = (torch.float32, torch.float64)


def first_spike_times(
    spike_times: Tensor,
    weights: Tensor,
    params: LIFParameters = DEFAULT,
    *,
    gradient_limit: float = math.inf,
) -> Tensor:
    r"""First spike time of every neuron of a layer for a batch of samples.

    The gradient is the exact one, :math:`\partial t/\partial w_i = -k(t - t_i)/\dot V(t)` and
    :math:`\partial t/\partial t_i = w_i k'(t - t_i)/\dot V(t)` (:eq:`eq-grad-weights`, :eq:`eq-grad-times`), for every ratio of
    time constants. A silent neuron, and one whose potential touches the threshold with no slope
    at all, passes no gradient.

    Parameters
    ----------
    spike_times : Tensor, shape (n_samples, n_pre)
        Input spikes, float32 or float64, in units of tau_s; ``inf`` for a silent neuron.
    weights : Tensor, shape (n_pre, n_post)
        Of the same dtype and on the same device.
    params : LIFParameters
    gradient_limit : float, optional
        The guard against grazing spikes: a neuron whose largest :math:`|\partial t/\partial w_i|`
        exceeds it passes no gradient for that sample. By default all gradients pass.

    Returns
    -------
    Tensor, shape (n_samples, n_post)
        ``inf`` for neurons that stay silent.

    Raises
    ------
    ValueError
        If a tensor is empty, holds NaN, or has the wrong shape, dtype or device.

    Examples
    --------
    >>> import torch
    >>> times = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    >>> weights = torch.tensor([[2.0], [2.0]], dtype=torch.float64)
    >>> print(f"{first_spike_times(times, weights).item():.9f}")
    0.686130539
    """
    _check_spike_times(spike_times)
    _check_weights(weights, spike_times)
    limit = _checks.positive("gradient_limit", gradient_limit, allow_inf=True)
    return _FirstSpikes.apply(spike_times, weights, params, limit)


class _FirstSpikes(Function):
    """Forward and backward share what the forward pass sorted and found."""

    @staticmethod
    def forward(
        ctx: Any, spike_times: Tensor, weights: Tensor, params: LIFParameters, limit: float
    ) -> Tensor:
        weights = weights.contiguous()
        engine = engine_for(weights.device)
        times, order = engine.sorted_events(spike_times.contiguous())
        steps = engine.propagators(times, params.tau_m, params.tau_s)
        spikes, slopes, causes = engine.first_spikes(
            times, order, steps, weights, params.tau_m, params.tau_s, params.threshold
        )
        ctx.save_for_backward(times, order, steps, weights, spikes, slopes, causes)
        ctx.engine, ctx.params, ctx.limit = engine, params, limit
        return spikes

    @staticmethod
    def backward(ctx: Any, d_spikes: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        with torch.no_grad():
            gradients = _FirstSpikes._gradients(ctx, d_spikes)
        if torch.is_grad_enabled():
            *_, spikes, _, _ = ctx.saved_tensors
            gradients = [_OnlyOnce.apply(gradient, spikes) for gradient in gradients]
        d_times, d_weights = gradients
        by_time, by_weight, *_ = ctx.needs_input_grad
        return d_times if by_time else None, d_weights if by_weight else None, None, None

    @staticmethod
    def _gradients(ctx: Any, d_spikes: Tensor) -> list[Tensor]:
        times, order, steps, weights, spikes, slopes, causes = ctx.saved_tensors
        tau_m, tau_s = ctx.params.tau_m, ctx.params.tau_s
        passes = slopes > 0
        if ctx.limit < math.inf:
            peak = peak_delay(0.0, 1.0, ctx.params)
            passes &= ~ctx.engine.gradient_exceeds(
                times, spikes, slopes, causes, tau_m, tau_s, peak, ctx.limit
            )
        with_times = ctx.needs_input_grad[0]
        pull = torch.where(passes, d_spikes / slopes, 0.0)
        d_weights, d_times = ctx.engine.first_spikes_backward(
            times, order, steps, weights, spikes, causes, pull, tau_m, tau_s, with_times
        )
        return [d_times, d_weights]


class _OnlyOnce(Function):
    """Refuse a second derivative, which would otherwise pass for zero."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, _spikes: Tensor) -> Tensor:  # noqa: ARG004
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[None, None]:  # noqa: ARG004
        raise RuntimeError("first_spike_times can be differentiated only once")


def _check_spike_times(spike_times: Tensor) -> None:
    _check_matrix("spike_times", spike_times)
    if not spike_times.amin() > -math.inf:  # the minimum of values with a NaN is NaN
        raise ValueError("spike_times must be finite or +inf (silent), got NaN or -inf")


def _check_weights(weights: Tensor, spike_times: Tensor) -> None:
    _check_matrix("weights", weights)
    for aspect in ("dtype", "device"):
        expected, found = getattr(spike_times, aspect), getattr(weights, aspect)
        if found != expected:
            raise ValueError(
                f"weights must have the {aspect} of spike_times {expected}, got {found}"
            )
    if len(weights) != spike_times.shape[1]:
        raise ValueError(
            f"weights must have a row for each of the {spike_times.shape[1]} input neurons, "
            f"got shape {tuple(weights.shape)}"
        )
    # A sum is many times faster than a look at each weight, and finite only if all of them are.
    if not (torch.isfinite(weights.sum()) or torch.isfinite(weights).all()):
        raise ValueError("weights must be finite, got NaN or an infinity")


def _check_matrix(name: str, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(tensor).__name__}")
    if tensor.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions, got shape {tuple(tensor.shape)}")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} must be float32 or float64, got {tensor.dtype}")
    if tensor.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")

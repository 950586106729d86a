r"""The walk of :mod:`ttfslib.engines.kernels` in plain torch operations, for any device.

One step of the loop takes all samples and all neurons past one input event each. The forward pass
only notes in which interval a neuron fires and with which state (V, I) it entered; one vectorised
Newton iteration then finds all spikes at once. Memory grows with n_samples x (n_pre + n_post).
Same functions, arguments and results as in :mod:`ttfslib.engines.kernels`, on tensors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_NEWTON_STEPS = 40


def sorted_events(times: Tensor) -> tuple[Tensor, Tensor]:
    """Sort each sample's spikes; return the rising times and the neurons they belong to."""
    rising, order = torch.sort(times, dim=1, stable=True)
    return rising, order


def propagator(delay: Tensor, tau_m: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor]:
    r"""How (V, I) moves without input: :math:`V \to aV + bI, I \to cI` (:eq:`eq-propagator`)."""
    a, c = torch.exp(-delay / tau_m), torch.exp(-delay / tau_s)
    x = -delay * abs(1 / tau_s - 1 / tau_m)
    relative = torch.where(x == 0, 1.0, torch.expm1(x) / torch.where(x == 0, 1.0, x))
    return a, delay / tau_s * torch.maximum(a, c) * relative, c


def propagators(times: Tensor, tau_m: float, tau_s: float) -> Tensor:
    """The :func:`propagator` of the interval after each input, shape (n_samples, n_pre, 3).

    Rows of intervals without end are zero.
    """
    following = torch.cat([times[:, 1:], torch.full_like(times[:, :1], math.inf)], dim=1)
    ends = following < math.inf
    gaps = torch.where(ends, following - times, 0.0)
    return torch.stack(propagator(gaps, tau_m, tau_s), dim=2) * ends[:, :, None]


def first_spikes(
    times: Tensor,
    order: Tensor,
    steps: Tensor,
    weights: Tensor,
    tau_m: float,
    tau_s: float,
    threshold: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute first spike times of a layer, and what led to each spike.

    From input to input the state moves by :eq:`eq-propagator`; :eq:`eq-spike-rule` says who fires.

    Parameters
    ----------
    times, order : Tensor, shape (n_samples, n_pre)
        Each sample's input spikes in rising order, silent ones last, and the rows they belong to.
    steps : Tensor, shape (n_samples, n_pre, 3)
        The :func:`propagators` of `times`.
    weights : Tensor, shape (n_pre, n_post)
    tau_m, tau_s, threshold : float

    Returns
    -------
    spikes, slopes : Tensor, shape (n_samples, n_post)
        Times, and slopes of V there; ``inf`` and 0 for neurons that stay silent.
    causes : int Tensor, shape (n_samples, n_post)
        The last event before each spike: its place in `times`; -1 for silent neurons.
    """
    n_samples, n_pre = times.shape
    shape = (n_samples, weights.shape[1])
    potential, current = weights.new_zeros(shape), weights.new_zeros(shape)
    causes = torch.full(shape, -1, dtype=torch.int32, device=weights.device)
    start = weights.new_full(shape, math.inf)
    horizon, entry_potential, entry_current = (weights.new_zeros(shape) for _ in range(3))
    gaps = torch.diff(times, dim=1, append=times.new_full((n_samples, 1), math.inf))
    gaps = torch.where(times < math.inf, gaps, 0.0)
    for e in range(n_pre):
        now, gap = times[:, e, None], gaps[:, e, None]
        arrives = now < math.inf
        current = torch.where(arrives, current + weights[order[:, e]], current)
        fires = (start == math.inf) & arrives
        fires &= _crosses(potential, current, gap, tau_m, tau_s, threshold)
        start = torch.where(fires, now, start)
        causes = torch.where(fires, e, causes)
        horizon = torch.where(fires, gap, horizon)
        entry_potential = torch.where(fires, potential, entry_potential)
        entry_current = torch.where(fires, current, entry_current)
        a, b, c = steps[:, e, :, None].unbind(1)
        potential, current = a * potential + b * current, c * current
    delay = _crossing_delay(entry_potential, entry_current, horizon, tau_m, tau_s, threshold)
    slopes = entry_current * torch.exp(-delay / tau_s) / tau_s - threshold / tau_m
    fired = start < math.inf
    following = torch.cat([times[:, 1:], times.new_full((n_samples, 1), math.inf)], dim=1)
    following = following.gather(1, causes.clamp(min=0).long())
    spikes = torch.where(fired, torch.minimum(start + delay, following), math.inf)
    return spikes, torch.where(fired, slopes.clamp(min=0), 0), only_before(times, spikes, causes)


def only_before(times: Tensor, spikes: Tensor, causes: Tensor) -> Tensor:
    """Last causes that came before the spikes: an input that rounds to a spike's time is none."""
    return torch.minimum(causes, torch.searchsorted(times, spikes, out_int32=True) - 1)


def _crosses(
    potential: Tensor,
    current: Tensor,
    gap: Tensor,
    tau_m: float,
    tau_s: float,
    threshold: float,
) -> Tensor:
    """Whether V reaches the threshold within `gap`, there or at its peak (:eq:`eq-spike-rule`)."""
    peak = _peak_delay(potential, current, tau_m, tau_s)
    latest = torch.minimum(peak, gap)
    end = torch.where(latest < math.inf, latest, 0.0)
    a, b, _ = propagator(end, tau_m, tau_s)
    reached = a * potential + b * current
    ends = latest < math.inf
    crosses = torch.where(ends, reached >= threshold, potential + current > threshold)
    rising = current / tau_s > potential / tau_m
    # As in `ttfslib.crossing_delay`: what is still to come must fill the gap.
    enough = current > threshold - potential.clamp(min=0)
    return (potential >= threshold) | (enough & rising & crosses)


def _peak_delay(potential: Tensor, current: Tensor, tau_m: float, tau_s: float) -> Tensor:
    """Delay to the maximum of V where it rises, as `ttfslib.peak_delay`; inf without one."""
    mismatch = 1 - tau_s / tau_m
    if mismatch == 1:
        return torch.full_like(potential, math.inf)
    ratio = potential / torch.where(current == 0, math.inf, current)
    x = ratio * mismatch
    safe = torch.where((x == 0) | (x <= -1), 1.0, x)
    relative = torch.where(x == 0, 1.0, torch.log1p(safe) / safe)
    first = math.log1p(-mismatch) / -mismatch if mismatch else 1.0
    return torch.where(x <= -1, math.inf, tau_s * (first - ratio * relative)).clamp(min=0)


def _crossing_delay(
    potential: Tensor,
    current: Tensor,
    horizon: Tensor,
    tau_m: float,
    tau_s: float,
    threshold: float,
) -> Tensor:
    """Newton from the left, where V is concave: steps never pass the crossing."""
    delay = torch.zeros_like(potential)
    for _ in range(_NEWTON_STEPS):
        a, b, c = propagator(delay, tau_m, tau_s)
        v = a * potential + b * current
        slope = c * current / tau_s - v / tau_m
        step = torch.where((slope > 0) & (v < threshold), (threshold - v) / slope, 0.0)
        delay = torch.minimum(delay + step, horizon)
        if not (step > 4 * torch.finfo(delay.dtype).eps * delay).any():
            break
    return delay


def gradient_exceeds(
    times: Tensor,
    spikes: Tensor,
    slopes: Tensor,
    causes: Tensor,
    tau_m: float,
    tau_s: float,
    peak: float,
    limit: float,
) -> Tensor:
    r"""Which spikes have a :math:`|\partial t/\partial w_i|` over `limit`: (n_samples, n_post).

    As the PSP has one maximum, at `peak`, one of the two inputs around ``spike - peak`` has the
    largest.
    """
    older = torch.minimum(torch.searchsorted(times, spikes - peak), causes + 1)
    exceeds = torch.zeros_like(spikes, dtype=torch.bool)
    for event in (older - 1, older):
        counts = (event >= 0) & (event <= causes)
        cause = times.gather(1, event.clamp(0, times.shape[1] - 1))
        _, response, _ = propagator(torch.where(counts, spikes - cause, 0.0), tau_m, tau_s)
        exceeds |= response > limit * slopes
    return exceeds


def first_spikes_backward(
    times: Tensor,
    order: Tensor,
    steps: Tensor,  # noqa: ARG001 - what the compiled pass needs
    weights: Tensor,
    spikes: Tensor,
    causes: Tensor,
    pull: Tensor,
    tau_m: float,
    tau_s: float,
    with_times: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of a loss by weights and input times, event by event.

    The terms are those of :eq:`eq-grad-weights` and :eq:`eq-grad-times`.

    Parameters
    ----------
    times, order, steps, weights
        As in :func:`first_spikes`.
    spikes, causes : Tensor, shape (n_samples, n_post)
        What it returned.
    pull : Tensor, shape (n_samples, n_post)
        Gradient of the loss by each spike time over the slope of V there; 0 to leave a spike out.
    tau_m, tau_s : float
    with_times : bool
        Whether the gradient by input times is wanted.

    Returns
    -------
    d_weights : Tensor, shape (n_pre, n_post)
    d_times : Tensor, shape (n_samples, n_pre)
        In the order of the neurons, not of the events; zero unless `with_times`.
    """
    d_weights, d_times = torch.zeros_like(weights), torch.zeros_like(times)
    for e in range(times.shape[1]):
        now, rows = times[:, e, None], order[:, e]
        causal = e <= causes
        delay = torch.where(causal, spikes - now, 0.0)
        _, response, decayed = propagator(delay, tau_m, tau_s)
        d_weights.index_add_(0, rows, -pull * response)
        if with_times:
            slope = decayed / tau_s - response / tau_m
            by_time = torch.where(causal, pull * weights[rows] * slope, 0.0).sum(1)
            d_times.scatter_(1, rows[:, None], by_time[:, None])
    return d_weights, d_times

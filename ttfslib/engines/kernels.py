r"""First spikes of a whole layer for a batch of samples, compiled: forward and backward.

Both directions are walks along each sample's sorted input spikes. Forward, the state (V, I) of all
postsynaptic neurons is advanced from input to input by one :func:`propagators` triple per interval
(:eq:`eq-propagator`), and a neuron is examined closely only where a cheap necessary condition says
that it may cross its threshold. Backward, the same triple carries :math:`(k, e^{-s/\tau_s})`, the
response at each neuron's spike to an input at the present event, from the spike down to its
earliest cause (:eq:`eq-grad-walk`). Nothing grows with n_pre x n_post per sample, states only ever
decay, so that float32 is safe, and every sum has one order: results repeat bit for bit.

Arrays are C-contiguous and of one float type; silent spikes are ``inf``. Shapes: spike times
(n_samples, n_pre), weights (n_pre, n_post), results (n_samples, n_post).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from ttfslib.engines.formulas import COMPILE, propagator, slope_at_spike, spike_delay
from ttfslib.engines.lanes import (
    WIDTH,
    any_reaching,
    chosen,
    lane,
    load,
    lowest,
    reaching,
    spread,
    store,
    total,
)


def sorted_events(times):
    """Sort each sample's spikes; return the rising times and the neurons they belong to.

    Simultaneous spikes keep the order of their neurons. A float32 and its index fit into one
    64-bit integer, and integers sort several times faster than pairs.
    """
    if times.dtype != np.float32:
        order = np.argsort(times, axis=1, kind="stable")
        return np.take_along_axis(times, order, axis=1), order
    bits = (times + np.float32(0)).view(np.int32)  # adding zero leaves one kind of zero
    keys = (_rising(bits).astype(np.int64) << 32) | np.arange(times.shape[1])
    keys.sort(axis=1)
    rising = (keys >> 32).astype(np.int32)
    return _rising(rising).view(np.float32), keys & 0xFFFFFFFF


def _rising(bits):
    """Integers that rise as the floats with these bits do; of those integers, the bits again."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _on_threads(function):
    """Compile a function whose `prange` alone is spread over threads.

    To spread its array expressions too, which are small, takes the compiler twice as long.
    """
    return njit(parallel={"numpy": False, "inplace_binop": False}, **COMPILE)(function)


@_on_threads
def propagators(sorted_times, tau_m, tau_s):
    """The ``formulas.propagator`` of the interval after each input, shape (n_samples, n_pre, 3).

    Rows of intervals without end are zero.
    """
    n_samples, n_pre = sorted_times.shape
    triples = np.zeros((n_samples, n_pre, 3), sorted_times.dtype)
    rate_m, rate_s = 1.0 / tau_m, 1.0 / tau_s
    for s in prange(n_samples):
        for e in range(n_pre - 1):
            gap = float(sorted_times[s, e + 1]) - float(sorted_times[s, e])
            if not gap < math.inf:
                break
            a, b, c = propagator(gap, rate_m, rate_s)
            triples[s, e, 0], triples[s, e, 1], triples[s, e, 2] = a, b, c
    return triples


@_on_threads
def first_spikes(times, order, steps, weights, tau_m, tau_s, threshold):
    """Compute first spike times of a layer, and what led to each spike.

    Parameters
    ----------
    times : (n_samples, n_pre) array
        Each sample's input spikes in rising order, silent ones (inf) last.
    order : (n_samples, n_pre) int array
        The row of `weights` that each entry of `times` belongs to.
    steps : (n_samples, n_pre, 3) array
        The :func:`propagators` of `times`.
    weights : (n_pre, n_post) array
    tau_m, tau_s, threshold : float

    Returns
    -------
    spikes, slopes : (n_samples, n_post) arrays
        Times, and slopes of V there; ``inf`` and 0 for neurons that stay silent.
    causes : (n_samples, n_post) int array
        The last event before each spike: its place in `times`; -1 for silent neurons.
    """
    n_samples = len(times)
    n_post = weights.shape[1]
    dtype = weights.dtype.type
    rows = _in_chunks(weights)
    spikes = np.full((n_samples, n_post), dtype(np.inf))
    slopes = np.zeros((n_samples, n_post), dtype)
    causes = np.full((n_samples, n_post), np.int32(-1))
    # One chunk of neurons after the other, so that its weights stay close to the processor.
    for task in prange(len(rows) * n_samples):
        k, s = task // n_samples, task % n_samples
        mine = slice(k * WIDTH, min((k + 1) * WIDTH, n_post))
        _walk(
            times[s],
            order[s],
            steps[s],
            rows[k],
            spikes[s, mine],
            slopes[s, mine],
            causes[s, mine],
            tau_m,
            tau_s,
            threshold,
        )
    return spikes, slopes, causes


@njit(**COMPILE)
def _walk(times, order, steps, rows, spikes, slopes, causes, tau_m, tau_s, threshold):
    """One sample and one chunk of :func:`first_spikes`; results go into the given arrays."""
    dtype = rows.dtype.type
    tolerance = np.finfo(rows.dtype).eps / 8
    n_events = np.searchsorted(times, dtype(np.inf))
    before = potential = current = spread(dtype(0.0))
    never = spread(np.finfo(rows.dtype).min)
    decay, bound = dtype(1.0), dtype(0.0)
    waiting = (np.int64(1) << len(spikes)) - 1
    e = -1
    while e + 1 < n_events and waiting:
        # Lanes that wait for nothing (any more) should not end the loop below, though they may.
        potential = chosen(waiting, potential, never)
        found = False
        # No call in this loop: the state stays in registers.
        while not found and e + 1 < n_events:
            e += 1
            a, b, c = steps[e, 0], steps[e, 1], steps[e, 2]
            current = decay * current + load(rows, order[e] * WIDTH)
            before = potential
            potential = a * before + b * current
            # V(d) >= a * threshold follows from any crossing in the interval (:eq:`eq-necessary`).
            bound = a * dtype(threshold)
            found = any_reaching(potential, bound)
            decay = c
        close = reaching(potential, bound) & waiting
        now = float(times[e])
        following = float(times[e + 1]) if e + 1 < len(times) else np.inf
        while close:
            j = lowest(close)
            close &= close - 1
            inflow = float(lane(current, j))
            delay = _delay(
                float(lane(before, j)),
                inflow,
                float(lane(potential, j)),
                decay,
                tau_m,
                tau_s,
                threshold,
                following - now,
                tolerance,
            )
            if delay < np.inf:
                # Rounded once, so that it cannot pass the next input.
                spikes[j] = min(now + delay, following)
                slopes[j] = slope_at_spike(inflow, delay, tau_m, tau_s, threshold)
                causes[j] = _last_before(spikes[j], times, e)
                waiting &= ~(np.int64(1) << j)


@njit(**COMPILE)
def _delay(potential, current, ahead, left, tau_m, tau_s, threshold, horizon, tolerance):
    """``formulas.spike_delay``, or inf at once where a cheap test excludes a crossing.

    Of the current, the part `left` is there at the horizon.
    """
    if current <= 0.0:
        return np.inf
    # Still rising below the threshold: no peak inside the interval. (After a gap so long that all
    # is zero, nothing rises.)
    if horizon < np.inf and ahead < threshold and left * current / tau_s > ahead / tau_m:
        return np.inf
    return spike_delay(potential, current, ahead, tau_m, tau_s, threshold, horizon, tolerance)


@njit(**COMPILE)
def _in_chunks(weights):
    """Copy the columns, padded with silent neurons, to shape (n_chunks, n_pre * WIDTH)."""
    n_pre, n_post = weights.shape
    n_chunks = -(-n_post // WIDTH)
    chunks = np.zeros((n_chunks, n_pre, WIDTH), weights.dtype)
    for i in range(n_pre):
        for j in range(n_post):
            chunks[j // WIDTH, i, j % WIDTH] = weights[i, j]
    return chunks.reshape(n_chunks, n_pre * WIDTH)


@njit(**COMPILE)
def _last_before(spike, times, event):
    """Go down from `event` to the first entry of the rising `times` that is smaller than `spike`.

    Only an input at the very time of the spike, or so shortly before that it rounds to it, is
    passed over.
    """
    while event >= 0 and times[event] >= spike:
        event -= 1
    return event


@_on_threads
def gradient_exceeds(times, spikes, slopes, causes, tau_m, tau_s, peak, limit):
    r"""Which spikes have a :math:`|\partial t/\partial w_i|` over `limit`: (n_samples, n_post).

    `peak` is the delay at which the PSP is largest. As it has one maximum, the largest PSP at a
    spike is that of one of the two inputs around ``spike - peak``.
    """
    n_samples, n_post = spikes.shape
    exceeds = np.zeros((n_samples, n_post), np.bool_)
    rate_m, rate_s = 1.0 / tau_m, 1.0 / tau_s
    _, highest, _ = propagator(peak, rate_m, rate_s) if peak < math.inf else (0.0, 1.0, 0.0)
    for s in prange(n_samples):
        for j in range(n_post):
            spike, allowed = spikes[s, j], limit * slopes[s, j]
            if spike == np.inf or highest <= allowed:
                continue
            causal = times[s, : causes[s, j] + 1]
            older = np.searchsorted(causal, spike - peak)
            for e in range(max(older - 1, 0), min(older + 1, len(causal))):
                _, response, _ = propagator(float(spike) - float(causal[e]), rate_m, rate_s)
                exceeds[s, j] |= response > allowed
    return exceeds


@_on_threads
def first_spikes_backward(
    times, order, steps, weights, spikes, causes, pull, tau_m, tau_s, with_times
):
    """Gradients of a loss by weights and input times, summed along the walk.

    The terms are those of :eq:`eq-grad-weights` and :eq:`eq-grad-times`.

    Parameters
    ----------
    times, order, steps, weights
        As in :func:`first_spikes`.
    spikes, causes : (n_samples, n_post) arrays
        What it returned.
    pull : (n_samples, n_post) array
        Gradient of the loss by each spike time over the slope of V there; 0 to leave a spike out.
    tau_m, tau_s : float
    with_times : bool
        Whether the gradient by input times is wanted.

    Returns
    -------
    d_weights : (n_pre, n_post) array
    d_times : (n_samples, n_pre) array
        In the order of the neurons, not of the events; zero unless `with_times`.
    """
    n_samples, n_pre = times.shape
    n_post = weights.shape[1]
    rows = _in_chunks(weights)
    by_weight = np.zeros_like(rows)
    by_time = np.zeros((len(rows) if with_times else 0, n_samples, n_pre), weights.dtype)
    for k in prange(len(rows)):
        mine = slice(k * WIDTH, min((k + 1) * WIDTH, n_post))
        for s in range(n_samples):
            _walk_back(
                times[s],
                order[s],
                steps[s],
                rows[k],
                spikes[s, mine],
                causes[s, mine],
                pull[s, mine],
                tau_m,
                tau_s,
                by_weight[k],
                by_time[k, s] if with_times else rows[k, :0],
            )
    d_weights = np.empty_like(weights)
    for i in range(n_pre):
        for j in range(n_post):
            d_weights[i, j] = by_weight[j // WIDTH, i * WIDTH + j % WIDTH]
    d_times = np.zeros((n_samples, n_pre), weights.dtype)
    for part in by_time:
        d_times += part
    return d_weights, d_times


@njit(**COMPILE)
def _walk_back(times, order, steps, rows, spikes, causes, pull, tau_m, tau_s, by_weight, by_time):
    """One sample and one chunk of :func:`first_spikes_backward`, added to `by_weight`, `by_time`.

    An empty `by_time` is left alone.
    """
    dtype = rows.dtype.type
    rate_m, rate_s = dtype(1.0 / tau_m), dtype(1.0 / tau_s)
    # Which neurons have an event as their latest cause, and the state they start with there.
    starting = np.zeros(len(times), np.int64)
    replies, rests = np.zeros(WIDTH, rows.dtype), np.zeros(WIDTH, rows.dtype)
    latest = -1
    for j in range(len(spikes)):
        e = causes[j]
        if e < 0 or pull[j] == 0.0:
            continue
        age = float(spikes[j]) - float(times[e])
        _, reply, rest = propagator(age, 1.0 / tau_m, 1.0 / tau_s)
        replies[j], rests[j] = pull[j] * reply, pull[j] * rest
        starting[e] |= np.int64(1) << j
        latest = max(latest, e)
    all_replies, all_rests = load(replies, 0), load(rests, 0)
    response = decayed = spread(dtype(0.0))
    for e in range(latest, -1, -1):
        place = order[e] * WIDTH
        a, b, c = steps[e, 0], steps[e, 1], steps[e, 2]
        response = a * response + b * decayed
        decayed = c * decayed
        if starting[e]:
            response = chosen(starting[e], all_replies, response)
            decayed = chosen(starting[e], all_rests, decayed)
        store(by_weight, place, load(by_weight, place) - response)
        if len(by_time):
            forces = load(rows, place) * (rate_s * decayed - rate_m * response)
            by_time[order[e]] = total(forces)

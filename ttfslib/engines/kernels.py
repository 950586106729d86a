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

# Neurons advanced and tested together: a constant, so that the compiler unrolls it into vectors.
_CHUNK = 32
# Tasks of the backward pass: a constant, so that results do not depend on the number of cores.
_MAX_BLOCKS, _MIN_BLOCK = 4, 48
_FIRED = -1.0e30
# Sums over neurons may be regrouped into vector lanes (still the same from run to run).
_COMPILE_SUMS = {**COMPILE, "fastmath": {"reassoc", "nsz"}}


def sorted_events(times):
    """Sort each sample's spikes; return the rising times and the neurons they belong to.

    Simultaneous spikes keep the order of their neurons. A float32 and its index fit into one
    64-bit integer, and integers sort several times faster than pairs.
    """
    if times.dtype != np.float32:
        order = np.argsort(times, axis=1, kind="stable")
        return np.take_along_axis(times, order, axis=1), order
    bits = (times + np.float32(0)).view(np.int32)  # adding zero leaves one kind of zero
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (rising.astype(np.int64) << 32) | np.arange(times.shape[1])
    keys.sort(axis=1)
    order = keys & 0xFFFFFFFF
    return np.take_along_axis(times, order, axis=1), order


@njit(parallel=True, **COMPILE)
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


@njit(parallel=True, **COMPILE)
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
    n_samples, n_pre = times.shape
    n_post = weights.shape[1]
    dtype = weights.dtype.type
    tolerance = np.finfo(weights.dtype).eps / 8
    rate_m, rate_s = 1.0 / tau_m, 1.0 / tau_s
    rows = _in_chunks(weights)
    n_chunks = rows.shape[1]
    spikes = np.full((n_samples, n_post), dtype(np.inf))
    slopes = np.zeros((n_samples, n_post), dtype)
    causes = np.full((n_samples, n_post), np.int32(-1))
    for s in prange(n_samples):
        potential = np.zeros((n_chunks, _CHUNK), weights.dtype)
        ahead = np.zeros((n_chunks, _CHUNK), weights.dtype)
        current = np.zeros((n_chunks, _CHUNK), weights.dtype)
        decay = dtype(1.0)
        waiting = n_post
        for e in range(n_pre):
            now = times[s, e]
            if waiting == 0 or now == np.inf:
                break
            row = rows[order[s, e]]
            following = times[s, e + 1] if e + 1 < n_pre else dtype(np.inf)
            horizon = float(following) - float(now)
            last = horizon == np.inf
            a, b, c = steps[s, e, 0], steps[s, e, 1], steps[s, e, 2]
            # V(d) >= a * threshold follows from any crossing in the interval (:eq:`eq-necessary`).
            bound = a * dtype(threshold)
            for k in range(n_chunks):
                candidates = np.int32(0)
                for j in range(_CHUNK):
                    now_flowing = decay * current[k, j] + row[k, j]
                    reached = a * potential[k, j] + b * now_flowing
                    current[k, j] = now_flowing
                    ahead[k, j] = reached
                    candidates += np.int32(reached >= bound)
                if candidates == 0:
                    continue
                for j in range(_CHUNK):
                    if ahead[k, j] < bound or current[k, j] <= 0.0:
                        continue
                    neuron = k * _CHUNK + j
                    if neuron >= n_post or spikes[s, neuron] < np.inf:
                        continue
                    inflow, end = float(current[k, j]), float(ahead[k, j])
                    # Still rising below the threshold: no peak inside the interval. (After a gap
                    # so long that all is zero, nothing rises.)
                    if not last and end < threshold and rate_s * c * inflow > rate_m * end:
                        continue
                    delay = spike_delay(
                        float(potential[k, j]),
                        inflow,
                        end,
                        tau_m,
                        tau_s,
                        threshold,
                        horizon,
                        tolerance,
                    )
                    if delay == np.inf:
                        continue
                    # Rounded once, so that it cannot pass the next input.
                    spikes[s, neuron] = min(float(now) + delay, float(following))
                    slopes[s, neuron] = slope_at_spike(inflow, delay, tau_m, tau_s, threshold)
                    causes[s, neuron] = _last_before(spikes[s, neuron], times[s], e)
                    ahead[k, j] = _FIRED
                    waiting -= 1
            potential, ahead = ahead, potential
            decay = c
    return spikes, slopes, causes


@njit(**COMPILE)
def _in_chunks(weights):
    """Copy the columns, padded with silent neurons, to shape (n_pre, n_chunks, _CHUNK)."""
    n_pre, n_post = weights.shape
    n_chunks = -(-n_post // _CHUNK)
    padded = np.zeros((n_pre, n_chunks * _CHUNK), weights.dtype)
    padded[:, :n_post] = weights
    return padded.reshape(n_pre, n_chunks, _CHUNK)


@njit(**COMPILE)
def _last_before(spike, times, event):
    """Go down from `event` to the first entry of the rising `times` that is smaller than `spike`.

    Only an input at the very time of the spike, or so shortly before that it rounds to it, is
    passed over.
    """
    while event >= 0 and times[event] >= spike:
        event -= 1
    return event


@njit(parallel=True, **COMPILE)
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


@njit(parallel=True, **_COMPILE_SUMS)
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
    dtype = weights.dtype.type
    rate_m, rate_s = dtype(1.0 / tau_m), dtype(1.0 / tau_s)
    n_blocks = max(1, min(_MAX_BLOCKS, n_post // _MIN_BLOCK))
    widest = -(-n_post // n_blocks)
    # To each task its own memory: cores that write to neighbouring places hold each other up.
    by_weight = np.zeros((n_blocks, n_pre, widest), weights.dtype)
    by_time = np.zeros((n_blocks if with_times else 0, n_samples, n_pre), weights.dtype)
    for block in prange(n_blocks):
        start, stop = block * n_post // n_blocks, (block + 1) * n_post // n_blocks
        width = stop - start
        response = np.empty(width, weights.dtype)
        decayed = np.empty(width, weights.dtype)
        # The neurons whose latest cause is one event, as a list: its first one, and who is next.
        first = np.empty(n_pre, np.int32)
        following = np.empty(width, np.int32)
        for s in range(n_samples):
            spike, force = spikes[s, start:stop], pull[s, start:stop]
            latest = _by_latest_cause(causes[s, start:stop], force, first, following)
            response[:] = 0.0
            decayed[:] = 0.0
            for e in range(latest, -1, -1):
                now, i = times[s, e], order[s, e]
                row, gradient = weights[i, start:stop], by_weight[block, i]
                total = dtype(0.0)
                if e < latest:
                    a, b, c = steps[s, e, 0], steps[s, e, 1], steps[s, e, 2]
                    if with_times:
                        for j in range(width):
                            carried = a * response[j] + b * decayed[j]
                            left = c * decayed[j]
                            response[j], decayed[j] = carried, left
                            gradient[j] -= carried
                            total += row[j] * (rate_s * left - rate_m * carried)
                    else:
                        for j in range(width):
                            carried = a * response[j] + b * decayed[j]
                            response[j], decayed[j] = carried, c * decayed[j]
                            gradient[j] -= carried
                j = first[e]
                while j >= 0:
                    age = float(spike[j]) - float(now)
                    _, reply, left = propagator(age, 1.0 / tau_m, 1.0 / tau_s)
                    response[j], decayed[j] = force[j] * reply, force[j] * left
                    gradient[j] -= response[j]
                    total += row[j] * (rate_s * decayed[j] - rate_m * response[j])
                    j = following[j]
                if with_times:
                    by_time[block, s, i] = total
    d_weights = np.empty_like(weights)
    d_times = np.zeros((n_samples, n_pre), weights.dtype)
    for block in range(n_blocks):
        start, stop = block * n_post // n_blocks, (block + 1) * n_post // n_blocks
        d_weights[:, start:stop] = by_weight[block, :, : stop - start]
        if with_times:
            d_times += by_time[block]
    return d_weights, d_times


@njit(**COMPILE)
def _by_latest_cause(causes, force, first, following):
    """Sort neurons into lists by the last event before their spike; return the last such event."""
    first[:] = -1
    latest = -1
    for j in range(len(causes)):
        e = causes[j]
        if e >= 0 and force[j] != 0.0:
            following[j], first[e] = first[e], j
            latest = max(latest, e)
    return latest

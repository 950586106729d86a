r"""First spikes of a whole layer for a batch of samples, compiled: forward and backward.

Both directions are walks along each sample's sorted input spikes. Forward, the state (V, I) of all
postsynaptic neurons is advanced from input to input by one :func:`propagators` triple per interval
(Eq. 2.2), and a neuron is examined closely only where a cheap necessary condition says that it may
cross its threshold. Backward, the same triple carries :math:`(k, e^{-s/\tau_s})`, the response at
each neuron's spike to an input at the present event, from the spike down to its earliest cause
(Eq. 3.6). Nothing grows with n_pre x n_post per sample, states only ever decay, so that float32
is safe, and every sum has one order: results repeat bit for bit.

Arrays are C-contiguous and of one float type; silent spikes are ``inf``. Shapes: spike times
(n_samples, n_pre), weights (n_pre, n_post), results (n_samples, n_post).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

# Neurons advanced and tested together: a constant, so that the compiler unrolls it into vectors.
_CHUNK = 32
# Tasks of the backward pass: a constant, so that results do not depend on the number of cores.
_MAX_BLOCKS, _MIN_BLOCK = 4, 48
_FIRED = -1.0e30
_MAX_NEWTON_STEPS = 60
_COMPILE = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
# Sums over neurons may be regrouped into vector lanes (still the same from run to run).
_COMPILE_SUMS = {**_COMPILE, "fastmath": {"contract", "reassoc", "nsz"}}


@njit(inline="always", **_COMPILE)
def psp(delay, tau_m, tau_s):
    """Postsynaptic potential of a unit weight, for `delay` >= 0 (Eq. 1.4)."""
    x = -delay * abs(1.0 / tau_s - 1.0 / tau_m)
    relative = math.expm1(x) / x if x != 0.0 else 1.0
    return delay / tau_s * math.exp(-delay / max(tau_m, tau_s)) * relative


@njit(parallel=True, **_COMPILE)
def propagators(sorted_times, tau_m, tau_s):
    r"""How the state moves over the interval after each input: :math:`V \to aV + bI, I \to cI`.

    Returns the triples (a, b, c) = (exp(-d/tau_m), psp(d), exp(-d/tau_s)) as one array of shape
    (n_samples, n_pre, 3); rows of intervals without end are not set.
    """
    n_samples, n_pre = sorted_times.shape
    triples = np.empty((n_samples, n_pre, 3), sorted_times.dtype)
    for s in prange(n_samples):
        for e in range(n_pre - 1):
            gap = float(sorted_times[s, e + 1]) - float(sorted_times[s, e])
            if not gap < math.inf:
                break
            triples[s, e, 0] = math.exp(-gap / tau_m)
            triples[s, e, 1] = psp(gap, tau_m, tau_s)
            triples[s, e, 2] = math.exp(-gap / tau_s)
    return triples


@njit(**_COMPILE)
def _crossing_delay(potential, current, tau_m, tau_s, threshold, horizon):
    """Delay to the threshold within `horizon`, or inf; Newton from the left.

    On the rising flank V is concave, so steps from the left never overshoot: they end at the root,
    pass the horizon, or, where the peak is too low, run over it.
    """
    if potential >= threshold:
        return 0.0
    delay = 0.0
    for _ in range(_MAX_NEWTON_STEPS):
        decay_s = math.exp(-delay / tau_s)
        decay_m = decay_s if tau_m == tau_s else math.exp(-delay / tau_m)
        v = potential * decay_m + current * psp(delay, tau_m, tau_s)
        slope = current * decay_s / tau_s - v / tau_m
        if not slope > 0.0:
            return math.inf
        step = (threshold - v) / slope
        delay += step
        if delay > horizon:
            return math.inf
        if step <= 4e-16 * delay or v >= threshold:
            return delay
    return delay


@njit(parallel=True, **_COMPILE)
def first_spikes(times, order, weights, tau_m, tau_s, threshold):
    """Compute first spike times of a layer and the slope of V at each spike.

    Parameters
    ----------
    times : (n_samples, n_pre) array
        Each sample's input spikes in rising order, silent ones (inf) last.
    order : (n_samples, n_pre) int array
        The row of `weights` that each entry of `times` belongs to.
    weights : (n_pre, n_post) array
    tau_m, tau_s, threshold : float

    Returns
    -------
    spikes, slopes : (n_samples, n_post) arrays
        ``inf`` and 0 for neurons that stay silent.
    """
    n_samples, n_pre = times.shape
    n_post = weights.shape[1]
    dtype = weights.dtype.type
    steps = propagators(times, tau_m, tau_s)
    rows = _in_chunks(weights)
    n_chunks = rows.shape[1]
    spikes = np.full((n_samples, n_post), dtype(np.inf))
    slopes = np.zeros((n_samples, n_post), dtype)
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
            a, b, c = dtype(0.0), dtype(0.0), dtype(0.0)
            if not last:
                a, b, c = steps[s, e, 0], steps[s, e, 1], steps[s, e, 2]
            # V(d) >= a * threshold follows from any crossing inside the interval (section 2.4).
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
                    inflow = float(current[k, j])
                    delay = _crossing_delay(
                        float(potential[k, j]), inflow, tau_m, tau_s, threshold, horizon
                    )
                    if delay == np.inf:
                        if last or ahead[k, j] < threshold:
                            continue
                        delay = horizon
                    spikes[s, neuron] = now + dtype(delay)
                    slope = inflow * math.exp(-delay / tau_s) / tau_s - threshold / tau_m
                    slopes[s, neuron] = max(slope, 0.0)
                    ahead[k, j] = _FIRED
                    waiting -= 1
            potential, ahead = ahead, potential
            decay = c
    return spikes, slopes


@njit(**_COMPILE)
def _in_chunks(weights):
    """Copy the columns, padded with silent neurons, to shape (n_pre, n_chunks, _CHUNK)."""
    n_pre, n_post = weights.shape
    n_chunks = -(-n_post // _CHUNK)
    padded = np.zeros((n_pre, n_chunks * _CHUNK), weights.dtype)
    padded[:, :n_post] = weights
    return padded.reshape(n_pre, n_chunks, _CHUNK)


@njit(**_COMPILE_SUMS)
def _events_before(times, spike):
    """Count the entries of the rising array `times` that are smaller than `spike`."""
    return np.searchsorted(times, spike, side="left")


@njit(parallel=True, **_COMPILE)
def largest_psp(times, spikes, tau_m, tau_s, peak):
    """Largest unit PSP, over the causal inputs, at each spike: (n_samples, n_post).

    `peak` is the delay at which the PSP is largest; as it has one maximum, the largest value is
    taken by one of the two inputs around ``spike - peak``.
    """
    n_samples, n_post = spikes.shape
    largest = np.zeros_like(spikes)
    for s in prange(n_samples):
        for j in range(n_post):
            spike = spikes[s, j]
            if spike == np.inf:
                continue
            causal = _events_before(times[s], spike)
            older = _events_before(times[s, :causal], spike - peak)
            best = 0.0
            for e in range(max(older - 1, 0), min(older + 1, causal)):
                best = max(best, psp(float(spike) - float(times[s, e]), tau_m, tau_s))
            largest[s, j] = best
    return largest


@njit(parallel=True, **_COMPILE_SUMS)
def first_spikes_backward(times, order, weights, spikes, pull, tau_m, tau_s, with_times):
    """Gradients of a loss by weights and input times: Eq. 3.2 and 3.3, summed along the walk.

    Parameters
    ----------
    times, order, weights
        As in :func:`first_spikes`.
    spikes : (n_samples, n_post) array
        The spike times it returned.
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
    steps = propagators(times, tau_m, tau_s)
    rate_m, rate_s = dtype(1.0 / tau_m), dtype(1.0 / tau_s)
    n_blocks = max(1, min(_MAX_BLOCKS, n_post // _MIN_BLOCK))
    d_weights = np.zeros_like(weights)
    partial = np.zeros((n_blocks if with_times else 0, n_samples, n_pre), weights.dtype)
    for block in prange(n_blocks):
        start, stop = block * n_post // n_blocks, (block + 1) * n_post // n_blocks
        width = stop - start
        response = np.empty(width, weights.dtype)
        decayed = np.empty(width, weights.dtype)
        for s in range(n_samples):
            response[:] = 0.0
            decayed[:] = 0.0
            spike, force = spikes[s, start:stop], pull[s, start:stop]
            latest_first = np.argsort(-spike)
            joined = 0
            while joined < width and force[latest_first[joined]] == 0.0:
                joined += 1
            if joined == width:
                continue
            latest = np.searchsorted(times[s], spike[latest_first[joined]]) - 1
            for e in range(latest, -1, -1):
                now, i = times[s, e], order[s, e]
                row, gradient = weights[i, start:stop], d_weights[i, start:stop]
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
                while joined < width:
                    j = latest_first[joined]
                    age = float(spike[j]) - float(now)
                    if not age > 0.0:
                        break
                    response[j] = force[j] * psp(age, tau_m, tau_s)
                    decayed[j] = force[j] * math.exp(-age / tau_s)
                    gradient[j] -= response[j]
                    total += row[j] * (rate_s * decayed[j] - rate_m * response[j])
                    joined += 1
                if with_times:
                    partial[block, s, i] = total
    d_times = np.zeros((n_samples, n_pre), weights.dtype)
    if with_times:
        for s in prange(n_samples):
            for block in range(n_blocks):
                for i in range(n_pre):
                    d_times[s, i] += partial[block, s, i]
    return d_weights, d_times

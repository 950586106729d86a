r"""The passes on a CUDA device, one thread for each neuron or synapse.

Forward, a thread walks one neuron of one sample from input to input until it fires. Backward, a
thread sums one synapse's gradient over the samples, or one input spike's over the neurons that it
reached: every sum has one order, so that results repeat bit for bit. The scalar formulas are those
of :mod:`ttfslib.engines.kernels`, compiled once more; what is not worth a kernel is borrowed from
:mod:`ttfslib.engines.plain`. Same functions, arguments and results as there.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from ttfslib.engines.formulas import propagator, slope_at_spike, spike_delay
from ttfslib.engines.plain import gradient_exceeds, only_before, propagators, sorted_events

__all__ = [
    "first_spikes",
    "first_spikes_backward",
    "gradient_exceeds",
    "propagators",
    "sorted_events",
]
_WARP = 32
_MAX_THREADS = 128


def first_spikes(
    times: Tensor,
    order: Tensor,
    steps: Tensor,
    weights: Tensor,
    tau_m: float,
    tau_s: float,
    threshold: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute first spike times of a layer, as `ttfslib.engines.plain.first_spikes`."""
    shape = (len(times), weights.shape[1])
    spikes, slopes = weights.new_full(shape, math.inf), weights.new_zeros(shape)
    causes = torch.full(shape, -1, dtype=torch.int32, device=weights.device)
    arrays = times, order, steps, weights, spikes, slopes, causes
    _launch(_walk_to_spike, shape, arrays, (tau_m, tau_s, threshold))
    return spikes, slopes, only_before(times, spikes, causes)


def first_spikes_backward(
    times: Tensor,
    order: Tensor,
    steps: Tensor,  # noqa: ARG001 - what the pass on the CPU needs
    weights: Tensor,
    spikes: Tensor,
    causes: Tensor,
    pull: Tensor,
    tau_m: float,
    tau_s: float,
    with_times: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients by weights and input times, as `ttfslib.engines.plain.first_spikes_backward`."""
    inputs = torch.empty_like(times).scatter_(1, order, times)
    latest = times.gather(1, causes.clamp(min=0).long())
    latest = torch.where((causes >= 0) & (pull != 0), latest, -math.inf)
    d_weights, d_times = torch.empty_like(weights), torch.zeros_like(times)
    rates = torch.tensor([1 / tau_m, 1 / tau_s], dtype=weights.dtype).numpy()
    arrays = inputs, latest, spikes, pull
    _launch(_sum_over_samples, weights.shape, (*arrays, d_weights), rates)
    if with_times:
        by_post = weights.t().contiguous()
        _launch(_sum_over_neurons, times.shape, (*arrays, by_post, d_times), rates)
    return d_weights, d_times


def _launch(kernel: Any, shape: Any, tensors: Any, constants: Any) -> None:
    """Run a thread for each entry of a matrix, neighbours in a row side by side."""
    rows, columns = shape
    threads = min(_MAX_THREADS, _WARP * -(-columns // _WARP))
    grid = (rows, -(-columns // threads))
    if not tensors[0].is_cuda:  # in numba's simulator
        kernel[grid, threads](*(tensor.numpy() for tensor in tensors), *constants)
        return
    device = tensors[0].device
    with cuda.gpus[device.index]:
        stream = cuda.external_stream(torch.cuda.current_stream(device).cuda_stream)
        with warnings.catch_warnings():  # a small batch is no mistake
            warnings.filterwarnings("ignore", ".*Grid size")
            launch = kernel[grid, threads, stream]
        launch(*(cuda.as_cuda_array(tensor.detach()) for tensor in tensors), *constants)


@cuda.jit
def _walk_to_spike(times, order, steps, weights, spikes, slopes, causes, tau_m, tau_s, threshold):
    """Walk one neuron by :eq:`eq-propagator`; :eq:`eq-spike-rule` finds its first spike."""
    s, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= weights.shape[1]:
        return
    n_pre, dtype = times.shape[1], weights.dtype.type
    tolerance = np.finfo(weights.dtype).eps / 8
    potential, flowing = dtype(0), dtype(0)
    for e in range(n_pre):
        now = times[s, e]
        if now == math.inf:
            return
        current = flowing + weights[order[s, e], j]
        a, b, c = steps[s, e, 0], steps[s, e, 1], steps[s, e, 2]
        ahead = a * potential + b * current
        if ahead >= a * dtype(threshold) and current > 0:
            following = times[s, e + 1] if e + 1 < n_pre else dtype(math.inf)
            horizon = float(following) - float(now)
            delay = spike_delay(
                float(potential),
                float(current),
                float(ahead),
                tau_m,
                tau_s,
                threshold,
                horizon,
                tolerance,
            )
            if delay < math.inf:
                spikes[s, j] = min(float(now) + delay, float(following))
                slopes[s, j] = slope_at_spike(float(current), delay, tau_m, tau_s, threshold)
                causes[s, j] = e
                return
        potential, flowing = ahead, c * current


@cuda.jit
def _sum_over_samples(inputs, latest, spikes, pull, d_weights, rate_m, rate_s):
    """Sum one synapse's gradient (:eq:`eq-grad-weights`) over inputs no later than `latest`."""
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= d_weights.shape[1]:
        return
    total = d_weights.dtype.type(0)
    for s in range(inputs.shape[0]):
        if inputs[s, i] <= latest[s, j]:
            _, response, _ = propagator(spikes[s, j] - inputs[s, i], rate_m, rate_s)
            total -= pull[s, j] * response
    d_weights[i, j] = total


@cuda.jit
def _sum_over_neurons(inputs, latest, spikes, pull, weights, d_times, rate_m, rate_s):
    """Sum one input spike's gradient (:eq:`eq-grad-times`); `weights` are (n_post, n_pre) here."""
    s, i = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if i >= inputs.shape[1]:
        return
    now = inputs[s, i]
    total = d_times.dtype.type(0)
    for j in range(spikes.shape[1]):
        if now <= latest[s, j]:
            _, response, decayed = propagator(spikes[s, j] - now, rate_m, rate_s)
            total += pull[s, j] * weights[j, i] * (rate_s * decayed - rate_m * response)
    d_times[s, i] = total

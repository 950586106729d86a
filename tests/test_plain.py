"""The walk in torch operations, function by function, against the compiled one."""

import math

import numpy as np
import pytest
import torch
from layers import (
    THRESHOLD,
    assert_same_spikes,
    by_kernels,
    each_dtype,
    inputs_of_a_backward_pass,
    sorted_layer,
    tolerance,
)

from ttfslib import LIFParameters, peak_delay, psp
from ttfslib.engines import kernels, plain

RATIOS = [
    (1.0, 1.0),
    (2.0, 1.0),
    (math.inf, 1.0),
    (0.5, 1.0),
    (1.0001, 1.0),
    (10.0, 1.0),
    (3.0, 2.0),
]
each_ratio = pytest.mark.parametrize(("tau_m", "tau_s"), RATIOS)


def tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


@each_dtype
def test_events_are_sorted_as_by_the_kernels(dtype):
    unsorted = np.random.default_rng(0).normal(0, 1, (5, 30)).round(1).astype(dtype)
    unsorted[0, :10] = math.inf
    unsorted[1, :4] = -0.0, 0.0, -0.0, 0.0
    rising, order = (array.numpy() for array in plain.sorted_events(torch.from_numpy(unsorted)))
    for found, expected in zip((rising, order), kernels.sorted_events(unsorted), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(order, np.argsort(unsorted, axis=1, kind="stable"))
    np.testing.assert_array_equal(rising, np.sort(unsorted, axis=1))


@each_ratio
def test_propagator_is_decay_and_psp(tau_m, tau_s):
    delay = np.linspace(0, 8, 50)
    a, b, c = plain.propagator(torch.from_numpy(delay), tau_m, tau_s)
    np.testing.assert_allclose(a, np.exp(-delay / tau_m), rtol=1e-14)
    np.testing.assert_allclose(b, psp(delay, LIFParameters(tau_m, tau_s)), rtol=1e-14)
    np.testing.assert_allclose(c, np.exp(-delay / tau_s), rtol=1e-14)


@each_ratio
@each_dtype
def test_propagators_are_those_of_the_kernels(tau_m, tau_s, dtype):
    times, _, _ = sorted_layer(0, dtype)
    found = plain.propagators(torch.from_numpy(times), tau_m, tau_s)
    expected = kernels.propagators(times, tau_m, tau_s)
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(dtype).eps)


@each_ratio
@each_dtype
def test_forward_pass_is_that_of_the_kernels(tau_m, tau_s, dtype):
    times, order, weights = sorted_layer(1, dtype)
    steps, spikes, slopes, causes = by_kernels(times, order, weights, tau_m, tau_s)
    inputs = tensors(times, order, steps, weights)
    found = [array.numpy() for array in plain.first_spikes(*inputs, tau_m, tau_s, THRESHOLD)]
    assert np.isinf(found[0][0]).all()
    assert_same_spikes(found, spikes, slopes, causes, dtype)


@each_ratio
@each_dtype
@pytest.mark.parametrize("with_times", [True, False])
def test_backward_pass_is_that_of_the_kernels(tau_m, tau_s, dtype, with_times):
    arrays = inputs_of_a_backward_pass(2, dtype, tau_m, tau_s)
    expected = kernels.first_spikes_backward(*arrays, tau_m, tau_s, with_times)
    found = plain.first_spikes_backward(*tensors(*arrays), tau_m, tau_s, with_times)
    for by_walk, by_kernel in zip(found, expected, strict=True):
        np.testing.assert_allclose(by_walk, by_kernel, **tolerance(dtype))
    assert found[1].any() == with_times


@each_ratio
@each_dtype
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_guard_looks_at_the_largest_psp_of_all(tau_m, tau_s, dtype, share):
    times, order, weights = sorted_layer(3, dtype)
    _, spikes, slopes, last_causes = by_kernels(times, order, weights, tau_m, tau_s)
    params = LIFParameters(tau_m, tau_s)
    fired = np.isfinite(spikes)
    causes = np.where(np.isfinite(times), times, 0).astype(np.float64)[:, :, None]
    delays = np.where(fired, spikes, 0).astype(np.float64)[:, None] - causes
    causal = np.isfinite(times)[:, :, None] & fired[:, None] & (delays > 0)
    largest = psp(np.where(causal, delays, 0), params).max(axis=1)
    steepest = np.sort(largest[fired] / slopes[fired])
    limit = steepest[int(share * len(steepest)) + np.arange(2) - 1].mean()
    expected = fired & (largest > limit * slopes.astype(np.float64))
    peak = peak_delay(0.0, 1.0, params)
    arrays = times, spikes, slopes, last_causes
    on_tensors = plain.gradient_exceeds(*tensors(*arrays), tau_m, tau_s, peak, limit)
    compiled = kernels.gradient_exceeds(*arrays, tau_m, tau_s, peak, limit)
    assert 0 < expected.sum() < fired.sum()
    np.testing.assert_array_equal(on_tensors, expected)
    np.testing.assert_array_equal(compiled, expected)


def single_spike(times, weights, tau_m=1.0):
    times, order = plain.sorted_events(torch.tensor([times]).double())
    steps = plain.propagators(times, tau_m, 1.0)
    columns = torch.tensor(weights).double()[:, None]
    spikes, slopes, _ = plain.first_spikes(times, order, steps, columns, tau_m, 1.0, 1.0)
    return spikes.item(), slopes.item()


def test_without_leak_the_asymptote_is_not_reached():
    assert single_spike([0.0], [1.0], math.inf) == (math.inf, 0.0)


def test_a_far_input_does_not_disturb_the_state():
    """After a gap of 1e4 nothing is left of the first input, and nothing overflows."""
    near, _ = single_spike([0.0], [4.0])
    far, _ = single_spike([0.0, 1e4], [2.0, 4.0])
    assert far == pytest.approx(1e4 + near, abs=1e-9)

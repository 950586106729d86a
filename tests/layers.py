"""Layers that several tests of the engines run, and how closely two engines must agree."""

import math

import numpy as np
import pytest

from ttfslib.engines import kernels

THRESHOLD = 0.8
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def sorted_layer(seed, dtype, *, n_samples=6, n_pre=20, n_post=15, weights=(0.2, 0.6)):
    """Sorted inputs, ties and silence among them, their rows, and weights."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, 3, (n_samples, n_pre)).round(1).astype(dtype)
    times[rng.random(times.shape) < 0.15] = math.inf
    times[0] = math.inf
    order = np.argsort(times, axis=1, kind="stable")
    drawn = rng.normal(*weights, (n_pre, n_post)).astype(dtype)
    return np.take_along_axis(times, order, axis=1), order, drawn


def by_kernels(times, order, weights, tau_m, tau_s):
    """Propagators, spikes, slopes and last causes by the compiled walk."""
    steps = kernels.propagators(times, tau_m, tau_s)
    return steps, *kernels.first_spikes(times, order, steps, weights, tau_m, tau_s, THRESHOLD)


def tolerance(dtype):
    return {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}


def assert_same_spikes(found, spikes, slopes, causes, dtype):
    """A slope keeps half of its digits near a graze: there only finiteness is compared."""
    clear = slopes > 0.02
    assert 0.2 < np.isfinite(spikes).mean() < 0.9
    np.testing.assert_array_equal(np.isfinite(found[0]), np.isfinite(spikes))
    np.testing.assert_allclose(found[0][clear], spikes[clear], **tolerance(dtype))
    np.testing.assert_allclose(found[1][clear], slopes[clear], **tolerance(dtype))
    np.testing.assert_array_equal(found[2][clear], causes[clear])
    assert found[2].dtype == causes.dtype
    assert not found[1][np.isinf(found[0])].any()


def inputs_of_a_backward_pass(seed, dtype, tau_m, tau_s, **sizes):
    """Arguments of `first_spikes_backward` up to `pull`."""
    times, order, weights = sorted_layer(seed, dtype, **sizes)
    steps, spikes, _, causes = by_kernels(times, order, weights, tau_m, tau_s)
    pull = np.random.default_rng(0).normal(size=spikes.shape).astype(dtype)
    pull[np.isinf(spikes)] = 0
    return times, order, steps, weights, spikes, causes, pull

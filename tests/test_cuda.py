"""The passes for CUDA devices: in numba's simulator on every machine, on a device if there is one.

The simulator takes hold when numba is imported, so that these tests run in a process of its own.
"""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numba.cuda
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

from ttfslib import LIFParameters, engines, first_spike_times
from ttfslib.engines import devices, kernels

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
HAS_DEVICE = torch.cuda.is_available() and not SIMULATED
RATIOS = [(1.0, 1.0), (2.0, 1.0), (math.inf, 1.0), (0.5, 1.0), (1.0001, 1.0), (3.0, 2.0)]
each_ratio = pytest.mark.parametrize(("tau_m", "tau_s"), RATIOS)
SMALL = {"n_samples": 4, "n_pre": 12, "n_post": 9, "weights": (0.3, 0.8)}
on_device = pytest.mark.skipif(not HAS_DEVICE, reason="no CUDA device")
by_kernel = pytest.mark.skipif(
    not (SIMULATED or HAS_DEVICE), reason="no CUDA device: simulated in a process of its own"
)


def there(*arrays):
    """Tensors on the device, or where the simulator finds them."""
    return [torch.from_numpy(array).to("cuda" if HAS_DEVICE else "cpu") for array in arrays]


def here(tensors):
    return [tensor.cpu().numpy() for tensor in tensors]


@pytest.mark.skipif(SIMULATED, reason="it is this very process")
def test_in_the_simulator():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(
                "-k",
                "kernels or test_engines",
                __file__,
                Path(__file__).with_name("test_engines.py"),
            ),
        ],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 5 * len(RATIOS) + 3 + 20


@by_kernel
@each_ratio
@each_dtype
def test_forward_is_that_of_the_cpu_kernels(tau_m, tau_s, dtype):
    from ttfslib.engines import cuda

    times, order, weights = sorted_layer(1, dtype, **SMALL)
    steps, spikes, slopes, causes = by_kernels(times, order, weights, tau_m, tau_s)
    inputs = there(times, order, steps, weights)
    found = here(cuda.first_spikes(*inputs, tau_m, tau_s, THRESHOLD))
    assert_same_spikes(found, spikes, slopes, causes, dtype)


@by_kernel
@each_ratio
@each_dtype
def test_backward_is_that_of_the_cpu_kernels(tau_m, tau_s, dtype):
    from ttfslib.engines import cuda

    arrays = inputs_of_a_backward_pass(2, dtype, tau_m, tau_s, **SMALL)
    for with_times in (True, False):
        expected = kernels.first_spikes_backward(*arrays, tau_m, tau_s, with_times)
        found = here(cuda.first_spikes_backward(*there(*arrays), tau_m, tau_s, with_times))
        for by_device, by_cpu in zip(found, expected, strict=True):
            np.testing.assert_allclose(by_device, by_cpu, **tolerance(dtype))
        assert found[1].any() == with_times


@by_kernel
@each_ratio
def test_wild_weights_find_the_same_neurons_as_the_cpu_kernels(tau_m, tau_s):
    """Weights from 1e-6 to 1e6 of both signs, and inputs ages apart."""
    from ttfslib.engines import cuda

    rng = np.random.default_rng(3)
    times, order, weights = sorted_layer(3, np.float64, **SMALL)
    weights *= 10 ** rng.uniform(-6, 6, weights.shape)
    times[1] = np.sort(10 ** rng.uniform(-6, 5, times.shape[1]))
    steps, spikes, *_ = by_kernels(times, order, weights, tau_m, tau_s)
    inputs = there(times, order, steps, weights)
    found, *_ = here(cuda.first_spikes(*inputs, tau_m, tau_s, THRESHOLD))
    np.testing.assert_allclose(found, spikes, rtol=1e-9, atol=1e-12)


@by_kernel
@pytest.mark.parametrize("n_post", [1, 32, 129])
def test_any_number_of_neurons_fits_the_kernels(n_post):
    from ttfslib.engines import cuda

    sizes = SMALL | {"n_samples": 2, "n_pre": 5, "n_post": n_post}
    times, order, weights = sorted_layer(4, np.float64, **sizes)
    steps, spikes, *_ = by_kernels(times, order, weights, 1.0, 1.0)
    inputs = there(times, order, steps, weights)
    found, *_ = here(cuda.first_spikes(*inputs, 1.0, 1.0, THRESHOLD))
    np.testing.assert_allclose(found, spikes, rtol=1e-9)


@on_device
@each_ratio
@each_dtype
@pytest.mark.parametrize("engine", ["cuda", "plain"])
def test_on_the_device_it_is_the_same_function(tau_m, tau_s, dtype, engine):
    params = LIFParameters(tau_m, tau_s, THRESHOLD)
    times, _, weights = sorted_layer(4, dtype, weights=(0.3, 0.8))
    results = []
    for name, device in (("cpu", "cpu"), (engine, "cuda")):
        inputs = [torch.from_numpy(t).to(device).requires_grad_() for t in (times, weights)]
        with engines.use(name):
            spikes = first_spike_times(*inputs, params, gradient_limit=20.0)
        by_input = torch.autograd.grad(spikes, inputs, torch.ones_like(spikes))
        results.append(here([spikes.detach(), *by_input]))
    for on_cuda, on_cpu in zip(*reversed(results), strict=True):
        np.testing.assert_allclose(on_cuda, on_cpu, **tolerance(dtype))


def test_a_device_that_numba_cannot_compile_for_is_told_once(monkeypatch):
    def fail(*_):
        raise OSError("libNVVM cannot be found")

    monkeypatch.setattr(numba.cuda, "is_available", lambda: True)
    monkeypatch.setattr(numba.cuda, "jit", fail)
    said = r"^numba cannot compile for this CUDA device \(libNVVM cannot be found\): spikes are"
    with pytest.warns(RuntimeWarning, match=said):
        assert devices.numba_has_cuda.__wrapped__() is False


def test_without_a_device_numba_is_not_asked_to_compile(monkeypatch):
    monkeypatch.setattr(numba.cuda, "is_available", lambda: False)
    monkeypatch.delattr(numba.cuda, "jit")
    assert devices.numba_has_cuda.__wrapped__() is False

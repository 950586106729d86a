"""All engines against the readable neuron: the same spikes, silences and gradients everywhere.

In numba's simulator (see test_cuda) the engine for CUDA devices takes its turn, and it alone.
"""

import math
import os
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import (
    LIFParameters,
    engines,
    first_spike_time,
    first_spike_times,
    peak_delay,
    psp,
    spike_time_gradient,
)

INF = math.inf
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
ENGINES = ["cuda"] if SIMULATED else ["cpu", "plain"]
RATIOS = (1e-6, 1e-3, 0.5, 1 - 1e-12, 1.0, 1.0001, 2.0, 3.7, 1e3, 1e9, 1e16, 1e18, 1e20, INF)
THRESHOLD = 0.8

each_engine = pytest.mark.parametrize("engine", ENGINES)
each_ratio = pytest.mark.parametrize("ratio", RATIOS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
not_simulated = pytest.mark.skipif(SIMULATED, reason="many launches: too slow in the simulator")


def run(engine, times, weights, params, pull=None):
    """Spikes, and gradients by times and weights, as float64 arrays."""
    inputs = [torch.from_numpy(array).requires_grad_() for array in (times, weights)]
    with engines.use(engine):
        spikes = first_spike_times(*inputs, params)
        pull = torch.isfinite(spikes) if pull is None else torch.from_numpy(pull)
        gradients = torch.autograd.grad(spikes, inputs, pull.to(spikes.dtype))
    return [tensor.detach().double().numpy() for tensor in (spikes, *gradients)]


def hard_layer(ratio, dtype):
    """Ties, late inputs, silence; weights far from 1, on the asymptote, and touching from above."""
    rng = np.random.default_rng(int(1e3 * min(ratio, 1e6)))
    params = LIFParameters(ratio, 1.0, THRESHOLD)
    peak = peak_delay(0.0, 1.0, params)
    height = float(psp(peak, params)) if peak < INF else 1.0
    times = rng.uniform(0, 3, (6, 6)).round(1)
    times[1] = rng.uniform(0, 3, 6) * min(ratio, 1)
    times[2] = np.sort(10 ** rng.uniform(-3, 5, 6))
    times[3] = 0, 0, 105, 210, 1000, 2000
    times[4, :3] = INF
    times[5] = 0, 80, 100, 104, 110, 745
    weights = rng.normal(0.4, 1.2, (6, 10)) / height
    weights[:, :4] *= 1e6, 1e12, 1e-6, 1e25
    weights[:, 4:6] = 0
    weights[0, 4:6] = THRESHOLD, THRESHOLD / height * (1 + 1e-6)
    return times.astype(dtype), weights.astype(dtype), params


def by_lif(times, weights, params, change=0.0):
    """First spikes of the readable neuron, with the threshold changed by a share."""
    changed = LIFParameters(params.tau_m, params.tau_s, params.threshold * (1 + change))
    columns = weights.astype(np.float64).T
    return np.array(
        [[first_spike_time(row, column, changed) for column in columns] for row in times]
    )


@each_engine
@each_ratio
@each_dtype
def test_spikes_are_those_of_the_readable_neuron(engine, ratio, dtype):
    """Or lie between those for a threshold lowered and raised by what the precision leaves open."""
    layer = hard_layer(ratio, dtype)
    spikes, *gradients = run(engine, *layer)
    share, error = (3e-6, 3e-5) if dtype == np.float32 else (1e-11, 1e-9)
    early, late = (by_lif(*layer, change) for change in (-share, share))
    slack = error * (1 + np.minimum(abs(spikes), 1e9))
    assert (spikes >= early - np.where(np.isinf(early), 0, slack)).all()
    assert (np.minimum(spikes, 1e300) <= late + slack).all()
    assert 0.2 < np.isfinite(early).mean() < 1
    decided = np.isfinite(early) == np.isfinite(late)
    assert decided.mean() > 0.8
    assert (np.isfinite(spikes) == np.isfinite(late))[decided].all()
    for gradient in gradients:
        assert np.isfinite(gradient).all()


@each_engine
@each_ratio
@each_dtype
def test_gradients_are_those_of_the_readable_neuron(engine, ratio, dtype):
    """Where float32 tells the times apart, and no spike hangs on a last digit."""
    times, weights, params = hard_layer(ratio, dtype)
    single = dtype == np.float32
    samples = np.arange(6) if not single else np.array([0, 1, 4] if ratio >= 0.5 else [1])
    times, weights = times[samples], np.ascontiguousarray(weights[:, 6:])
    pull = np.zeros((len(times), 4))
    by_time, by_weight = np.zeros(times.shape), np.zeros(weights.shape)
    for s, j in np.ndindex(pull.shape):
        wide = weights[:, j].astype(np.float64)
        d_weights, d_times = spike_time_gradient(times[s].astype(np.float64), wide, params)
        if 0 < abs(d_weights * wide).max() < (3 if single else 100) * min(ratio, 1):
            pull[s, j] = 1 + s - j / 2
            by_time[s] += pull[s, j] * d_times
            by_weight[:, j] += pull[s, j] * d_weights
    assert pull.any()
    _, d_times, d_weights = run(engine, times, weights, params, pull)
    for found, expected in ((d_times, by_time), (d_weights, by_weight)):
        error = np.linalg.norm(found - expected)
        assert error <= (2e-3 if single else 1e-7) * np.linalg.norm(expected)


@each_engine
@each_dtype
@pytest.mark.parametrize("ratio", [1e17, 1e18, 1e20, 1e100, 1e300, INF])
def test_a_membrane_that_hardly_leaks_only_approaches_its_asymptote(engine, dtype, ratio):
    """One input of the size of the threshold: V stays under it, however slow the leak."""
    params = LIFParameters(ratio)
    layer = np.zeros((1, 1), dtype), np.ones((1, 1), dtype), params
    assert first_spike_time([0.0], [1.0], params) == INF
    assert run(engine, *layer)[0].item() == INF


# What one float cannot hold


@each_engine
@each_dtype
def test_weights_that_add_up_to_more_than_a_float_are_refused(engine, dtype):
    largest = np.finfo(dtype).max
    times, weights = np.zeros((1, 2), dtype), np.full((2, 1), 0.9 * largest, dtype)
    with pytest.raises(ValueError, match=r"^weights must add up to a finite number .* beyond"):
        run(engine, times, weights, LIFParameters())
    spikes, *gradients = run(engine, times, weights / 2, LIFParameters())
    expected = first_spike_time(times[0], weights[:, 0].astype(float) / 2)
    assert spikes.item() == pytest.approx(expected, abs=1e-30)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_weights_whose_sum_is_rounded_up_beyond_all_floats_are_refused():
    weights = torch.full((3, 1), sys.float_info.max / 3, dtype=torch.float64)
    assert torch.isinf(weights.sum())
    with pytest.raises(ValueError, match=r"^weights must add up to a finite number .* beyond"):
        first_spike_times(torch.zeros(1, 3, dtype=torch.float64), weights)


@each_engine
@each_dtype
def test_times_whose_difference_is_no_float_are_refused(engine, dtype):
    largest = np.finfo(dtype).max
    times, weights = np.array([[-0.9, 0.9]], dtype) * largest, np.full((2, 1), 2, dtype)
    with pytest.raises(ValueError, match=r"^spike_times must be later than -\de\+\d+, got -"):
        run(engine, times, weights, LIFParameters())
    late = np.array([[0.0, 0.9]], dtype) * largest
    assert all(np.isfinite(each).all() for each in run(engine, late, 2 * weights, LIFParameters()))


@each_engine
@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        (LIFParameters(tau_s=1e-40), r"params.tau_s must lie in the range of torch.float32, \["),
        (LIFParameters(tau_s=1e40), "params.tau_s must lie in the range of torch.float32"),
        (LIFParameters(threshold=1e40), "params.threshold must lie in the range of"),
        (LIFParameters(tau_m=1e-40), "params.tau_m must lie in the range of"),
    ],
)
def test_parameters_beyond_the_precision_are_refused(engine, params, complaint):
    with pytest.raises(ValueError, match=complaint):
        run(engine, np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32), params)


@each_engine
def test_a_spike_does_not_round_past_the_next_input(engine):
    """The next input comes at the first float32 at or after the spike; it inhibits.

    Floats lie more densely there, near time 0, than they do at the size of the delay. Where V at
    that input rounds to less than the threshold, the spike is missed, whatever its time.
    """
    n = 40 if SIMULATED else 400
    rng = np.random.default_rng(1)
    drive = rng.uniform(3, 9, n).astype(np.float32)
    delays = np.array([first_spike_time([0.0], [float(weight)]) for weight in drive])
    now = (rng.uniform(0.001, 0.01, n) - delays).astype(np.float32)
    spikes = now + delays
    following = spikes.astype(np.float32)
    following = np.where(following < spikes, np.nextafter(following, np.float32(9)), following)
    times = np.stack([now, following], axis=1)
    weights = np.stack([drive, np.full(n, -100, np.float32)])
    found = run(engine, times, weights, LIFParameters())[0].diagonal()
    fires = np.isfinite(found)
    assert fires.mean() > 0.3
    assert (found <= following)[fires].all()
    twice_rounded = now + delays.astype(np.float32)
    assert (twice_rounded > following)[fires].any()


# Symmetries


one_neuron = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 96).map(lambda k: k / 32),
            st.floats(0, 1e3, width=32),
            st.just(INF),
        ),
        st.one_of(st.floats(-4, 4, width=32), st.sampled_from([1e-30, -1e6, 1e6, 1e30])),
    ),
    min_size=1,
    max_size=6,
)
ratios = st.sampled_from(RATIOS)


def columns_of(neuron):
    times, weights = np.array(neuron).T
    return times[None].copy(), weights[:, None].copy()


def agree(found, expected, params, layer):
    """Whether two results are the same up to what a last digit of V decides."""
    early, late = (by_lif(*layer, params, change).item() for change in (-1e-9, 1e-9))
    slack = 1e-9 * (1 + abs(min(found, 1e9))) * max(params.tau_s, 1)
    between = early - slack <= found <= late + slack
    return found == expected or abs(found - expected) <= slack or between


@not_simulated
@each_engine
@settings(max_examples=40)
@given(neuron=one_neuron, ratio=ratios, shift=st.sampled_from([-4.0, 0.5, 64.0]))
def test_a_shift_of_the_inputs_shifts_the_spike(engine, neuron, ratio, shift):
    times, weights = columns_of(neuron)
    params = LIFParameters(ratio)
    expected = run(engine, times, weights, params)[0].item()
    found = run(engine, times + shift, weights, params)[0].item() - shift
    assert agree(found, expected, params, (times, weights))


@not_simulated
@each_engine
@settings(max_examples=40)
@given(neuron=one_neuron, ratio=ratios, data=st.data())
def test_the_order_of_the_inputs_does_not_matter(engine, neuron, ratio, data):
    mixed = data.draw(st.permutations(neuron))
    params = LIFParameters(ratio)
    expected = run(engine, *columns_of(neuron), params)[0].item()
    found = run(engine, *columns_of(mixed), params)[0].item()
    assert agree(found, expected, params, columns_of(neuron))


@not_simulated
@each_engine
@settings(max_examples=40)
@given(neuron=one_neuron, ratio=ratios, power=st.sampled_from([-20, -1, 1, 20]))
def test_units_of_time_and_of_potential_do_not_matter(engine, neuron, ratio, power):
    times, weights = columns_of(neuron)
    unit = 2.0**power
    params = LIFParameters(ratio)
    expected = run(engine, times, weights, params)[0].item()
    scaled = LIFParameters(ratio * unit, unit, unit)
    found = run(engine, times * unit, weights * unit, scaled)[0].item() / unit
    assert agree(found, expected, params, (times, weights))


@not_simulated
@each_engine
@settings(max_examples=40)
@given(neuron=one_neuron, ratio=ratios, where=st.integers(0, 6))
def test_a_silent_input_changes_nothing(engine, neuron, ratio, where):
    more = [*neuron[:where], (INF, 3.0), *neuron[where:]]
    params = LIFParameters(ratio)
    expected = run(engine, *columns_of(neuron), params)[0]
    found, d_times, d_weights = run(engine, *columns_of(more), params)
    assert found == expected
    silent = min(where, len(neuron))
    assert d_times[0, silent] == d_weights[silent, 0] == 0


@not_simulated
@each_engine
@each_dtype
@settings(max_examples=60)
@given(
    neuron=st.lists(
        st.tuples(
            st.one_of(
                st.floats(-(2.0**100), 2.0**127, width=32), st.floats(0, 4, width=32), st.just(INF)
            ),
            st.floats(-(2.0**124), 2.0**124, width=32),
        ),
        min_size=1,
        max_size=4,
    ),
    ratio=ratios,
)
def test_no_input_makes_a_nan(engine, dtype, neuron, ratio):
    times, weights = (array.astype(dtype) for array in columns_of(neuron))
    for each in run(engine, times, weights, LIFParameters(ratio)):
        assert not np.isnan(each).any()


# The choice


def test_every_engine_offers_all_that_an_engine_must():
    wanted = [name for name in vars(engines.Engine) if not name.startswith("_")]
    assert len(wanted) == 5
    for name in ENGINES:
        assert [each for each in wanted if not callable(getattr(engines.load(name), each))] == []


@not_simulated
def test_the_device_chooses_unless_one_is_asked_for():
    cpu, meta = torch.device("cpu"), torch.device("meta")
    assert engines.engine_for(cpu) is engines.load("cpu")
    assert engines.engine_for(meta) is engines.load("plain")
    with engines.use("plain") as chosen:
        assert engines.engine_for(cpu) is chosen is engines.load("plain")
    with engines.use("cpu"), pytest.raises(ValueError, match="engine cpu must be given tensors on"):
        engines.engine_for(meta)
    assert engines.engine_for(cpu) is engines.load("cpu")


@pytest.mark.parametrize("name", ["tpu", None, 1])
def test_an_unknown_engine_is_refused(name):
    with pytest.raises(ValueError, match="engine must be one of 'cpu', 'cuda', 'plain', got"):
        engines.load(name)
    with pytest.raises(ValueError, match="engine must be one of"), engines.use(name):
        pass

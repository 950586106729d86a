"""The compiled passes against the readable neuron, on every shape that they could trip over."""

import math
import platform
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ttfslib.engines import kernels
from ttfslib.lif import (
    LIFParameters,
    first_spike_time,
    peak_delay,
    psp,
    psp_slope,
    spike_time_gradient,
)

INF = math.inf
EPS = np.finfo(np.float64).eps
RATIOS = (1.0, 2.0, INF, 1.0001, 1 + 1e-12, 0.5, 3.7, 0.02, 1e3, 1e17)
DTYPES = (np.float64, np.float32)
# A flatter crossing turns the roundings of V into errors of time that no pass can avoid.
CLEAR_SLOPE = 0.1
BOOK = LIFParameters(1.0, 1.0, 1.0)

each_ratio = pytest.mark.parametrize("ratio", RATIOS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


# --- the two passes as functions of a layer, and the same from the readable neuron ---------------


def walk(spike_times, params):
    times, order = kernels.sorted_events(spike_times)
    return times, order, kernels.propagators(times, params.tau_m, params.tau_s)


def forward(spike_times, weights, params):
    constants = params.tau_m, params.tau_s, params.threshold
    return kernels.first_spikes(*walk(spike_times, params), weights, *constants)[:2]


def last_causes(times, spikes):
    """Place of the last event before each spike; -1 for silent neurons."""
    before = [np.searchsorted(events, ends) for events, ends in zip(times, spikes, strict=True)]
    return np.where(np.isfinite(spikes), before, 0).astype(np.int32) - np.int32(1)


def backward(spike_times, weights, params, spikes, pull, *, with_times=True):
    """Return (d_weights, d_times) for the loss gradients by spike times `pull` x slopes."""
    events = walk(spike_times, params)
    return kernels.first_spikes_backward(
        *events,
        weights,
        spikes,
        last_causes(events[0], spikes),
        pull,
        params.tau_m,
        params.tau_s,
        with_times,
    )


def readable_forward(spike_times, weights, params):
    """Spikes and slopes of all pairs of a sample and a neuron, one by one in float64."""
    shape = len(spike_times), weights.shape[1]
    spikes, slopes = np.full(shape, INF), np.zeros(shape)
    for s, j in np.ndindex(shape):
        spikes[s, j] = spike = first_spike_time(spike_times[s], weights[:, j], params)
        if spike < INF:
            causal = spike_times[s] < spike
            slopes[s, j] = psp_slope(spike - spike_times[s, causal], params) @ weights[causal, j]
    return spikes, slopes


def readable_backward(spike_times, weights, params, d_spikes):
    d_weights, d_times = np.zeros(weights.shape), np.zeros(spike_times.shape)
    for s, j in zip(*np.nonzero(d_spikes), strict=True):
        by_weight, by_time = spike_time_gradient(spike_times[s], weights[:, j], params)
        d_weights[:, j] += d_spikes[s, j] * by_weight
        d_times[s] += d_spikes[s, j] * by_time
    return d_weights, d_times


def random_layer(seed, n_samples, n_pre, n_post, *, ratio=1.0, dtype=np.float64):
    """Draw a layer of which about half fires: ties, silent inputs, a silent sample, both signs."""
    rng = np.random.default_rng(seed)
    params = LIFParameters(ratio, 1.0, 0.8)
    spike_times = rng.uniform(-0.5, 3, (n_samples, n_pre))
    spike_times[::2] = spike_times[::2].round(1)
    spike_times[rng.random(spike_times.shape) < 0.15] = INF
    if n_samples > 1:
        spike_times[-1] = INF
    spread = 1.6 / math.sqrt(n_pre) / height_of_psp(params)
    weights = rng.normal(0.3 * spread, spread, (n_pre, n_post))
    return spike_times.astype(dtype), weights.astype(dtype), params


def height_of_psp(params):
    peak = peak_delay(0.0, 1.0, params)
    return float(psp(peak, params)) if peak < INF else 1.0


def pull_of(spikes, slopes, seed=0):
    """Draw a loss gradient for every clear spike; return it and its quotient by the slopes."""
    clear = slopes > CLEAR_SLOPE
    d_spikes = np.where(clear, np.random.default_rng(seed).normal(size=spikes.shape), 0.0)
    pull = np.zeros_like(spikes)
    np.divide(d_spikes, slopes, out=pull, where=clear)
    return d_spikes, pull


def assert_is_readable(layer):
    """Hold both passes to the readable neuron given the same numbers; return the spikes."""
    spike_times, weights, params = layer
    single = weights.dtype == np.float32
    spikes, slopes = forward(*layer)
    assert spikes.dtype == slopes.dtype == weights.dtype
    wide = spike_times.astype(np.float64), weights.astype(np.float64), params
    expected, expected_slopes = readable_forward(*wide)
    np.testing.assert_array_equal(np.isinf(spikes), np.isinf(expected))
    assert not slopes[np.isinf(spikes)].any()
    clear = expected_slopes > CLEAR_SLOPE
    time_error = 1e-5 if single else 1e-9
    np.testing.assert_allclose(spikes[clear], expected[clear], rtol=0, atol=time_error)
    np.testing.assert_allclose(
        slopes[clear], expected_slopes[clear], rtol=1e-3 if single else 1e-7, atol=0
    )

    d_spikes, pull = pull_of(spikes, slopes)
    found = backward(*layer, spikes, pull)
    for ours, theirs in zip(found, readable_backward(*wide, d_spikes), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == weights.dtype
        error = np.linalg.norm(ours - theirs)
        assert error <= (2e-4 if single else 1e-9) * np.linalg.norm(theirs)
        if not single:
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9 * abs(theirs).max())
    return spikes


# --- against the readable neuron ----------------------------------------------------------------


@each_ratio
@each_dtype
def test_a_layer_is_that_of_the_readable_neuron(ratio, dtype):
    spikes = assert_is_readable(random_layer(1, 6, 12, 40, ratio=ratio, dtype=dtype))
    assert 0.2 < np.isfinite(spikes).mean() < 0.8


@each_dtype
@pytest.mark.parametrize("n_pre", [1, 2, 15])
@pytest.mark.parametrize("n_post", [1, 31, 32, 33, 64, 65])
def test_every_size_around_the_chunks(n_pre, n_post, dtype):
    spikes = assert_is_readable(random_layer(n_post, 3, n_pre, n_post, dtype=dtype))
    assert spikes.shape == (3, n_post)


@each_dtype
@pytest.mark.parametrize("n_post", [47, 48, 95, 96, 97, 193])
def test_every_size_around_the_blocks_of_the_backward_pass(n_post, dtype):
    assert_is_readable(random_layer(n_post, 2, 6, n_post, ratio=2.0, dtype=dtype))


@pytest.mark.parametrize("n_samples", [1, 2, 7])
def test_every_number_of_samples(n_samples):
    assert_is_readable(random_layer(n_samples, n_samples, 9, 10))


@st.composite
def small_layers(draw):
    """Draw a layer on binary grids, so that ties and exact sums are common."""
    n_pre, n_post = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    times = st.one_of(st.just(INF), st.integers(-32, 128).map(lambda k: k / 32))
    weights = st.integers(-128, 256).map(lambda k: k / 64)
    params = LIFParameters(draw(st.sampled_from((1.0, 2.0, INF, 0.5, 1.25, 64.0))))
    return (
        draw(arrays(np.float64, (2, n_pre), elements=times)),
        draw(arrays(np.float64, (n_pre, n_post), elements=weights)),
        params,
    )


@settings(max_examples=60)
@given(layer=small_layers())
def test_any_small_layer_is_that_of_the_readable_neuron(layer):
    spike_times, weights, params = layer
    spikes, slopes = forward(*layer)
    expected, expected_slopes = readable_forward(*layer)
    bounds = [
        readable_forward(spike_times, weights, LIFParameters(params.tau_m, 1.0, threshold))[0]
        for threshold in (1 - 1e-7, 1 + 1e-7)
    ]
    # Elsewhere the spike hangs on the last digits of V, and either answer is right.
    clear_cut = (bounds[0] == bounds[1]) | (abs(bounds[1] - np.minimum(bounds[0], 1e300)) < 1e-4)
    np.testing.assert_array_equal(np.isinf(spikes)[clear_cut], np.isinf(expected)[clear_cut])
    fires = clear_cut & (expected_slopes > 1e-3)
    np.testing.assert_allclose(spikes[fires], expected[fires], rtol=0, atol=1e-9)
    np.testing.assert_allclose(slopes[fires], expected_slopes[fires], rtol=1e-7)


@each_ratio
def test_near_grazing_the_two_agree_as_far_as_the_potential_goes(ratio):
    """Peaks that pass the threshold by one part in 10^12 to 10^3, and peaks that fail by as much.

    Two computations whose V differs by a few roundings differ by as many roundings over V'.
    """
    params = LIFParameters(ratio)
    excess = np.logspace(-12, -3, 70)
    for spike_times, share in (([0.0], [1.0]), ([0.0, 0.7], [0.4, 0.9])):
        unit = membrane_peak(np.array(spike_times), np.array(share), params)
        weights = np.outer(share, np.concatenate([1 + excess, 1 - excess]) / unit)
        layer = np.array([spike_times]), np.ascontiguousarray(weights), params
        spikes, slopes = (result[0] for result in forward(*layer))
        expected, expected_slopes = (result[0] for result in readable_forward(*layer))
        assert np.isfinite(expected[:70]).all()
        assert np.isinf(expected[70:]).all()
        np.testing.assert_array_equal(np.isinf(spikes), np.isinf(expected))
        allowed = 1e-9 + 20 * EPS / expected_slopes[:70]
        assert (abs(spikes[:70] - expected[:70]) <= allowed).all()
        steep = expected_slopes > 1e-3
        np.testing.assert_allclose(slopes[steep], expected_slopes[steep], rtol=1e-7)


def membrane_peak(spike_times, weights, params):
    """Return the supremum of V after the last of the inputs."""
    delays = spike_times.max() - spike_times
    potential = float(weights @ psp(delays, params))
    current = float(weights @ np.exp(-delays))
    peak = peak_delay(potential, current, params)
    if peak == INF:
        return potential + current
    return potential * math.exp(-peak / params.tau_m) + current * float(psp(peak, params))


# --- special inputs -----------------------------------------------------------------------------


@each_ratio
@each_dtype
def test_inhibition_alone_fires_nobody_and_teaches_nothing(ratio, dtype):
    spike_times, weights, params = random_layer(2, 4, 9, 33, ratio=ratio, dtype=dtype)
    layer = spike_times, -abs(weights), params
    spikes, slopes = forward(*layer)
    assert np.isinf(spikes).all()
    assert not slopes.any()
    for gradient in backward(*layer, spikes, np.zeros_like(spikes)):
        assert not gradient.any()


@each_dtype
def test_without_an_input_spike_nobody_fires(dtype):
    spike_times, weights = np.full((2, 5), INF, dtype), np.full((5, 3), 9, dtype)
    spikes, slopes = forward(spike_times, weights, BOOK)
    assert np.isinf(spikes).all()
    assert not slopes.any()


@each_dtype
def test_simultaneous_inputs_are_one(dtype):
    """The dyadic parts of a weight add up to it exactly, in whatever order they come."""
    parts = np.array([0.5, 0.25, 2.0, -0.75, 1.25], dtype)
    together, _ = forward(np.full((1, 5), 0.25, dtype), parts[:, None], BOOK)
    alone, _ = forward(np.full((1, 1), 0.25, dtype), np.array([[3.25]], dtype), BOOK)
    np.testing.assert_array_equal(together, alone)


@each_dtype
def test_silent_inputs_and_late_ones_are_as_good_as_none(dtype):
    spike_times, weights, params = random_layer(3, 5, 8, 40, dtype=dtype)
    spikes, slopes = forward(spike_times, weights, params)
    latest = spikes[np.isfinite(spikes)].max()
    for late in (INF, latest + 1):
        fires = np.isfinite(spikes) if late < INF else np.ones_like(spikes, dtype=bool)
        more_times = np.insert(spike_times, [0, 3, 8], late, axis=1).astype(dtype)
        more_weights = np.insert(weights, [0, 3, 8], 50, axis=0)
        found, found_slopes = forward(more_times, more_weights, params)
        np.testing.assert_array_equal(found[fires], spikes[fires])
        np.testing.assert_array_equal(found_slopes[fires], slopes[fires])
        pull = np.where(fires, pull_of(spikes, slopes)[1], 0).astype(dtype)
        d_weights, d_times = backward(more_times, more_weights, params, found, pull)
        assert not d_weights[[0, 4, 10]].any()
        assert not d_times[:, [0, 4, 10]].any()


@each_ratio
@each_dtype
@pytest.mark.parametrize("gap", [90.0, 120.0, 800.0, 1e5])
def test_a_spike_before_a_gap_that_outlasts_all_activity(ratio, dtype, gap):
    """At the next input V and I have decayed to a few of the smallest numbers, or to nothing."""
    params = LIFParameters(ratio, 1.0, 0.8)
    times = np.array([[0.5, 0.5 + gap], [0.5, INF]], dtype)
    weights = np.array([[3.0, 5.0, 0.7, -1.0], [3.0, -5.0, 0.5, 1.0]], dtype)
    spikes, slopes = forward(times, weights, params)
    expected = readable_forward(times.astype(float), weights.astype(float), params)
    np.testing.assert_allclose(spikes, expected[0], rtol=1e-5 if dtype == np.float32 else 1e-9)
    np.testing.assert_allclose(slopes, expected[1], rtol=1e-3, atol=1e-5)


@each_dtype
def test_a_threshold_that_is_only_approached_is_not_reached(dtype):
    layer = np.zeros((1, 1), dtype), np.ones((1, 3), dtype), LIFParameters(INF)
    assert np.isinf(forward(*layer)[0]).all()


@each_dtype
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_extreme_weights_give_numbers(scale, dtype):
    spike_times, weights, params = random_layer(4, 4, 7, 33, dtype=dtype)
    layer = spike_times, (scale * weights).astype(dtype), params
    spikes, slopes = forward(*layer)
    assert not np.isnan(spikes).any()
    assert np.isfinite(slopes).all()
    if scale < 1:
        assert np.isinf(spikes).all()
    elif dtype == np.float64:  # 53 bits tell a spike from the input that made it, 24 do not
        assert_is_readable(layer)


@each_dtype
@pytest.mark.parametrize("unit", [2.0**-30, 2.0**30])
def test_the_unit_of_time_does_not_matter(unit, dtype):
    spike_times, weights, params = random_layer(5, 4, 7, 33, ratio=3.7, dtype=dtype)
    scaled = LIFParameters(unit * params.tau_m, unit, params.threshold)
    spikes, slopes = forward(spike_times, weights, params)
    found, found_slopes = forward((unit * spike_times).astype(dtype), weights, scaled)
    np.testing.assert_allclose(found / unit, spikes, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(found_slopes * unit, slopes, rtol=1e-4, atol=1e-4)


# --- symmetries and repeatability ---------------------------------------------------------------


@each_dtype
def test_the_order_of_the_neurons_does_not_matter(dtype):
    spike_times, weights, params = layer = random_layer(6, 5, 20, 75, dtype=dtype)
    order = np.random.default_rng(0).permutation(75)
    spikes, slopes = forward(*layer)
    shuffled = spike_times, np.ascontiguousarray(weights[:, order]), params
    found, found_slopes = forward(*shuffled)
    np.testing.assert_array_equal(found, spikes[:, order])
    np.testing.assert_array_equal(found_slopes, slopes[:, order])
    _, pull = pull_of(spikes, slopes)
    d_weights, d_times = backward(*layer, spikes, pull)
    found = backward(*shuffled, found, np.ascontiguousarray(pull[:, order]))
    few_roundings = {"rtol": 0, "atol": 20 * np.finfo(dtype).eps * abs(d_times).max()}
    np.testing.assert_allclose(found[0], d_weights[:, order], **few_roundings)
    np.testing.assert_allclose(found[1], d_times, **few_roundings)


def test_the_order_of_the_inputs_does_not_matter():
    spike_times, weights, params = layer = random_layer(7, 5, 20, 40)
    order = np.random.default_rng(0).permutation(20)
    shuffled = spike_times[:, order], weights[order], params
    spikes, slopes = forward(*layer)
    found, _ = forward(*shuffled)
    clear = (slopes > CLEAR_SLOPE) | np.isinf(spikes)
    np.testing.assert_allclose(found[clear], spikes[clear], rtol=1e-12)
    _, pull = pull_of(spikes, slopes)
    d_weights, d_times = backward(*layer, spikes, pull)
    by_weight, by_time = backward(*shuffled, spikes, pull)
    np.testing.assert_allclose(by_weight, d_weights[order], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(by_time, d_times[:, order], rtol=1e-9, atol=1e-12)


@each_dtype
def test_a_sample_does_not_know_its_batch(dtype):
    spike_times, weights, params = random_layer(8, 6, 20, 70, dtype=dtype)
    spikes, slopes = forward(spike_times, weights, params)
    for s in range(6):
        alone = forward(spike_times[s : s + 1], weights, params)
        np.testing.assert_array_equal(alone[0][0], spikes[s])
        np.testing.assert_array_equal(alone[1][0], slopes[s])


def both_passes(layer):
    spikes, slopes = forward(*layer)
    _, pull = pull_of(spikes, slopes)
    return [array.tobytes() for array in (spikes, slopes, *backward(*layer, spikes, pull))]


@each_dtype
def test_results_repeat_bit_for_bit(dtype):
    layer = random_layer(9, 40, 60, 210, dtype=dtype)
    first = both_passes(layer)
    assert all(both_passes(layer) == first for _ in range(3))


@each_dtype
def test_results_do_not_depend_on_the_number_of_threads(dtype):
    layer = random_layer(10, 40, 60, 210, dtype=dtype)
    threads = numba.get_num_threads()
    if threads < 2:
        pytest.skip("numba was started with one thread")
    try:
        numba.set_num_threads(1)
        alone = both_passes(layer)
        numba.set_num_threads(2)
        assert both_passes(layer) == alone
    finally:
        numba.set_num_threads(threads)


# --- what the gradients leave out ---------------------------------------------------------------


@each_dtype
def test_a_spike_without_pull_is_left_out(dtype):
    layer = random_layer(11, 5, 10, 50, dtype=dtype)
    spikes, slopes = forward(*layer)
    _, pull = pull_of(spikes, slopes)
    pull[:, 7], pull[2] = 0, 0
    d_weights, d_times = backward(*layer, spikes, pull)
    assert d_weights.any()
    assert not d_weights[:, 7].any()
    assert not d_times[2].any()


@each_dtype
@pytest.mark.parametrize("ratio", [1.0, 3.7, INF])
def test_the_gradient_by_weights_may_come_alone(ratio, dtype):
    layer = random_layer(12, 5, 10, 50, ratio=ratio, dtype=dtype)
    spikes, slopes = forward(*layer)
    _, pull = pull_of(spikes, slopes)
    both, by_times = backward(*layer, spikes, pull)
    alone, nothing = backward(*layer, spikes, pull, with_times=False)
    assert by_times.any()
    assert nothing.shape == by_times.shape
    assert not nothing.any()
    np.testing.assert_allclose(alone, both, rtol=0, atol=8 * np.finfo(dtype).eps * abs(both).max())


@each_ratio
@each_dtype
def test_the_guard_knows_the_largest_gradient(ratio, dtype):
    spike_times, weights, params = random_layer(13, 6, 12, 40, ratio=ratio, dtype=dtype)
    spikes, slopes = forward(spike_times, weights, params)
    fires = np.isfinite(spikes)
    largest = np.zeros(spikes.shape)
    for s, j in zip(*np.nonzero(fires), strict=True):
        causal = spike_times[s] < spikes[s, j]
        delays = spikes[s, j].astype(float) - spike_times[s, causal]
        largest[s, j] = psp(delays, params).max() / slopes[s, j]
    times, _, _ = walk(spike_times, params)
    peak = peak_delay(0.0, 1.0, params)
    causes = last_causes(times, spikes)
    for limit in (1e-9, *np.quantile(largest[fires], [0.1, 0.5, 0.9]) * 1.001, INF):
        found = kernels.gradient_exceeds(
            times, spikes, slopes, causes, params.tau_m, params.tau_s, peak, float(limit)
        )
        sure = np.isinf(limit) | (abs(largest - min(limit, 1e300)) > 1e-5 * largest)
        np.testing.assert_array_equal(found[fires & sure], (largest > limit)[fires & sure])
        assert not found[~fires].any()
        assert sure[fires].mean() > 0.95


@each_ratio
@each_dtype
def test_the_last_cause_is_the_last_event_before_the_spike(ratio, dtype):
    spike_times, weights, params = random_layer(15, 6, 12, 40, ratio=ratio, dtype=dtype)
    spike_times[0, :6] = 0.5  # simultaneous events
    events = walk(spike_times, params)
    constants = params.tau_m, params.tau_s, params.threshold
    spikes, _, causes = kernels.first_spikes(*events, weights, *constants)
    np.testing.assert_array_equal(causes, last_causes(events[0], spikes))
    assert (causes >= 0).any()


def test_an_input_at_the_very_time_of_the_spike_is_no_cause():
    """The first input alone reaches the threshold at its peak, and there the second arrives."""
    times, order = np.array([[0.0, 1.0, 1.0]]), np.array([[0, 1, 2]])
    weights = np.array([[math.e * 1.0000001], [1.0], [1.0]])
    steps = kernels.propagators(times, 1.0, 1.0)
    spikes, _, causes = kernels.first_spikes(times, order, steps, weights, 1.0, 1.0, 1.0)
    assert causes.item() == 0
    times[0, 1:] = spikes.item()
    steps = kernels.propagators(times, 1.0, 1.0)
    again, _, causes = kernels.first_spikes(times, order, steps, weights, 1.0, 1.0, 1.0)
    assert again == spikes
    assert causes.item() == 0


# --- the steps of the walk ----------------------------------------------------------------------


@each_ratio
@each_dtype
def test_propagators_move_the_state_as_the_readable_psp_does(ratio, dtype):
    params = LIFParameters(1.5 * ratio, 1.5)
    times = np.array([[0.0, 1e-9, 0.25, 0.25, 3.0, 60.0, INF, INF], [0.0] + [INF] * 7], dtype)
    triples = kernels.propagators(times, params.tau_m, params.tau_s)
    assert triples.shape == (2, 8, 3)
    assert triples.dtype == dtype
    gaps = np.diff(times[0, :6].astype(float))
    expected = [np.exp(-gaps / params.tau_m), psp(gaps, params), np.exp(-gaps / params.tau_s)]
    tolerance = 1e-13 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(triples[0, :5], np.transpose(expected), rtol=tolerance, atol=1e-40)
    assert not triples[0, 5:].any()
    assert not triples[1].any()


@each_dtype
@settings(max_examples=50)
@given(data=st.data())
def test_events_are_sorted_stably(dtype, data):
    width = 8 * np.dtype(dtype).itemsize
    elements = st.one_of(
        st.sampled_from((0.0, -0.0, 1.0, INF)),
        st.floats(allow_nan=False, width=width).filter(lambda t: t > -INF),
    )
    spike_times = data.draw(arrays(dtype, (2, 9), elements=elements))
    kept = spike_times.copy()
    times, order = kernels.sorted_events(spike_times)
    assert times.dtype == dtype
    np.testing.assert_array_equal(order, np.argsort(kept, axis=1, kind="stable"))
    np.testing.assert_array_equal(times, np.sort(kept, axis=1))
    np.testing.assert_array_equal(spike_times, kept)


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.skipif(platform.system() != "Linux", reason="reads the peak memory from /proc")
def test_memory_grows_with_the_layers_and_not_with_their_product():
    """One array of (n_samples, n_pre, n_post) would show, and the probe would see it."""
    n_samples, n_pre, n_post = 96, 700, 900
    spike_times, weights, params = random_layer(14, n_samples, n_pre, n_post, dtype=np.float32)
    both_passes((spike_times[:2], weights, params))  # compiled, and its buffers in place
    dense = 4 * n_samples * n_pre * n_post
    assert peak_growth(lambda: np.ones(dense // 4, np.float32)) > 0.9 * dense
    assert peak_growth(lambda: both_passes((spike_times, weights, params))) < 0.2 * dense


def peak_growth(action):
    """Bytes by which the resident memory of this process rises at most during `action`."""
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    action()
    return resident("VmHWM") - before


def resident(kind):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"/proc/self/status does not tell {kind}")

"""One neuron against 40-digit arithmetic, the differential equation, and its own symmetries.

The reference knows nothing of the formulas under test but the model: it walks the inputs in mpmath
with the solution of the two linear equations, and encloses the first crossing between two points
where the potential lies under and over the threshold.
"""

import dataclasses
import itertools
import math
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import lambertw

from ttfslib import _crossing
from ttfslib.lif import (
    LIFParameters,
    causal_set,
    crossing_delay,
    first_spike_time,
    membrane_potential,
    peak_delay,
    psp,
    psp_slope,
    spike_time_gradient,
)

EPS = np.finfo(np.float64).eps
INF = math.inf
# tau_m / tau_s: the three closed forms, their neighborhoods, stiff membranes and slow ones.
RATIOS = (1.0, 2.0, INF, 1.0001, 0.5, 3.7, 0.02, 1e3, 1e17)
# Those with a peak as sharp as the time constants: a grazing spike is resolved to 1e-9.
BOOK_RATIOS = (1.0, 2.0, 1.0001, 0.5)
# Those slow enough for an input to meet a rising flank.
KINKED_RATIOS = tuple(ratio for ratio in RATIOS if ratio > 0.02)

mp = mpmath.MPContext()
mp.dps = 40


@dataclasses.dataclass
class Exact:
    """The neuron in 40 digits."""

    params: LIFParameters

    def __post_init__(self):
        p = self.params
        self.tau_m, self.tau_s, self.threshold = map(mp.mpf, (p.tau_m, p.tau_s, p.threshold))

    def psp(self, s):
        decay_s = mp.exp(-s / self.tau_s)
        if mp.isinf(self.tau_m):
            return 1 - decay_s
        if self.tau_m == self.tau_s:
            return s / self.tau_s * decay_s
        return self.tau_m / (self.tau_m - self.tau_s) * (mp.exp(-s / self.tau_m) - decay_s)

    def after(self, V, current, s):
        """Return the state, `s` later."""
        decayed = V * mp.exp(-s / self.tau_m)
        return decayed + current * self.psp(s), current * mp.exp(-s / self.tau_s)

    def peak(self, V, current):
        """Delay of the largest V ahead: 0 on a falling flank, inf if V rises for good."""
        if current <= 0 or current / self.tau_s <= V / self.tau_m:
            return mp.zero
        if mp.isinf(self.tau_m):
            return mp.inf
        if self.tau_m == self.tau_s:
            return self.tau_s * (1 - V / current)
        # V = A exp(-s / tau_m) - B exp(-s / tau_s)
        B = current * self.tau_m / (self.tau_m - self.tau_s)
        quotient = B * self.tau_m / ((V + B) * self.tau_s)
        return mp.log(quotient) / (1 / self.tau_s - 1 / self.tau_m) if quotient > 0 else mp.inf

    def intervals(self, spike_times, weights):
        """Yield (start, length, V, current) of each interval between inputs."""
        V = current = mp.zero
        arrivals = sorted({mp.mpf(t) for t in spike_times if t < INF})
        for now, following in itertools.pairwise([*arrivals, mp.inf]):
            current += mp.fsum(w for t, w in zip(spike_times, weights, strict=True) if t == now)
            yield now, following - now, V, current
            if following < mp.inf:
                V, current = self.after(V, current, following - now)

    def first_spike(self, spike_times, weights):
        for now, length, V, current in self.intervals(spike_times, weights):
            top = min(self.peak(V, current), length)
            if top > 0 and (
                self.threshold < V + current if top == mp.inf else self._over(V, current, top)
            ):
                return now + self._crossing(V, current, top)
        return mp.inf

    def highest(self, spike_times, weights):
        """Return the supremum of V without threshold, and whether it is a smooth maximum."""
        found = [(mp.zero, False)]
        for _, length, V, current in self.intervals(spike_times, weights):
            peak = self.peak(V, current)
            top = min(peak, length)
            value = V + current if top == mp.inf else self.after(V, current, top)[0]
            found.append((value, 0 < peak <= length))
        return max(found)

    def potential(self, time, spike_times, weights, of_weight=lambda w: w):
        pairs = zip(spike_times, weights, strict=True)
        return mp.fsum(
            of_weight(mp.mpf(w)) * self.psp(time - mp.mpf(t)) for t, w in pairs if t < time
        )

    def slope(self, time, spike_times, weights):
        """Slope of V at a crossing of the threshold."""
        pairs = zip(spike_times, weights, strict=True)
        current = mp.fsum(mp.mpf(w) * mp.exp((t - time) / self.tau_s) for t, w in pairs if t < time)
        return current / self.tau_s - self.threshold / self.tau_m

    def rounding(self, time, spike_times, weights):
        """Half a unit in the last place of each input's part of V, all pulling one way."""
        return EPS / 2 * (self.potential(time, spike_times, weights, abs) + self.threshold)

    def _over(self, V, current, s):
        return self.after(V, current, s)[0] >= self.threshold

    def _crossing(self, V, current, top):
        """Climb the concave flank from below, then prove the root by a change of sign."""
        low, step = mp.zero, mp.inf
        while step > 1e-22 * self.tau_s:
            v, inflow = self.after(V, current, low)
            step = (self.threshold - v) / (inflow / self.tau_s - v / self.tau_m)
            low += step
        margin = mp.mpf("1e-20") * self.tau_s
        assert not self._over(V, current, low - margin)
        assert low + margin > top or self._over(V, current, low + margin)
        return low


def height_of_psp(params):
    peak = peak_delay(0.0, 1.0, params)
    return float(psp(peak, params)) if peak < INF else 1.0


def drawn_neurons(ratio, count, seed, *, extreme=False):
    """Draw neurons of one to ten inputs, half of them with ties; unit weights peak at 1."""
    rng = np.random.default_rng(seed)
    params = LIFParameters(tau_m=ratio)
    height = height_of_psp(params)
    for _ in range(count):
        n_pre = rng.integers(1, 11)
        spike_times = rng.uniform(0, 4, n_pre)
        if rng.random() < 0.5:
            spike_times = np.round(spike_times * 4) / 4
        weights = rng.normal(0.3, 0.8, n_pre) / height
        if extreme:
            weights = np.sign(weights) * 10 ** rng.uniform(-12, 12, n_pre)
        yield spike_times, weights, params


def grazing_neurons(ratio, count, seed, excess, *, peaks_smooth=True):
    """Draw neurons whose threshold lies the relative `excess(rng)` below their highest peak.

    The peak is a smooth one, or a kink where an inhibitory input cuts the rising flank.
    """
    rng = np.random.default_rng(seed)
    for spike_times, weights, params in drawn_neurons(ratio, count, seed):
        highest, smooth = Exact(params).highest(spike_times, weights)
        if smooth == peaks_smooth and highest > 0.01:
            threshold = float(highest / (1 + excess(rng)))
            yield spike_times, weights, dataclasses.replace(params, threshold=threshold)


def assert_exact(neurons, *, at_least):
    """Hold a set of neurons to the reference; return their errors and the slopes of V there.

    V is rounded to 53 bits, so the best that a walk in double precision can do is the exact answer
    for a potential off by a few of those roundings: an error of a few ``rounding / slope``.
    Every neuron is held to eight of them.
    """
    errors, slopes = [], []
    for spike_times, weights, params in neurons:
        exact = Exact(params)
        expected = exact.first_spike(spike_times, weights)
        got = first_spike_time(spike_times, weights, params)
        assert (got == INF) == (expected == mp.inf), (spike_times, weights, params)
        if got == INF:
            continue
        slope = exact.slope(expected, spike_times, weights)
        resolved = 8 * exact.rounding(expected, spike_times, weights) / slope
        error = abs(got - expected)
        assert error <= resolved + 4 * EPS * (expected + params.tau_s), (spike_times, weights)
        errors.append(float(error))
        slopes.append(float(slope))
    assert len(errors) >= at_least
    return np.array(errors), np.array(slopes)


# --- exactness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", RATIOS)
def test_spike_times_are_exact(ratio):
    errors, _ = assert_exact(drawn_neurons(ratio, 200, seed=1), at_least=60)
    assert errors.max() < 1e-9


@pytest.mark.parametrize("ratio", RATIOS)
def test_spike_times_are_exact_over_24_decades_of_weights(ratio):
    errors, _ = assert_exact(drawn_neurons(ratio, 100, seed=2, extreme=True), at_least=40)
    assert errors.max() < 1e-9


@pytest.mark.parametrize("ratio", RATIOS)
def test_spike_times_near_grazing_are_as_exact_as_the_potential(ratio):
    """At a peak the relative excess e over the threshold, V' is about sqrt(2 e / (tau_m tau_s)).

    So a rounding of V moves the spike by 1e-10 for e = 1e-12 and tau_m = tau_s, and by 1e-9 and
    more behind a slow membrane: no walk with a 53-bit state can do better there, and this one
    does no worse.
    """
    neurons = grazing_neurons(ratio, 200, 3, lambda rng: 10 ** rng.uniform(-12, -3))
    errors, slopes = assert_exact(neurons, at_least=20)
    if ratio in BOOK_RATIOS:
        assert errors.max() < 1e-9
    assert errors[slopes > 1e-5].max() < 1e-9


@pytest.mark.parametrize("ratio", KINKED_RATIOS)
def test_spikes_just_before_an_inhibitory_input_are_exact(ratio):
    neurons = grazing_neurons(
        ratio, 200, 3, lambda rng: 10 ** rng.uniform(-12, -3), peaks_smooth=False
    )
    errors, _ = assert_exact(neurons, at_least=5)
    assert errors.max() < 1e-9


@pytest.mark.parametrize(
    ("ratio", "smooth"), [*((r, True) for r in RATIOS), *((r, False) for r in KINKED_RATIOS)]
)
def test_a_peak_just_under_the_threshold_is_silence(ratio, smooth):
    def excess(rng):
        return -(10 ** rng.uniform(-12, -3))

    neurons = list(grazing_neurons(ratio, 150, 4, excess, peaks_smooth=smooth))
    assert len(neurons) > 3
    for neuron in neurons:
        assert first_spike_time(*neuron) == INF


@pytest.mark.parametrize("ratio", [r for r in RATIOS if r < INF])
def test_at_a_touch_the_answer_is_right_for_a_potential_a_few_roundings_away(ratio):
    """Whether the peak reaches the threshold is beyond 53 bits here, and so is half the time."""
    fired = 0
    for spike_times, weights, params in grazing_neurons(ratio, 60, 5, lambda _: 0):
        exact = Exact(params)
        got = first_spike_time(spike_times, weights, params)
        if got == INF:
            reached = exact.highest(spike_times, weights)[0]
            assert reached <= params.threshold * (1 + 1e-14)
        else:
            fired += 1
            reached = exact.potential(mp.mpf(got), spike_times, weights)
            allowed = 8 * exact.rounding(got, spike_times, weights)
            assert abs(reached - params.threshold) <= allowed
    assert fired > 0


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_differential_equation_agrees(ratio):
    compared = 0
    for spike_times, weights, params in drawn_neurons(ratio, 8, seed=6):
        integrated = integrated_spike(spike_times, weights, params)
        assert first_spike_time(spike_times, weights, params) == pytest.approx(integrated, abs=1e-9)
        compared += integrated < INF
    assert compared > 2


def integrated_spike(spike_times, weights, params, until=60.0):
    """Integrate the model as it is written down, input by input, and stop at the threshold."""

    def flow(_, state):
        V, current = state
        return -V / params.tau_m + current / params.tau_s, -current / params.tau_s

    def crossing(_, state):
        return state[0] - params.threshold

    crossing.terminal, crossing.direction = True, 1
    state = np.zeros(2)
    for now, following in itertools.pairwise([*np.unique(spike_times), until]):
        state[1] += weights[spike_times == now].sum()
        run = solve_ivp(
            flow, (now, following), state, "DOP853", events=crossing, rtol=1e-12, atol=1e-14
        )
        if run.t_events[0].size:
            return run.t_events[0][0]
        state = run.y[:, -1]
    return INF


# --- closed forms ------------------------------------------------------------------------------


def test_the_lambert_formula_over_the_causal_set():
    """The spike is at t = tau (b/a - W(-(theta/a) exp(b/a))) for tau_m = tau_s = tau."""
    tau, theta = 1.5, 0.8
    params = LIFParameters(tau, tau, theta)
    spike_times, weights = np.array([0.0, 0.3, 0.3, 1.0]), np.array([1.2, -0.4, 1.1, 0.5])
    a = weights @ np.exp(spike_times / tau)
    b = weights @ (spike_times / tau * np.exp(spike_times / tau))
    expected = tau * (b / a - lambertw(-theta / a * np.exp(b / a)).real)
    assert spike_times.max() < expected
    assert first_spike_time(spike_times, weights, params) == pytest.approx(expected, rel=1e-13)


def test_the_quadratic_for_a_membrane_twice_as_slow():
    """With w = 9/4, x = exp(-t/2) solves 2 w (x - x^2) = 1, so x = 2/3."""
    params = LIFParameters(tau_m=2.0)
    assert first_spike_time([0.0], [2.25], params) == pytest.approx(2 * math.log(1.5), rel=1e-14)


def test_the_logarithm_for_a_membrane_without_leak():
    params = LIFParameters(tau_m=INF)
    assert first_spike_time([1.0], [2.0], params) == pytest.approx(1 + math.log(2), rel=1e-15)
    assert first_spike_time([0.0], [1.0], params) == INF


@pytest.mark.parametrize("excess", [1e-15, 1e-12, 1e-9, 1e-3])
def test_without_leak_the_asymptote_is_resolved_to_the_last_bit(excess):
    """The surplus over the threshold is exact in a single weight, and so is the logarithm."""
    params = LIFParameters(INF, threshold=0.7)
    weight = 0.7 * (1 + excess)
    expected = float(Exact(params).first_spike([0.0], [weight]))
    assert first_spike_time([0.0], [weight], params) == pytest.approx(expected, rel=2 * EPS)


def test_at_the_branch_point_of_lambert_w_no_digits_are_lost():
    """Check x in [0, 1) with x + log(1 - x) = -excess, from the branch point to far beyond it."""
    for excess in [0.0, 5e-324, *np.logspace(-300, 2.8, 400), *np.logspace(-18, -4, 400)]:
        x = _crossing._time_before_peak(float(excess))
        assert x == pytest.approx(float(1 + mp.lambertw(-mp.exp(-1 - mp.mpf(excess)))), abs=4e-16)
        if excess < 1e-20:  # too close for the digits of the reference, but not for its series
            assert x == pytest.approx(math.sqrt(2 * excess), rel=1e-9)


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 10, 100, 10**4, 10**6, 10**9])
def test_a_single_input_some_bits_over_the_smallest_weight_that_fires(steps):
    """Within 1e-9 from 10^4 bits up; below, log(w) carries too few digits of the excess."""
    weight = math.e + steps * 4 * EPS
    expected = Exact(LIFParameters()).first_spike([0.0], [weight])
    excess = float(mp.log(mp.mpf(weight)) - 1)
    if expected == mp.inf:  # the double next to e lies under it, by less than a rounding
        assert -EPS < excess < 0
        expected = 1
    error = abs(first_spike_time([0.0], [weight]) - expected)
    assert error <= 2 * math.sqrt(EPS)
    assert error <= EPS + 2 * EPS / math.sqrt(2 * abs(excess))
    if steps >= 10**4:
        assert error < 1e-9


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_delay_from_a_state_solves_the_state(ratio):
    rng = np.random.default_rng(7)
    params = LIFParameters(ratio, threshold=1.3)
    height = height_of_psp(params)
    found = 0
    for potential, charge in rng.normal([0.0, 1.5], [1.5, 1.5], (100, 2)).tolist():
        current = charge / height
        delay = crossing_delay(potential, current, params)
        exact = Exact(params)
        if potential >= params.threshold:
            assert delay == 0
        elif delay < INF:
            found += 1
            assert exact.after(potential, current, delay)[0] == pytest.approx(1.3, abs=2e-14)
            assert delay <= exact.peak(potential, current)
        else:
            top = min(exact.peak(potential, current), 1e3)
            assert exact.after(potential, current, top)[0] < params.threshold
    assert found > 10


def test_a_state_at_the_threshold_spikes_at_once():
    for potential in (1.0, 1.5):
        assert crossing_delay(potential, -3.0) == 0.0
    assert crossing_delay(1.0 - 1e-16, 0.0) == INF


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_state_out_of_all_reach_of_the_threshold_is_silent(ratio):
    """Neither overflow nor underflow on the way: the charge of 1e-300 cannot lift V to 1e30."""
    params = LIFParameters(ratio, threshold=1e30)
    for potential in (-1e300, -1.0, 0.0, 1e-301):
        assert crossing_delay(potential, 1e-300, params) == INF


@pytest.mark.parametrize("ratio", [r for r in RATIOS if r < INF])
def test_the_slope_vanishes_at_the_peak(ratio):
    params = LIFParameters(ratio)
    for potential in (-0.5, 0.0, 0.2 * min(ratio, 1.0)):
        expected = Exact(params).peak(mp.mpf(potential), mp.one)
        assert peak_delay(potential, 1.0, params) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize(
    ("ratio", "potential"), [(INF, 0.0), (2.0, -2.0), (2.0, -5.0), (INF, -9.0)]
)
def test_a_potential_that_rises_for_good_has_no_peak(ratio, potential):
    assert peak_delay(potential, 1.0, LIFParameters(ratio)) == INF


def test_hand_computed_neurons():
    assert first_spike_time([0.0], [2 * math.exp(0.5)]) == pytest.approx(0.5, rel=1e-14)
    assert first_spike_time([0.0], [math.e * 0.999]) == INF
    assert first_spike_time([0.0, 0.0], [math.exp(0.5)] * 2) == pytest.approx(0.5, rel=1e-14)
    assert first_spike_time([0.0, 0.25], [2 * math.exp(0.5), -100.0]) == INF
    assert first_spike_time([0.0, 0.75], [2 * math.exp(0.5), -100.0]) == pytest.approx(0.5)


# --- the postsynaptic potential ----------------------------------------------------------------

DELAYS = (1e-9, 1e-3, 0.1, 1.0, 7.0, 40.0)
NEAR_ONE = [1 + sign * 10.0**-k for k in range(1, 17) for sign in (1, -1)]


@pytest.mark.parametrize("ratio", [*RATIOS, *NEAR_ONE])
def test_psp_and_its_slope_keep_their_digits(ratio):
    params = LIFParameters(ratio)
    exact = Exact(params)
    for delay in DELAYS:
        assert psp(delay, params) == pytest.approx(float(exact.psp(mp.mpf(delay))), rel=2e-14)
        decay, leak = mp.exp(-mp.mpf(delay)), exact.psp(mp.mpf(delay)) / exact.tau_m
        allowed = 2 * EPS * (1 + delay) * (decay + leak)
        assert abs(psp_slope(delay, params) - (decay - leak)) <= allowed


@pytest.mark.parametrize("ratio", RATIOS)
def test_psp_is_causal_and_keeps_shapes(ratio):
    params = LIFParameters(ratio)
    delays = np.array([[-3.0, 0.0, 0.5], [2.0, -1e-300, 1e4]])
    for function in (psp, psp_slope):
        values = function(delays, params)
        assert values.shape == delays.shape
        assert (values[delays <= 0] == 0).all()
        assert np.isfinite(values).all()
    assert psp(np.empty((3, 0)), params).shape == (3, 0)


def test_the_potential_is_a_weighted_sum_of_psps():
    times = np.array([[0.0, 0.5], [1.0, 3.0]])
    expected = [[0.0, 1.0 * np.exp(-0.5)], [2 * np.exp(-1), 6 * np.exp(-3) - 3 * 2 * np.exp(-2)]]
    potential = membrane_potential(times, [0.0, 1.0, INF], [2.0, -3.0, 50.0])
    np.testing.assert_allclose(potential, expected, rtol=1e-14)
    assert membrane_potential(1.0, [INF], [1.0]) == 0.0


# --- symmetries --------------------------------------------------------------------------------


def clear_cut(neuron):
    """Whether the spike does not hang on the last digits of the potential."""
    spike_times, weights, params = neuron
    early, late = (
        first_spike_time(spike_times, weights, dataclasses.replace(params, threshold=threshold))
        for threshold in (1 - 1e-7, 1 + 1e-7)
    )
    return early == late or late - early < 1e-5


# Times and weights on binary grids: shifting the ones and adding up the others is exact.
grid_times = st.integers(0, 256).map(lambda k: k / 64)
grid_weights = st.integers(-128, 256).map(lambda k: k / 64)
neurons = st.builds(
    lambda inputs, tau_m: (*np.array(inputs).T, LIFParameters(tau_m)),
    st.lists(st.tuples(grid_times, grid_weights), min_size=1, max_size=8),
    st.sampled_from((1.0, 2.0, INF, 0.5, 1.25, 4.0, 64.0)),
).filter(clear_cut)
scales = st.floats(-9, 9).map(lambda exponent: 10.0**exponent)
moderate = settings(max_examples=60)


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def assert_same_gradients(got, expected):
    """Compare (d_weights, d_spike_times), each relative to its largest entry."""
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7 * (1 + abs(theirs).max()))


@moderate
@given(neuron=neurons, shift=st.integers(-(2**20), 2**20).map(lambda k: k / 64))
def test_later_inputs_make_an_equally_later_spike(neuron, shift):
    spike_times, weights, params = neuron
    moved = first_spike_time(spike_times + shift, weights, params)
    assert moved - shift == close(first_spike_time(*neuron))
    assert_same_gradients(
        spike_time_gradient(spike_times + shift, weights, params), spike_time_gradient(*neuron)
    )


@moderate
@given(neuron=neurons, seed=st.integers(0, 1000))
def test_the_order_of_the_inputs_does_not_matter(neuron, seed):
    spike_times, weights, params = neuron
    order = np.random.default_rng(seed).permutation(weights.size)
    shuffled = spike_times[order], weights[order], params
    assert first_spike_time(*shuffled) == close(first_spike_time(*neuron))
    assert_same_gradients(
        spike_time_gradient(*shuffled), [d[order] for d in spike_time_gradient(*neuron)]
    )
    np.testing.assert_array_equal(np.sort(order[causal_set(*shuffled)]), causal_set(*neuron))


@moderate
@given(neuron=neurons, scale=scales)
def test_the_unit_of_the_potential_does_not_matter(neuron, scale):
    spike_times, weights, params = neuron
    scaled = dataclasses.replace(params, threshold=scale)
    assert first_spike_time(spike_times, scale * weights, scaled) == close(
        first_spike_time(*neuron)
    )
    d_weights, d_spike_times = spike_time_gradient(spike_times, scale * weights, scaled)
    assert_same_gradients((scale * d_weights, d_spike_times), spike_time_gradient(*neuron))


@moderate
@given(neuron=neurons, scale=scales)
def test_the_unit_of_time_does_not_matter(neuron, scale):
    spike_times, weights, params = neuron
    scaled = LIFParameters(scale * params.tau_m, scale * params.tau_s)
    spike = first_spike_time(scale * spike_times, weights, scaled)
    assert spike / scale == close(first_spike_time(*neuron))
    d_weights, d_spike_times = spike_time_gradient(scale * spike_times, weights, scaled)
    assert_same_gradients((d_weights / scale, d_spike_times), spike_time_gradient(*neuron))


@moderate
@given(neuron=neurons, place=st.integers(0, 8), weight=grid_weights)
def test_silent_inputs_are_ignored(neuron, place, weight):
    spike_times, weights, params = neuron
    place = min(place, weights.size)
    wider = np.insert(spike_times, place, INF), np.insert(weights, place, weight), params
    assert first_spike_time(*wider) == close(first_spike_time(*neuron))
    gradients = spike_time_gradient(*wider)
    assert all(gradient[place] == 0 for gradient in gradients)
    assert_same_gradients(
        [np.delete(gradient, place) for gradient in gradients], spike_time_gradient(*neuron)
    )


@moderate
@given(neuron=neurons, part=grid_weights, which=st.integers(0, 7))
def test_simultaneous_inputs_are_one(neuron, part, which):
    spike_times, weights, params = neuron
    which %= weights.size
    split_weights = np.append(weights, part)
    split_weights[which] -= part
    split = np.append(spike_times, spike_times[which]), split_weights, params
    assert first_spike_time(*split) == close(first_spike_time(*neuron))
    d_weights, d_spike_times = spike_time_gradient(*split)
    d_spike_times[which] += d_spike_times[-1]
    assert d_weights[which] == d_weights[-1]
    assert_same_gradients((d_weights[:-1], d_spike_times[:-1]), spike_time_gradient(*neuron))


@moderate
@given(neuron=neurons, late=st.lists(st.tuples(grid_times, st.floats(-1e6, 1e6)), max_size=4))
def test_inputs_at_or_after_the_spike_change_nothing(neuron, late):
    spike_times, weights, params = neuron
    spike = first_spike_time(*neuron)
    after = spike + np.array([delay for delay, _ in late])
    longer = np.append(spike_times, after), np.append(weights, [w for _, w in late]), params
    assert first_spike_time(*longer) == close(spike)
    d_weights, d_spike_times = spike_time_gradient(*longer)
    late_ones = np.flatnonzero(longer[0] > spike + 1e-9)
    assert not d_weights[late_ones].any()
    assert not d_spike_times[late_ones].any()
    assert_same_gradients(
        (d_weights[: weights.size], d_spike_times[: weights.size]), spike_time_gradient(*neuron)
    )


@moderate
@given(neuron=neurons)
def test_the_spike_is_the_first_time_at_threshold(neuron):
    spike_times, weights, params = neuron
    spike = first_spike_time(*neuron)
    until = spike if spike < INF else spike_times.max() + 10
    before = np.linspace(spike_times.min(), until, 300)[:-1]
    assert (membrane_potential(before, spike_times, weights, params) < 1).all()
    if spike < INF:
        assert membrane_potential(spike, spike_times, weights, params) == pytest.approx(
            1, abs=1e-13
        )


@moderate
@given(neuron=neurons)
def test_the_causal_set_is_what_came_before_the_spike(neuron):
    spike_times, _, _ = neuron
    spike = first_spike_time(*neuron)
    causal = causal_set(*neuron)
    expected = [] if spike == INF else [i for i, t in enumerate(spike_times) if t < spike]
    assert causal.tolist() == expected
    for gradient in spike_time_gradient(*neuron):
        assert set(np.flatnonzero(gradient)) <= set(expected)


def test_all_inputs_silent_and_so_is_the_neuron():
    silent = [INF, INF], [5.0, -1.0]
    assert first_spike_time(*silent) == INF
    assert causal_set(*silent).size == 0
    np.testing.assert_array_equal(spike_time_gradient(*silent), np.zeros((2, 2)))


@pytest.mark.parametrize("ratio", RATIOS)
def test_an_input_at_the_very_time_of_the_spike_is_not_causal(ratio):
    params = LIFParameters(ratio)
    weight = 2.0 / float(psp(min(ratio, 0.5), params))
    spike = first_spike_time([0.0], [weight], params)
    inputs = [0.0, spike, spike], [weight, -100.0, 100.0], params
    assert first_spike_time(*inputs) == spike
    assert causal_set(*inputs).tolist() == [0]
    for gradient in spike_time_gradient(*inputs):
        assert gradient[0] != 0
        assert not gradient[1:].any()


# --- the gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_gradient_is_the_central_difference(ratio):
    """The difference is taken in 40 digits, so that it is good to 20 and not to 8."""
    compared = 0
    for spike_times, weights, params in drawn_neurons(ratio, 25, seed=8):
        exact = Exact(params)
        spike = exact.first_spike(spike_times, weights)
        if spike == mp.inf or exact.slope(spike, spike_times, weights) < 1e-3:
            continue
        compared += 1
        d_weights, d_spike_times = spike_time_gradient(spike_times, weights, params)
        for i in range(weights.size):
            by_weight = central_difference(exact, spike_times, weights, weights, i)
            by_time = central_difference(exact, spike_times, weights, spike_times, i)
            assert d_weights[i] == pytest.approx(by_weight, rel=1e-9, abs=1e-12)
            assert d_spike_times[i] == pytest.approx(by_time, rel=1e-9, abs=1e-12)
    assert compared > 5


def central_difference(exact, spike_times, weights, varied, i):
    """Vary entry `i` of one of the two arrays both ways."""
    spikes, h = [], mp.mpf("1e-9")
    for step in (h, -h):
        moved = [mp.mpf(x) + (step if j == i else 0) for j, x in enumerate(varied)]
        neuron = (spike_times, moved) if varied is weights else (moved, weights)
        spikes.append(exact.first_spike(*neuron))
    return float((spikes[0] - spikes[1]) / (2 * h))


@moderate
@given(neuron=neurons)
def test_the_gradient_knows_both_symmetries(neuron):
    """Shifting all inputs shifts the spike; scaling the weights is scaling the threshold back."""
    spike_times, weights, params = neuron
    spike = first_spike_time(*neuron)
    if spike == INF:
        return
    d_weights, d_spike_times = spike_time_gradient(*neuron)
    delays = (spike - spike_times)[causal_set(*neuron)]
    slope = psp_slope(delays, params) @ weights[causal_set(*neuron)]
    assert d_spike_times.sum() == pytest.approx(1, abs=1e-9)
    assert d_weights @ weights == pytest.approx(-1 / slope, rel=1e-9)


@pytest.mark.parametrize(("ratio", "weight"), [(1.0, math.e), (2.0, 2.0), (0.5, 4.0)])
def test_where_the_potential_only_touches_the_gradient_is_infinite(ratio, weight):
    """These three peaks meet the threshold in double precision, too."""
    params = LIFParameters(ratio)
    d_weights, d_spike_times = spike_time_gradient([0.0, 0.0, 9.0], [weight / 2] * 3, params)
    np.testing.assert_array_equal(d_weights, [-INF, -INF, 0])
    assert d_spike_times[2] == 0


@pytest.mark.parametrize("ratio", [r for r in RATIOS if 0.02 < r < 1e17])
def test_towards_the_touch_the_gradient_grows_as_the_inverse_root_of_the_excess(ratio):
    """V'^2 = 2 (peak - threshold) |V''|, with V'' = -threshold / (tau_m tau_s) at the peak."""
    params = LIFParameters(ratio)
    height = height_of_psp(params)
    for excess in (1e-4, 1e-6, 1e-8):
        d_weights, _ = spike_time_gradient([0.0], [(1 + excess) / height], params)
        expected = -height / math.sqrt(2 * excess / ratio)
        assert d_weights[0] == pytest.approx(expected, rel=3 * math.sqrt(excess * max(ratio, 1)))


# --- continuity in the time constants ----------------------------------------------------------


@pytest.mark.parametrize(("ratio", "reach"), [(1.0, 1.0), (2.0, 1.0), (0.5, 1.0)])
def test_spike_and_gradient_are_continuous_across_the_closed_forms(ratio, reach):
    """Neighbors of a special ratio go through the general solver, and come out next to it."""
    compared = 0
    for spike_times, weights, params in drawn_neurons(ratio, 30, seed=9):
        spike = first_spike_time(spike_times, weights, params)
        gradient = spike_time_gradient(spike_times, weights, params)
        if spike == INF or abs(gradient[0]).max() > 10:
            continue
        compared += 1
        for step in (1e-15, 1e-12, 1e-9, 1e-6):
            for tau_m in (ratio * (1 + step), ratio * (1 - step)):
                near = LIFParameters(tau_m)
                allowed = 1e3 * step + 1e-13
                moved = first_spike_time(spike_times, weights, near)
                assert moved == pytest.approx(spike, abs=reach * allowed)
                for ours, theirs in zip(
                    spike_time_gradient(spike_times, weights, near), gradient, strict=True
                ):
                    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e2 * allowed)
    assert compared > 5


def test_an_ever_slower_membrane_becomes_the_one_without_leak():
    spike_times, weights = [0.0, 0.5, 1.0], [0.6, -0.2, 1.0]
    limit = first_spike_time(spike_times, weights, LIFParameters(INF))
    for tau_m in (1e4, 1e8, 1e12, 1e16, 1e20, 1e100, 1e308):
        spike = first_spike_time(spike_times, weights, LIFParameters(tau_m))
        assert spike == pytest.approx(limit, abs=10 / tau_m + 1e-14)
        assert spike >= limit - 1e-14


# --- bad input ---------------------------------------------------------------------------------


def whole(message):
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tau_m": 0.0}, "tau_m must be positive, got 0.0"),
        ({"tau_m": math.nan}, "tau_m must be finite, got nan"),
        ({"tau_s": -1}, "tau_s must be positive, got -1.0"),
        ({"tau_s": INF}, "tau_s must be finite, got inf"),
        ({"threshold": 0}, "threshold must be positive, got 0.0"),
        ({"threshold": "1"}, "threshold must be a real number, got str '1'"),
    ],
)
def test_parameters_that_make_no_neuron_are_refused(arguments, message):
    with pytest.raises(ValueError, match=whole(message)):
        LIFParameters(**arguments)


def test_parameters_are_plain_floats_and_frozen():
    params = LIFParameters(np.float32(2), 1, np.int64(3))
    assert [type(x) for x in dataclasses.astuple(params)] == [float] * 3
    assert params == LIFParameters(2.0, 1.0, 3.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.tau_m = 1.0


@pytest.mark.parametrize("function", [first_spike_time, causal_set, spike_time_gradient])
@pytest.mark.parametrize(
    ("spike_times", "weights", "message"),
    [
        (
            [0.0, math.nan],
            [1, 1],
            "spike_times must be finite or +inf (silent), got nan at index 1",
        ),
        ([-INF], [1], "spike_times must be finite or +inf (silent), got -inf at index 0"),
        ([0.0], [INF], "weights must be finite, got inf at index 0"),
        ([0.0, 1.0], [1.0], "weights must have the shape of spike_times (2,), got (1,)"),
        ([[0.0]], [[1.0]], "spike_times must have 1 dimension(s), got shape (1, 1)"),
        ([], [], "spike_times must not be empty, got shape (0,)"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(function, spike_times, weights, message):
    with pytest.raises(ValueError, match=whole(message)):
        function(spike_times, weights)
    with pytest.raises(ValueError, match=whole(message)):
        membrane_potential(0.0, spike_times, weights)


@pytest.mark.parametrize("function", [psp, psp_slope])
def test_a_delay_that_is_no_number_is_refused(function):
    with pytest.raises(ValueError, match=r"^delay must be finite, got nan at index 1$"):
        function([0.0, math.nan])
    with pytest.raises(ValueError, match=r"^delay must be finite, got inf$"):
        function(INF)


def test_a_time_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"^times must be finite, got nan at index 0$"):
        membrane_potential([math.nan], [0.0], [1.0])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: crossing_delay(math.nan, 1.0), "potential must be finite, got nan"),
        (lambda: crossing_delay(0.0, INF), "current must be finite, got inf"),
        (lambda: crossing_delay(None, 1.0), "potential must be a real number, got NoneType"),
        (lambda: crossing_delay(0.0, 1.0, 1.0), "params must be LIFParameters, got float"),
        (lambda: peak_delay(0, 0), "current must be positive, got 0"),
        (lambda: peak_delay(0.0, 1.0, None), "params must be LIFParameters, got NoneType"),
        (lambda: psp(1.0, None), "params must be LIFParameters, got NoneType"),
        (lambda: psp_slope(1.0, 2), "params must be LIFParameters, got int"),
        (lambda: membrane_potential(1.0, [0.0], [1.0], None), "params must be LIFParameters"),
        (lambda: first_spike_time([0.0], [1.0], 1.0), "params must be LIFParameters, got float"),
        (lambda: causal_set([0.0], [1.0], "1"), "params must be LIFParameters, got str"),
        (lambda: spike_time_gradient([0.0], [1.0], None), "params must be LIFParameters"),
        (lambda: LIFParameters(tau_s=1e-310), "tau_s must be at least 2.2e-308, got 1e-310"),
    ],
)
def test_states_and_parameters_are_checked(call, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}"):
        call()

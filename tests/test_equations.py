"""Every numbered equation that the code uses: where it is cited, and a test of its own name."""

import ast
import dataclasses
import importlib
import inspect
import math
import re
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.special import lambertw

import ttfslib
from ttfslib import (
    LIFParameters,
    TTFSLayer,
    TTFSNetwork,
    crossing_delay,
    first_spike_time,
    membrane_potential,
    peak_delay,
    psp,
    spike_time_gradient,
)
from ttfslib.engines import kernels

ROOT = Path(__file__).resolve().parents[1]
NUMBER = r"[1-9A-Z]\d?\.\d+"
LABEL = re.compile(r":eq:`(eq-[\w-]+)`")
CITATION = re.compile(rf"Eq\.\s+({NUMBER}(?:(?:,| and)\s+{NUMBER})*)")

# label: what computes it (and cites it), further tests than the one of its own name
EQUATIONS = {
    "eq-current": (["lif"], []),
    "eq-membrane": (["lif"], []),
    "eq-convolution": ([], []),
    "eq-psp": (["lif.psp"], ["test_plain::test_propagator_is_decay_and_psp"]),
    "eq-psp-equal": ([], []),
    "eq-state": ([], []),
    "eq-spike-time": (["lif.crossing_delay"], []),
    "eq-potential": (["lif.membrane_potential"], []),
    "eq-propagator": (
        ["engines.kernels", "engines.formulas.propagator", "engines.plain.propagator"],
        ["test_plain::test_propagators_are_those_of_the_kernels"],
    ),
    "eq-spike-rule": (
        ["lif.first_spike_time", "engines.plain.first_spikes"],
        ["test_plain::test_forward_pass_is_that_of_the_kernels"],
    ),
    "eq-necessary": ([], []),
    "eq-quadratic": (["lif.crossing_delay"], []),
    "eq-non-leaky": (["lif.crossing_delay"], []),
    "eq-peak": (["lif.peak_delay"], []),
    "eq-implicit": ([], []),
    "eq-grad-weights": (
        ["lif.spike_time_gradient", "functional.first_spike_times"],
        ["test_functional::test_gradcheck"],
    ),
    "eq-grad-times": (
        ["lif.spike_time_gradient", "functional.first_spike_times"],
        ["test_functional::test_gradcheck"],
    ),
    "eq-grad-sum": ([], []),
    "eq-grad-euler": ([], []),
    "eq-grad-walk": (
        ["engines.kernels"],
        ["test_plain::test_backward_pass_is_that_of_the_kernels"],
    ),
    "eq-grazing": ([], ["test_functional::test_a_grazing_spike_gives_numbers"]),
    "eq-layer-gradient": ([], ["test_nn::test_the_gradient_runs_through_all_layers"]),
    "eq-delta": ([], ["test_nn::test_the_gradient_runs_through_all_layers"]),
    "eq-delta-sum": ([], []),
    "eq-backward-walk": ([], ["test_plain::test_backward_pass_is_that_of_the_kernels"]),
    "eq-first-spike-loss": (
        ["losses.FirstSpikeCrossEntropy"],
        ["test_losses::test_cross_entropy_by_hand"],
    ),
    "eq-latency": (
        ["encoding.latency_encode"],
        ["test_encoding::test_decode_inverts_encode"],
    ),
    "eq-dale": (
        ["nn.TTFSLayer"],
        ["test_nn::test_projection_clips_the_wrong_signs_to_zero_and_leaves_the_rest"],
    ),
    "eq-packet": (["readout.decision_time", "analysis.synchrony.pulse_packet"], []),
    "eq-shorth": (["analysis.synchrony.shorth"], []),
    "eq-response": (["analysis.semantics.response"], []),
    "eq-information": (["analysis.semantics.mutual_information"], []),
    "eq-selectivity": (["analysis.semantics.selectivity"], []),
    "eq-separability": (["analysis.semantics.separability"], []),
    "eq-wiring": (["analysis.pathways.excitatory_effects"], []),
    "eq-overlap": (["analysis.pathways.overlap"], []),
    "eq-causal": (["analysis.pathways.causal_effects"], []),
    "eq-influence": (
        ["analysis.influence", "analysis.influence.influence"],
        ["test_influence::test_it_is_the_derivative_of_the_decision_time"],
    ),
    "eq-pressure": (
        ["losses.log_packet_width"],
        ["test_losses::test_the_width_of_a_packet_by_hand"],
    ),
    "eq-coincidences": (["analysis.surrogates.coincidences"], []),
    "eq-surrogate-p": (["analysis.surrogates.surrogate_p_value"], []),
    "eq-conservation": (
        ["analysis.influence", "analysis.influence.influence"],
        ["test_influence::test_influence_adds_up_to_one_in_every_layer"],
    ),
}


@cache
def numbers():
    """Label to number: the labelled equations of each chapter, in order."""
    found = {}
    for path in sorted((ROOT / "chapters").glob("ch[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        labels = re.findall(r"\$\$[ \t]*\((eq-[\w-]+)\)", text)
        chapter = int(path.name[2:4])
        found |= {label: f"{chapter}.{i}" for i, label in enumerate(labels, start=1)}
    return found


def cited(text):
    """Labels of the equations that a text names, by label or by number."""
    label_of = {number: label for label, number in numbers().items()}
    by_number = {n for group in CITATION.findall(text) for n in re.findall(NUMBER, group)}
    return {label_of.get(n, f"Eq. {n}") for n in by_number} | set(LABEL.findall(text))


def docstring(name):
    try:
        return inspect.getdoc(importlib.import_module(f"ttfslib.{name}"))
    except ModuleNotFoundError:
        module, _, function = name.rpartition(".")
        return inspect.getdoc(getattr(importlib.import_module(f"ttfslib.{module}"), function))


def test_every_cited_equation_exists_and_is_in_the_table():
    for path in sorted(Path(ttfslib.__file__).parent.rglob("*.py")):
        for label in cited(path.read_text(encoding="utf-8")):
            assert label in numbers(), f"{path.name} cites {label}, which no chapter has"
            assert label in EQUATIONS, f"{label} has no test"


@pytest.mark.parametrize("label", EQUATIONS)
def test_what_computes_an_equation_cites_it(label):
    assert label in numbers(), "no chapter has an equation of this label"
    for name in EQUATIONS[label][0]:
        assert label in cited(docstring(name)), f"{name} must cite {label}"


@pytest.mark.parametrize("label", EQUATIONS)
def test_every_equation_has_the_tests_that_the_table_names(label):
    for test in (f"test_equations::{label.replace('eq-', 'test_eq_', 1)}", *EQUATIONS[label][1]):
        module, name = test.replace("-", "_").split("::")
        tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


# One neuron at the time constants of the book. It fires after the fourth of five inputs, one of
# them inhibitory, and the threshold is not 1.

INPUTS, WEIGHTS = np.array([0.0, 0.3, 0.8, 1.1, 4.0]), np.array([1.0, 1.4, -0.6, 2.4, 1.0])
CAUSES = slice(4)
THRESHOLDS = {1.0: 1.01, 2.0: 1.2, math.inf: 1.5, 0.5: 0.7, 1.0001: 1.01, 10.0: 1.5}
PARAMS = [LIFParameters(tau_m, threshold=threshold) for tau_m, threshold in THRESHOLDS.items()]
each_ratio = pytest.mark.parametrize("params", PARAMS, ids=lambda p: f"tau_m={p.tau_m:g}")
cases = st.tuples(st.sampled_from(PARAMS), st.floats(-2, 1), st.floats(0.01, 8), st.floats(0.01, 5))


def rates(params):
    """The matrix A of d(V, I)/dt = A (V, I)."""
    return np.array([[-1 / params.tau_m, 1 / params.tau_s], [0, -1 / params.tau_s]])


def potential(time, params):
    return float(membrane_potential(time, INPUTS, WEIGHTS, params))


def current(time, params):
    ages = (time - INPUTS) / params.tau_s
    return WEIGHTS[ages >= 0] @ np.exp(-ages[ages >= 0])


def slope(time, params):
    """dV/dt, from the PSPs."""
    return WEIGHTS @ ttfslib.psp_slope(time - INPUTS, params)


def free_potential(s, state, params):
    """V a time s after the state (V, I), without input."""
    return state[0] * np.exp(-s / params.tau_m) + state[1] * psp(s, params)


def spike(params, weights=WEIGHTS, inputs=INPUTS):
    return first_spike_time(inputs, weights, params)


def derivative(function, x, h=1e-4):
    """Central difference of fourth order."""
    near, far = function(x + h) - function(x - h), function(x + 2 * h) - function(x - 2 * h)
    return (8 * near - far) / (12 * h)


def integrated(params, end):
    """V at `end` and the first spike, by a solver that starts anew at each input."""

    def excess(_, state):
        return state[0] - params.threshold

    state, spikes = np.zeros(2), []
    for start, stop, weight in zip(INPUTS, [*INPUTS[1:], end], WEIGHTS, strict=True):
        run = solve_ivp(
            lambda _, state: rates(params) @ state,
            (start, stop),
            state + np.array([0, weight]),
            method="DOP853",
            rtol=1e-13,
            atol=1e-14,
            max_step=0.05,
            events=excess,
        )
        state = run.y[:, -1]
        spikes += [*run.t_events[0]]
    return state[0], spikes[0]


# Chapter 1: one input


@each_ratio
def test_eq_current(params):
    """The current that the potential implies jumps by the weight of an input, then decays."""

    def implied(time):
        return params.tau_s * slope(time, params) + potential(time, params) * (
            params.tau_s / params.tau_m
        )

    for arrival, weight in zip(INPUTS, WEIGHTS, strict=True):
        assert implied(arrival + 1e-12) - implied(arrival) == pytest.approx(weight, abs=1e-10)
    assert implied(3.0) == pytest.approx(implied(1.5) * math.exp(-1.5 / params.tau_s), rel=1e-12)


@each_ratio
@pytest.mark.parametrize("time", [0.15, 0.6, 1.0, 2.5, 6.0])
def test_eq_membrane(params, time):
    flow = -potential(time, params) / params.tau_m + current(time, params) / params.tau_s
    assert derivative(lambda t: potential(t, params), time) == pytest.approx(flow, abs=1e-10)


@each_ratio
@pytest.mark.parametrize("s", [0.1, 1.0, 4.0])
def test_eq_convolution(params, s):
    def arriving(u):
        return math.exp(-(s - u) / params.tau_m - u / params.tau_s) / params.tau_s

    assert quad(arriving, 0, s)[0] == pytest.approx(psp(s, params), rel=1e-12)


@pytest.mark.parametrize("tau_m", [2.0, 0.5, 10.0])
def test_eq_psp(tau_m):
    s = np.linspace(0, 8, 33)
    difference = tau_m / (tau_m - 1) * (np.exp(-s / tau_m) - np.exp(-s))
    np.testing.assert_allclose(psp(s, LIFParameters(tau_m)), difference, rtol=1e-12, atol=1e-15)
    assert psp(-1.0, LIFParameters(tau_m)) == 0


@pytest.mark.parametrize("tau", [1.0, 2.5])
def test_eq_psp_equal(tau):
    s = np.linspace(0, 8, 33)
    expected = s / tau * np.exp(-s / tau)
    np.testing.assert_allclose(psp(s, LIFParameters(tau, tau)), expected, rtol=1e-14)


@each_ratio
def test_eq_state(params):
    """The state at 1.5, after four inputs, foretells the potential until the fifth."""
    state = potential(1.5, params), current(1.5, params)
    for s in (0.1, 1.0, 2.5):
        foretold = free_potential(s, state, params)
        assert foretold == pytest.approx(potential(1.5 + s, params), rel=1e-12)


def test_eq_spike_time():
    """With the sums of chapter 2 over the four causes, against the library and integration."""
    params = PARAMS[0]
    p = WEIGHTS[CAUSES] @ np.exp(INPUTS[CAUSES])
    q = (WEIGHTS * INPUTS)[CAUSES] @ np.exp(INPUTS[CAUSES])
    closed = q / p - lambertw(-params.threshold / p * math.exp(q / p)).real
    assert closed == pytest.approx(spike(params), abs=1e-13)
    assert closed == pytest.approx(integrated(params, 5.0)[1], abs=1e-9)
    one = 0.4 - lambertw(-params.threshold / 3.0).real
    assert one == pytest.approx(first_spike_time([0.4], [3.0], params), abs=1e-14)


# Chapter 2: many inputs


@each_ratio
def test_eq_potential(params):
    assert potential(5.0, params) == pytest.approx(integrated(params, 5.0)[0], abs=1e-11)


@each_ratio
@pytest.mark.parametrize("d", [1e-6, 0.3, 5.0])
def test_eq_propagator(params, d):
    exact = expm(d * rates(params))
    a, b, c = kernels.propagator(d, 1 / params.tau_m, 1 / params.tau_s)
    np.testing.assert_allclose([[a, b], [0, c]], exact, rtol=1e-9)


@each_ratio
def test_eq_spike_rule(params):
    """First of all crossings, on the rising flank; an input at that very time is not seen."""
    time = spike(params)
    assert time == pytest.approx(integrated(params, 5.0)[1], abs=1e-9)
    assert potential(time, params) == pytest.approx(params.threshold, abs=1e-13)
    assert slope(time, params) > 0
    before = np.linspace(0, time, 500)[:-1]
    assert (membrane_potential(before, INPUTS, WEIGHTS, params) < params.threshold).all()
    veto = np.append(INPUTS, time), np.append(WEIGHTS, -100.0)
    assert first_spike_time(*veto, params) == time


@given(case=cases)
@settings(max_examples=200)
def test_eq_necessary(case):
    params, *state, d = case
    state[0] = min(state[0], 0.99 * params.threshold)
    if crossing_delay(*state, params) <= d:
        bound = math.exp(-d / params.tau_m) * params.threshold
        assert free_potential(d, state, params) >= bound - 1e-12


@pytest.mark.parametrize("state", [(0.2, 4.0), (-0.5, 5.0), (0.6, 1.5)])
def test_eq_quadratic(state):
    (v, i), params = state, LIFParameters(tau_m=2.0)
    root = math.sqrt((v + 2 * i) ** 2 - 8 * i)
    expected = -params.tau_m * math.log((v + 2 * i + root) / (4 * i))
    assert crossing_delay(v, i, params) == pytest.approx(expected, abs=1e-13)
    assert free_potential(expected, state, params) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("state", [(0.2, 4.0), (-0.5, 5.0), (0.6, 0.41)])
def test_eq_non_leaky(state):
    (v, i), params = state, LIFParameters(tau_m=math.inf)
    expected = -math.log(1 - (1 - v) / i)
    assert crossing_delay(v, i, params) == pytest.approx(expected, abs=1e-13)
    assert free_potential(expected, state, params) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("tau_m", [1.0, 2.0, 0.5, 1.0001, 10.0])
@pytest.mark.parametrize("state", [(0.0, 1.0), (0.2, 4.0), (-0.05, 1.0)])
def test_eq_peak(tau_m, state):
    (v, i), mu, params = state, 1 - 1 / tau_m, LIFParameters(tau_m)
    expected = -math.log((1 - mu) * (1 + mu * v / i)) / mu if mu else 1 - v / i
    assert peak_delay(v, i, params) == pytest.approx(expected, rel=1e-11)
    around = expected + np.array([-1e-3, 0.0, 1e-3])
    below, top, after = free_potential(around, state, params)
    assert below < top > after


# Chapter 3: the gradient


@each_ratio
def test_eq_implicit(params):
    """F = 0 at the spike; with F's derivative by the threshold, -1, the spike moves by 1/V'."""

    def at_threshold(threshold):
        return spike(dataclasses.replace(params, threshold=threshold))

    moved = derivative(at_threshold, params.threshold)
    assert moved == pytest.approx(1 / slope(spike(params), params), rel=1e-8)


@each_ratio
def test_eq_grad_weights(params):
    by_formula = -psp(spike(params) - INPUTS, params) / slope(spike(params), params)
    by_library, _ = spike_time_gradient(INPUTS, WEIGHTS, params)
    by_difference = [
        derivative(lambda x, one=one: spike(params, WEIGHTS + x * one), 0.0) for one in np.eye(5)
    ]
    np.testing.assert_allclose(by_library, by_formula, rtol=1e-11)
    np.testing.assert_allclose(by_difference, by_formula, atol=1e-9)


@each_ratio
def test_eq_grad_times(params):
    time = spike(params)
    by_formula = WEIGHTS * ttfslib.psp_slope(time - INPUTS, params) / slope(time, params)
    _, by_library = spike_time_gradient(INPUTS, WEIGHTS, params)
    by_difference = [
        derivative(lambda x, one=one: spike(params, inputs=INPUTS + x * one), 0.0)
        for one in np.eye(5)
    ]
    np.testing.assert_allclose(by_library, by_formula, rtol=1e-11)
    np.testing.assert_allclose(by_difference, by_formula, atol=1e-9)


def test_gradients_by_a_complex_step():
    """Through the closed form for equal time constants, which knows no PSP and no slope."""
    params, inputs, weights = PARAMS[0], INPUTS[CAUSES], WEIGHTS[CAUSES]

    def closed(times, weights):
        a, b = weights @ np.exp(times), (weights * times) @ np.exp(times)
        return b / a - lambertw(-params.threshold / a * np.exp(b / a))

    shifts = 1e-30j * np.eye(4)
    by_weight = [closed(inputs, weights + shift).imag / 1e-30 for shift in shifts]
    by_time = [closed(inputs + shift, weights).imag / 1e-30 for shift in shifts]
    d_weights, d_times = spike_time_gradient(INPUTS, WEIGHTS, params)
    np.testing.assert_allclose(d_weights, [*by_weight, 0], rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(d_times, [*by_time, 0], rtol=1e-11, atol=1e-15)


@each_ratio
def test_eq_grad_sum(params):
    _, d_times = spike_time_gradient(INPUTS, WEIGHTS, params)
    assert d_times.sum() == pytest.approx(1, abs=1e-12)


@each_ratio
def test_eq_grad_euler(params):
    d_weights, _ = spike_time_gradient(INPUTS, WEIGHTS, params)
    expected = -params.threshold / slope(spike(params), params)
    assert WEIGHTS @ d_weights == pytest.approx(expected, rel=1e-12)


@each_ratio
def test_eq_grad_walk(params):
    """Walked from the spike back to the first input, the responses are the PSPs."""
    response, left, last = 0.0, 1.0, spike(params)
    for arrival in INPUTS[CAUSES][::-1]:
        a, b, c = kernels.propagator(last - arrival, 1 / params.tau_m, 1 / params.tau_s)
        response, left, last = a * response + b * left, c * left, arrival
        age = spike(params) - arrival
        assert response == pytest.approx(psp(age, params), rel=1e-13)
        assert left == pytest.approx(math.exp(-age / params.tau_s), rel=1e-13)


@pytest.mark.parametrize("tau_m", [1.0, 2.0, 0.5, 10.0])
def test_eq_grazing(tau_m):
    """The threshold comes up to the peak of one PSP: the law holds ever better."""
    peak = peak_delay(0.0, 1.0, LIFParameters(tau_m))
    height, errors = float(psp(peak, LIFParameters(tau_m))), []
    for excess in (1e-3, 1e-5, 1e-7):
        params = LIFParameters(tau_m, threshold=height * (1 - excess))
        law = psp(peak, params) / math.sqrt(2 * excess * height * params.threshold / tau_m)
        d_weights, _ = spike_time_gradient([0.0], [1.0], params)
        errors.append(abs(-d_weights[0] / law - 1))
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[-1] < 1e-3


# Chapter 4: layers


def two_layers(params):
    """Spike times of input, hidden layer and output, all finite, and their deltas by autograd."""
    generator = torch.Generator().manual_seed(3)
    weights = [1.5 + torch.rand(n, m, generator=generator).double() for n, m in ((4, 5), (5, 2))]
    inputs = torch.tensor([[0.0, 0.2, 0.5, 0.7]]).double().requires_grad_()
    network = TTFSNetwork.from_weights(weights, params)
    times = [inputs, *network(inputs)]
    loss = (times[-1] * torch.tensor([0.3, -1.1])).sum() + times[-1].square().sum()
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, times + parameters)
    arrays = [[tensor.detach().numpy().squeeze() for tensor in part] for part in (times, weights)]
    assert all(np.isfinite(layer).all() for layer in arrays[0])
    deltas = [gradient.numpy()[0] for gradient in gradients[:3]]
    return *arrays, deltas, [gradient.numpy() for gradient in gradients[3:]]


def ages_and_slopes(before, after, weights, params):
    """Age of each input at each spike, and V' there."""
    ages = after - before[:, None]
    return ages, (weights * ttfslib.psp_slope(ages, params)).sum(axis=0)


@each_ratio
@pytest.mark.parametrize("layer", [0, 1])
def test_eq_layer_gradient(params, layer):
    times, weights, deltas, by_weight = two_layers(params)
    ages, slopes = ages_and_slopes(*times[layer : layer + 2], weights[layer], params)
    expected = -deltas[layer + 1] * psp(ages, params) / slopes
    np.testing.assert_allclose(by_weight[layer], expected, rtol=1e-9, atol=1e-12)


@each_ratio
@pytest.mark.parametrize("layer", [0, 1])
def test_eq_delta(params, layer):
    times, weights, deltas, _ = two_layers(params)
    ages, slopes = ages_and_slopes(*times[layer : layer + 2], weights[layer], params)
    pull = weights[layer] * ttfslib.psp_slope(ages, params) / slopes
    np.testing.assert_allclose(deltas[layer], pull @ deltas[layer + 1], rtol=1e-9)


@each_ratio
def test_eq_delta_sum(params):
    """No layer on the way changes the sum."""
    _, _, deltas, _ = two_layers(params)
    assert deltas[0].sum() == pytest.approx(deltas[2].sum(), rel=1e-9)
    assert deltas[1].sum() == pytest.approx(deltas[2].sum(), rel=1e-9)


@each_ratio
def test_eq_backward_walk(params):
    """Walked back from input to input, R and Q give the gradient of every weight."""
    times, weights, deltas, by_weight = two_layers(params)
    ages, slopes = ages_and_slopes(times[0], times[1], weights[0], params)
    force, joined = deltas[1] / slopes, np.zeros(5, dtype=bool)
    response, left = np.zeros(5), np.zeros(5)
    for i in (3, 2, 1, 0):
        if i < 3:
            gap = times[0][i + 1] - times[0][i]
            a, b, c = kernels.propagator(gap, 1 / params.tau_m, 1 / params.tau_s)
            response, left = a * response + b * left, c * left
        joins = (ages[i] > 0) & ~joined
        response = np.where(joins, force * psp(ages[i], params), response)
        left = np.where(joins, force * np.exp(-ages[i] / params.tau_s), left)
        joined |= joins
        np.testing.assert_allclose(-response, by_weight[0][i], rtol=1e-9, atol=1e-12)


def test_eq_first_spike_loss():
    times = torch.tensor([[0.7, 1.1, 0.9], [1.3, 0.8, 2.0]]).double()
    xi, alpha, beta, labels = 0.2, 0.01, 1.5, [2, 1]
    terms = [
        math.log(sum(math.exp((t[y] - other) / xi) for other in t)) + alpha * math.exp(beta * t[y])
        for t, y in zip(times.tolist(), labels, strict=True)
    ]
    loss = ttfslib.FirstSpikeCrossEntropy(xi, alpha, beta)(times, torch.tensor(labels))
    assert loss.item() == pytest.approx(sum(terms) / 2, rel=1e-12)


# Chapter 5: Dale's law


def test_eq_dale():
    excites = np.array([True, False, False, True])
    weights = np.random.default_rng(2).normal(size=(4, 30))
    layer = TTFSLayer(4, 30, is_excitatory=excites.tolist(), dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    layer.obey_dale()
    expected = np.where(excites[:, None], np.maximum(weights, 0), np.minimum(weights, 0))
    np.testing.assert_array_equal(layer.weight.detach(), expected)


# Chapter 6: synchronization


def test_eq_latency():
    """Full ink at the early time, none at the late one, a straight line in between."""
    early, late, x = 0.15, 2.0, np.linspace(0, 1, 11)
    line = np.interp(x, [0, 1], [late, early])
    np.testing.assert_allclose(ttfslib.latency_encode(x[None], early, late)[0], line, rtol=1e-14)


def test_eq_packet():
    """Spikes up to the first output spike, that very time included."""
    decided = ttfslib.decision_time([[1.2, 0.8], [math.inf, 2.0]])
    layer = [[0.5, 0.8, 0.9, math.inf], [2.1, 0.1, math.inf, 2.0]]
    assert decided.tolist() == [0.8, 2.0]
    expected = [[0.5, 0.8, math.inf, math.inf], [math.inf, 0.1, math.inf, 2.0]]
    assert ttfslib.pulse_packet(layer, decided).tolist() == expected


@pytest.mark.parametrize("n", [4, 5, 12, 31])
def test_eq_shorth(n):
    """Against all intervals that hold more than half of the spikes."""
    times = np.random.default_rng(n).normal(size=n)
    start, stop = (grid.ravel() for grid in np.meshgrid(times, times))
    held = ((times >= start[:, None]) & (times <= stop[:, None])).sum(axis=1)
    expected = (stop - start)[held >= n // 2 + 1].min()
    assert ttfslib.shorth(times) == pytest.approx(expected, rel=1e-12)


# Chapter 7: semantization


def test_eq_response():
    found = ttfslib.response([[0.5, 1.0, 1.1, math.inf]], 1.0)
    np.testing.assert_allclose(found, [[math.exp(-0.5), math.exp(-1), 0, 0]])


def test_eq_information():
    """Eight samples, and a neuron that fires for one class alone: one bit, and the corrections."""
    labels = np.repeat([0, 1], 4)
    packet = np.where(labels == 0, 1.0, math.inf)[:, None]
    corrections = (1 + 1 - 1) / (2 * 8 * math.log(2))
    found = ttfslib.mutual_information(packet, labels, n_bins=1)
    assert found[0] == pytest.approx(1 + 1 - 1 + corrections)


def test_eq_selectivity():
    """Mean responses of 0.6, 0.2 and 0.1: the best against the mean of the rest."""
    responses = np.array([[0.5], [0.7], [0.2], [0.1]])
    found = ttfslib.selectivity(responses, [0, 0, 1, 2])
    assert found[0] == pytest.approx((0.6 - 0.15) / (0.6 + 0.15))


def test_eq_separability():
    rng = np.random.default_rng(0)
    responses, labels = rng.random((12, 3)), np.arange(12) % 3
    pairs = list(combinations(range(12), 2))
    distances = np.array([((responses[i] - responses[j]) ** 2).sum() for i, j in pairs])
    within = np.array([labels[i] == labels[j] for i, j in pairs])
    expected = distances[~within].mean() / distances[within].mean()
    assert ttfslib.separability(responses, labels) == pytest.approx(expected, rel=1e-12)


# Chapter 9: a reward for narrow packets


def test_eq_pressure():
    """Against the standard deviation of each packet, sample by sample and layer by layer."""
    rng = np.random.default_rng(0)
    layers = [rng.random((5, 7)), rng.random((5, 4)), rng.uniform(0.5, 1, (5, 3))]
    packets = [
        row[row <= decision]
        for times in layers[:-1]
        for row, decision in zip(times, layers[-1].min(axis=1), strict=True)
    ]
    resolution = ttfslib.losses.RESOLUTION
    expected = [np.log(packet.var() + resolution**2) / 2 for packet in packets if len(packet) > 1]
    found = ttfslib.log_packet_width([torch.from_numpy(times) for times in layers])
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-12)


# Chapter 8: pathways


def shares(effects):
    return effects / effects.sum(axis=1, keepdims=True)


def test_eq_wiring():
    """The sum over paths of excitatory weights, as shares of the layer."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    hidden = np.maximum(second, 0).T
    found = ttfslib.excitatory_effects([first, second])
    np.testing.assert_allclose(found[1], shares(hidden))
    np.testing.assert_allclose(found[0], shares(hidden @ np.maximum(first, 0).T))


def test_eq_overlap():
    """Two of four in common."""
    members = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0]], dtype=bool)
    assert ttfslib.overlap(members).tolist() == [[1, 0.5], [0.5, 1]]


def test_eq_causal():
    """Synapse by synapse: it counts if its spike came before the one that it helped to cause."""
    rng = np.random.default_rng(0)
    times = [rng.random((6, n)) for n in (5, 4, 2)]
    weights = [rng.normal(0.3, 1, (5, 4)), rng.normal(0.3, 1, (4, 2))]
    found = ttfslib.causal_effects(times, weights)
    for s in range(6):
        effect = np.arange(2) == times[-1][s].argmin()
        for layer in (1, 0):
            before, after = times[layer][s], times[layer + 1][s]
            counts = np.maximum(weights[layer], 0) * (before[:, None] < after)
            effect = counts @ effect
            expected = effect / effect.sum() if effect.any() else effect
            np.testing.assert_allclose(found[layer][s], expected)


def deep_case(params):
    """Inputs and weights of a network of five, four and two neurons, all of which fire."""
    rng = np.random.default_rng(1)
    scale = 1 / ttfslib.psp(1.0, params)
    weights = [scale * rng.normal(0.6, 0.4, (5, 4)), scale * rng.normal(0.6, 0.4, (4, 2))]
    return rng.random((3, 5)), weights


@each_ratio
def test_eq_influence(params):
    """Against decision times found neuron by neuron, with one spike moved by a little."""
    inputs, weights = deep_case(params)

    def answer(times, matrix):
        return np.array([first_spike_time(times, column, params) for column in matrix.T])

    def nudged(times, layer, i, h):
        times = times + h * (np.arange(len(times)) == i)
        for matrix in weights[layer:]:
            times = answer(times, matrix)
        return times.min()

    for layer, found in enumerate(ttfslib.influence(inputs, weights, params)):
        volleys = inputs if layer == 0 else np.array([answer(row, weights[0]) for row in inputs])
        expected = [
            [derivative(partial(nudged, times, layer, i), 0.0) for i in range(len(times))]
            for times in volleys
        ]
        np.testing.assert_allclose(found, expected, atol=1e-7)


@each_ratio
def test_eq_conservation(params):
    for influence in ttfslib.influence(*deep_case(params), params):
        np.testing.assert_allclose(influence.sum(axis=1), 1, rtol=1e-9)


# Chapter 10: coincidences and surrogates


def test_eq_coincidences():
    """Two trials: three units and two in a bin of the first, two in one of the second."""
    times = [[0.05, 0.1, 0.15, 0.25, 0.35], [0.05, 0.5, 0.9, 0.95, np.inf]]
    rng = np.random.default_rng(0)
    seen = ttfslib.observe([times], [np.arange(5)], rng, duration=1)
    assert ttfslib.coincidences(seen, 0.2) == (3 + 1) + 1


def test_eq_surrogate_p():
    """Two of nine surrogates reach the observed value."""
    rng = np.random.default_rng(0)
    seen = ttfslib.observe([[[0.5]]], [[0]], rng, duration=1)
    values = iter([1, 4, 0, 5, 2, 1, 0, 3, 2, 4])  # the last is that of the observation
    options = {"rng": rng, "n_surrogates": 9}
    p = ttfslib.surrogate_p_value(seen, lambda _: next(values), lambda o, _: o, **options)
    assert p == (1 + 2) / (1 + 9)

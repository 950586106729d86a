"""Influence: by hand, by finite differences, and the law that it adds up to 1 in every layer."""

import math
import os
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import LIFParameters, TTFSNetwork, engines
from ttfslib.analysis.influence import influence, synapse_influence
from ttfslib.readout import decided_class, decision_time

INF = math.inf
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
ENGINES = ["cuda"] if SIMULATED else ["cpu", "plain"]
RATIOS = (1e-3, 0.5, 1.0, 1.0001, 2.0, 3.7, 1e3, INF)
SIZES = (12, 10, 8, 3)


def random_network(seed, params, n_samples=4):
    """Inputs, some of them silent, and weights of both signs that let most neurons fire."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, 1, (n_samples, SIZES[0]))
    times[rng.random(times.shape) < 0.2] = INF
    drive = 5 * max(1.0, 1 / params.tau_m)
    return times, [drive * rng.normal(0.3, 0.5, pair) for pair in pairwise(SIZES)]


def layers_of(times, weights, params, delays=None):
    late = delays and [torch.tensor(vector) for vector in delays]
    weights = [torch.tensor(matrix) for matrix in weights]
    network = TTFSNetwork.from_weights(weights, params, delays=late)
    return [times, *(layer.detach().numpy() for layer in network(torch.tensor(times)))]


def test_by_hand():
    """V = 4 s e^-s - (s - 0.2) e^-(s - 0.2): each spike's share of the slope where it is 1."""
    (found,) = influence([[0.0, 0.2, 0.9, INF]], [[[4.0], [-1.0], [9.0], [9.0]]])
    t = 0.5135358400677181
    pulls = np.array([4.0 * (1 - t) * np.exp(-t), -(1.2 - t) * np.exp(0.2 - t)])
    np.testing.assert_allclose(found[0, :2], pulls / pulls.sum(), rtol=1e-9)
    assert found[0, 2] == found[0, 3] == 0  # too late, and silent


def test_only_the_output_that_decides_is_explained():
    (found,) = influence([[0.0, 0.1]], [[[3.0, 0.0], [0.0, 4.0]]])
    np.testing.assert_allclose(found, [[0.0, 1.0]])


def test_a_chain_hands_on_the_influence_of_its_only_neuron():
    first, second = influence([[0.0, 0.1]], [[[3.0], [1.0]], [[3.0]]])
    np.testing.assert_allclose(second, [[1.0]])
    assert first.sum() == pytest.approx(1)
    assert (first > 0).all()


def test_inhibition_of_an_inhibitor_has_positive_influence():
    """An early inhibitor of the second hidden neuron, which itself holds the output back."""
    weights = [[[6.0, 0.0], [0.0, 6.0], [0.0, -1.5]], [[4.0], [-1.0]]]
    inputs, hidden = influence([[0.0, 0.0, 0.02]], weights)
    assert hidden[0, 1] < 0 < inputs[0, 2]


def test_nothing_is_decided_by_silence():
    first, second = influence([[0.0, 0.0], [0.0, INF]], [[[3.0], [0.0]], [[0.1]]])
    assert not first.any()
    assert not second.any()


def random_delays(seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0, 0.5, size) for size in SIZES[:-1]]


@pytest.mark.parametrize("delays", [None, random_delays(1)], ids=["at once", "delayed"])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, INF])
def test_it_is_the_derivative_of_the_decision_time(ratio, delays):
    params = LIFParameters(ratio)
    times, weights = random_network(3, params)
    layers = layers_of(times, weights, params, delays)
    for depth, found in enumerate(influence(times, weights, params, delays=delays)):
        rest = weights[depth:], params, delays and delays[depth:]
        for neuron in range(found.shape[1]):
            nudge = 1e-6 * (np.arange(found.shape[1]) == neuron)
            later, sooner = (
                decision_time(layers_of(layers[depth] + sign * nudge, *rest)[-1])
                for sign in (1, -1)
            )
            np.testing.assert_allclose(found[:, neuron], (later - sooner) / 2e-6, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ratio", RATIOS)
@given(seed=st.integers(0, 10_000), shift=st.floats(-3, 3))
@settings(max_examples=2 if SIMULATED else 12)
def test_influence_adds_up_to_one_in_every_layer(engine, ratio, seed, shift):
    """For each engine and each ratio of time constants; time has no origin."""
    params = LIFParameters(ratio)
    times, weights = random_network(seed, params)
    with engines.use(engine):
        found = influence(times + shift, weights, params)
        layers = layers_of(times + shift, weights, params)
    decided = decided_class(layers[-1]) >= 0
    decision = decision_time(layers[-1])[:, None]
    for spikes, share in zip(layers, found, strict=False):
        size = 1 + np.abs(share).sum(axis=1)
        assert (np.abs(share.sum(axis=1) - decided) < 1e-7 * size).all()
        assert not share[spikes >= decision].any()


def test_it_balances_with_delays_which_change_it():
    params = LIFParameters()
    times, weights = random_network(3, params)
    delayed = influence(times, weights, delays=random_delays(1))
    for found, without in zip(delayed, influence(times, weights, delays=[]), strict=True):
        np.testing.assert_allclose(found.sum(axis=1), found.any(axis=1), atol=1e-9)
        assert np.abs(found - without).max() > 0.1
    assert all(found.any() for found in delayed)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_random_networks_do_decide(engine, ratio):
    """Or the law would hold for zeros alone."""
    params = LIFParameters(ratio)
    with engines.use(engine):
        decided = [influence(*random_network(seed, params), params)[0].any() for seed in range(5)]
    assert all(decided)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, INF])
def test_what_passes_through_the_synapses_of_a_spike_is_its_influence(ratio):
    params = LIFParameters(ratio)
    times, weights = random_network(3, params)
    layers = layers_of(times, weights, params)
    decision = np.argmin(layers[-1], axis=1)[:, None] == np.arange(SIZES[-1])
    shares = [*influence(times, weights, params), decision.astype(float)]
    for depth, matrix in enumerate(weights):
        found = synapse_influence(*layers[depth : depth + 2], matrix, shares[depth + 1], params)
        np.testing.assert_allclose(found.sum(axis=1), shares[depth].mean(axis=0), atol=1e-9)
        some = slice(0, 2)
        part = synapse_influence(
            layers[depth],
            layers[depth + 1][:, some],
            matrix[:, some],
            shares[depth + 1][:, some],
            params,
        )
        np.testing.assert_allclose(part, found[:, some], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_that_of_the_times(dtype):
    times, weights = random_network(0, LIFParameters())
    found = influence(times.astype(dtype), weights)
    assert [layer.dtype for layer in found] == [dtype] * 3
    assert [layer.shape for layer in found] == [(4, 12), (4, 10), (4, 8)]


def test_it_may_start_at_any_layer():
    times, weights = random_network(0, LIFParameters())
    layers = layers_of(times, weights, LIFParameters())
    whole = influence(times, weights)
    part = influence(layers[1], weights[1:])
    for found, expected in zip(part, whole[1:], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("times", "weights", "message"),
    [
        ([[0.0]], [], "^weights must not be empty"),
        ([[0.0]], [[[1.0], [1.0]]], "^weights must have a row for each of the 1 input"),
        ([[0.0]], [[[1.0]], [[1.0], [1.0]]], r"^weights\[1\] must have 1 rows, got 2"),
        ([[0.0]], [[[INF]]], r"^weights\[0\] must be finite"),
        ([[-INF]], [[[1.0]]], "^spike_times must be finite"),
        ([0.0], [[[1.0]]], "^spike_times must have 2 dimension"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(times, weights, message):
    with pytest.raises(ValueError, match=message) as caught:
        influence(times, weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("delays", "message"),
    [
        ([[0.1]], "^delays must be a list of 2 vectors, got 1"),
        ([[0.1], [0.1]], r"^delays\[1\] must be 2 numbers"),
        ([[0.1], [0.1, -0.2]], r"^delays\[1\] must be finite and at least 0, got -0\.2"),
        ([[0.1], [0.1, INF]], r"^delays\[1\] must be finite"),
    ],
)
def test_delays_that_do_not_fit_are_refused_in_one_line(delays, message):
    with pytest.raises(ValueError, match=message) as caught:
        influence([[0.0]], [[[1.0, 1.0]], [[1.0], [1.0]]], delays=delays)
    assert "\n" not in str(caught.value)

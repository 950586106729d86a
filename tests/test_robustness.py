"""Damaged networks: what is damaged, and that nothing is where nothing is asked for."""

import numpy as np
import pytest
import torch
from scipy import stats

import ttfslib
from ttfslib import Damage, perturbed_layers, quantized, robustness
from ttfslib.experiment import robustness as module

N_SPIKES = 4


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture(scope="module")
def shown(tiny_run):
    """The trained network, its test inputs and their labels."""
    from ttfslib.experiment.recipe import encode

    features, labels = tiny_run._samples
    return tiny_run.network(), encode(tiny_run.config, features), labels


def layer(weights, **options):
    return ttfslib.TTFSNetwork.from_weights([torch.tensor(weights)], **options)


def test_without_damage_spikes_accuracy_and_widths_are_those_of_the_network(tiny_run, shown, rng):
    network, inputs, labels = shown
    arrived = perturbed_layers(network, inputs, Damage(), rng)
    expected = tiny_run.spikes()
    for found, exact in zip(arrived, [expected.input, *expected.layers], strict=True):
        np.testing.assert_array_equal(found, exact)
    found = robustness(network, inputs, labels, Damage(), n_spikes=N_SPIKES, rng=rng)
    assert found.accuracy == tiny_run.metrics["test_accuracy"]


def test_delays_are_kept(rng):
    network = layer([[2.0], [1.5]], delays=[torch.tensor([0.3, 0.0])]).double()
    inputs = torch.tensor([[0.0, 0.1], [0.5, 0.2]], dtype=torch.float64)
    _, found = perturbed_layers(network, inputs, Damage(), rng)
    np.testing.assert_array_equal(found, network(inputs)[-1].detach())
    bare = ttfslib.TTFSNetwork.from_weights(network.weights)
    assert (found > bare(inputs)[-1].detach().numpy()).all()


def test_widths_are_those_of_packets_at_equal_counts(shown):
    network, inputs, labels = shown
    damage, rngs = Damage(jitter=0.1), [np.random.default_rng(0) for _ in range(2)]
    found = robustness(network, inputs, labels, damage, n_spikes=10, rng=rngs[0])
    arrived = perturbed_layers(network, inputs, damage, rngs[1])
    until = ttfslib.decision_time(arrived[-1])
    for times, width, n in zip(arrived[:3], found.widths, found.n_measured, strict=False):
        drawn = ttfslib.draw_spikes(ttfslib.pulse_packet(times, until), 10, rngs[1])
        widths = ttfslib.shorth(drawn)
        assert n == np.isfinite(widths).sum() > 0
        assert width == pytest.approx(np.nanmean(widths))


def test_jitter_is_that_of_every_spike(rng):
    network = layer(np.full((3, 2), 2.0))
    inputs = torch.zeros(4000, 3, dtype=torch.float64)
    first, second = perturbed_layers(network, inputs, Damage(jitter=0.1), rng)
    assert stats.kstest(first.ravel(), stats.norm(0, 0.1).cdf).pvalue > 1e-3
    exact = network(torch.from_numpy(first))[-1].detach().numpy()
    assert stats.kstest((second - exact).ravel(), stats.norm(0, 0.1).cdf).pvalue > 1e-3


def test_lost_spikes_arrive_nowhere(rng):
    network = layer(np.full((1, 1), 9.0))
    first, second = perturbed_layers(network, torch.zeros(4000, 1), Damage(lost=0.25), rng)
    assert stats.binomtest(int(np.isfinite(first).sum()), 4000, 0.75).pvalue > 1e-3
    assert np.isinf(second[np.isinf(first)]).all()
    assert stats.binomtest(int(np.isfinite(second).sum()), 4000, 0.75**2).pvalue > 1e-3


def test_the_output_can_be_spared(rng):
    network = layer(np.full((1, 1), 9.0))
    inputs, damage = torch.zeros(400, 1).double(), Damage(jitter=0.1, lost=0.25)
    first, last = perturbed_layers(network, inputs, damage, rng, spare_output=True)
    assert np.isinf(first).any()
    np.testing.assert_array_equal(last, network(torch.from_numpy(first))[-1].detach())


def test_levels_of_weights_are_counted_and_signs_kept(rng):
    weights = rng.standard_normal((60, 50))
    for n_bits in (8, 5, 3, 2):
        found = quantized(weights, n_bits)
        n_levels = len(np.unique(np.abs(found)))
        assert n_levels <= 2 ** (n_bits - 1)
        assert (np.sign(found) * np.sign(weights) >= 0).all()
        step = np.abs(weights).max() / (2 ** (n_bits - 1) - 1)
        assert np.abs(found - weights).max() <= step / 2 * (1 + 1e-12)
        assert np.abs(found).max() == pytest.approx(np.abs(weights).max())
    np.testing.assert_array_equal(quantized(np.zeros((2, 2)), 3), 0)


def test_a_quantized_network_is_the_network_of_quantized_weights(shown, rng):
    network, inputs, _ = shown
    coarse = [torch.tensor(quantized(w.numpy(), 3), dtype=w.dtype) for w in network.weights]
    expected = ttfslib.TTFSNetwork.from_weights(coarse, network.stack[0].params)(inputs)
    found = perturbed_layers(network, inputs, Damage(n_bits=3), rng)[1:]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4)


def test_noise_of_weights_keeps_their_signs(rng, monkeypatch):
    taken = []
    monkeypatch.setattr(module, "_in_groups", lambda t, w, *_: taken.append(w) or t)
    weights = np.where(np.arange(4000) % 2, 1.0, -1.0).reshape(40, 100)
    perturbed_layers(layer(weights), torch.zeros(1, 40), Damage(weight_noise=0.2), rng)
    factors = (taken[0].numpy() / weights).ravel()
    assert factors.min() >= 0
    assert factors.mean() == pytest.approx(1, abs=0.02)
    assert factors.std() == pytest.approx(0.2, abs=0.02)


def test_a_spread_of_thresholds_is_one_of_each_neuron_for_all_samples(rng):
    network = layer(np.full((2, 3000), 2.0))
    _, found = perturbed_layers(network, torch.zeros(3, 2), Damage(threshold_spread=0.1), rng)
    assert np.ptp(found, axis=0).max() == 0
    exact = [
        ttfslib.first_spike_time([0.0, 0.0], [2.0, 2.0], ttfslib.LIFParameters(threshold=theta))
        for theta in np.exp(0.1 * stats.norm.ppf([0.1, 0.5, 0.9]))
    ]
    np.testing.assert_allclose(np.quantile(found[0], [0.1, 0.5, 0.9]), exact, rtol=0.02)


def test_neurons_of_their_own_time_constants_agree_with_the_single_neuron(rng):
    times = torch.tensor(rng.uniform(0, 1, (4, 6)))
    weights = torch.tensor(rng.uniform(0.5, 1.5, (6, 8)))
    factors = np.exp(0.3 * rng.standard_normal(8))
    found = module._in_groups(times, weights, ttfslib.LIFParameters(tau_m=2.0), factors)
    for j, factor in enumerate(factors):
        params = ttfslib.LIFParameters(tau_m=2 * factor, tau_s=factor)
        exact = [ttfslib.first_spike_time(t, weights[:, j], params) for t in times.numpy()]
        np.testing.assert_allclose(found[:, j], exact)


def test_groups_of_time_constants_are_close_to_those_of_each_neuron(rng):
    times, weights = torch.zeros(1, 2, dtype=torch.float64), torch.full((2, 400), 2.0).double()
    factors = np.exp(0.1 * rng.standard_normal(400))
    found = module._in_groups(times, weights, ttfslib.LIFParameters(), factors)[0]
    exact = [
        ttfslib.first_spike_time([0.0, 0.0], [2.0, 2.0], ttfslib.LIFParameters(f, f))
        for f in factors
    ]
    assert np.corrcoef(found, exact)[0, 1] > 0.95


def test_damage_that_destroys_all_leaves_nothing_to_measure(shown, rng):
    network, inputs, labels = shown
    found = robustness(network, inputs, labels, Damage(lost=1.0), n_spikes=N_SPIKES, rng=rng)
    assert found.accuracy == 0
    assert np.isnan(found.widths).all()
    assert not found.n_measured.any()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ({"jitter": -1}, "jitter must lie in [0, inf], got -1.0"),
        ({"lost": 1.5}, "lost must lie in [0, 1], got 1.5"),
        ({"n_bits": 1}, "n_bits must be at least 2, got 1"),
    ],
)
def test_damage_out_of_range_is_one_line(damage, complaint):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Damage(**damage)
    assert str(caught.value) == complaint

"""What electrodes see of a network."""

import numpy as np
import pytest
from scipy import stats

from ttfslib import blind_array, laminar_probe, observe

SIZES = [400, 100, 300]
ALL = [np.arange(4), np.arange(3)]


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def layers(rng):
    """Three trials of two layers; one neuron stays silent in one of them."""
    first, second = rng.uniform(0.2, 1, (3, 4)), rng.uniform(1, 1.8, (3, 3))
    first[1, 2] = np.inf
    return [first, second]


def test_a_blind_array_meets_layers_as_often_as_they_are_large(rng):
    counts = np.array([[len(s) for s in blind_array(SIZES, 80, rng)] for _ in range(300)])
    assert (counts.sum(axis=1) == 80).all()
    np.testing.assert_allclose(counts.mean(axis=0), [40, 10, 30], rtol=0.1)
    assert counts.std(axis=0).min() > 1


def test_a_probe_meets_every_layer_alike(rng):
    sites = laminar_probe(SIZES, 30, rng)
    assert [len(set(neurons)) for neurons in sites] == [30, 30, 30]
    assert all(neurons.max() < size for neurons, size in zip(sites, SIZES, strict=True))
    every = laminar_probe([5, 5], 5, rng)
    assert [neurons.tolist() for neurons in every] == [[0, 1, 2, 3, 4]] * 2


def test_perfect_electrodes_see_every_spike_of_their_neurons(layers, rng):
    seen = observe(layers, [[2, 0], [1]], rng)
    expected = np.column_stack([layers[0][:, 2], layers[0][:, 0], layers[1][:, 1]])
    found = np.full((3, 3), np.inf)
    found[seen.trials, seen.units] = seen.times
    np.testing.assert_allclose(found, expected)
    assert seen.layers.tolist() == [0, 0, 1]
    assert (seen.n_trials, seen.n_units) == (3, 3)
    assert seen.duration == pytest.approx(layers[1].max())


def test_the_spikes_of_some_units_stand_in_rows(layers, rng):
    seen = observe(layers, ALL, rng)
    rows = seen.of_units(seen.layers == 0)
    np.testing.assert_allclose(np.sort(rows, axis=1), np.sort(layers[0], axis=1))
    nothing = seen.of_units(np.zeros(7, dtype=bool))
    assert np.isinf(nothing).all()
    assert len(nothing) == 3


def test_jitter_moves_spikes_by_as_much_as_it_says(rng):
    times = np.full((200, 50), 5.0)
    seen = observe([times], [np.arange(50)], rng, jitter=0.3, duration=10)
    assert len(seen.times) == times.size
    assert stats.kstest(seen.times, stats.norm(5, 0.3).cdf).pvalue > 1e-3


def test_what_jitter_does_at_the_ends_of_a_trial_leaves_it_evenly_filled(rng):
    times = rng.uniform(0, 2, (300, 50))
    seen = observe([times], [np.arange(50)], rng, jitter=1.5, duration=2)
    assert stats.kstest(seen.times, stats.uniform(0, 2).cdf).pvalue > 1e-3


def test_as_many_spikes_are_lost_as_asked_for(rng):
    times = np.ones((100, 50))
    seen = observe([times], [np.arange(50)], rng, lost=0.3)
    assert stats.binomtest(len(seen.times), times.size, 0.7).pvalue > 1e-3
    assert len(observe([times], [np.arange(50)], rng, lost=1.0).times) == 0


def test_the_background_is_a_poisson_process_in_every_unit(rng):
    silent = np.full((400, 20), np.inf)
    seen = observe([silent], [np.arange(20)], rng, background=1.5, duration=3)
    counts = np.zeros((400, 20))
    np.add.at(counts, (seen.trials, seen.units), 1)
    assert counts.mean() == pytest.approx(1.5, rel=0.05)
    assert counts.var() == pytest.approx(1.5, rel=0.05)
    assert stats.kstest(seen.times, stats.uniform(0, 3).cdf).pvalue > 1e-3


def test_a_mistaken_spike_belongs_to_another_unit_of_the_same_trial(rng):
    times = np.full((500, 4), np.inf)
    times[:, 0] = 1.0
    seen = observe([times], [np.arange(4)], rng, mistaken=0.3)
    assert np.bincount(seen.trials).tolist() == [1] * 500
    shares = np.bincount(seen.units, minlength=4) / 500
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.1, 0.1], atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"sites": [[4], []]}, "sites[0] must be below the 4 neurons, got 4"),
        ({"sites": [[0, 0], [1]]}, "sites[0] must name each neuron once, got [0, 0]"),
        ({"sites": [[], []]}, "sites must name neurons of 2 layers, got [0, 0]"),
        ({"sites": [[1]]}, "sites must name neurons of 2 layers, got [1]"),
        ({"sites": [[0.5], [1]]}, "sites[0] must be integers >= 0, got float64 of shape (1,)"),
        ({"layers": []}, "layers must be one or more with the same number of trials, got []"),
        ({"duration": 0.5}, "duration must reach the last spike at 1.0, got 0.5"),
    ],
)
def test_what_cannot_be_observed_is_one_line(rng, arguments, complaint):
    given = {"layers": [np.ones((2, 4)), np.ones((2, 3))], "sites": ALL, "rng": rng} | arguments
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        observe(**given)
    assert str(caught.value) == complaint


def test_more_neurons_than_there_are_cannot_be_recorded(rng):
    with pytest.raises(ValueError, match=r"^n_units must be at most 800, got 801$"):
        blind_array(SIZES, 801, rng)
    with pytest.raises(ValueError, match=r"^n_units must be at most 100, got 101$"):
        laminar_probe(SIZES, 101, rng)

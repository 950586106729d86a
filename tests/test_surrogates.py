"""Surrogates of recorded spikes, and p-values that keep their level."""

import importlib.util

import numpy as np
import pytest
from scipy import stats

from ttfslib import (
    coincidences,
    dithered,
    observe,
    rejection_rate,
    surrogate_p_value,
    trials_shuffled,
)

LEVEL, BIN = 0.05, 0.1


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def seen(times, rng, **options):
    return observe([times], [np.arange(np.shape(times)[1])], rng, **options)


def count(observation):
    return coincidences(observation, BIN)


def shift(observation, rng):
    return dithered(observation, 0.5, rng)


def experiments(n, times, surrogate, rng, **options):
    """p-values of repeated experiments; `times` makes the spikes of each."""
    return [
        surrogate_p_value(
            seen(times(), rng, duration=6, **options), count, surrogate, rng=rng, n_surrogates=99
        )
        for _ in range(n)
    ]


def is_the_level(p_values):
    n_rejected = int(np.sum(np.asarray(p_values) <= LEVEL))
    return stats.binomtest(n_rejected, len(p_values), LEVEL).pvalue > 1e-3


def test_coincidences_of_a_few_spikes_counted_by_hand(rng):
    times = [[0.01, 0.02, 0.03, 0.55, 0.56], [0.01, 0.31, 0.32, 0.71, np.inf]]
    assert coincidences(seen(times, rng), 0.1) == (3 + 1) + 1
    assert coincidences(seen(times, rng), 1.0) == 10 + 6
    assert coincidences(seen(times, rng), 0.001) == 0


def test_a_unit_that_fires_twice_in_a_bin_counts_once(rng):
    from dataclasses import replace

    twice = seen([[0.01, 0.02, 0.03]], rng)
    twice = replace(twice, units=np.array([0, 0, 1]))
    assert coincidences(twice, 0.1) == 1


def test_no_spike_no_coincidence(rng):
    assert coincidences(seen(np.full((3, 4), np.inf), rng, duration=1), 0.1) == 0


@pytest.mark.skipif(
    importlib.util.find_spec("elephant") is None,
    reason="no elephant: pip install 'ttfslib[export]'",
)
@pytest.mark.filterwarnings("ignore")
def test_elephant_counts_the_same_coincidences(rng):
    import neo
    import quantities as pq
    from elephant.statistics import Complexity

    observation = seen(rng.uniform(0, 2, (1, 40)), rng, background=1.0, duration=2)
    trains = [
        neo.SpikeTrain(np.sort(observation.times[observation.units == i]) * pq.s, t_stop=2 * pq.s)
        for i in range(40)
    ]
    units = Complexity(trains, sampling_rate=1 / (BIN * pq.s), tolerance=None).time_histogram
    units = units.magnitude.ravel().astype(int)
    assert count(observation) == (units * (units - 1) // 2).sum() > 100


def test_dithering_moves_every_spike_evenly_within_its_range(rng):
    observation = seen(np.full((100, 50), 3.0), rng, duration=6)
    moved = dithered(observation, 0.5, rng)
    assert stats.kstest(moved.times, stats.uniform(2.5, 1).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(moved.units, observation.units)
    np.testing.assert_array_equal(moved.trials, observation.trials)


def test_dithering_leaves_a_trial_evenly_filled_up_to_its_ends(rng):
    moved = dithered(seen(rng.uniform(0, 2, (200, 50)), rng, duration=2), 0.5, rng)
    assert stats.kstest(moved.times, stats.uniform(0, 2).cdf).pvalue > 1e-3


def test_shuffled_trials_keep_the_spikes_of_each_unit_and_break_what_they_share(rng):
    shared = np.repeat(rng.uniform(1, 5, (30, 1)), 10, axis=1)
    observation = seen(shared, rng, duration=6)
    shuffled = trials_shuffled(observation, rng)
    for unit in range(10):
        of_unit = [np.sort(each.times[each.units == unit]) for each in (observation, shuffled)]
        np.testing.assert_array_equal(*of_unit)
        assert len(set(shuffled.trials[shuffled.units == unit])) == 30
    assert count(shuffled) < count(observation) / 5


def test_a_p_value_counts_the_observation_among_its_surrogates(rng):
    observation = seen(np.ones((1, 2)), rng)
    values = iter([1.0, 3.0, 2.0, 5.0, 3.0])
    p = surrogate_p_value(
        observation, lambda _: next(values), lambda o, _: o, rng=rng, n_surrogates=4
    )
    assert p == (1 + 2) / (1 + 4), "the last value is the observed one, and two reach it"


@pytest.mark.parametrize("surrogate", [shift, trials_shuffled])
def test_independent_units_are_found_synchronous_as_often_as_the_level_says(surrogate, rng):
    spikes = experiments(200, lambda: rng.uniform(0, 6, (10, 15)), surrogate, rng, background=0.5)
    assert is_the_level(spikes)


@pytest.mark.parametrize("surrogate", [shift, trials_shuffled])
def test_a_packet_that_comes_at_another_time_in_each_trial_is_found(surrogate, rng):
    def packets():
        return rng.uniform(1, 5, (10, 1)) + 0.05 * rng.standard_normal((10, 15))

    assert np.mean(np.array(experiments(20, packets, surrogate, rng)) <= LEVEL) > 0.9


def test_units_that_only_follow_the_stimulus_are_synchronous_but_not_beyond_it(rng):
    """A packet at the same time in each trial: dithering finds it, shuffled trials do not."""

    def locked():
        return 3 + 0.05 * rng.standard_normal((10, 15))

    assert max(experiments(20, locked, shift, rng)) <= LEVEL
    assert is_the_level(experiments(200, locked, trials_shuffled, rng))


def test_a_rate_of_rejections_is_the_share_at_or_below_the_level():
    rate, (low, high) = rejection_rate([0.05, 0.01, 0.2, 0.9], 0.05)
    assert rate == 0.5
    assert 0 < low < 0.5 < high < 1
    assert rejection_rate([0.5] * 20)[0] == 0
    assert rejection_rate([0.5] * 20)[1][0] == 0


def test_the_interval_of_a_rate_is_wilsons():
    expected = stats.binomtest(7, 40).proportion_ci(method="wilson")
    _, found = rejection_rate([0.01] * 7 + [0.5] * 33)
    np.testing.assert_allclose(found, [expected.low, expected.high], rtol=1e-6)
    p, n, z = 7 / 40, 40, stats.norm.ppf(0.975)
    for end in found:  # where the observed share is z standard errors away
        assert abs(end - p) == pytest.approx(z * np.sqrt(end * (1 - end) / n))


def test_there_is_an_end_to_how_narrow_a_bin_may_be(rng):
    observation = seen([[0.05, 0.06, 0.08], [0.15, 0.21, 0.3]], rng, duration=6)
    for width in (5e-324, 1e-300, 1e-9):
        with pytest.raises(ValueError, match=r"^width must leave at most 100000000 bins in all"):
            coincidences(observation, width)
    assert coincidences(observation, 1e-3) <= coincidences(observation, 1.0)

"""The bootstrap against theory, and what it must keep together."""

import numpy as np
import pytest

from ttfslib.analysis.resampling import bootstrap_interval, hierarchical_interval


def test_of_a_mean_has_the_width_that_theory_gives():
    samples = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(np.mean, samples, rng=np.random.default_rng(1), n_resamples=4000)
    half = 1.96 * samples.std() / 20
    np.testing.assert_allclose([low, high], samples.mean() + np.array([-half, half]), atol=0.02)


def test_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        low, high = bootstrap_interval(
            np.mean, rng.normal(0, 1, 50), rng=rng, n_resamples=300, level=0.8
        )
        covered.append(low < 0 < high)
    assert np.mean(covered) == pytest.approx(0.8, abs=0.08)


def test_arrays_are_drawn_together_and_results_may_be_arrays():
    first = np.arange(20.0)

    def distance(a, b):
        return np.abs(a[:, None] - b).max(axis=0)

    low, high = bootstrap_interval(
        distance, first, np.stack([first, first], axis=1), rng=np.random.default_rng(0)
    )
    np.testing.assert_array_equal([low, high], np.zeros((2, 2)))


def test_a_higher_level_is_a_wider_interval_and_the_seed_repeats_it():
    samples = np.random.default_rng(0).random(30)
    intervals = [
        bootstrap_interval(np.median, samples, rng=np.random.default_rng(5), level=level)
        for level in (0.5, 0.9, 0.9)
    ]
    assert intervals[1] == intervals[2]
    assert intervals[1][0] < intervals[0][0] < intervals[0][1] < intervals[1][1]


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([], {}, r"^arrays must be one or more of the same length, not empty, got shapes \[\]"),
        ([np.ones(3), np.ones(4)], {}, r"got shapes \[\(3,\), \(4,\)\]"),
        ([np.ones(0)], {}, r"got shapes \[\(0,\)\]"),
        ([1.0], {}, r"got shapes \[\(\)\]"),
        ([np.ones(3)], {"rng": 0}, r"^rng must be a numpy\.random\.Generator, got int"),
        ([np.ones(3)], {"n_resamples": 0}, "^n_resamples must be at least 1"),
        ([np.ones(3)], {"level": 1.5}, r"^level must lie in \[0, 1\], got 1.5"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(np.mean, *arrays, **{"rng": np.random.default_rng(0), **options})


def test_a_hierarchical_interval_holds_the_spread_of_networks_and_of_samples():
    """Of the mean, the variance is the one between networks over their number, and the rest."""
    rng = np.random.default_rng(3)
    between, within, n_networks, n_samples = 0.5, 2.0, 40, 50
    data = rng.normal(rng.normal(3, between, (n_networks, 1)), within, (n_networks, n_samples))
    low, high = hierarchical_interval(np.mean, data, rng=rng, n_resamples=2000)
    # Means of networks already hold the spread of their samples; drawing samples adds it again.
    own = data.mean(axis=1).var() + within**2 / n_samples
    half = 1.96 * np.sqrt(own / n_networks)
    np.testing.assert_allclose([low, high], data.mean() + np.array([-half, half]), atol=0.1 * half)


def test_it_is_wider_than_an_interval_over_samples_where_networks_differ():
    data = np.random.default_rng(4).normal([[0.0], [1.0], [2.0]], 0.1, (3, 100))
    options = {"rng": np.random.default_rng(5), "n_resamples": 200}
    low, high = hierarchical_interval(np.mean, data, **options)
    pooled = bootstrap_interval(lambda x: x.mean(), data.T, **options)
    assert high - low > 5 * (pooled[1] - pooled[0])
    assert low < 0.5
    assert high > 1.5


def test_networks_may_have_different_numbers_of_samples_and_results_be_arrays():
    data = [np.full((5, 2), 1.0), np.full((9, 2), 1.0)]
    found = hierarchical_interval(lambda x: x.mean(axis=0), data, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("networks", "options", "message"),
    [
        ([np.ones(3)], {}, r"^networks must be two or more arrays of samples, not empty, got "),
        ([np.ones(3), np.ones(0)], {}, r"got shapes \[\(3,\), \(0,\)\]"),
        ([np.ones(3)] * 2, {"rng": 0}, r"^rng must be a numpy\.random\.Generator, got int"),
        ([np.ones(3)] * 2, {"n_resamples": 0}, "^n_resamples must be at least 1"),
        ([np.ones(3)] * 2, {"level": 1.5}, r"^level must lie in \[0, 1\], got 1.5"),
    ],
)
def test_wrong_networks_are_refused(networks, options, message):
    with pytest.raises(ValueError, match=message):
        hierarchical_interval(np.mean, networks, **{"rng": np.random.default_rng(0), **options})

"""The bootstrap against theory, and what it must keep together."""

import numpy as np
import pytest

from ttfslib.analysis.resampling import bootstrap_interval


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

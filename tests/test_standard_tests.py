"""The table of what elephant's tests find: whole, at their level, and made by its tool."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import standard_tests
from mnist import need_mnist
from scipy.stats import binomtest

from ttfslib import Observation, neo_trains, observe

needs_elephant = pytest.mark.skipif(
    importlib.util.find_spec("elephant") is None,
    reason="no elephant: pip install 'ttfslib[export]'",
)
pytestmark = pytest.mark.filterwarnings("ignore")  # elephant's
LABELS = np.repeat([3, 5], 20)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def seen(rng):
    """Forty trials of two digits, twelve units that fire when they like."""
    times = rng.uniform(0, 2, (40, 12))
    times[rng.random(times.shape) < 0.5] = np.inf
    return observe([times], [np.arange(12)], rng, duration=2.0)


def with_spikes(seen: Observation, trials, units, moment):
    """All of the units fire at one moment in each of the trials."""
    added = np.repeat(trials, len(units)), np.tile(units, len(trials))
    return replace(
        seen,
        times=np.concatenate([seen.times, np.full(len(added[0]), moment)]),
        trials=np.concatenate([seen.trials, added[0]]),
        units=np.concatenate([seen.units, added[1]]),
    )


def values():
    """What the table has, by the cells that name a row."""
    with standard_tests.TABLE.open(encoding="utf-8", newline="") as file:
        head, *found = csv.reader(file)
    assert tuple(head) == standard_tests.COLUMNS
    return {tuple(row[:-1]): np.array(row[-1].split(), float) for row in found}


def test_every_measure_has_its_row():
    found = values()
    rows = list(standard_tests.rows())
    assert list(found) == [standard_tests.key(row) for row in rows]
    for (design, _), numbers in zip(rows, found.values(), strict=True):
        assert len(numbers) == standard_tests.TOOLS[design.tool].n_experiments


@pytest.mark.parametrize("measure", standard_tests.PAIRS[:-1])
def test_independent_units_are_seldom_found_to_fire_together(measure):
    design = standard_tests.Design("pairs", "trained", "independent")
    p = values()[standard_tests.key((design, measure))]
    assert binomtest(int((p <= 0.05).sum()), len(p), 0.05, alternative="greater").pvalue > 0.01


def test_independent_units_have_few_patterns_and_no_sequence():
    patterns = standard_tests.Design(
        "spade", "trained", "independent", "hidden 4", counts="equal", n_trials=100
    )
    sequences = standard_tests.Design("asset", "trained", "independent", "probe", n_trials=6)
    found = values()
    n_patterns = found[standard_tests.key((patterns, "patterns"))]
    assert np.mean(n_patterns > 0) <= 0.3
    for measure in ("same digit", "other digit"):
        assert np.mean(found[standard_tests.key((sequences, measure))]) < 0.05


@needs_elephant
def test_trains_of_a_session_are_taken_apart_into_the_same_trials(seen):
    again = standard_tests.observed(neo_trains(seen), seen)
    for one, other in zip(in_rows(seen), in_rows(again), strict=True):
        np.testing.assert_allclose(one, other)


def in_rows(seen: Observation):
    order = np.lexsort([seen.times, seen.units, seen.trials])
    return seen.trials[order], seen.units[order], seen.times[order]


@needs_elephant
@pytest.mark.parametrize("method", standard_tests.SURROGATES)
def test_units_that_fire_together_differ_from_surrogates_of_elephant(seen, method):
    planted = with_spikes(seen, np.arange(0, 40, 3), np.arange(6), 1.1)
    assert standard_tests.by_elephant(planted, method) == 1 / (1 + standard_tests.N_SURROGATES)


@needs_elephant
@pytest.mark.parametrize("method", ["analytic_TrialByTrial", "analytic_TrialAverage"])
def test_a_pair_that_fires_together_is_a_unitary_event(seen, method):
    planted = with_spikes(seen, np.arange(0, 40, 5), np.array([1, 2]), 1.1)
    by_chance, together = (standard_tests.in_bins(each)[:, :4] for each in (seen, planted))
    bins = [5] if method == "analytic_TrialAverage" else slice(None)
    assert standard_tests.unitary_events(by_chance[..., bins], method) > 0.05
    assert standard_tests.unitary_events(together[..., bins], method) < 0.05


@needs_elephant
def test_counts_of_independent_units_have_no_order(seen):
    order = standard_tests.order_of(standard_tests.in_bins(seen))
    assert np.isnan(order) or order == 1
    planted = with_spikes(seen, np.arange(40), np.arange(10), 1.1)
    assert standard_tests.order_of(standard_tests.in_bins(planted)) > 2


@needs_elephant
def test_spade_finds_patterns_and_the_digit_that_they_come_back_with(seen, rng):
    planted = seen
    for trial in range(20):  # those that show the first digit
        planted = with_spikes(planted, [trial], rng.choice(8, 6, replace=False), 1.1)
    np.random.seed(0)  # noqa: NPY002
    for recording, has_some in ((seen, False), (planted, True)):
        measures = standard_tests.patterns(recording, LABELS, rng)
        found = dict(zip(standard_tests.PATTERNS, measures, strict=True))
        assert (found["patterns"] > 0) == has_some
        assert (found["digit of patterns"] <= 0.05) == has_some
        assert (found["exchanged"] <= 0.05) == has_some
    assert found["same digit"] > 0.9
    assert 3 <= found["units"] <= 8


@needs_elephant
def test_asset_finds_a_sequence_through_the_layers_of_trials_with_one_digit(rng):
    labels = np.array([0, 0, 1, 1])
    layers = [np.full((4, 40), np.inf) for _ in range(4)]
    for depth, layer in enumerate(layers):
        for digit, units in enumerate(np.split(rng.permutation(40), 2)):
            layer[np.ix_(labels == digit, units)] = 0.45 + 0.3 * depth
    seen = observe(layers, [np.arange(40)] * 4, rng, background=0.05, duration=6.0)
    same, other, n_layers, order = standard_tests.sequences(seen, labels, rng)
    assert (same, other) == (1, 0)
    assert n_layers == 4
    assert order > 0.9


def test_a_pattern_that_comes_back_with_every_digit_has_the_share_of_chance():
    everywhere = [np.arange(40)]
    assert standard_tests.same_digit(everywhere, LABELS) == pytest.approx(19 / 39)
    assert standard_tests.same_digit([np.arange(20)], LABELS) == 1
    assert np.isnan(standard_tests.same_digit([np.array([3])], LABELS))


@pytest.mark.slow
@needs_elephant
@pytest.mark.parametrize(
    ("design", "measure"),
    [
        (standard_tests.Design("asset", "trained", place="probe", n_trials=6), "same digit"),
        (
            standard_tests.Design(
                "spade", "trained", place="hidden 4", counts="equal", n_trials=100
            ),
            "digit",
        ),
    ],
)
def test_a_row_is_what_the_tool_makes_of_the_shipped_network(design, measure):
    need_mnist()
    import electrodes

    stored = values()[standard_tests.key((design, measure))][::5]
    spikes = electrodes.spikes_of("mnist-dale", 1, None)
    numbers = range(0, standard_tests.TOOLS[design.tool].n_experiments, 5)
    place = standard_tests.TOOLS[design.tool].measures.index(measure)
    found = [standard_tests.once(design, spikes, k)[place] for k in numbers]
    # Other processors round spike times otherwise, and a few bins may then hold other units.
    assert np.mean(np.abs(np.array(found) - stored) < 0.05) >= 0.5

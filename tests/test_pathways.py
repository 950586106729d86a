"""Pathways: every path counted by hand, planted ones found, what must not change them."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ttfslib.analysis.pathways import (
    causal_effects,
    chance_overlap,
    class_pathways,
    excitatory_effects,
    mean_overlap,
    n_carriers,
    overlap,
    random_sets,
    strongest,
)
from ttfslib.analysis.semantics import class_means
from ttfslib.readout import decided_class

INF = np.inf
quick = settings(max_examples=40)
SIZES = (4, 3, 5, 2)


def random_network(seed=0, n_samples=6):
    """Weights of both signs and spike times that no neuron model would give, some silent."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0.2, 1.0, shape) for shape in pairwise(SIZES)]
    layers = [rng.uniform(depth, depth + 2.5, (n_samples, n)) for depth, n in enumerate(SIZES)]
    for times in layers[:-1]:
        times[rng.random(times.shape) < 0.15] = INF
    return layers, weights


def shares(effect):
    total = effect.sum(axis=-1, keepdims=True)
    return np.divide(effect, total, out=np.zeros_like(effect), where=total > 0)


def count_paths(depth, weights, passes):
    """Add up the products of weights over every path from each neuron to each output."""
    effect = np.zeros((SIZES[-1], SIZES[depth]))
    for path in product(*map(range, SIZES[depth:])):
        steps = [(k, *step) for k, step in enumerate(pairwise(path), depth)]
        strengths = [max(weights[k][i, j], 0.0) * passes(k, i, j) for k, i, j in steps]
        effect[path[-1], path[0]] += np.prod(strengths)
    return effect


class TestWiring:
    def test_by_hand(self):
        first = np.array([[1.0, -5.0], [1.0, 3.0]])
        second = np.array([[2.0, 1.0, -1.0], [0.0, 1.0, -1.0]])
        below, above = excitatory_effects([first, second])
        np.testing.assert_allclose(above, [[1, 0], [0.5, 0.5], [0, 0]])
        np.testing.assert_allclose(below, [[0.5, 0.5], [0.2, 0.8], [0, 0]])

    @pytest.mark.parametrize("seed", range(3))
    def test_every_path_is_counted_once(self, seed):
        _, weights = random_network(seed)
        for depth, effect in enumerate(excitatory_effects(weights)):
            expected = shares(count_paths(depth, weights, lambda *_: True))
            np.testing.assert_allclose(effect, expected, atol=1e-12)

    def test_inhibitory_neurons_have_no_effect(self):
        _, weights = random_network()
        weights[1][1] = -np.abs(weights[1][1])
        assert (excitatory_effects(weights)[1][:, 1] == 0).all()

    def test_the_scale_of_a_layer_does_not_matter(self):
        _, weights = random_network()
        scaled = [1e-3 * weights[0], 1e200 * weights[1], 1e200 * weights[2]]
        for effect, expected in zip(
            excitatory_effects(scaled), excitatory_effects(weights), strict=True
        ):
            np.testing.assert_allclose(effect, expected, rtol=1e-12)


class TestCauses:
    def test_a_late_spike_and_a_dead_end_carry_nothing(self):
        weights = [np.eye(4), np.ones((4, 2))]
        hidden = [[1.0, 2.5, INF, 1.5]]  # the second comes after the decision, the third never
        inputs = [[0.0, 0.0, 0.0, 1.75]]  # the fourth only after the neuron it leads to
        below, above = causal_effects([inputs, hidden, [[3.0, 2.0]]], weights)
        np.testing.assert_array_equal(above, [[0.5, 0.0, 0.0, 0.5]])
        np.testing.assert_array_equal(below, [[1.0, 0.0, 0.0, 0.0]])

    def test_only_the_first_output_spike_is_explained(self):
        weights = [np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])]
        outputs = [[1.0, 2.0], [2.0, 1.0], [INF, INF]]
        (effect,) = causal_effects([np.zeros((3, 3)), outputs], weights)
        np.testing.assert_array_equal(effect, [[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 0]])

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("delay", [0.0, 0.3])
    def test_every_causal_path_is_counted_once(self, seed, delay):
        layers, weights = random_network(seed)
        delays = [delay * np.arange(n) for n in SIZES[:-1]]
        arriving = [times + late for times, late in zip(layers, delays, strict=False)]
        winners = decided_class(layers[-1])
        for depth, effect in enumerate(causal_effects(layers, weights, delays=delays)):
            for s, winner in enumerate(winners):
                paths = count_paths(
                    depth, weights, lambda k, i, j, s=s: arriving[k][s, i] < layers[k + 1][s, j]
                )
                np.testing.assert_allclose(effect[s], shares(paths[winner]), atol=1e-12)

    def test_a_spike_that_arrives_too_late_carries_nothing(self):
        layers, weights = [[[0.0, 0.1]], [[0.5]]], [[[1.0], [1.0]]]
        for delays, expected in (
            ([], [0.5, 0.5]),
            ([[0.0, 0.3]], [0.5, 0.5]),
            ([[0.0, 0.4]], [1, 0]),
        ):
            (effect,) = causal_effects(layers, weights, delays=delays)
            np.testing.assert_allclose(effect, [expected])

    def test_without_disorder_it_is_the_wiring(self):
        _, weights = random_network()
        layers = [np.full((2, n), float(depth)) for depth, n in enumerate(SIZES)]
        layers[-1] = np.array([[3.0, 4.0], [4.0, 3.0]])
        for causal, wired in zip(
            causal_effects(layers, weights), excitatory_effects(weights), strict=True
        ):
            np.testing.assert_allclose(causal, wired)

    @quick
    @given(seed=st.integers(0, 1000), shift=st.floats(-5, 5), data=st.data())
    def test_delays_units_and_the_order_of_neurons_do_not_matter(self, seed, shift, data):
        layers, weights = random_network(seed)
        expected = causal_effects(layers, weights)
        order = data.draw(st.permutations(range(SIZES[1])))
        layers[1] = layers[1][:, order]
        weights = [weights[0][:, order], 3 * weights[1][order], weights[2]]
        found = causal_effects([times + shift for times in layers], weights)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
        np.testing.assert_allclose(found[1], expected[1][:, order], atol=1e-12)
        np.testing.assert_allclose(found[2], expected[2], atol=1e-12)

    def test_a_silent_neuron_has_no_effect_and_shares_are_whole(self):
        layers, weights = random_network(n_samples=200)
        for times, effect in zip(layers, causal_effects(layers, weights), strict=False):
            assert (effect[np.isinf(times)] == 0).all()
            total = effect.sum(axis=1)
            assert (np.isclose(total, 1) | (total == 0)).all()
            assert np.isclose(total, 1).any()


def test_a_strong_synapse_that_never_fires_in_time_is_found_by_wiring_only():
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    weights = [np.array([[1.0, 0.1], [0.1, 1.0], [9.0, 9.0]])]
    inputs = np.stack([rng.random(20), rng.random(20), np.full(20, 5.0)], axis=1)
    outputs = np.where(np.eye(2)[labels] == 1, 2.0, 3.0)
    wired = class_pathways(excitatory_effects(weights), share=1 / 3)
    effects = [class_means(effect, labels) for effect in causal_effects([inputs, outputs], weights)]
    causal = class_pathways(effects, share=1 / 3)
    np.testing.assert_array_equal(wired[0], [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(causal[0], [[1, 0, 0], [0, 1, 0]])


def test_n_carriers():
    effects = np.array([[4.0, 0.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], [0.0] * 5])
    np.testing.assert_array_equal(n_carriers(effects, 0.4), [1, 2, 0])
    np.testing.assert_array_equal(n_carriers(effects), [2, 3, 0])
    np.testing.assert_array_equal(n_carriers(effects, 1.0), [4, 5, 0])
    np.testing.assert_array_equal(n_carriers(effects, 0.0), [0, 0, 0])
    np.testing.assert_array_equal(n_carriers(1e5 * effects), [2, 3, 0])


class TestSets:
    def test_pathways_are_the_most_effective_neurons(self):
        effects = [[0.1, 0.4, 0.3, 0.2], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0]]
        first, second = class_pathways([effects, np.eye(3)], share=0.5)
        np.testing.assert_array_equal(first, [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0]])
        np.testing.assert_array_equal(second, np.eye(3))

    @quick
    @given(
        effects=arrays(np.float64, (3, 10), elements=st.floats(0, 1)),
        share=st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0]),
    )
    def test_size_and_choice(self, effects, share):
        (sets,) = class_pathways([effects], share)
        sizes = np.minimum((effects > 0).sum(axis=1), np.ceil(10 * share))
        np.testing.assert_array_equal(sets.sum(axis=1), sizes)
        for chosen, effect in zip(sets, effects, strict=True):
            if chosen.any() and not chosen.all():
                assert effect[chosen].min() >= effect[~chosen].max()

    def test_strongest_takes_no_neuron_of_negative_score(self):
        scores = [[-0.5, 1.4, 0.0, 0.1], [0.3, 0.3, 0.3, 0.1]]
        np.testing.assert_array_equal(strongest(scores, 3), [[0, 1, 0, 1], [1, 1, 1, 0]])
        np.testing.assert_array_equal(strongest(scores, 1), [[0, 1, 0, 0], [1, 0, 0, 0]])
        np.testing.assert_array_equal(class_pathways([scores], 0.75)[0], strongest(scores, 3))

    @pytest.mark.parametrize(("n_living", "n_members"), [(300, 20), (80, 20), (20, 20)])
    def test_chance_is_larger_where_fewer_live(self, n_living, n_members):
        """Two sets of n of N neurons share n^2 / N in the mean."""
        pathway = np.zeros((10, 400), dtype=bool)
        pathway[:, :n_members] = True
        living = np.arange(400) < n_living
        rng = np.random.default_rng(0)
        found = chance_overlap(pathway, rng, candidates=living, n_draws=10)
        share = n_members / n_living
        assert found == pytest.approx(share / (2 - share), rel=0.1)

    def test_overlap_by_hand(self):
        sets = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
        third = 1 / 3
        np.testing.assert_allclose(overlap(sets), [[1, third, 0], [third, 1, 0], [0, 0, 1]])
        assert mean_overlap(sets) == pytest.approx(1 / 9)

    def test_overlap_with_nothing(self):
        sets = np.array([[1, 0], [0, 0], [0, 0]], dtype=bool)
        np.testing.assert_array_equal(
            overlap(sets), [[1, 0, 0], [0, np.nan, np.nan], [0, np.nan, np.nan]]
        )
        assert np.isnan(mean_overlap(sets))

    @quick
    @given(sets=arrays(np.bool_, (4, 7)))
    def test_overlap_is_that_of_sets(self, sets):
        members = [set(np.flatnonzero(row)) for row in sets]
        found = overlap(sets)
        for i, j in product(range(4), repeat=2):
            either = members[i] | members[j]
            if either:
                assert found[i, j] == len(members[i] & members[j]) / len(either)
            else:
                assert np.isnan(found[i, j])

    def test_random_sets_overlap_by_chance(self):
        pathway = np.zeros((40, 1000), dtype=bool)
        pathway[:, :100] = True
        assert mean_overlap(pathway) == 1.0
        found = mean_overlap(random_sets(pathway, np.random.default_rng(0)))
        assert found == pytest.approx(0.1 / 1.9, rel=0.05)

    def test_random_sets_have_the_sizes_and_stay_among_the_candidates(self):
        pathway = np.tri(5, 8, dtype=bool)
        candidates = np.arange(8) % 8 < 6
        counts = np.zeros(8)
        for seed in range(200):
            drawn = random_sets(pathway, np.random.default_rng(seed), candidates=candidates)
            np.testing.assert_array_equal(drawn.sum(axis=1), [1, 2, 3, 4, 5])
            counts += drawn.sum(axis=0)
        np.testing.assert_array_equal(counts[6:], 0)
        np.testing.assert_allclose(counts[:6], 200 * 15 / 6, rtol=0.15)

    def test_random_sets_repeat_with_the_seed(self):
        pathway = np.tri(5, 8, dtype=bool)
        first, again = (random_sets(pathway, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, again)


LAYERS, WEIGHTS = random_network()
RNG = np.random.default_rng(0)
SETS = np.tri(2, 3, dtype=bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: excitatory_effects([]), r"^weights must be matrices whose shapes chain, got \[\]"),
        (lambda: excitatory_effects(WEIGHTS[::-1]), r"^weights must .* got \[\(5, 2\), \(3, 5\)"),
        (lambda: excitatory_effects([[[np.nan]]]), r"^weights\[0\] must be finite"),
        (lambda: excitatory_effects([[1.0]]), r"^weights\[0\] must have 2 dimension"),
        (lambda: causal_effects([], WEIGHTS), r"^layers must be \[4, 3, 5, 2\] neurons .* \[\]"),
        (lambda: causal_effects(LAYERS[1:], WEIGHTS), r"^layers must .* got \[\(6, 3\), \(6, 5\)"),
        (
            lambda: causal_effects([LAYERS[0][:2], *LAYERS[1:]], WEIGHTS),
            r"^layers must .* for the same samples, got \[\(2, 4\), \(6, 3\)",
        ),
        (
            lambda: causal_effects([-INF * LAYERS[0], *LAYERS[1:]], WEIGHTS),
            r"^layers\[0\] must be finite",
        ),
        (
            lambda: causal_effects([[[0.0]], [[1.0]]], [[[1.0]]], delays=[[0.1, 0.2]]),
            r"^delays must be of shapes \[\(1,\)\], got \[\(2,\)\]",
        ),
        (
            lambda: causal_effects([[[0.0]], [[1.0]]], [[[1.0]]], delays=[[-0.5]]),
            "^delays must not be negative, got -0.5",
        ),
        (lambda: n_carriers([[-1.0]]), "^effects must not be negative, got -1.0"),
        (lambda: n_carriers([[1.0]], 2.0), r"^share must lie in \[0, 1\], got 2.0"),
        (lambda: class_pathways([[[1.0]]], 0.0), "^share must be positive"),
        (lambda: strongest([[1.0]], 0), "^n_neurons must be at least 1, got 0"),
        (lambda: chance_overlap(SETS, RNG, n_draws=0), "^n_draws must be at least 1, got 0"),
        (lambda: class_pathways([[1.0]]), r"^effects\[0\] must have 2 dimension"),
        (lambda: overlap(SETS.astype(int)), "^pathways must be booleans, any x any, got int64"),
        (lambda: overlap(SETS[0]), r"^pathways must be booleans, .* got bool of shape \(3,\)"),
        (lambda: mean_overlap(SETS[:1]), "^pathways must be of at least two classes"),
        (lambda: random_sets(SETS, 0), r"^rng must be a numpy.random.Generator"),
        (lambda: random_sets(SETS, RNG, candidates=[True]), "^candidates must be booleans, 3, got"),
        (
            lambda: random_sets(SETS, RNG, candidates=[True, False, False]),
            "^candidates must be at least 2 neurons, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

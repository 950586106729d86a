"""What a layer knows: by hand, against standard libraries, and by what must not change it."""

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics import mutual_info_score

from ttfslib.analysis.semantics import (
    class_means,
    mutual_information,
    representational_similarity,
    response,
    selectivity,
    separability,
)
from ttfslib.datasets import load_mnist
from ttfslib.encoding import latency_encode

INF = np.inf
quick = settings(max_examples=40)
LABELS = np.array([0, 1, 2, 0, 1, 2, 2, 0])

values = st.integers(0, 16).map(lambda k: k / 16)
layers = arrays(np.float64, (len(LABELS), 5), elements=values)


def random_layer(n_samples=60, n_neurons=7, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % n_classes)
    return rng.random((n_samples, n_neurons)) + 0.1 * labels[:, None], labels


def test_response_is_early_strong_late_weak_and_silent_zero():
    spikes = np.array([[0.0, math.log(2), 1.0, INF], [0.0, math.log(2), 1.0, INF]])
    np.testing.assert_allclose(
        response(spikes, [0.9, INF]), [[1, 0.5, 0, 0], [1, 0.5, math.exp(-1), 0]], rtol=1e-15
    )


def test_a_delay_multiplies_all_responses_by_one_factor():
    rng = np.random.default_rng(0)
    spikes, decision = rng.random((5, 6)), rng.random(5)
    np.testing.assert_allclose(
        response(spikes + 0.5, decision + 0.5), math.exp(-0.5) * response(spikes, decision)
    )


def test_class_means_by_hand():
    means = class_means([[1.0, 0.0], [3.0, 0.0], [5.0, 7.0]], [1, 1, 0])
    np.testing.assert_array_equal(means, [[5.0, 7.0], [2.0, 0.0]])


class TestSelectivity:
    def test_by_hand(self):
        responses = [[1.0, 1.0, 0.0, 0.75], [0.0, 1.0, 0.0, 0.25], [0.0, 1.0, 0.0, 0.25]]
        found = selectivity(responses, [0, 1, 2])
        np.testing.assert_array_equal(found, [1.0, 0.0, np.nan, 0.5])

    @quick
    @given(layer=layers, scale=st.sampled_from([0.125, 4.0]), data=st.data())
    def test_range_unit_and_names_of_classes_and_neurons(self, layer, scale, data):
        found = selectivity(layer, LABELS)
        assert ((found >= 0) & (found <= 1) | np.isnan(found)).all()
        np.testing.assert_array_equal(np.isnan(found), (layer == 0).all(axis=0))
        neurons = data.draw(st.permutations(range(layer.shape[1])))
        names = np.array(data.draw(st.permutations(range(3))))
        np.testing.assert_allclose(
            selectivity(scale * layer[:, neurons], names[LABELS]), found[neurons], atol=1e-14
        )

    def test_grows_with_the_distance_of_the_favorite(self):
        layer = np.array([[1.0, 1.0, 1.0], [0.9, 0.5, 0.1]])
        assert (np.diff(selectivity(layer, [0, 1])) > 0).all()


class TestInformation:
    def test_of_a_neuron_that_gives_the_class_away(self):
        n = 50
        spikes = np.full((n, 2), INF)
        labels = np.arange(n) % 2
        spikes[labels == 1, 0] = 1.0
        found = mutual_information(spikes, labels)
        # two classes, two responses and two cells: 1 + 1 - 1 spare cells
        np.testing.assert_allclose(found, [1 + 1 / (2 * n * math.log(2)), 0.0], atol=1e-12)

    def test_more_bins_than_samples_stay_empty(self):
        rng = np.random.default_rng(0)
        spikes, labels = rng.random((20, 3)), np.arange(20) % 2
        spikes[rng.random(spikes.shape) < 0.2] = np.inf
        expected = mutual_information(spikes, labels, 20)
        for n_bins in (21, 40, 2**62):
            np.testing.assert_allclose(mutual_information(spikes, labels, n_bins), expected)

    @pytest.mark.parametrize("n_bins", [1, 2, 5])
    def test_against_scikit_learn(self, n_bins):
        rng = np.random.default_rng(n_bins)
        n = 200
        labels = rng.permutation(np.arange(n) % 4)
        spikes = rng.random((n, 6)) + 0.3 * labels[:, None]
        spikes[:40] = INF
        for neuron, found in zip(spikes.T, mutual_information(spikes, labels, n_bins), strict=True):
            rank = neuron.argsort().argsort()
            bins = np.where(rank < 160, rank * n_bins // 160, -1)
            cells = [len(set(x)) for x in (bins, labels, zip(bins, labels, strict=True))]
            correction = (cells[0] + cells[1] - cells[2] - 1) / (2 * n)
            expected = (mutual_info_score(bins, labels) + correction) / math.log(2)
            assert found == pytest.approx(expected, abs=1e-12)

    def test_only_the_order_of_the_latencies_counts(self):
        spikes, labels = random_layer()
        spikes[::3, :2] = INF
        found = mutual_information(spikes, labels, n_bins=3)
        np.testing.assert_array_equal(mutual_information(np.exp(spikes), labels, 3), found)
        np.testing.assert_array_equal(mutual_information(spikes[:, ::-1], labels, 3), found[::-1])

    def test_latencies_tell_what_silence_does_not(self):
        rng = np.random.default_rng(0)
        labels = np.arange(400) % 2
        spikes = rng.normal(labels[:, None], 0.1, (400, 1))
        assert mutual_information(spikes, labels, n_bins=1) == pytest.approx(0, abs=0.01)
        assert mutual_information(spikes, labels, n_bins=2) == pytest.approx(1, abs=0.02)

    def test_silence_is_a_response(self):
        labels = np.arange(400) % 4
        spikes = np.where(labels == 0, 1.0, INF)[:, None]
        expected = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
        assert mutual_information(spikes, labels) == pytest.approx(expected, abs=0.01)

    def test_of_nothing_is_zero_on_average(self):
        rng = np.random.default_rng(0)
        labels = np.arange(500) % 5
        spikes = np.where(rng.random((500, 300)) < 0.3, INF, rng.random((500, 300)))
        found = mutual_information(spikes, labels)
        plug_in_bias = (9 - 1) * (5 - 1) / (2 * 500 * math.log(2))
        assert abs(found.mean()) < 4 * found.std() / math.sqrt(300) < plug_in_bias / 5
        assert found.min() < 0

    def test_equal_times_share_a_bin(self):
        labels = np.arange(60) % 2
        assert mutual_information(np.ones((60, 1)), labels) == 0.0


class TestSeparability:
    def test_by_hand(self):
        # within: 1, 1; between: 3^2, 4^2, 2^2, 3^2
        assert separability([[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]) == pytest.approx(9.5)

    @quick
    @given(layer=layers)
    def test_is_the_ratio_of_mean_squared_distances(self, layer):
        squared = pdist(layer, "sqeuclidean")
        same = pdist(LABELS[:, None], lambda a, b: a[0] == b[0]).astype(bool)
        within, between = squared[same].mean(), squared[~same].mean()
        if within > 0:
            assert separability(layer, LABELS) == pytest.approx(between / within)
        else:
            assert separability(layer, LABELS) == INF or not squared.any()

    def test_unit_origin_and_axes_do_not_matter(self):
        layer, labels = random_layer()
        rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))
        expected = separability(layer, labels)
        assert expected > 1.01
        assert separability(3 * layer @ rotation + 100, labels) == pytest.approx(expected)

    def test_permuted_labels_separate_nothing(self):
        layer, labels = random_layer(400)
        assert separability(layer, labels) > 1.1
        permuted = np.random.default_rng(0).permutation(labels)
        assert separability(layer, permuted) == pytest.approx(1, abs=0.02)

    @pytest.mark.skipif("TTFSLIB_DATA" not in os.environ, reason="TTFSLIB_DATA names no folder")
    def test_of_the_images_is_that_of_the_published_runs(self):
        # from the input spikes that the authors of arXiv 2508.12975 published, images 0 to 149
        images, labels = load_mnist("test")
        responses = response(latency_encode(images[:150]), INF)
        assert separability(responses, labels[:150]) == pytest.approx(1.318, abs=5e-4)

    def test_without_distance_within(self):
        assert separability([[0.1], [0.1], [0.1], [0.3]], [0, 0, 0, 1]) == INF
        assert math.isnan(separability(np.full((4, 2), 0.1), [0, 0, 1, 1]))


class TestSimilarity:
    def test_against_scipy(self):
        first, labels = random_layer(30)
        second = first[:, :3] ** 2
        found = representational_similarity([first, second, np.eye(4)[labels]])
        dissimilarities = [pdist(first), pdist(second), pdist(np.eye(4)[labels])]
        np.testing.assert_allclose(found, spearmanr(dissimilarities, axis=1).statistic, atol=1e-12)

    def test_same_geometry_in_other_coordinates(self):
        layer, _ = random_layer(30)
        rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))
        other, _ = random_layer(30, seed=5)
        found = representational_similarity([layer, 5 * layer[:, ::-1] @ rotation + 1, other])
        assert found[0, 1] == pytest.approx(1, abs=1e-6)
        assert found[0, 2] < 0.5

    def test_one_layer_and_one_that_tells_nothing_apart(self):
        layer, _ = random_layer(10)
        assert representational_similarity([layer]).shape == (1, 1)
        found = representational_similarity([layer, np.zeros((10, 3))])
        np.testing.assert_array_equal(np.isnan(found), [[False, True], [True, True]])


RESPONSES = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize("measure", [class_means, selectivity, separability, mutual_information])
@pytest.mark.parametrize(
    ("responses", "labels", "message"),
    [
        ([1.0, 2.0], [0, 1], "must have 2 dimension"),
        ([[np.nan], [1.0]], [0, 1], "must be finite.*got nan at index .0, 0."),
        (np.empty((0, 2)), [], "must not be empty"),
        (RESPONSES, [0, 1, 0], r"^labels must be 4 integers, got int64 of shape \(3,\)"),
        (RESPONSES, [0.0, 1.0, 0.0, 1.0], "^labels must be 4 integers, got float64"),
        (RESPONSES, [0, 2, 0, 2], r"^labels must be 0, 1, ... without gaps, got \[0, 2\]"),
        (RESPONSES, [-1, 0, 0, 1], r"^labels must be 0, 1, ... without gaps, got \[-1, 0, 1\]"),
    ],
)
def test_what_is_no_layer_or_no_class_is_refused(measure, responses, labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        measure(responses, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: selectivity(-RESPONSES, [0, 1, 0, 1]),
            "^responses must not be negative, got -7.0",
        ),
        (lambda: selectivity(RESPONSES, [0, 0, 0, 0]), "^labels must name at least two classes"),
        (lambda: separability(RESPONSES, [0, 0, 0, 0]), "^labels must have two samples of one"),
        (lambda: separability(RESPONSES, [0, 1, 2, 3]), r"^labels must .* of \[1, 1, 1, 1\] sam"),
        (lambda: mutual_information(RESPONSES, [0, 1, 0, 1], 0), "^n_bins must be at least 1"),
        (lambda: mutual_information(RESPONSES, [0, 1, 0, 1], 2.0), "^n_bins must be an integer"),
        (lambda: representational_similarity([]), "^layers must hold at least one layer"),
        (
            lambda: representational_similarity([RESPONSES, RESPONSES[:3]]),
            r"^layers must share three samples or more, got \[4, 3\] samples",
        ),
        (lambda: representational_similarity([RESPONSES[:2]]), "^layers must share three samples"),
        (lambda: response(RESPONSES, [1.0]), "^decision_time must be one time for each of 4"),
    ],
)
def test_options_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Pulse packets: by hand, by brute force, and by what must not change them."""

import os
from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ttfslib.analysis.synchrony import (
    MIN_SPIKES,
    activity,
    iqr,
    packet_statistics,
    pulse_packet,
    shorth,
    standard_deviation,
)
from ttfslib.datasets import load_mnist
from ttfslib.encoding import latency_encode
from ttfslib.readout import decided_class, decision_time

INF = np.inf
quick = settings(max_examples=40)
WIDTHS = [shorth, iqr, standard_deviation]
OF_SHARES = [partial(shorth, share=share) for share in (0.2, 0.9)]

# Quarters are exact in binary: invariances hold to the last bit.
times = st.integers(-40, 40).map(lambda k: k / 4)
spike_or_silence = times | st.just(INF)
trains = arrays(np.float64, st.integers(1, 12), elements=spike_or_silence)
layers = arrays(np.float64, (4, 9), elements=spike_or_silence)


def spikes_of(train):
    return train[np.isfinite(train)]


def shortest(train, share=Fraction(1, 2)):
    """Try every way to pick just over a share of the spikes."""
    spikes = spikes_of(train)
    held = min(int(share * len(spikes)) + 1, len(spikes))
    return min(max(chosen) - min(chosen) for chosen in combinations(spikes, held))


class TestDecision:
    def test_is_the_first_output_spike(self):
        np.testing.assert_array_equal(
            decision_time([[2.0, 1.5, INF], [INF, INF, 0.25], [INF, INF, INF]]), [1.5, 0.25, INF]
        )

    def test_packet_keeps_the_spike_at_the_decision_and_drops_later_ones(self):
        packet = pulse_packet([[0.5, 1.0, 1.25, INF], [0.5, 1.0, 1.25, INF]], [1.0, INF])
        np.testing.assert_array_equal(packet, [[0.5, 1.0, INF, INF], [0.5, 1.0, 1.25, INF]])

    def test_one_time_for_all_samples_is_enough(self):
        np.testing.assert_array_equal(
            pulse_packet([[1.0, 2.0], [3.0, 0.5]], 1.5), [[1, INF], [INF, 0.5]]
        )

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_spike_that_is_the_decision_survives_in_its_own_precision(self, dtype):
        output = np.random.default_rng(0).random((50, 10)).astype(dtype)
        packet = pulse_packet(output, decision_time(output))
        assert packet.dtype == dtype
        np.testing.assert_array_equal(np.isfinite(packet).sum(axis=1), 1)
        np.testing.assert_array_equal(packet.min(axis=1), output.min(axis=1))

    def test_decides_for_the_first_output_neuron_that_fires(self):
        times = [[2.0, 1.5, INF], [INF, INF, INF], [1.0, INF, 1.0]]
        np.testing.assert_array_equal(decided_class(times), [1, -1, 0])

    def test_packet_leaves_its_input_alone(self):
        given_times = np.array([[1.0, 2.0]])
        pulse_packet(given_times, [0.5])
        np.testing.assert_array_equal(given_times, [[1.0, 2.0]])


class TestByHand:
    train = np.array([0.0, 4.0, INF, 4.5, 5.0, 9.0, INF])

    def test_shorth(self):
        assert shorth(self.train) == 1.0

    def test_shorth_of_an_even_number_holds_more_than_half(self):
        assert shorth([0.0, 1.0, 3.0, 7.0]) == 3.0

    @pytest.mark.parametrize(
        ("share", "width"), [(0.1, 0.0), (0.25, 0.5), (0.5, 2.0), (0.75, 4.5), (0.8, 9.0), (1, 9.0)]
    )
    def test_shorth_of_another_share(self, share, width):
        assert shorth([INF, 0.0, 2.5, 3.0, 4.5, 9.0], share=share) == width

    def test_a_share_is_not_one_spike_short_by_rounding(self):
        rare = np.arange(100.0) ** 2
        assert 0.29 * 100 < 29
        assert shorth(rare, share=0.29) == rare[29]

    def test_iqr(self):
        assert iqr(self.train) == 1.0
        assert iqr([0.0, 1.0, 3.0, 7.0]) == 4.0 - 0.75

    def test_standard_deviation(self):
        assert standard_deviation([1.0, 1.0, INF, 3.0, 3.0]) == 1.0

    def test_activity(self):
        assert activity(self.train) == 5 / 7
        np.testing.assert_array_equal(activity([[INF, INF], [1.0, INF]]), [0.0, 0.5])
        np.testing.assert_array_equal(activity([[INF, INF], [1.0, INF]], axis=0), [0.5, 0.0])

    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("n", range(6))
    def test_fewer_than_four_spikes_have_no_width(self, width, n):
        train = np.full(8, INF)
        train[1 : n + 1] = 2.5
        assert (width(train) == 0.0) if n >= MIN_SPIKES else np.isnan(width(train))


class TestWidths:
    @quick
    @given(train=trains)
    def test_against_brute_force(self, train):
        spikes = spikes_of(train)
        if len(spikes) < MIN_SPIKES:
            expected = [np.nan] * 3
        else:
            expected = [
                shortest(train),
                np.subtract(*np.quantile(spikes, [0.75, 0.25])),
                spikes.std(),
            ]
        np.testing.assert_allclose(
            [width(train) for width in WIDTHS], expected, rtol=1e-12, atol=1e-12
        )

    @quick
    @given(train=trains, tenths=st.integers(1, 10))
    def test_shorth_of_any_share_against_brute_force(self, train, tenths):
        width = shorth(train, share=tenths / 10)
        if len(spikes_of(train)) < MIN_SPIKES:
            assert np.isnan(width)
        else:
            assert width == shortest(train, Fraction(tenths, 10))
            assert width <= shorth(train, share=min(tenths + 1, 10) / 10)

    @pytest.mark.parametrize("width", WIDTHS + OF_SHARES)
    @quick
    @given(layer=layers, shift=times, scale=st.sampled_from([0.25, 2.0, 8.0]))
    def test_shift_order_and_unit_of_time(self, width, layer, shift, scale):
        expected = width(layer)
        reordered = layer[:, np.random.default_rng(0).permutation(layer.shape[1])]
        np.testing.assert_allclose(width(reordered), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(width(layer + shift), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(width(scale * layer), scale * expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("width", WIDTHS + OF_SHARES)
    @quick
    @given(layer=layers)
    def test_rows_are_measured_one_by_one_along_any_axis(self, width, layer):
        expected = [width(row) for row in layer]
        np.testing.assert_allclose(width(layer), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(width(layer.T, axis=0), expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("width", WIDTHS + OF_SHARES)
    @quick
    @given(train=trains)
    def test_silent_neurons_do_not_matter(self, width, train):
        padded = width(np.append(train, [INF] * 3))
        np.testing.assert_allclose(padded, width(train), rtol=1e-12, atol=1e-12)

    @quick
    @given(train=trains)
    def test_shorth_and_iqr_are_no_longer_than_the_packet(self, train):
        spikes = spikes_of(train)
        if len(spikes) >= MIN_SPIKES:
            assert 0 <= shorth(train) <= np.ptp(spikes)
            assert 0 <= iqr(train) <= np.ptp(spikes)

    @pytest.mark.parametrize(
        ("width", "uniform", "gaussian"),
        [(shorth, 0.5, 1.349), (iqr, 0.5, 1.349), (standard_deviation, 12**-0.5, 1.0)],
    )
    def test_known_distributions(self, width, uniform, gaussian):
        rng = np.random.default_rng(0)
        assert width(rng.random(400_000)) == pytest.approx(uniform, rel=0.01)
        assert width(rng.standard_normal(400_000)) == pytest.approx(gaussian, rel=0.02)

    def test_stray_spikes_stretch_the_standard_deviation_but_not_the_shorth(self):
        sharp = np.linspace(1.0, 1.01, 100)
        stray = np.concatenate([sharp, np.linspace(0.0, 0.5, 40)])
        assert shorth(stray) < 0.01
        assert standard_deviation(stray) > 10 * standard_deviation(sharp)
        assert iqr(stray) > 10 * iqr(sharp)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_single_precision_times_lose_nothing(self, width):
        layer = np.random.default_rng(0).normal(1.0, 0.01, (5, 40)).astype(np.float32)
        np.testing.assert_array_equal(width(layer), width(layer.astype(np.float64)))


class TestStatistics:
    first = np.array([[0.0, 0.5, 1.0, 1.5, 3.0], [0.0, 0.0, INF, 0.5, 3.0], [INF] * 5])
    second = np.array([[1.0, 1.0, 1.5, 1.5], [3.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 2.5]])
    decision = np.array([2.0, 1.0, INF])

    def test_by_hand(self):
        found = packet_statistics([self.first, self.second], self.decision)
        np.testing.assert_array_equal(found.n_spikes, [[4, 4], [3, 0], [0, 4]])
        np.testing.assert_allclose(found.activity, [[0.8, 1.0], [0.6, 0.0], [0.0, 1.0]])
        np.testing.assert_array_equal(found.median, [[0.75, 1.25], [0.0, np.nan], [np.nan, 2.0]])
        np.testing.assert_array_equal(found.shorth, [[1.0, 0.5], [np.nan] * 2, [np.nan, 0.0]])
        np.testing.assert_array_equal(found.iqr, [[0.75, 0.5], [np.nan] * 2, [np.nan, 0.125]])
        np.testing.assert_allclose(
            found.sd, [[0.3125**0.5, 0.25], [np.nan] * 2, [np.nan, 0.75**0.5 / 4]]
        )
        np.testing.assert_array_equal(found.n_too_small, [2, 1])

    def test_means_are_over_the_samples_that_have_the_measure(self):
        means = packet_statistics([self.first, self.second], self.decision).mean()
        np.testing.assert_array_equal(means["shorth"], [1.0, 0.25])
        np.testing.assert_array_equal(means["median"], [0.375, 1.625])
        np.testing.assert_allclose(means["activity"], [1.4 / 3, 2 / 3])

    def test_a_silent_layer_has_no_mean_width(self):
        means = packet_statistics([np.full((3, 6), INF)], self.decision).mean()
        assert means["activity"] == [0.0]
        assert np.isnan([means["shorth"], means["iqr"], means["sd"], means["median"]]).all()

    @quick
    @given(first=layers, second=arrays(np.float64, (4, 6), elements=spike_or_silence), until=times)
    def test_agrees_with_the_single_functions(self, first, second, until):
        found = packet_statistics([first, second], until)
        for column, layer in enumerate([first, second]):
            packet = pulse_packet(layer, until)
            np.testing.assert_array_equal(found.activity[:, column], activity(packet))
            np.testing.assert_array_equal(found.shorth[:, column], shorth(packet))
            np.testing.assert_array_equal(found.iqr[:, column], iqr(packet))
            np.testing.assert_array_equal(found.sd[:, column], standard_deviation(packet))
            medians = [
                np.median(spikes_of(row)) if np.isfinite(row).any() else np.nan for row in packet
            ]
            np.testing.assert_array_equal(found.median[:, column], medians)

    def test_a_synfire_chain_that_sharpens_is_seen_to_sharpen(self):
        rng = np.random.default_rng(1)
        sigmas = [0.4, 0.2, 0.1, 0.05]
        chain = [rng.normal(depth, sigma, (50, 100)) for depth, sigma in enumerate(sigmas)]
        means = packet_statistics(chain, INF).mean()
        np.testing.assert_allclose(means["sd"], sigmas, rtol=0.03)
        np.testing.assert_allclose(means["median"], range(4), atol=0.02)
        assert (np.diff(means["shorth"]) < 0).all()

    @pytest.mark.skipif("TTFSLIB_DATA" not in os.environ, reason="TTFSLIB_DATA names no folder")
    def test_the_input_volley_is_as_wide_as_in_the_published_runs(self):
        # Measured on the spike times that the authors of arXiv 2508.12975 published with their
        # untrained network, which decides when all pixels have long been in: images 0 to 149.
        images, _ = load_mnist("test")
        means = packet_statistics([latency_encode(images[:150])], 3.0).mean()
        published = {"activity": 1.0, "median": 2.0, "shorth": 0.0, "iqr": 0.0178, "sd": 0.5331}
        found = {name: float(means[name][0]) for name in published}
        assert found == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize("width", [*WIDTHS, activity])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1.0, np.nan], r"times must be finite or \+inf \(silent\), got nan at index 1"),
        ([[1.0], [-INF]], r"times must be finite or \+inf \(silent\), got -inf at index \(1, 0\)"),
        ([], r"times must not be empty, got shape \(0,\)"),
        ("soon", "times must be an array of numbers, got str 'soon'"),
        (1.0, "axis must be one of 0 axes, got -1"),
    ],
)
def test_bad_times_are_refused(width, bad, message):
    with pytest.raises(ValueError, match=message):
        width(bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decision_time([1.0, 2.0]), "^output_times must have 2 dimension"),
        (lambda: decision_time([[np.nan]]), "^output_times must be finite"),
        (lambda: decided_class([[np.nan]]), "^output_times must be finite"),
        (lambda: decided_class([1.0]), "^output_times must have 2 dimension"),
        (lambda: pulse_packet([1.0, 2.0], 1.0), "^spike_times must have 2 dimension"),
        (lambda: pulse_packet([[1.0]], [np.nan]), "^decision_time must be finite"),
        (
            lambda: pulse_packet(np.ones((3, 2)), np.ones(2)),
            r"^decision_time must be one time for each of 3 samples, got shape \(2,\)",
        ),
        (lambda: packet_statistics([], 1.0), "^layers must hold at least one layer"),
        (
            lambda: packet_statistics([np.ones((3, 2)), np.ones((4, 2))], 1.0),
            r"^layers must all have the same number of samples, got \[3, 4\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

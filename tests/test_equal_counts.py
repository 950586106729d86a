"""Drawing the same number of spikes from packets of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttfslib import draw_spikes, shorth
from ttfslib.analysis.equal_counts import mean_widths


def packets(seed, n_samples=50, n_neurons=40):
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, 1, (n_samples, n_neurons))
    times[rng.random(times.shape) < rng.random((n_samples, 1))] = np.inf
    return times


@given(seed=st.integers(0, 10_000), n_spikes=st.integers(1, 40))
def test_it_draws_spikes_of_the_packet_each_at_most_once(seed, n_spikes):
    times = packets(seed)
    drawn = draw_spikes(times, n_spikes, np.random.default_rng(seed))
    assert drawn.shape == (len(times), n_spikes)
    for packet, few in zip(times, drawn, strict=True):
        if np.isfinite(packet).sum() < n_spikes:
            assert np.isinf(few).all()
        else:
            assert len(np.unique(few)) == n_spikes
            assert np.isin(few, packet[np.isfinite(packet)]).all()
            assert (np.diff(few) >= 0).all()


def test_every_spike_has_the_same_chance():
    packet = np.tile(np.arange(10.0), (20_000, 1))
    drawn = draw_spikes(packet, 3, np.random.default_rng(1))
    shares = np.bincount(drawn.astype(int).ravel()) / len(packet)
    # The standard error of each share is 0.0032.
    np.testing.assert_allclose(shares, 0.3, atol=0.015)


def test_a_packet_of_the_very_size_is_drawn_whole():
    packet = np.array([[0.3, np.inf, 0.1, 0.2]])
    drawn = draw_spikes(packet, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, [[0.1, 0.2, 0.3]])


def test_thinning_does_not_narrow_what_the_count_would():
    """Two packets of one distribution, 200 and 20 spikes, are equally wide at equal counts."""
    rng = np.random.default_rng(2)
    large, small = rng.normal(1, 0.1, (4000, 200)), rng.normal(1, 0.1, (4000, 20))
    widths = [shorth(draw_spikes(times, 12, rng)).mean() for times in (large, small)]
    assert widths[0] == pytest.approx(widths[1], rel=0.03)
    assert shorth(large).mean() > 1.1 * shorth(small).mean()


def test_the_generator_decides_and_the_dtype_stays():
    times = packets(3).astype(np.float32)
    first, again = (draw_spikes(times, 5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.1]], 0), "n_spikes must be at least 1"),
        (([[0.1]], 1.5), "n_spikes must be an integer"),
        (([0.1], 1), "packet must have 2 dimension"),
        (([[np.nan]], 1), "packet must be finite or"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_spikes(*arguments, np.random.default_rng(0))


def test_a_seed_is_no_generator():
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        draw_spikes([[0.1]], 1, 0)


def test_mean_widths_are_those_of_the_packets_that_are_large_enough():
    """The shorth of four spikes is that of three; one sample of the first layer has too few."""
    first = [[0.0, 0.1, 0.3, 0.7], [0.0, 0.1, np.inf, np.inf]]
    second = [[0.0, 0.2, 0.4, 0.9], [0.0, 0.1, 0.2, 9.0]]
    rng = np.random.default_rng(0)
    widths, n_measured = mean_widths([first, second, [[np.inf]] * 2], [1.0, 10.0], 4, rng)
    np.testing.assert_allclose(widths, [0.3, (0.4 + 0.2) / 2, np.nan])
    assert n_measured.tolist() == [1, 2, 0]

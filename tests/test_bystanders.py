"""Bystanders: planted twins are found, and where there are none it is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib.analysis.bystanders import matched_bystanders, presence

INF = np.inf
LABELS = np.arange(40) % 2


def twins(seed=0, n_pairs=5):
    """Neurons 0 to 4 fire as often and as early as 5 to 9; 10 to 14 fire as often, but later."""
    rng = np.random.default_rng(seed)
    times = np.tile(np.linspace(0.1, 0.9, n_pairs), 3)
    times[2 * n_pairs :] += 2
    volley = times + rng.uniform(-0.01, 0.01, (len(LABELS), 3 * n_pairs))
    return volley, np.arange(3 * n_pairs) < n_pairs


def test_presence_by_hand():
    packet = [[0.2, INF, 1.0, 0.5], [0.4, 0.6, INF, 0.5], [INF, INF, INF, 0.5]]
    sets = [[True, True, False, False], [True, True, False, False], [False] * 4]
    found = presence(packet, [0, 0, 1], sets[:2], candidates=[True, True, True, False])
    np.testing.assert_array_equal(found.n_neurons, [2, 2])
    np.testing.assert_allclose(found.rate, [0.75, 0.0])
    np.testing.assert_allclose(found.time, [0.4, np.nan])
    np.testing.assert_allclose(found.n_spikes, [1.5, 0.0])
    np.testing.assert_allclose(found.share, [0.75, np.nan])
    empty = presence(packet, [0, 0, 1], [sets[2]] * 2)
    np.testing.assert_allclose(empty.rate, [np.nan, np.nan])


def test_each_neuron_gets_its_twin():
    packet, members = twins()
    sets = np.stack([members, members])
    found = matched_bystanders(packet, LABELS, sets, rate=0.1, time=0.1)
    np.testing.assert_array_equal(found.sets, np.roll(sets, 5, axis=1))
    np.testing.assert_array_equal(found.exist, [True, True])
    np.testing.assert_array_equal(found.n_matched, [5, 5])


def test_neurons_that_fire_later_or_more_rarely_do_not_match():
    packet, members = twins()
    late_only = np.arange(15) >= 10
    rare = np.where(np.arange(40)[:, None] % 4 < 2, packet, INF)
    mixed = np.where(np.arange(15) < 5, packet, rare)
    sets = np.stack([members, members])
    for volley, pool in ((packet, late_only), (mixed, ~late_only)):
        found = matched_bystanders(volley, LABELS, sets, candidates=pool, rate=0.1, time=0.1)
        assert not found.exist.any()
        assert not found.sets.any()
        assert not found.n_matched.any()


def test_one_neuron_without_a_partner_is_enough():
    packet, members = twins()
    pool = np.arange(15) != 7
    found = matched_bystanders(packet, LABELS, [members] * 2, candidates=pool, time=0.1)
    np.testing.assert_array_equal(found.exist, [False, False])
    np.testing.assert_array_equal(found.n_matched, [4, 4])


def test_rates_are_those_of_the_class():
    """Twins in the samples of class 0 alone; neuron 1 is silent in class 1."""
    packet = np.full((40, 2), 0.5)
    packet[LABELS == 1, 1] = INF
    sets = np.array([[True, False], [True, False]])
    found = matched_bystanders(packet, LABELS, sets, rate=0.1, time=0.1)
    np.testing.assert_array_equal(found.exist, [True, False])


def test_pairing_does_not_waste_a_partner():
    """Neuron 0 matches 2 and 3, neuron 1 only 2, to which 0 is nearer."""
    packet = np.tile([0.50, 0.40, 0.49, 0.58], (4, 1))
    found = matched_bystanders(packet, [0, 0, 0, 0], [[True, True, False, False]], time=0.1)
    np.testing.assert_array_equal(found.sets, [[False, False, True, True]])


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), size=st.integers(1, 6))
def test_what_is_found_does_match(seed, size):
    rng = np.random.default_rng(seed)
    packet = rng.uniform(0, 1, (40, 30)) * rng.uniform(0, 1, 30)
    packet[rng.random(packet.shape) > rng.uniform(0, 1, 30)] = INF
    sets = np.argsort(rng.random((2, 30)), axis=1) < size
    pool = rng.random(30) < 0.8
    found = matched_bystanders(packet, LABELS, sets, candidates=pool, rate=0.2, time=0.2)
    assert not (found.sets & sets).any()
    assert not (found.sets & ~pool).any()
    theirs, ours = (presence(packet, LABELS, each) for each in (found.sets, sets))
    for c in np.flatnonzero(found.exist):
        assert theirs.n_neurons[c] == ours.n_neurons[c] == size
        assert abs(theirs.rate[c] - ours.rate[c]) <= 0.2 + 1e-12
        assert abs(theirs.n_spikes[c] - ours.n_spikes[c]) <= 0.2 * size + 1e-12
    assert (found.n_matched[~found.exist] < size).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, s: matched_bystanders(p, LABELS, s[:1]), r"^sets must be booleans, 2 x 15, got"),
        (lambda p, s: matched_bystanders(p, LABELS, s, rate=0.0), "^rate must be positive"),
        (lambda p, s: matched_bystanders(p, LABELS, s, time=-1.0), "^time must be positive"),
        (lambda p, s: presence(p, LABELS[1:], s), "^labels must be 40 integers"),
        (lambda p, s: presence(p, LABELS, s, candidates=[True]), "^candidates must be booleans"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message):
    packet, members = twins()
    with pytest.raises(ValueError, match=message) as caught:
        call(packet, np.stack([members, members]))
    assert "\n" not in str(caught.value)

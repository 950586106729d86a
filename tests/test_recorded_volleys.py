"""Whether layers and classes differ in what electrodes saw."""

import numpy as np
import pytest
from scipy import stats

from ttfslib import label_p_value, observe, width_p_value

LEVEL = 0.05


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def two_layers(rng, widths, n_trials=12, **options):
    """Gaussian packets of 20 units each; the second layer fires later."""
    layers = [
        2 * (i + 1) + width * rng.standard_normal((n_trials, 20)) for i, width in enumerate(widths)
    ]
    return observe(layers, [np.arange(20)] * 2, rng, duration=8, **options)


def p_of_width(observation, rng, **options):
    given = {"wide": 0, "narrow": 1, "n_spikes": 8, "n_permutations": 99} | options
    return width_p_value(observation, rng=rng, **given)


def is_the_level(p_values):
    n_rejected = int(np.sum(np.asarray(p_values) <= LEVEL))
    return stats.binomtest(n_rejected, len(p_values), LEVEL).pvalue > 1e-3


def test_a_narrower_layer_is_found(rng):
    observation = two_layers(rng, [0.3, 0.1], n_trials=40, jitter=0.05, background=0.2)
    assert p_of_width(observation, rng, n_spikes=12) == 0.01


def test_a_wider_layer_is_not_taken_for_a_narrower_one(rng):
    assert p_of_width(two_layers(rng, [0.1, 0.3]), rng) > 0.9


@pytest.mark.slow
def test_layers_of_one_width_differ_as_often_as_the_level_says(rng):
    """Although one of them fires later, and although units have latencies of their own."""
    latencies = 0.2 * rng.standard_normal(20)

    def experiment():
        layers = [c + latencies + 0.1 * rng.standard_normal((8, 20)) for c in (2, 4)]
        seen = observe(layers, [np.arange(20)] * 2, rng, duration=8, background=0.2)
        return p_of_width(seen, rng, n_permutations=39)

    assert is_the_level([experiment() for _ in range(200)])


def test_layers_without_enough_spikes_do_not_differ(rng):
    assert p_of_width(two_layers(rng, [0.3, 0.1], lost=1.0), rng) == 1
    assert p_of_width(two_layers(rng, [0.3, 0.1]), rng, n_spikes=21) == 1


def test_a_layer_without_units_cannot_be_compared(rng):
    with pytest.raises(ValueError, match=r"^narrow must be a layer with recorded units"):
        p_of_width(two_layers(rng, [0.3, 0.1]), rng, narrow=2)


def of_classes(rng, n_trials=15, share=0.0):
    """Trials of three classes; a share of the 30 units fires together for its class alone."""
    labels = np.arange(n_trials) % 3
    times = rng.uniform(0, 4, (n_trials, 30))
    tuned = np.arange(30) < round(30 * share)
    together = tuned & (np.arange(30) % 3 == labels[:, None])
    times[together] = 2.05 + 0.01 * rng.standard_normal(together.sum())
    return observe([times], [np.arange(30)], rng, duration=4), labels


def test_events_that_belong_to_a_class_are_found(rng):
    observation, labels = of_classes(rng, share=0.8)
    p = label_p_value(observation, labels, 0.1, rng=rng, n_permutations=99)
    assert p == 0.01


def test_events_of_chance_belong_to_a_class_as_often_as_the_level_says(rng):
    p_values = [
        label_p_value(*of_classes(rng), 0.1, rng=rng, n_permutations=39) for _ in range(300)
    ]
    assert is_the_level(p_values)


def test_silence_belongs_to_no_class(rng):
    silent = observe([np.full((6, 4), np.inf)], [np.arange(4)], rng, duration=1)
    assert label_p_value(silent, [0, 1, 0, 1, 0, 1], 0.1, rng=rng) == 1


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ([0] * 15, "labels must hold two classes, and one of them twice"),
        (list(range(15)), "labels must hold two classes, and one of them twice"),
        ([0, 1], "labels must be 15 integers, got int64 of shape (2,)"),
    ],
)
def test_labels_that_cannot_be_compared_are_one_line(rng, labels, complaint):
    observation, _ = of_classes(rng)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        label_p_value(observation, labels, 0.1, rng=rng)
    assert str(caught.value) == complaint

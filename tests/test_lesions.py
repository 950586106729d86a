"""Lesions of a network whose pathways were planted do what theory says."""

import numpy as np
import pytest
import torch

from ttfslib import TTFSNetwork
from ttfslib.analysis.lesions import another_class, dose_response, lesion, rest_of, silence
from ttfslib.analysis.pathways import (
    causal_effects,
    class_pathways,
    excitatory_effects,
    mean_overlap,
    random_sets,
)
from ttfslib.analysis.semantics import class_means
from ttfslib.functional import first_spike_times

INF = np.inf
N_CLASSES, GROUP = 3, 4
GROUPS = np.repeat(np.arange(N_CLASSES), GROUP) == np.arange(N_CLASSES)[:, None]
LABELS = np.arange(30) % N_CLASSES


def planted_weights(seed=0):
    """Strong synapses within the group of a class, weak ones of both signs across.

    A neuron needs e / 4 = 0.68 from each of four synchronous inputs to spike at all. Within the
    group it gets 1.0 from each: three of four still do, two do not.
    """
    rng = np.random.default_rng(seed)
    within = GROUPS.T.astype(float) @ GROUPS
    hidden = [within + rng.uniform(-0.03, 0.03, within.shape) for _ in range(2)]
    return [*hidden, GROUPS.T + rng.uniform(-0.03, 0.03, (N_CLASSES * GROUP, N_CLASSES))]


WEIGHTS = planted_weights()


def forward(layer, spike_times):
    """Spike times of all later layers."""
    times, later = torch.as_tensor(spike_times), []
    for weights in WEIGHTS[layer:]:
        times = first_spike_times(times, torch.as_tensor(weights, dtype=times.dtype))
        later.append(times.numpy())
    return later


def planted_layers():
    """The inputs of a sample's class are early, the others come long after the decision."""
    rng = np.random.default_rng(1)
    early = GROUPS[LABELS]
    inputs = np.where(early, rng.uniform(0, 0.1, early.shape), rng.uniform(20, 30, early.shape))
    return [inputs, *forward(0, inputs)]


LAYERS = planted_layers()


def causal_pathways():
    effects = causal_effects(LAYERS, WEIGHTS)
    return class_pathways([class_means(e, LABELS) for e in effects], share=1 / N_CLASSES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_rest_of_a_network_answers_from_any_layer_as_the_whole_does(dtype):
    as_given = [torch.as_tensor(matrix, dtype=dtype) for matrix in WEIGHTS]
    delays = [torch.linspace(0, 0.2, len(matrix), dtype=dtype) for matrix in WEIGHTS]
    for network in (
        TTFSNetwork.from_weights(as_given),
        TTFSNetwork.from_weights(as_given, delays=delays),
    ):
        whole = [each.detach().numpy() for each in network(torch.as_tensor(LAYERS[0], dtype=dtype))]
        for layer, times in enumerate([LAYERS[0], *whole[:-1]]):
            answers = rest_of(network)(layer, times)
            assert len(answers) == 3 - layer
            for found, expected in zip(answers, whole[layer:], strict=True):
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)


def test_delays_change_what_the_rest_of_a_network_answers():
    as_given = [torch.as_tensor(matrix) for matrix in WEIGHTS]
    late = [torch.full((len(matrix),), 0.5, dtype=torch.float64) for matrix in WEIGHTS]
    at_once = rest_of(TTFSNetwork.from_weights(as_given))(1, LAYERS[1])[-1]
    delayed = rest_of(TTFSNetwork.from_weights(as_given, delays=late))(1, LAYERS[1])[-1]
    np.testing.assert_allclose(delayed, at_once + 1.0)
    np.testing.assert_array_equal(at_once, forward(1, LAYERS[1])[-1])


def test_planted_pathways_are_found_by_wiring_and_by_causes():
    wired = class_pathways(excitatory_effects(WEIGHTS), share=1 / N_CLASSES)
    for by_wiring, by_causes in zip(wired, causal_pathways(), strict=True):
        np.testing.assert_array_equal(by_wiring, GROUPS)
        np.testing.assert_array_equal(by_causes, GROUPS)
        assert mean_overlap(by_causes) == 0


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_silencing_a_pathway_costs_its_class_and_no_other(layer):
    found = lesion(layer, LAYERS[layer], LABELS, causal_pathways()[layer], forward)
    np.testing.assert_array_equal(found.intact, LABELS)
    np.testing.assert_array_equal(found.loss, np.eye(N_CLASSES))


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize(("n_silenced", "loss"), [(0, 0), (1, 0), (2, 1), (4, 1)])
def test_a_pathway_bears_the_loss_of_what_its_threshold_can_spare(layer, n_silenced, loss):
    sets = GROUPS & (np.cumsum(GROUPS, axis=1) <= n_silenced)
    found = lesion(layer, LAYERS[layer], LABELS, sets, forward)
    np.testing.assert_array_equal(found.loss, loss * np.eye(N_CLASSES))


def test_everything_silenced_leaves_nothing_decided():
    found = lesion(2, LAYERS[2], LABELS, np.ones((1, GROUPS.shape[1]), dtype=bool), forward)
    np.testing.assert_array_equal(found.lesioned, -1)
    np.testing.assert_array_equal(found.loss, [[1.0] * N_CLASSES])


def test_random_sets_of_the_same_size_cost_a_class_less_than_its_pathway():
    rng = np.random.default_rng(2)
    losses = [
        np.diag(lesion(1, LAYERS[1], LABELS, random_sets(GROUPS, rng), forward).loss).mean()
        for _ in range(30)
    ]
    # a class is lost if two or more of its four neurons are among four of twelve: 201 in 495
    assert np.mean(losses) == pytest.approx(201 / 495, abs=4 * np.std(losses) / np.sqrt(30))
    assert np.mean(losses) < 0.6


def test_a_lesion_may_help():
    # two inputs; the second one drives the wrong output earlier than the first the right one
    def decide_by_input(_layer, times):
        return [times[:, :2]]

    times = np.array([[2.0, 1.0], [2.0, 1.0]])
    found = lesion(0, times, [0, 1], np.array([[False, True], [True, False]]), decide_by_input)
    np.testing.assert_array_equal(found.intact, [1, 1])
    np.testing.assert_array_equal(found.lesioned, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(found.loss, [[-1.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_takes_only_those_spikes_and_leaves_its_input_alone(dtype):
    times = np.array([[1.0, 2.0, INF], [3.0, 4.0, 5.0]], dtype=dtype)
    silenced = silence(times, np.array([False, True, False]))
    assert silenced.dtype == dtype
    np.testing.assert_array_equal(silenced, [[1.0, INF, INF], [3.0, INF, 5.0]])
    assert np.isfinite(times).sum() == 5


def test_forward_receives_the_layer_and_its_spikes_in_their_precision():
    seen = []

    def record(layer, times):
        seen.append((layer, times.dtype))
        return forward(layer, times)

    lesion(1, LAYERS[1].astype(np.float32), LABELS, GROUPS[:1], record)
    assert seen == [(1, np.float32)] * 2


def test_silence_may_differ_from_sample_to_sample():
    times = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    silenced = silence(times, [[True, False, False], [False, False, True]])
    np.testing.assert_array_equal(silenced, [[INF, 2.0, 3.0], [1.0, 2.0, INF]])


@pytest.mark.parametrize("layer", [1, 2])
def test_the_dose_at_which_a_planted_class_is_lost(layer):
    """Three of four neurons of a group still carry their class, two do not."""
    rng = np.random.default_rng(0)
    scores = GROUPS + rng.uniform(-0.5, -0.1, GROUPS.shape)
    own, other = (
        dose_response(layer, LAYERS[layer], LABELS, scores, [1, 2, 4, 12], forward, targets=those)
        for those in (None, another_class(LABELS, rng))
    )
    np.testing.assert_array_equal(own.mean(axis=1), [0, 1, 1, 1])
    np.testing.assert_array_equal(other, np.zeros((4, len(LABELS))))


def test_a_rule_that_names_the_wrong_neurons_costs_the_others():
    scores = np.roll(GROUPS, 1, axis=0).astype(float)
    others = another_class(LABELS, np.random.default_rng(0))
    layer, sizes = LAYERS[1], [4]
    own = dose_response(1, layer, LABELS, scores, sizes, forward)
    other = dose_response(1, layer, LABELS, scores, sizes, forward, targets=others)
    assert not own.any()
    np.testing.assert_array_equal(other[0], (others - 1) % N_CLASSES == LABELS)


def test_what_is_known_of_the_intact_network_is_not_computed_again():
    seen = []

    def count(layer, times):
        seen.append(layer)
        return forward(layer, times)

    given = (1, LAYERS[1], LABELS, GROUPS.astype(float), [1, 4], count)
    expected = dose_response(*given)
    np.testing.assert_array_equal(dose_response(*given, intact=LABELS), expected)
    assert len(seen) == 3 + 2
    np.testing.assert_array_equal(
        dose_response(*given, intact=np.full(len(LABELS), -1)), expected - 1
    )


def test_another_class_is_any_other_class():
    drawn = another_class(np.tile(LABELS, 100), np.random.default_rng(0))
    counts = np.zeros((N_CLASSES, N_CLASSES))
    np.add.at(counts, (np.tile(LABELS, 100), drawn), 1)
    assert (np.diag(counts) == 0).all()
    np.testing.assert_allclose(counts[~np.eye(N_CLASSES, dtype=bool)], 500, rtol=0.15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: dose_response(1, LAYERS[1], LABELS, GROUPS[:2], [1], forward),
            r"^scores must be 3 classes x 12 neurons, got shape \(2, 12\)",
        ),
        (
            lambda: dose_response(1, LAYERS[1], LABELS, GROUPS, [], forward),
            "^sizes must hold at least one number of neurons, got none",
        ),
        (
            lambda: another_class([0, 0], np.random.default_rng(0)),
            "^labels must be of at least two",
        ),
        (lambda: rest_of(forward), "^network must be a TTFSNetwork, got function"),
        (
            lambda: rest_of(TTFSNetwork([2, 2]))(1, [[0.0, 0.0]]),
            "^layer must be at most 0, got 1",
        ),
        (lambda: rest_of(TTFSNetwork([2, 2]))(0, [0.0]), "^spike_times must have 2 dimension"),
        (lambda: silence([1.0], [True]), "^spike_times must have 2 dimension"),
        (lambda: silence([[np.nan]], [True]), "^spike_times must be finite"),
        (lambda: silence([[1.0, 2.0]], [True]), r"^neurons must be booleans, 2, got bool of sha"),
        (lambda: silence([[1.0, 2.0]], [0, 1]), r"^neurons must be booleans, 2, got int64"),
        (
            lambda: lesion(1, LAYERS[1], LABELS, GROUPS[:, 1:], forward),
            r"^sets must be booleans, any x 12, got bool of shape \(3, 11\)",
        ),
        (lambda: lesion(1, LAYERS[1], LABELS[1:], GROUPS, forward), "^labels must be 30 integers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

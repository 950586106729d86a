"""Transplants in a network whose pathways were planted: what is put in acts, along its path."""

import numpy as np
import pytest
from test_lesions import GROUPS, LABELS, LAYERS, N_CLASSES, WEIGHTS, forward

from ttfslib.analysis.transplants import patch_path, transplant
from ttfslib.readout import decided_class

INF = np.inf
DONORS = np.roll(np.arange(len(LABELS)), 1)  # a sample of another class for each
HOST, DONOR = LABELS, LABELS[DONORS]
BOTH = GROUPS[HOST] | GROUPS[DONOR]


def answer(layer, volley):
    return decided_class(forward(layer, volley)[-1])


def in_both(layer):
    return LAYERS[layer], LAYERS[layer][DONORS]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_by_hand(dtype):
    hosts = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, INF]], dtype=dtype)
    donors = np.array([[0.7, INF, 0.9], [1.0, 1.1, 1.2]])
    everywhere = transplant(hosts, donors, [False, True, True])
    each = transplant(hosts, donors, [[True, False, False], [False, False, True]])
    assert everywhere.dtype == each.dtype == dtype
    np.testing.assert_array_equal(everywhere, np.array([[0.1, INF, 0.9], [0.4, 1.1, 1.2]], dtype))
    np.testing.assert_array_equal(each, np.array([[0.7, 0.2, 0.3], [0.4, 0.5, 1.2]], dtype))


def test_all_and_nothing():
    hosts, donors = in_both(1)
    np.testing.assert_array_equal(transplant(hosts, donors, np.ones(12, bool)), donors)
    np.testing.assert_array_equal(transplant(hosts, donors, np.zeros(12, bool)), hosts)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_sets_of_both_classes_make_the_donor_and_any_others_the_host(layer):
    np.testing.assert_array_equal(answer(layer, transplant(*in_both(layer), BOTH)), DONOR)
    np.testing.assert_array_equal(answer(layer, transplant(*in_both(layer), ~BOTH)), HOST)


def test_two_pathways_race():
    """With the donor's volley beside the host's, the earlier of the two decides."""
    for lead, winner in ((0.2, DONOR), (-0.2, HOST)):
        hosts, donors = in_both(1)
        volley = transplant(hosts, donors - lead, GROUPS[DONOR])
        np.testing.assert_array_equal(answer(1, volley), winner)


@pytest.mark.parametrize("layer", [0, 1])
def test_the_effect_runs_along_the_planted_path_alone(layer):
    volley = transplant(*in_both(layer), BOTH)
    later = LAYERS[layer + 1 : -1]
    for path, expected in ((BOTH, DONOR), (~BOTH, HOST), (np.ones(12, bool), DONOR)):
        outputs = patch_path(layer, volley, later, [path] * len(later), forward)
        np.testing.assert_array_equal(decided_class(outputs), expected)


def test_without_further_layers_the_output_answers_to_the_volley():
    volley = transplant(*in_both(2), BOTH)
    outputs = patch_path(2, volley, [], [], forward)
    np.testing.assert_array_equal(outputs, forward(2, volley)[-1])


def test_a_path_of_all_neurons_is_the_network():
    volley = transplant(*in_both(0), GROUPS[DONOR])
    outputs = patch_path(0, volley, LAYERS[1:-1], [np.ones(12, bool)] * 2, forward)
    np.testing.assert_array_equal(outputs, forward(0, volley)[-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: transplant([[0.1]], [[0.1, 0.2]], [True]),
            r"^donors must have the shape of hosts",
        ),
        (
            lambda: transplant([[0.1]], [[0.1]], [[True], [True]]),
            "^neurons must be booleans, 1 x 1",
        ),
        (lambda: patch_path(0, LAYERS[0], LAYERS[1:2], [], forward), "^paths must be 1, one for"),
        (
            lambda: patch_path(0, LAYERS[0], [LAYERS[1][:2]], [GROUPS[0]], forward),
            r"^hosts must have the shape of the answers \(30, 12\), got \(2, 12\)",
        ),
        (
            lambda: patch_path(0, LAYERS[0], LAYERS[1:2], [GROUPS], forward),
            r"^paths must be booleans, 30 x 12, got bool of shape \(3, 12\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_planted_network_has_what_these_tests_need():
    assert N_CLASSES == 3
    assert len(WEIGHTS) == 3
    assert (HOST != DONOR).all()

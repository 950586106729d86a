"""The decoder finds what was planted, when it was planted, and nothing else."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ttfslib.analysis.decoding import decode, decode_until
from ttfslib.analysis.semantics import response

INF = np.inf
N_SAMPLES, N_CLASSES = 120, 3
LABELS = np.random.default_rng(0).permutation(np.arange(N_SAMPLES) % N_CLASSES)


def planted_spikes(n_neurons=6, seed=0):
    """One neuron for each class that is early for it; the others fire at random."""
    rng = np.random.default_rng(seed)
    spikes = rng.uniform(1.0, 2.0, (N_SAMPLES, n_neurons))
    spikes[np.arange(N_SAMPLES), LABELS] = rng.uniform(0.0, 0.5, N_SAMPLES)
    return spikes


def test_separate_classes_are_found_and_permuted_labels_are_not():
    found = decode(response(planted_spikes(), INF), LABELS)
    np.testing.assert_array_equal(found.accuracy, 1.0)
    assert found.baseline.shape == (5,)
    assert abs(found.baseline.mean() - 1 / N_CLASSES) < 4 * np.sqrt(2 / 9 / N_SAMPLES)


def test_noise_is_not_decoded_even_from_more_neurons_than_samples():
    noise = np.random.default_rng(1).random((N_SAMPLES, 3 * N_SAMPLES))
    accuracy = decode(noise, LABELS).accuracy.mean()
    assert abs(accuracy - 1 / N_CLASSES) < 4 * np.sqrt(2 / 9 / N_SAMPLES)


def test_what_was_not_asked_for_is_no_number():
    options = {"n_splits": 3, "seed": 5}
    whole = decode(planted_spikes(), LABELS, **options)
    half = decode(planted_spikes(), LABELS, **options, baseline=False)
    np.testing.assert_array_equal(half.accuracy, whole.accuracy)
    np.testing.assert_array_equal(half.baseline, [np.nan] * 3)


def test_a_delay_of_all_spikes_changes_nothing():
    spikes = planted_spikes(seed=2) + 0.6 * np.random.default_rng(3).random((N_SAMPLES, 6))
    first = decode(response(spikes, 1.5), LABELS)
    later = decode(response(spikes + 3, 4.5), LABELS)
    np.testing.assert_array_equal(first.accuracy, later.accuracy)
    np.testing.assert_array_equal(first.baseline, later.baseline)


def test_the_seed_decides_the_folds_and_nothing_else_does():
    responses = np.random.default_rng(4).random((N_SAMPLES, 4))
    first, again, other = (decode(responses, LABELS, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.accuracy, again.accuracy)
    np.testing.assert_array_equal(first.baseline, again.baseline)
    assert (first.accuracy != other.accuracy).any()


def test_a_decoder_sees_all_neurons_under_their_numbers():
    """Those that never fire among them."""
    known = (LABELS == 1).astype(int)
    responses = np.column_stack([np.zeros(N_SAMPLES), known])
    silent, told = (
        make_pipeline(ColumnTransformer([("one", "passthrough", [i])]), KNeighborsClassifier(1))
        for i in (0, 1)
    )
    np.testing.assert_array_equal(decode(responses, known, decoder=told).accuracy, 1.0)
    assert decode(responses, known, decoder=silent).accuracy.mean() < 0.8


@pytest.mark.parametrize("decoder", [Ridge(), KMeans(2), KNeighborsClassifier, "ridge"])
def test_what_is_no_classifier_is_refused(decoder):
    with pytest.raises(ValueError, match="decoder must be a scikit-learn classifier"):
        decode(response(planted_spikes(), INF), LABELS, decoder=decoder)


def test_without_any_response_there_is_nothing_to_read():
    found = decode(np.zeros((N_SAMPLES, 4)), LABELS)
    np.testing.assert_allclose(found.accuracy, 1 / N_CLASSES, atol=0.05)


def test_the_accuracy_is_that_of_scikit_learn():
    responses = response(planted_spikes(), INF) + np.random.default_rng(7).random((N_SAMPLES, 6))
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    neighbor = KNeighborsClassifier(3)
    expected = cross_val_score(neighbor, responses, LABELS, cv=folds)
    found = decode(responses, LABELS, n_splits=4, seed=3, decoder=neighbor)
    assert 0.4 < expected.mean() < 0.95
    np.testing.assert_array_equal(found.accuracy, expected)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_neurons", [3, 20, 300])
@pytest.mark.parametrize("penalty", [0.1, 30])
def test_a_number_is_the_penalty_of_a_ridge_regression(n_classes, n_neurons, penalty):
    """As scikit-learn's, with fewer neurons than samples and with more, two of them constant."""
    rng = np.random.default_rng(8)
    labels = rng.permutation(np.arange(N_SAMPLES) % n_classes)
    means = rng.standard_normal((n_classes, n_neurons)) / np.sqrt(n_neurons)
    responses = np.exp(means[labels] + rng.standard_normal((N_SAMPLES, n_neurons)))
    responses[:, :2] = 0.0, 0.3
    ridge = make_pipeline(StandardScaler(), RidgeClassifier(alpha=penalty))
    found, expected = (decode(responses, labels, decoder=how) for how in (penalty, ridge))
    assert 0.2 < expected.accuracy.mean() < 1
    np.testing.assert_array_equal(found.accuracy, expected.accuracy)
    np.testing.assert_array_equal(found.baseline, expected.baseline)


@pytest.mark.parametrize("size", [0.0, 1e-200])
def test_a_ridge_regression_without_any_response_finds_nothing(size):
    """Nor with responses so small that their spread is zero."""
    responses = size * np.random.default_rng(9).random((N_SAMPLES, 4))
    found = decode(responses, LABELS, decoder=1.0)
    np.testing.assert_allclose(found.accuracy, 1 / N_CLASSES, atol=0.05)


def test_a_penalty_that_leaves_equal_neurons_undecided_is_named():
    responses = np.repeat(np.random.default_rng(9).random((N_SAMPLES, 1)), 2, axis=1)
    decode(responses, LABELS, decoder=1e-6)
    with pytest.raises(ValueError, match=r"^decoder must be larger for these responses, got 1e-30"):
        decode(responses, LABELS, decoder=1e-300)


def test_another_decoder_may_be_brought_along():
    # classes 0 and 1 alternate along one line: nothing for a linear decoder
    position = np.random.default_rng(5).permutation(200) / 10
    labels = (position.astype(int) % 2).astype(int)
    linear = decode(position[:, None], labels)
    neighbor = decode(position[:, None], labels, decoder=KNeighborsClassifier(1))
    assert linear.accuracy.mean() < 0.65
    assert neighbor.accuracy.mean() > 0.85


def test_every_fold_holds_the_classes_in_equal_shares():
    guess = DummyClassifier(strategy="constant", constant=0)
    found = decode(planted_spikes(), LABELS, n_splits=4, decoder=guess)
    np.testing.assert_allclose(found.accuracy, np.full(4, 1 / 3))


def test_the_class_is_known_once_its_spikes_have_come():
    spikes = planted_spikes()
    before, after, stopped = (
        *decode_until(spikes, LABELS, [-0.5, 1.0], n_splits=3),
        *decode_until(spikes, LABELS, [1.0], decision_time=np.full(N_SAMPLES, -1.0), n_splits=3),
    )
    np.testing.assert_allclose(before.accuracy, 1 / N_CLASSES, atol=0.01)
    np.testing.assert_array_equal(after.accuracy, 1.0)
    np.testing.assert_array_equal(stopped.accuracy, before.accuracy)


def test_decoding_up_to_the_end_is_decoding():
    spikes = planted_spikes()
    (found,) = decode_until(spikes, LABELS, [9.0], decision_time=1.2)
    expected = decode(response(spikes, 1.2), LABELS)
    np.testing.assert_array_equal(found.accuracy, expected.accuracy)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (LABELS[1:], {}, "^labels must be 120 integers"),
        (np.zeros(N_SAMPLES, int), {}, r"^labels must name two classes .* of \[120\] samples"),
        (np.append(np.arange(4) == 0, np.zeros(116)).astype(int), {}, r"of \[119, 1\] samples"),
        (LABELS, {"n_splits": 1}, "^n_splits must be at least 2"),
        (LABELS, {"n_splits": 41}, r"n_splits = 41 samples each, got .*\[40, 40, 40\]"),
        (LABELS, {"seed": -1}, "^seed must be at least 0"),
        (LABELS, {"seed": None}, "^seed must be an integer"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused(labels, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        decode(planted_spikes(), labels, **options)
    assert "\n" not in str(caught.value)

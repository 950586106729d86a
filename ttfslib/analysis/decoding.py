"""Reading the class out of a layer: cross-validated linear decoding, also over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.semantics import response

IntArray = NDArray[np.int64]

MAX_SEED = 2**32 - 1
"""Of scikit-learn's folds."""


@dataclass(frozen=True)
class Decoding:
    """Accuracy of a decoder, fold by fold.

    Attributes
    ----------
    accuracy
        Share of the held-out samples whose class was found, shape (n_splits,).
    baseline
        The same after the labels were permuted, shape (n_splits,); NaN if it was not asked for.
    """

    accuracy: FloatArray
    baseline: FloatArray


def decode(
    responses: ArrayLike,
    labels: ArrayLike,
    *,
    n_splits: int = 5,
    seed: int = 0,
    decoder: Any = None,
    baseline: bool = True,
) -> Decoding:
    """Read the class out of a layer with a linear decoder, cross-validated.

    The samples are split into `n_splits` folds that have the classes in equal shares; each fold
    is predicted by a decoder fitted to the others.

    Parameters
    ----------
    responses : array_like, shape (n_samples, n_neurons)
        Any finite numbers; see :func:`~ttfslib.analysis.semantics.response`.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., at least two, each with at least `n_splits` samples.
    n_splits : int
        Folds, at least two.
    seed : int
        Of the folds and of the permuted labels; below 2^32.
    decoder : scikit-learn classifier or float, optional
        By default logistic regression on standardized responses, which makes it blind to their
        unit, with an L2 penalty (C = 0.03) that suits more neurons than samples as well. A number
        is the penalty of a ridge regression on standardized responses, to 1 for the class and -1
        for all others; it has a closed form and is fitted in a fraction of the time.
    baseline : bool
        Whether to decode permuted labels as well, which takes as long again.

    Returns
    -------
    Decoding

    Raises
    ------
    ValueError
        If a class has fewer samples than folds, if there is only one class, or as for
        :func:`~ttfslib.analysis.semantics.class_means`.
    """
    from sklearn.model_selection import StratifiedKFold

    values, classes = _checks.labelled(responses, labels)
    n_splits = _checks.integer("n_splits", n_splits, minimum=2)
    seed = _checks.integer("seed", seed, minimum=0, maximum=MAX_SEED)
    baseline = _checks.truth("baseline", baseline)
    sizes = np.bincount(classes)
    if len(sizes) < 2 or sizes.min() < n_splits:
        raise ValueError(
            f"labels must name two classes or more with at least n_splits = {n_splits} samples "
            f"each, got classes of {sizes.tolist()} samples"
        )
    score = _scorer(decoder)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    permuted = np.random.default_rng(seed).permutation(classes)
    with _threads().limit(limits=1, user_api="blas"):  # in fits so small, threads wait for others
        accuracy = score(values, classes, folds)
        if not baseline:
            return Decoding(accuracy, np.full(n_splits, np.nan))
        return Decoding(accuracy, score(values, permuted, folds))


def _scorer(decoder: Any) -> Callable[[FloatArray, IntArray, Any], FloatArray]:
    """What a decoder scores, fold by fold, on values, classes and folds."""
    from sklearn.base import BaseEstimator, is_classifier
    from sklearn.model_selection import cross_val_score

    if isinstance(decoder, Real):
        penalty = _checks.positive("decoder", decoder)
        return lambda values, classes, folds: np.array(
            [
                _ridge_score(values, classes, train, test, penalty)
                for train, test in folds.split(values, classes)
            ]
        )
    if decoder is None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        decoder = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
    if not (isinstance(decoder, BaseEstimator) and is_classifier(decoder)):
        raise ValueError(
            f"decoder must be a scikit-learn classifier or a number, got {_checks.shown(decoder)}"
        )
    return lambda values, classes, folds: cross_val_score(decoder, values, classes, cv=folds)


def _ridge_score(
    values: FloatArray, classes: IntArray, train: IntArray, test: IntArray, penalty: float
) -> float:
    """Accuracy on the samples `test` of a ridge regression that was fitted to `train`."""
    known, unknown = values[train], values[test]
    mean = known.mean(axis=0)
    known, unknown = known - mean, unknown - mean
    spread = np.sqrt(np.einsum("ij,ij->j", known, known) / len(known))
    is_varied = (spread > 0) & (known != known[0]).any(axis=0)  # the others get no weight
    known, unknown = (part[:, is_varied] / spread[is_varied] for part in (known, unknown))
    targets = 2.0 * (classes[train, None] == np.arange(classes.max() + 1)) - 1
    wanted = targets - targets.mean(axis=0)
    if known.shape[0] < known.shape[1]:
        weights = known.T @ _solve(known @ known.T, wanted, penalty)
    else:
        weights = _solve(known.T @ known, known.T @ wanted, penalty)
    found = unknown @ weights + targets.mean(axis=0)
    return float(np.mean(found.argmax(axis=1) == classes[test]))


def _solve(gram: FloatArray, right: FloatArray, penalty: float) -> FloatArray:
    try:
        return cho_solve(cho_factor(gram + penalty * np.eye(len(gram))), right)
    except np.linalg.LinAlgError:  # neurons that say the same are told apart by the penalty alone
        raise ValueError(f"decoder must be larger for these responses, got {penalty!r}") from None


@cache
def _threads() -> Any:
    """Thread pools of this process; to look for them takes as long as a fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def decode_until(
    spike_times: ArrayLike,
    labels: ArrayLike,
    times: Iterable[float],
    *,
    decision_time: ArrayLike = math.inf,
    **options: Any,
) -> list[Decoding]:
    """Decode from the spikes up to each of several times, to see when a layer knows the class.

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_neurons)
        In units of tau_s; ``inf`` where silent.
    labels : array_like of int, shape (n_samples,)
        Classes, as for :func:`decode`.
    times : iterable of float
        Until when to listen, in units of tau_s; at least one.
    decision_time : array_like, shape (n_samples,), or float
        Spikes after it never count; by default all do.
    **options
        Passed on to :func:`decode`.

    Returns
    -------
    list of Decoding
        One for each time.

    Raises
    ------
    ValueError
        As for :func:`decode` and :func:`~ttfslib.analysis.semantics.response`.
    """
    ends = _checks.spike_times("times", _checks.each("times", times, _until), ndim=1)
    decided = _checks.spike_times("decision_time", decision_time)
    return [
        decode(response(spike_times, np.minimum(decided, end)), labels, **options) for end in ends
    ]


def _until(name: str, value: Any) -> float:
    return _checks.real(name, value, allow_inf=True)

r"""Bystanders: neurons that fire like those under test, so that only their role can differ.

A lesion takes spikes away, and any spikes that are taken away might be missed. What a set of
neurons means is therefore judged beside other neurons that are as many, fire as often, fire at the
same time, and so take as many spikes away (:func:`matched_bystanders`). In a layer where a set
holds nearly all that fires for its class, there are none, and a lesion proves nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray

BoolArray = NDArray[np.bool_]
UNLIKE = 1e6
"""Cost of a pair that does not match, beyond what all pairs that do could add up to."""


@dataclass(frozen=True)
class Presence:
    """How sets of neurons fire in the samples of their class, one entry for each class.

    Attributes
    ----------
    n_neurons
        How many neurons the set has.
    rate
        How often one of them fires in a sample; NaN for an empty set.
    time
        Mean time of their spikes; NaN where there are none.
    n_spikes
        Spikes of the set in a sample: what silencing it takes away.
    share
        Of the spikes that all candidates send in a sample; NaN where they send none.
    """

    n_neurons: NDArray[np.int64]
    rate: FloatArray
    time: FloatArray
    n_spikes: FloatArray
    share: FloatArray


def presence(
    packet: ArrayLike, labels: ArrayLike, sets: ArrayLike, *, candidates: ArrayLike | None = None
) -> Presence:
    """Measure how sets of neurons fire in the samples of their own class.

    Parameters
    ----------
    packet : array_like, shape (n_samples, n_neurons)
        Spikes that count (:func:`~ttfslib.analysis.synchrony.pulse_packet`); ``inf`` elsewhere.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., each with at least one sample.
    sets : array_like of bool, shape (n_classes, n_neurons)
    candidates : array_like of bool, shape (n_neurons,), optional
        Neurons of whose spikes `share` is a part, for example the excitatory ones; by default all.

    Returns
    -------
    Presence

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a time is NaN or ``-inf``.

    Examples
    --------
    >>> packet = [[0.1, 0.3, np.inf], [0.2, np.inf, 0.4]]
    >>> found = presence(packet, [0, 0], [[True, False, True]])
    >>> found.rate, found.n_spikes, found.time.round(3), found.share
    (array([0.75]), array([1.5]), array([0.233]), array([0.75]))
    """
    times, classes = _labelled(packet, labels)
    members = _sets(sets, classes, times.shape[1])
    pool = _candidates(candidates, times.shape[1])
    by_class = [times[classes == c] for c in range(len(members))]
    spikes = [volleys[:, chosen] for volleys, chosen in zip(by_class, members, strict=True)]
    sent = np.array([np.isfinite(volleys).sum() for volleys in spikes], dtype=float)
    of_all = np.array([np.isfinite(volleys[:, pool]).sum() for volleys in by_class], dtype=float)
    n_samples = np.array([len(volleys) for volleys in by_class])
    n_neurons = members.sum(axis=1)
    total = np.array([volleys[np.isfinite(volleys)].sum() for volleys in spikes])
    return Presence(
        n_neurons=n_neurons,
        rate=_ratio(sent, n_samples * n_neurons),
        time=_ratio(total, sent),
        n_spikes=sent / n_samples,
        share=_ratio(sent, of_all),
    )


@dataclass(frozen=True)
class Bystanders:
    """Neurons that match those of a set one by one.

    Attributes
    ----------
    sets
        Shape (n_classes, n_neurons): as many neurons as in the set of the class, or none where
        there are no such neurons.
    n_matched
        Shape (n_classes,): how many neurons of a set have a partner at best.
    """

    sets: BoolArray
    n_matched: NDArray[np.int64]

    @property
    def exist(self) -> BoolArray:
        """For which classes there are bystanders."""
        return np.asarray(self.sets.any(axis=1))


def matched_bystanders(
    packet: ArrayLike,
    labels: ArrayLike,
    sets: ArrayLike,
    *,
    candidates: ArrayLike | None = None,
    rate: float = 0.15,
    time: float = 0.1,
) -> Bystanders:
    """For each neuron of a set, find another one that fires as often, and when it does.

    Every neuron gets a partner of its own, outside of the set, whose rate and mean spike time in
    the samples of the class are within `rate` and `time` of its own; of all ways to pair them, the
    one with the smallest sum of squared differences (in units of `rate` and `time`) is taken. So
    the two sets are equal in number, and nearly so in how often and when they fire and in how many
    spikes their loss takes away. Neurons that never fire match nothing.

    Parameters
    ----------
    packet, labels
        As for :func:`presence`.
    sets : array_like of bool, shape (n_classes, n_neurons)
        Neurons under test.
    candidates : array_like of bool, shape (n_neurons,), optional
        Where partners may be found, for example the living excitatory neurons; by default anywhere.
    rate, time : float
        How far partners may differ: in the share of samples in which they fire, and in tau_s.

    Returns
    -------
    Bystanders
        If one neuron of a set has no partner left, then there is no set: its row is empty.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, a time is NaN or ``-inf``, or a tolerance not positive.

    Examples
    --------
    Neuron 1 fires like neuron 0, neuron 2 does not:

    >>> packet = [[0.5, 0.5, np.inf], [0.6, 0.6, 0.1]]
    >>> matched_bystanders(packet, [0, 0], [[True, False, False]]).sets
    array([[False,  True, False]])
    >>> matched_bystanders(packet, [0, 0], [[True, True, False]]).exist
    array([False])
    """
    times, classes = _labelled(packet, labels)
    members = _sets(sets, classes, times.shape[1])
    pool = _candidates(candidates, times.shape[1])
    widths = _checks.positive("rate", rate), _checks.positive("time", time)
    found = np.zeros_like(members)
    n_matched = np.zeros(len(members), dtype=np.int64)
    for c, chosen in enumerate(members):
        partners = _partners(times[classes == c], chosen, pool & ~chosen, widths)
        n_matched[c] = len(partners)
        found[c, partners] = len(partners) == chosen.sum()
    return Bystanders(found, n_matched)


def _partners(
    times: FloatArray, members: BoolArray, pool: BoolArray, widths: tuple[float, float]
) -> NDArray[np.int64]:
    """Partners of as many members as can have one."""
    from scipy.optimize import linear_sum_assignment

    fired = np.isfinite(times)
    rates = fired.mean(axis=0)
    means = _ratio(np.where(fired, times, 0).sum(axis=0), fired.sum(axis=0))
    here, there = np.flatnonzero(members), np.flatnonzero(pool)
    with np.errstate(over="ignore"):  # of widths so small that a gap is infinite
        gaps = [
            np.abs(values[here, None] - values[there]) / width
            for values, width in zip((rates, means), widths, strict=True)
        ]
        alike = (gaps[0] <= 1) & (gaps[1] <= 1)
        cost = np.where(alike, gaps[0] ** 2 + gaps[1] ** 2, UNLIKE)
    row, column = linear_sum_assignment(cost)
    return there[column[alike[row, column]]]


def _ratio(part: FloatArray, whole: NDArray[np.floating | np.integer]) -> FloatArray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _labelled(packet: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    times = _checks.spike_times("packet", packet, ndim=2)
    return times, _checks.class_labels("labels", labels, len(times))


def _sets(sets: ArrayLike, classes: NDArray[np.int64], n_neurons: int) -> BoolArray:
    return _checks.booleans("sets", sets, (int(classes.max()) + 1, n_neurons))


def _candidates(candidates: ArrayLike | None, n_neurons: int) -> BoolArray:
    if candidates is None:
        return np.ones(n_neurons, dtype=bool)
    return _checks.booleans("candidates", candidates, (n_neurons,))

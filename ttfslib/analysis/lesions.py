"""Lesions: silence some neurons of a layer and measure which classes the network still finds.

A pathway (:mod:`ttfslib.analysis.pathways`) claims that its neurons cause the decision for a class.
A lesion tests that claim: if the pathway is silenced, the class should be lost and the others
should not, and more so than if as many neurons are silenced that were drawn at random
(:func:`~ttfslib.analysis.pathways.random_sets`). The network is given as a function, so that
networks of any kind can be tested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.semantics import class_means
from ttfslib.readout import decided_class

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Forward = Callable[[int, NDArray[np.floating[Any]]], Sequence[ArrayLike]]


def silence(spike_times: ArrayLike, neurons: ArrayLike) -> NDArray[np.floating[Any]]:
    """Lesion a layer: take away the spikes of some of its neurons.

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_neurons)
        All spikes of the layer. Do not cut them off at the decision: without the silenced neurons
        it may come later.
    neurons : array_like of bool, shape (n_neurons,)
        True for those that fall silent, for example one row of a pathway.

    Returns
    -------
    lesioned : array, shape (n_samples, n_neurons)
        A copy of the same float type, with ``inf`` for the silenced neurons.

    Raises
    ------
    ValueError
        If the times are not two-dimensional, empty, NaN or ``-inf``, or if `neurons` is not one
        boolean for each neuron.
    """
    times = _checks.spike_times("spike_times", spike_times, ndim=2)
    silent = _checks.booleans("neurons", neurons, times.shape[1:])
    return _checks.in_precision_of(spike_times, np.where(silent, np.inf, times))


@dataclass(frozen=True)
class Lesions:
    """What the network decides before and after each of several lesions.

    Attributes
    ----------
    labels
        The true classes, integers of shape (n_samples,).
    intact
        The classes decided on without a lesion, shape (n_samples,); -1 for none.
    lesioned
        The classes decided on with each lesion, shape (n_lesions, n_samples); -1 for none.
    """

    labels: IntArray
    intact: IntArray
    lesioned: IntArray

    @property
    def loss(self) -> FloatArray:
        """Accuracy that each lesion (row) costs each class (column), in [-1, 1]."""
        correct = (self.lesioned == self.labels).astype(np.float64)
        lost = (self.intact == self.labels) - correct
        return class_means(lost.T, self.labels).T


def lesion(
    layer: int, spike_times: ArrayLike, labels: ArrayLike, sets: ArrayLike, forward: Forward
) -> Lesions:
    """Silence sets of neurons of one layer, one set after the other, and let the rest respond.

    Parameters
    ----------
    layer : int
        Number of the layer, 0 for the input; handed to `forward`.
    spike_times : array_like, shape (n_samples, n_neurons)
        All spikes of that layer in the intact network.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., each with at least one sample.
    sets : array_like of bool, shape (n_lesions, n_neurons)
        Each row one lesion: the pathways of the classes, or
        :func:`~ttfslib.analysis.pathways.random_sets`.
    forward : callable
        ``forward(layer, spike_times)`` returns the spike times of all later layers, computed from
        those of this one; the last are the output's.

    Returns
    -------
    Lesions

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or as for :func:`silence`.
    """
    layer = _checks.integer("layer", layer, minimum=0)
    times = _checks.spike_times("spike_times", spike_times, ndim=2)
    lesions = _checks.booleans("sets", sets, (None, times.shape[-1]))
    classes = _checks.class_labels("labels", labels, len(times))
    respond = _checks.function("forward", forward)

    def decide(neurons: BoolArray) -> IntArray:
        return decided_class(respond(layer, silence(spike_times, neurons))[-1])

    return Lesions(
        labels=classes,
        intact=decide(np.zeros(times.shape[1], dtype=bool)),
        lesioned=np.stack([decide(neurons) for neurons in lesions]),
    )

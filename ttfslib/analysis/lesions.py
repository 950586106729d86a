"""Lesions: silence some neurons of a layer and measure which classes the network still finds.

A pathway (:mod:`ttfslib.analysis.pathways`) claims that its neurons cause the decision for a class.
A lesion tests that claim: if the pathway is silenced, the class should be lost and the others
should not, and more so than if as many neurons are silenced that were drawn at random
(:func:`~ttfslib.analysis.pathways.random_sets`) or that fire as much
(:func:`~ttfslib.analysis.bystanders.matched_bystanders`). How many neurons it takes is told by a
curve over the size of the sets (:func:`dose_response`). The network is given as a function, so
that networks of any kind can be tested; :func:`rest_of` makes one of a network of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.pathways import strongest
from ttfslib.analysis.semantics import class_means
from ttfslib.readout import decided_class

if TYPE_CHECKING:
    from ttfslib.nn import TTFSNetwork

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Forward = Callable[[int, NDArray[np.floating[Any]]], Sequence[ArrayLike]]


def rest_of(network: TTFSNetwork) -> Forward:
    """The layers of a network behind any of its layers, as a function.

    Parameters
    ----------
    network : TTFSNetwork
        With its delays, if it has any.

    Returns
    -------
    forward : callable
        ``forward(layer, spike_times)`` returns the spike times of all later layers, computed from
        those of this one (0 is the input), in the precision of the network and without gradients:
        what :func:`lesion`, :func:`dose_response` and
        :func:`~ttfslib.analysis.transplants.patch_path` take.

    Raises
    ------
    ValueError
        If `network` is of another kind; and by ``forward``, if there is no layer behind that one,
        or if the spike times do not fit it.

    Examples
    --------
    >>> from ttfslib import TTFSNetwork
    >>> forward = rest_of(TTFSNetwork.from_weights([np.diag([3.0, 4.0]), np.diag([5.0, 5.0])]))
    >>> first, output = forward(0, [[0.0, 0.1]])
    >>> first.round(3), output.round(3)
    (array([[0.619, 0.457]]), array([[0.878, 0.717]]))
    >>> forward(1, silence(first, [False, True]))[-1].round(3)
    array([[0.878,   inf]])
    """
    import torch

    from ttfslib.nn import TTFSNetwork

    stack = _checks.instance("network", network, TTFSNetwork).stack
    like = stack[0].weight.detach()

    @torch.no_grad()
    def forward(layer: int, spike_times: ArrayLike) -> list[NDArray[np.floating[Any]]]:
        first = _checks.integer("layer", layer, minimum=0, maximum=len(stack) - 1)
        given = _checks.layer_times("spike_times", spike_times)
        times, later = torch.as_tensor(given, dtype=like.dtype, device=like.device), []
        for step in stack[first:]:
            times = step(times)
            later.append(times.numpy(force=True))
        return later

    return forward


def silence(spike_times: ArrayLike, neurons: ArrayLike) -> NDArray[np.floating[Any]]:
    """Lesion a layer: take away the spikes of some of its neurons.

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_neurons)
        All spikes of the layer. Do not cut them off at the decision: without the silenced neurons
        it may come later.
    neurons : array_like of bool, shape (n_neurons,) or (n_samples, n_neurons)
        True for those that fall silent: one row of a pathway in all samples, or
        ``pathway[labels]``, for each sample the row of its class. ``~neurons`` keeps only these.

    Returns
    -------
    lesioned : array, shape (n_samples, n_neurons)
        A copy of the same float type, with ``inf`` for the silenced neurons.

    Raises
    ------
    ValueError
        If the times are not two-dimensional, empty, NaN or ``-inf``, or if `neurons` is not one
        boolean for each neuron, or for each spike.
    """
    times = _checks.spike_times("spike_times", spike_times, ndim=2)
    silent = _checks.each_or_all("neurons", neurons, times.shape)
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


def dose_response(
    layer: int,
    spike_times: ArrayLike,
    labels: ArrayLike,
    scores: ArrayLike,
    sizes: Sequence[int],
    forward: Forward,
    *,
    targets: ArrayLike | None = None,
    intact: ArrayLike | None = None,
) -> FloatArray:
    """Silence the neurons that a rule ranks highest, few first, then more.

    In each sample those neurons fall silent that the rule names for its own class, or for another
    one. One pass of the network therefore serves all classes.

    Parameters
    ----------
    layer, spike_times, labels, forward
        As for :func:`lesion`.
    scores : array_like, shape (n_classes, n_neurons)
        The rule: what ranks the neurons of this layer for each class, see
        :func:`~ttfslib.analysis.pathways.strongest`.
    sizes : sequence of int
        How many neurons to silence.
    targets : array_like of int, shape (n_samples,), optional
        For each sample the class whose neurons fall silent, :func:`another_class` for example; by
        default its own.
    intact : array_like of int, shape (n_samples,), optional
        Class that the network decides on without a lesion, -1 for none, if you know it; by default
        it is computed.

    Returns
    -------
    loss : array, shape (n_sizes, n_samples)
        1 where the decision was right and is no longer, -1 where it has become right, otherwise 0.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or as for :func:`silence` and `strongest`.
    """
    layer = _checks.integer("layer", layer, minimum=0)
    times = _checks.spike_times("spike_times", spike_times, ndim=2)
    classes = _checks.class_labels("labels", labels, len(times))
    ranked = _checks.matrix("scores", scores)
    if ranked.shape != (classes.max() + 1, times.shape[1]):
        wanted = f"{classes.max() + 1} classes x {times.shape[1]} neurons"
        raise ValueError(f"scores must be {wanted}, got shape {ranked.shape}")
    sizes = _checks.each("sizes", sizes, _checks.integer)
    if not sizes:
        raise ValueError("sizes must hold at least one number of neurons, got none")
    respond = _checks.function("forward", forward)
    hit = classes if targets is None else _checks.class_labels("targets", targets, len(times))
    if hit.max() > classes.max():
        raise ValueError(f"targets must be classes up to {classes.max()}, got {hit.max()}")

    def decide(neurons: BoolArray) -> IntArray:
        return decided_class(respond(layer, silence(spike_times, neurons))[-1])

    if intact is None:
        whole = decide(np.zeros(times.shape[1], dtype=bool))
    else:
        whole = _checks.sample_labels("intact", intact, len(times))
    after = np.stack([decide(strongest(ranked, size)[hit]) for size in sizes])
    return (whole == classes).astype(np.float64) - (after == classes)


def another_class(labels: ArrayLike, rng: np.random.Generator) -> IntArray:
    """For each sample a class that is not its own, drawn at random.

    Parameters
    ----------
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., at least two, each with at least one sample.
    rng : numpy.random.Generator

    Returns
    -------
    int array, shape (n_samples,)

    Raises
    ------
    ValueError
        If the labels are not such classes.

    Examples
    --------
    >>> another_class([0, 1, 1, 0], np.random.default_rng(0))
    array([1, 0, 0, 1])
    """
    classes = _checks.class_labels("labels", labels, _checks.any_array("labels", labels).size)
    n_classes = int(classes.max()) + 1
    if n_classes < 2:
        raise ValueError("labels must be of at least two classes, got one")
    steps = _checks.generator("rng", rng).integers(1, n_classes, len(classes))
    return (classes + steps) % n_classes

r"""Pathways: through which neurons a class is decided.

A network is given by two lists: `weights` holds the weight matrices from layer to layer, shapes
(n_pre, n_post), and `layers` the spike times of input, hidden layers and output, one array more.
There are two answers to the question which neurons carry a class:

- :func:`excitatory_effects` looks at the wiring. A neuron acts on an output over all paths that
  lead there over excitatory synapses; each path counts with the product of its weights.
- :func:`causal_effects` looks at what happened in a sample. It computes the same sum over only
  those synapses whose presynaptic spike came before the postsynaptic one, along paths that end in
  the spike that decided the sample.

Inhibitory synapses carry no effect here. They decide which spikes come, but they pass none on.
:func:`ttfslib.analysis.influence.influence` is the third answer, which includes them.

The pathway of a class (:func:`class_pathways`) consists of the most effective neurons of each
layer. It has the same number of neurons for every class and for every layer of one size. Therefore
:func:`overlap` has the same chance level in all of them, and lesions
(:mod:`ttfslib.analysis.lesions`) can be compared with each other and with :func:`random_sets`. If a
pathway were the set of neurons that holds a given share of the effect instead, it would be larger
where the effect is spread more evenly, and pathways would overlap there for that reason alone.
:func:`n_carriers` measures how evenly the effect is spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.readout import decided_class

BoolArray = NDArray[np.bool_]


def excitatory_effects(weights: Sequence[ArrayLike]) -> list[FloatArray]:
    r"""Effect of each neuron on each output by the excitatory wiring (:eq:`eq-wiring`).

    :math:`E_l = E_{l+1} (W_l^+)^T`, with :math:`W^+ = \max(W, 0)` and the identity at the output:
    the sum over all paths of excitatory weights, of the product along the path.

    Parameters
    ----------
    weights : sequence of array_like, shapes (n_pre, n_post)
        From input to output; each n_post is the next n_pre.

    Returns
    -------
    effects : list of arrays, shape (n_classes, n_neurons)
        For every layer but the output, as shares: those of a layer sum to 1 for each class, or
        are all 0 where no path leads to it.

    Raises
    ------
    ValueError
        If there are no weights, they are not finite, or their shapes do not chain.
    """
    matrices = _chain(weights)
    effect = np.eye(matrices[-1].shape[1])
    effects = []
    for matrix in reversed(matrices):
        effect = _shares(effect @ np.maximum(matrix, 0).T)
        effects.append(effect)
    return effects[::-1]


def causal_effects(
    layers: Sequence[ArrayLike],
    weights: Sequence[ArrayLike],
    *,
    delays: Sequence[ArrayLike] | None = None,
) -> list[FloatArray]:
    r"""Effect of each spike on the spike that decided the sample (:eq:`eq-causal`).

    As :func:`excitatory_effects`, but sample by sample: a synapse counts if its presynaptic neuron
    fired before its postsynaptic one, and paths start from the first output spike. What fired
    after the decision, or led only to neurons that did, has no effect.

    Parameters
    ----------
    layers : sequence of array_like, shapes (n_samples, n_neurons)
        Spike times of input, hidden layers and output, in units of tau_s; ``inf`` where silent.
    weights : sequence of array_like, shapes (n_pre, n_post)
        Between them, so one fewer.
    delays : sequence of array_like, shapes (n_pre,), optional
        Of the inputs of each of the `weights`, not negative: a spike counts if it *arrives* before
        the neuron fires. By default, or if the sequence is empty, spikes arrive at once.

    Returns
    -------
    effects : list of arrays, shape (n_samples, n_neurons)
        For every layer but the output, as shares: each sample's sum to 1, or are all 0 if nothing
        was decided. Average them by class with :func:`ttfslib.analysis.semantics.class_means`.

    Raises
    ------
    ValueError
        If weights, delays and layers do not fit each other, a weight or a delay is not finite, a
        delay is negative, or a time NaN or ``-inf``.
    """
    matrices = _chain(weights)
    times = _checks.each("layers", layers, _checks.layer_times)
    sizes = [len(matrices[0]), *(matrix.shape[1] for matrix in matrices)]
    shapes = [layer.shape for layer in times]
    if [n for _, n in shapes] != sizes or len({n for n, _ in shapes}) > 1:
        raise ValueError(f"layers must be {sizes} neurons for the same samples, got {shapes}")
    arriving = _arriving(times[:-1], () if delays is None else delays)
    effect = (decided_class(times[-1])[:, None] == np.arange(sizes[-1])).astype(np.float64)
    effects = []
    for pre, post, matrix in zip(arriving[::-1], times[:0:-1], matrices[::-1], strict=True):
        incoming = np.ascontiguousarray(np.maximum(matrix, 0).T)
        samples = zip(pre, post, effect, strict=True)
        effect = _shares(np.stack([_carry_back(*sample, incoming) for sample in samples]))
        effects.append(effect)
    return effects[::-1]


def n_carriers(effects: ArrayLike, share: float = 0.5) -> NDArray[np.int64]:
    """How many neurons, the most effective ones, carry a given share of the effect together.

    Parameters
    ----------
    effects : array_like, shape (n_classes, n_neurons)
        Of one layer, not negative; or of samples instead of classes.
    share : float
        In [0, 1].

    Returns
    -------
    n_carriers : int array, shape (n_classes,)
        The fewer, the more the effect is concentrated; 0 where there is no effect.

    Raises
    ------
    ValueError
        If an effect is negative or not finite, or `share` is out of range.
    """
    share = _checks.within("share", share, 0, 1)
    carried = np.cumsum(-np.sort(-_effects("effects", effects), axis=1), axis=1)
    total = carried[:, -1:]
    return np.sum(carried < share * total, axis=1) + (share * total[:, 0] > 0)


def class_pathways(effects: Sequence[ArrayLike], share: float = 0.1) -> list[BoolArray]:
    """Take the most effective neurons of each layer for each class.

    Parameters
    ----------
    effects : sequence of array_like, shapes (n_classes, n_neurons)
        Of each layer; see :func:`excitatory_effects`, :func:`causal_effects` and
        :func:`ttfslib.analysis.influence.influence`.
    share : float
        Of the layer's neurons, in (0, 1]; at least one neuron.

    Returns
    -------
    pathways : list of bool arrays, shapes (n_classes, n_neurons)
        True for the neurons of a class's pathway, see :func:`strongest`.

    Raises
    ------
    ValueError
        If an effect is not finite, or `share` is out of range.
    """
    share = _checks.positive("share", _checks.within("share", share, 0, 1))
    layers = _checks.each("effects", effects, _checks.matrix)
    if not layers:
        raise ValueError("effects must hold at least one layer, got none")
    return [_strongest(effect, math.ceil(share * effect.shape[1])) for effect in layers]


def strongest(scores: ArrayLike, n_neurons: int) -> BoolArray:
    """Take the neurons of highest score for each class: a set by any rule, of any size.

    Parameters
    ----------
    scores : array_like, shape (n_classes, n_neurons)
        Of one layer: effects, firing rates, or what else ranks its neurons.
    n_neurons : int
        How many to take for each class.

    Returns
    -------
    sets : bool array, shape (n_classes, n_neurons)
        A neuron whose score is 0 or less is in no set, even if this leaves one smaller; of equal
        scores the first neurons are taken.

    Raises
    ------
    ValueError
        If a score is not finite, or `n_neurons` is no positive integer.

    Examples
    --------
    >>> strongest([[0.1, 0.5, 0.4], [-0.2, 0.0, 1.2]], 2)
    array([[False,  True,  True],
           [False, False,  True]])
    """
    return _strongest(_checks.matrix("scores", scores), _checks.integer("n_neurons", n_neurons))


def overlap(pathways: ArrayLike) -> FloatArray:
    """Overlap of the classes' pathways in a layer (:eq:`eq-overlap`).

    Two pathways share some neurons; the overlap is their number, divided by the number of neurons
    that are in either of the two.

    Parameters
    ----------
    pathways : array_like of bool, shape (n_classes, n_neurons)
        See :func:`class_pathways`.

    Returns
    -------
    overlap : array, shape (n_classes, n_classes)
        Jaccard's index, in [0, 1], 1 on the diagonal; NaN between two empty sets. Random sets that
        take a share f of the layer overlap by about f / (2 - f).

    Raises
    ------
    ValueError
        If `pathways` is not a two-dimensional array of booleans.
    """
    members = _checks.booleans("pathways", pathways, (None, None)).astype(np.float64)
    shared = members @ members.T
    sizes = members.sum(axis=1)
    either = sizes[:, None] + sizes - shared
    return np.where(either > 0, shared / np.maximum(either, 1), np.nan)


def mean_overlap(pathways: ArrayLike) -> float:
    """Mean of :func:`overlap` over all pairs of different classes.

    Parameters
    ----------
    pathways : array_like of bool, shape (n_classes, n_neurons)
        See :func:`class_pathways`; at least two classes.

    Returns
    -------
    float
        In [0, 1]; NaN if a pair of classes has no overlap defined.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or as for :func:`overlap`.
    """
    matrix = overlap(pathways)
    if len(matrix) < 2:
        raise ValueError("pathways must be of at least two classes, got one")
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def random_sets(
    pathways: ArrayLike, rng: np.random.Generator, *, candidates: ArrayLike | None = None
) -> BoolArray:
    """Draw a random set of neurons of the size of each pathway, to compare with.

    Parameters
    ----------
    pathways : array_like of bool, shape (n_classes, n_neurons)
        Of one layer; only their sizes matter.
    rng : numpy.random.Generator
        The source of randomness.
    candidates : array_like of bool, shape (n_neurons,), optional
        Neurons to draw from, for example the excitatory ones; by default all.

    Returns
    -------
    sets : bool array, shape (n_classes, n_neurons)

    Raises
    ------
    ValueError
        If the arrays are not boolean or do not fit each other, or the candidates are too few.
    """
    given = _checks.booleans("pathways", pathways, (None, None))
    sizes = given.sum(axis=1)
    draw = _checks.generator("rng", rng).random(given.shape)
    if candidates is not None:
        eligible = _checks.booleans("candidates", candidates, given.shape[1:])
        if eligible.sum() < sizes.max():
            raise ValueError(
                f"candidates must be at least {sizes.max()} neurons, got {eligible.sum()}"
            )
        draw[:, ~eligible] = np.inf
    return _ranks(draw) < sizes[:, None]


def chance_overlap(
    pathways: ArrayLike,
    rng: np.random.Generator,
    *,
    candidates: ArrayLike | None = None,
    n_draws: int = 20,
) -> float:
    """Mean overlap of random sets of the same sizes, :func:`random_sets`: what chance gives.

    Parameters
    ----------
    pathways : array_like of bool, shape (n_classes, n_neurons)
        Of one layer; only their sizes matter.
    rng : numpy.random.Generator
    candidates : array_like of bool, shape (n_neurons,), optional
        Neurons to draw from. Those that never fire cannot be in a pathway of spikes and should
        not be among them: with fewer candidates, chance is larger. By default all.
    n_draws : int
        Over so many draws the mean is taken.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for :func:`random_sets` and :func:`mean_overlap`, or if `n_draws` is no positive integer.
    """
    draws = range(_checks.integer("n_draws", n_draws))
    sets = (random_sets(pathways, rng, candidates=candidates) for _ in draws)
    return float(np.mean([mean_overlap(drawn) for drawn in sets]))


def _carry_back(
    pre: FloatArray, post: FloatArray, effect: FloatArray, incoming: FloatArray
) -> FloatArray:
    """Hand the effect of a sample's postsynaptic spikes to the spikes that came before them."""
    carriers = np.flatnonzero(effect)
    causal = pre < post[carriers, None]
    return effect[carriers] @ (incoming[carriers] * causal)


def _arriving(layers: list[FloatArray], delays: Sequence[ArrayLike]) -> list[FloatArray]:
    """When the spikes of each layer arrive at the next; at once if there are no delays."""
    late = _checks.each("delays", delays, _checks.finite_array)
    late = late or [np.zeros(layer.shape[1]) for layer in layers]
    sizes, shapes = [layer.shape[1:] for layer in layers], [vector.shape for vector in late]
    if shapes != sizes:
        raise ValueError(f"delays must be of shapes {sizes}, got {shapes}")
    lowest = min(float(vector.min()) for vector in late)
    if lowest < 0:
        raise ValueError(f"delays must not be negative, got {lowest!r}")
    return [layer + vector for layer, vector in zip(layers, late, strict=True)]


def _chain(weights: Sequence[ArrayLike]) -> list[FloatArray]:
    matrices = _checks.each("weights", weights, _checks.matrix)
    shapes = [matrix.shape for matrix in matrices]
    if not shapes or any(above[1] != below[0] for above, below in pairwise(shapes)):
        raise ValueError(f"weights must be matrices whose shapes chain, got {shapes}")
    return matrices


def _shares(effect: FloatArray) -> FloatArray:
    total = effect.sum(axis=1, keepdims=True)
    return effect / np.where(total > 0, total, 1)


def _effects(name: str, value: ArrayLike) -> FloatArray:
    effects = _checks.matrix(name, value)
    if effects.min() < 0:
        raise ValueError(f"{name} must not be negative, got {float(effects.min())!r}")
    return effects


def _strongest(scores: FloatArray, n_neurons: int) -> BoolArray:
    return (_ranks(-scores) < n_neurons) & (scores > 0)


def _ranks(values: FloatArray) -> NDArray[np.int64]:
    """Rank of each value in its row, 0 for the smallest; the first comes first among equals."""
    return np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)

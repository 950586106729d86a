r"""Influence: by how much each spike moves the decision, exactly.

The time of the decision is a function of all spike times of a layer, and it can be differentiated
(:eq:`eq-influence`). The derivative by the time of a spike is the influence of this spike: if it
comes later by a little, the decision comes later by its influence times as much. Inhibition is
included: a spike that holds others back has, as a rule, a negative influence.

Time has no origin: if all spikes of a layer are shifted by the same amount, so is the decision.
Therefore the influences in a layer add up to 1 (:eq:`eq-conservation`), whatever the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib._psp import DEFAULT, LIFParameters, check_parameters, psp_slope
from ttfslib.readout import decided_class

TINY = np.finfo(float).tiny


def influence(
    spike_times: ArrayLike,
    weights: Sequence[ArrayLike],
    params: LIFParameters = DEFAULT,
    *,
    delays: Sequence[ArrayLike] | None = None,
) -> list[NDArray[np.floating[Any]]]:
    r"""Influence of each spike on the decision: the derivative of its time (:eq:`eq-influence`).

    The backward pass of chapter 3 through all layers, in the precision of `spike_times`, without
    any limit on gradients.

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_pre)
        Into the first of the `weights`, in units of tau_s; ``inf`` where silent.
    weights : sequence of array_like, shapes (n_pre, n_post)
        From there to the output; each n_post is the next n_pre.
    params : LIFParameters
    delays : sequence of array_like, shapes (n_pre,), optional
        Of the inputs of each of the `weights`, not negative. By default, or if the sequence is
        empty, spikes arrive at once.

    Returns
    -------
    influence : list of arrays, shapes (n_samples, n_neurons)
        For the spikes given and for those of every hidden layer, first to last. The influences of
        a sample add up to 1 in each layer (:eq:`eq-conservation`), or are all 0 where nothing was
        decided. A spike after the decision has none, nor has a silent neuron.

    Raises
    ------
    ValueError
        If weights, delays and spike times do not fit each other, a weight or a delay is not finite,
        a delay is negative, or a time NaN or ``-inf``.

    Examples
    --------
    Two inputs, one of them inhibitory, and one output:

    >>> (found,) = influence([[0.0, 0.5]], [[[4.0], [-1.0]]])
    >>> found.round(3)
    array([[1., 0.]])
    >>> (found,) = influence([[0.0, 0.2]], [[[4.0], [-1.0]]])
    >>> found.round(3), f"{found.sum():.6f}"
    (array([[ 1.757, -0.757]]), '1.000000')
    """
    import torch

    from ttfslib.nn import TTFSNetwork

    times = _checks.spike_times("spike_times", spike_times, ndim=2)
    times = _checks.in_precision_of(spike_times, times)
    matrices = _checks.each("weights", weights, _checks.matrix)
    vectors = _checks.each("delays", () if delays is None else delays, _checks.finite_array)
    as_given, late = (
        [torch.from_numpy(array.astype(times.dtype)) for array in arrays]
        for arrays in (matrices, vectors)
    )
    network = TTFSNetwork.from_weights(as_given, params, delays=late or None)
    network.requires_grad_(False)
    volley = torch.tensor(times.copy(), requires_grad=True)
    layers = [volley, *network(volley)]
    outputs = layers.pop()
    winners = decided_class(outputs)
    decided = winners >= 0
    total = outputs[decided, winners[decided]].sum()
    return [gradient.numpy() for gradient in torch.autograd.grad(total, layers)]


def synapse_influence(
    pre_times: ArrayLike,
    post_times: ArrayLike,
    weights: ArrayLike,
    post_influence: ArrayLike,
    params: LIFParameters = DEFAULT,
) -> FloatArray:
    r"""Influence that passes through each synapse between two layers, in the mean over samples.

    A spike acts through the spikes that it helps to cause or to hold back. By the chain rule its
    influence is a sum over its synapses, of :math:`\partial t_j/\partial t_i`
    (:eq:`eq-grad-times`) times the influence of the spike at :math:`t_j`.

    Parameters
    ----------
    pre_times, post_times : array_like, shapes (n_samples, n_pre) and (n_samples, n_post)
        Spikes of two layers, all of the first; of the second, some neurons are enough. If the
        first have delays, give the times at which they arrive.
    weights : array_like, shape (n_pre, n_post)
        To those neurons.
    post_influence : array_like, shape (n_samples, n_post)
        Their influence; that of a silent neuron is ignored.
    params : LIFParameters

    Returns
    -------
    array, shape (n_pre, n_post)
        If `post_times` are of the whole layer, the rows add up to the mean influence of the
        presynaptic neurons.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or are not finite where they have to be.
    """
    before = _checks.spike_times("pre_times", pre_times, ndim=2)
    after = _checks.spike_times("post_times", post_times, ndim=2)
    matrix = _checks.matrix("weights", weights)
    shares = _checks.matrix("post_influence", post_influence)
    _checks.same_shape("post_influence", shares, "post_times", after)
    if matrix.shape != (before.shape[1], after.shape[1]) or len(before) != len(after):
        shapes = f"{before.shape}, {after.shape} and {matrix.shape}"
        raise ValueError(f"pre_times, post_times and weights must fit each other, got {shapes}")
    check_parameters(params)
    total = np.zeros_like(matrix)
    for pre, post, share in zip(before, after, shares, strict=True):
        i, j = np.flatnonzero(np.isfinite(pre)), np.flatnonzero(np.isfinite(post) & (share != 0))
        pull = matrix[np.ix_(i, j)] * psp_slope(post[j] - pre[i, None], params)
        slope = pull.sum(axis=0)
        total[np.ix_(i, j)] += pull * np.where(slope > 0, share[j] / np.maximum(slope, TINY), 0)
    return total / len(before)

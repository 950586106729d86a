r"""What a layer knows about the class: tuning, information, separability, geometry.

Until the decision each neuron spikes at most once. Its :func:`response` to a sample is therefore
one number: :math:`r = e^{-t}` for a spike at or before the decision, 0 without one. An early spike
is a strong response, and the later a spike is, the closer its response comes to that of a silent
neuron. If all spikes come later by the same delay, all responses are multiplied by the same factor,
and no measure here changes. The measures take the responses, shape (n_samples, n_neurons), and the
samples' labels 0, 1, ...; :func:`mutual_information` takes the spike times instead, because it puts
them into bins.

A measure of a few samples can be high by chance. Selectivity always is, because the largest of
several noisy means is above their average. Compare with the same measure under permuted labels
(``rng.permutation(labels)``) and with that of the untrained network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.synchrony import pulse_packet

IntArray = NDArray[np.int64]


def response(spike_times: ArrayLike, decision_time: ArrayLike) -> FloatArray:
    r"""Responses of a layer: :math:`e^{-t}` until the decision, 0 for silence (:eq:`eq-response`).

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_neurons)
        In units of tau_s; ``inf`` where silent.
    decision_time : array_like, shape (n_samples,), or float
        As for :func:`ttfslib.analysis.synchrony.pulse_packet`.

    Returns
    -------
    responses : array, shape (n_samples, n_neurons)

    Raises
    ------
    ValueError
        As for :func:`ttfslib.analysis.synchrony.pulse_packet`.
    """
    return np.exp(-pulse_packet(spike_times, decision_time).astype(np.float64))


def class_means(responses: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Mean response of each neuron to each class: the tuning curves.

    Parameters
    ----------
    responses : array_like, shape (n_samples, n_neurons)
        Any finite numbers.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., each with at least one sample.

    Returns
    -------
    means : array, shape (n_classes, n_neurons)

    Raises
    ------
    ValueError
        If the responses are not finite and two-dimensional, or the labels are not such classes.
    """
    values, classes = _checks.labelled(responses, labels)
    members = _one_hot(classes)
    return members.T @ values / members.sum(axis=0)[:, None]


def selectivity(responses: ArrayLike, labels: ArrayLike) -> FloatArray:
    r"""Class selectivity of each neuron: how far its favorite class stands out.

    With the mean responses to the classes, their largest :math:`\mu_{max}` and the mean
    :math:`\mu_{rest}` of the others, the index is :math:`(\mu_{max} - \mu_{rest}) / (\mu_{max} +
    \mu_{rest})` (:eq:`eq-selectivity`): 0 for a neuron that treats all classes alike, 1 for one
    that responds to a single class. Of the usual indices it is the one that can be read off the
    tuning curve. It ignores how reliable a response is; for that there is
    :func:`mutual_information`.

    Parameters
    ----------
    responses : array_like, shape (n_samples, n_neurons)
        Not negative; see :func:`response`.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., at least two.

    Returns
    -------
    selectivity : array, shape (n_neurons,)
        In [0, 1]; NaN for a neuron that never responds.

    Raises
    ------
    ValueError
        If a response is negative, or as for :func:`class_means`.

    References
    ----------
    Morcos, Barrett, Rabinowitz and Botvinick (2018), On the importance of single directions for
    generalization, ICLR, arXiv 1803.06959.
    """
    means = class_means(responses, labels)
    if np.min(responses) < 0:
        raise ValueError(f"responses must not be negative, got {float(np.min(responses))!r}")
    if len(means) < 2:
        raise ValueError("labels must name at least two classes, got one")
    best = means.max(axis=0)
    rest = (means.sum(axis=0) - best) / (len(means) - 1)
    responds = best > 0
    return np.where(responds, (best - rest) / np.where(responds, best + rest, 1), np.nan)


def mutual_information(packet: ArrayLike, labels: ArrayLike, n_bins: int = 8) -> FloatArray:
    r"""Information that a neuron's one spike, or its silence, carries about the class, in bits.

    The spikes of each neuron, over all samples, are put into `n_bins` bins of about equal count,
    equal times together; silence is one more bin. So the estimate depends on the order of the
    latencies alone. It is :math:`I = H(C) + H(R) - H(C, R)` (:eq:`eq-information`), each entropy
    from the observed frequencies and corrected for its bias by Miller and Madow's term (occupied
    cells - 1) / 2n.

    Parameters
    ----------
    packet : array_like, shape (n_samples, n_neurons)
        Spike times that count (:func:`~ttfslib.analysis.synchrony.pulse_packet`); ``inf`` for the
        others.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., each with at least one sample.
    n_bins : int
        Bins of latency. One bin asks only whether the neuron spiked.

    Returns
    -------
    information : array, shape (n_neurons,)
        In bits, about log2(n_classes) at most. The correction is right on average, so that a
        neuron that knows nothing comes out as often below zero as above.

    Raises
    ------
    ValueError
        If the times are NaN, ``-inf`` or not two-dimensional, a label is missing or not a class,
        or `n_bins` is not a positive integer.

    Notes
    -----
    The correction leaves a bias where cells are expected to hold fewer than about one
    sample: keep (n_bins + 1) * n_classes well below the number of samples.

    References
    ----------
    Miller (1955), Note on the bias of information estimates; Panzeri, Senatore, Montemurro and
    Petersen (2007), Correcting for the sampling bias problem in spike train information measures,
    J. Neurophysiol. 98.
    """
    times = _checks.spike_times("packet", packet, ndim=2)
    classes = _checks.class_labels("labels", labels, len(times))
    n_bins = min(_checks.integer("n_bins", n_bins), len(times))  # more would stay empty
    counts = _joint_counts(_latency_bins(times, n_bins), n_bins + 1, classes)
    joint = counts.reshape(-1, times.shape[1])
    return _entropy(counts.sum(axis=0)) + _entropy(counts.sum(axis=1)) - _entropy(joint)


def separability(responses: ArrayLike, labels: ArrayLike) -> float:
    """How far apart the classes lie, relative to their own width (:eq:`eq-separability`).

    The mean squared Euclidean distance between samples of different classes, divided by that
    between two samples of the same class, each mean over all such pairs. It is 1 where the
    class makes no difference, and does not change if all responses are scaled or rotated.

    Parameters
    ----------
    responses : array_like, shape (n_samples, n_neurons)
        Any finite numbers; see :func:`response`.
    labels : array_like of int, shape (n_samples,)
        Classes 0, 1, ..., at least two of them, and one with two samples or more.

    Returns
    -------
    separability : float
        ``inf`` if the samples of each class are all alike, NaN if all samples are.

    Raises
    ------
    ValueError
        If there is no pair within or none between, or as for :func:`class_means`.
    """
    values, classes = _checks.labelled(responses, labels)
    n_samples, sizes = len(values), np.bincount(classes)
    n_within = int(np.sum(sizes * (sizes - 1)))
    n_between = n_samples * (n_samples - 1) - n_within
    if not n_within or not n_between:
        raise ValueError(
            "labels must have two samples of one class and two of different ones, "
            f"got classes of {sizes.tolist()} samples"
        )
    within = sum(_squared_distances(values[classes == c]) for c in range(len(sizes)))
    between = _squared_distances(values) - within
    if within == 0:
        return math.inf if between > 0 else math.nan
    return float(between / n_between / (within / n_within))


def representational_similarity(layers: Sequence[ArrayLike]) -> FloatArray:
    """Whether layers find the same samples alike: rank correlation of their distances.

    Each layer is described by the Euclidean distances between its responses to all pairs of
    samples; two layers are compared by Spearman's correlation of these. The classes can take part
    as one more layer, ``np.eye(n_classes)[labels]``, in which all samples of a class coincide.

    Parameters
    ----------
    layers : sequence of array_like, each of shape (n_samples, n_neurons of that layer)
        Responses to the same samples, at least three.

    Returns
    -------
    similarity : array, shape (n_layers, n_layers)
        In [-1, 1]; NaN for a layer in which all pairs are equally far apart.

    Raises
    ------
    ValueError
        If there is no layer, or responses are not finite, or the layers' samples differ in number.

    Notes
    -----
    Time and memory grow with the square of the number of samples: 1000 make half a million pairs.

    References
    ----------
    Kriegeskorte, Mur and Bandettini (2008), Representational similarity analysis, Frontiers in
    Systems Neuroscience 2.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import rankdata

    values = _checks.each("layers", layers, _checks.matrix)
    if not values:
        raise ValueError("layers must hold at least one layer, got none")
    n_samples = [len(layer) for layer in values]
    if min(n_samples) < 3 or len(set(n_samples)) > 1:
        raise ValueError(f"layers must share three samples or more, got {n_samples} samples")
    ranks = np.stack([rankdata(pdist(layer)) for layer in values])
    with np.errstate(invalid="ignore"):  # equal distances have no order: NaN, as promised
        return np.atleast_2d(np.corrcoef(ranks))


def _latency_bins(times: FloatArray, n_bins: int) -> IntArray:
    """Bin of each time among the equally filled ones of its column; the silent get `n_bins`."""
    n_spikes = np.isfinite(times).sum(axis=0)
    in_order = np.sort(times, axis=0) if n_bins > 1 else times
    bins = np.zeros(times.shape, dtype=np.min_scalar_type(n_bins))  # small ones are counted sooner
    for i in range(1, n_bins):
        last = -(-i * n_spikes // n_bins) - 1  # of the first i bins; the silent come after all
        bins += times > np.take_along_axis(in_order, last[None].clip(0), axis=0)
    bins[np.isinf(times)] = n_bins
    return bins


def _joint_counts(bins: IntArray, n_bins: int, classes: IntArray) -> IntArray:
    """Samples by bin, class and neuron."""
    shape = n_bins, int(classes.max()) + 1, bins.shape[1]
    cells = np.ravel_multi_index((bins, classes[:, None], np.arange(bins.shape[1])), shape)
    return np.bincount(cells.ravel(), minlength=math.prod(shape)).reshape(shape)


def _entropy(counts: IntArray) -> FloatArray:
    """Entropy in bits of the cells along the first axis, with Miller and Madow's correction."""
    n = counts.sum(axis=0)
    occupied = (counts > 0).sum(axis=0)
    return (entr(counts / n).sum(axis=0) + (occupied - 1) / (2 * n)) / math.log(2)


def _squared_distances(points: FloatArray) -> float:
    """Sum of squared distances over all ordered pairs of points; exactly 0 if all are equal."""
    offsets = points - points[0]
    return 2 * len(points) * float(((offsets - offsets.mean(axis=0)) ** 2).sum())


def _one_hot(classes: IntArray) -> FloatArray:
    return np.eye(classes.max() + 1)[classes]

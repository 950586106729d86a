r"""Pulse packets: which spikes of a layer count, how many they are and how close in time.

A network that decides by its first output spike has done its work when that spike comes. The
**pulse packet** of a layer is the set of the spikes that it fired until then. Diesmann, Gewaltig
and Aertsen (1999) follow a packet along a synfire chain as a point :math:`(a, \sigma)`: the number
of its spikes and the standard deviation of their times. Here :math:`a` is the :func:`activity`
times the number of neurons, and :math:`\sigma` is :func:`standard_deviation`. The neurons of a
synfire group are alike, and :math:`\sigma` describes their packet well. The neurons of a trained
layer differ, and a few spikes far from the rest make :math:`\sigma` large even if the packet is
sharp. Therefore there are two more widths: :func:`iqr` ignores the outer quarters of the spikes,
and :func:`shorth` is the width of the densest half. For a Gaussian packet both are about
:math:`1.35\,\sigma`.

Read a width together with the activity: a packet of three spikes is narrow by chance. The width of
a packet of fewer than four spikes (:data:`MIN_SPIKES`) is NaN, and such packets are counted.

Spike times have the shape (n_samples, n_neurons) and are in units of tau_s; a silent neuron is at
``inf``. Input may be float32 or float64, widths are computed and returned in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray

IntArray = NDArray[np.int64]

MIN_SPIKES = 4
"""Packets with fewer spikes have no width."""
ROUNDING = 1e-9
"""A share of `n` spikes may come out below a whole number by this much: 0.29 * 100 < 29."""


def pulse_packet(spike_times: ArrayLike, decision_time: ArrayLike) -> NDArray[np.floating[Any]]:
    """Keep the spikes at or before the decision, set later ones to ``inf`` (:eq:`eq-packet`).

    Parameters
    ----------
    spike_times : array_like, shape (n_samples, n_neurons)
        Spike times of one layer, in units of tau_s; ``inf`` where silent.
    decision_time : array_like, shape (n_samples,), or float
        One time for each sample (:func:`~ttfslib.readout.decision_time`) or for all. Where it is
        ``inf``, nothing was decided, and all spikes count.

    Returns
    -------
    packet : array, shape (n_samples, n_neurons)
        A new array; float32 if `spike_times` is, otherwise float64.

    Raises
    ------
    ValueError
        If the spike times are not two-dimensional or are empty, if a time is NaN or ``-inf``, or
        if there is not one decision time for each sample.
    """
    return _packet("spike_times", spike_times, decision_time)


def _packet(
    name: str, spike_times: ArrayLike, decision_time: ArrayLike
) -> NDArray[np.floating[Any]]:
    times = _checks.layer_times(name, spike_times)
    until = _checks.spike_times("decision_time", decision_time)
    if until.shape not in ((), times.shape[:1]):
        raise ValueError(
            f"decision_time must be one time for each of {len(times)} samples, "
            f"got shape {until.shape}"
        )
    packet = np.where(times <= until.reshape(-1, 1), times, np.inf)
    return _checks.in_precision_of(spike_times, packet)


def activity(spike_times: ArrayLike, axis: int = -1) -> FloatArray:
    """Share of the neurons that spiked.

    Parameters
    ----------
    spike_times : array_like
        Spike times of a layer, or its packet; ``inf`` where silent.
    axis : int
        The axis of the neurons.

    Returns
    -------
    activity : array
        In [0, 1]; the shape of `spike_times` without `axis`.

    Raises
    ------
    ValueError
        If the spike times are empty, NaN or ``-inf``, or have no such axis.
    """
    times = _checks.spike_times("spike_times", spike_times)
    return np.isfinite(times).mean(axis=_checks.axis("axis", axis, times.ndim))


def shorth(times: ArrayLike, axis: int = -1, share: float = 0.5) -> FloatArray:
    """Width of the shortest interval that holds half of the spikes (:eq:`eq-shorth`).

    Half of `n` spikes are ``h = n // 2 + 1``, just over half, as is usual for the shorth. The
    interval lies where the packet is densest; just under half of the spikes may stray and will
    not stretch it. Of a uniform packet it is half the width, of a Gaussian one about 1.35
    standard deviations. With another `share` the interval holds just over that share, or all
    spikes if there are no more: the smaller the share, the more the width is that of the peak.

    Parameters
    ----------
    times : array_like
        Spike times, normally of a packet (:func:`pulse_packet`); ``inf`` where silent.
    axis : int
        The axis of the neurons.
    share : float
        In (0, 1]; of `n` spikes the interval holds the whole part of ``share * n``, and one more.

    Returns
    -------
    width : array
        In the unit of the times, the shape of `times` without `axis`; NaN for fewer than four
        spikes.

    Raises
    ------
    ValueError
        If the spike times are empty, NaN or ``-inf``, or have no such axis, or if `share` is out
        of range.

    Notes
    -----
    The name is that of the Princeton study of robust estimates (Andrews et al. 1972), for the
    mean of the shortest half; Rousseeuw and Leroy (1988) study its length as a measure of scale.

    Examples
    --------
    >>> round(float(shorth([0.0, 1.0, 1.25, 1.5, 9.0, float("inf")])), 6)
    0.5
    """
    share = _checks.positive("share", _checks.within("share", share, 0, 1))
    return _shorth(*_sorted(times, axis), share)


def iqr(times: ArrayLike, axis: int = -1) -> FloatArray:
    """Interquartile range of the spike times: how long the middle half takes.

    Quartiles are interpolated linearly between spikes, as :func:`numpy.quantile` does.

    Parameters
    ----------
    times : array_like
        Spike times, normally of a packet (:func:`pulse_packet`); ``inf`` where silent.
    axis : int
        The axis of the neurons.

    Returns
    -------
    width : array
        In the unit of the times, the shape of `times` without `axis`; NaN for fewer than four
        spikes.

    Raises
    ------
    ValueError
        If the spike times are empty, NaN or ``-inf``, or have no such axis.
    """
    return _iqr(*_sorted(times, axis))


def standard_deviation(times: ArrayLike, axis: int = -1) -> FloatArray:
    r"""Standard deviation of the spike times, the :math:`\sigma` of a pulse packet.

    The root of the mean squared distance from the mean (divided by n, not n - 1).

    Parameters
    ----------
    times : array_like
        Spike times, normally of a packet (:func:`pulse_packet`); ``inf`` where silent.
    axis : int
        The axis of the neurons.

    Returns
    -------
    width : array
        In the unit of the times, the shape of `times` without `axis`; NaN for fewer than four
        spikes.

    Raises
    ------
    ValueError
        If the spike times are empty, NaN or ``-inf``, or have no such axis.
    """
    return _standard_deviation(*_sorted(times, axis))


@dataclass(frozen=True)
class PacketStatistics:
    """The pulse packets of every sample and layer in numbers.

    Attributes
    ----------
    n_spikes
        Spikes in the packet, integers of shape (n_samples, n_layers), as all the following.
    activity
        Share of the layer's neurons that are in the packet.
    median
        Median spike time; NaN where the packet is empty.
    shorth
        Width, see :func:`shorth`; NaN where the packet has fewer than four spikes.
    iqr
        Width, see :func:`iqr`, with NaN likewise.
    sd
        Width, see :func:`standard_deviation`, with NaN likewise.
    """

    n_spikes: IntArray
    activity: FloatArray
    median: FloatArray
    shorth: FloatArray
    iqr: FloatArray
    sd: FloatArray

    @property
    def n_too_small(self) -> IntArray:
        """How many packets of each layer are too small to have a width, shape (n_layers,)."""
        return np.sum(self.n_spikes < MIN_SPIKES, axis=0)

    def mean(self) -> dict[str, FloatArray]:
        """Average each measure over the samples that have it.

        Returns
        -------
        means : dict of arrays, shape (n_layers,)
            With the names of the attributes as keys; NaN for a layer where no sample has it.
        """
        return {name: _mean_of_defined(values) for name, values in vars(self).items()}


def packet_statistics(layers: Sequence[ArrayLike], decision_time: ArrayLike) -> PacketStatistics:
    """Measure the pulse packets of every sample and layer.

    Parameters
    ----------
    layers : sequence of array_like, each of shape (n_samples, n_neurons of that layer)
        Spike times layer by layer, in units of tau_s; ``inf`` where silent.
    decision_time : array_like, shape (n_samples,), or float
        Later spikes do not count; see :func:`pulse_packet`.

    Returns
    -------
    PacketStatistics
        Arrays of shape (n_samples, n_layers).

    Raises
    ------
    ValueError
        If there is no layer, if the layers differ in their number of samples, or as for
        :func:`pulse_packet`.

    Notes
    -----
    The measures of :doc:`/chapters/ch06_synchronization`, after Oberste-Frielinghaus et al. (2025),
    arXiv 2508.12975.
    """
    columns = _checks.each(
        "layers", layers, lambda name, times: _measure(_packet(name, times, decision_time))
    )
    if not columns:
        raise ValueError("layers must hold at least one layer, got none")
    lengths = [len(column[0]) for column in columns]
    if len(set(lengths)) > 1:
        raise ValueError(f"layers must all have the same number of samples, got {lengths}")
    return PacketStatistics(*(np.stack(measure, axis=1) for measure in zip(*columns, strict=True)))


def _measure(packet: NDArray[np.floating[Any]]) -> tuple[Any, ...]:
    """Measures of each sample, in the order of the fields of :class:`PacketStatistics`."""
    times, n = _sorted(packet, -1)
    return (
        n,
        n / packet.shape[-1],
        _quantile(times, n, 0.5),
        _shorth(times, n),
        _iqr(times, n),
        _standard_deviation(times, n),
    )


def _sorted(times: ArrayLike, axis: int) -> tuple[FloatArray, IntArray]:
    """Sort along `axis`, moved to the end, padded with NaN to the largest number of spikes."""
    checked = _checks.spike_times("times", times)
    checked = np.moveaxis(checked, _checks.axis("axis", axis, checked.ndim), -1)
    spiked = np.isfinite(checked)
    n = spiked.sum(axis=-1)
    return np.sort(np.where(spiked, checked, np.nan))[..., : max(n.max(), 1)], n


def _shorth(ordered: FloatArray, n: IntArray, share: float = 0.5) -> FloatArray:
    beyond = np.floor(share * n + ROUNDING).astype(int)  # from the first spike held to the last
    beyond = np.clip(beyond, 0, n - 1)
    first = np.arange(np.max(n - beyond))
    last = first + beyond[..., None]
    fits = last < n[..., None]
    end = np.take_along_axis(ordered, np.where(fits, last, 0), axis=-1)
    widths = np.where(fits, end - ordered[..., first], np.nan)
    return _if_enough(np.fmin.reduce(widths, axis=-1), n)


def _iqr(ordered: FloatArray, n: IntArray) -> FloatArray:
    return _if_enough(_quantile(ordered, n, 0.75) - _quantile(ordered, n, 0.25), n)


def _standard_deviation(ordered: FloatArray, n: IntArray) -> FloatArray:
    count = np.maximum(n, 1)
    mean = np.nansum(ordered, axis=-1) / count
    return _if_enough(np.sqrt(np.nansum((ordered - mean[..., None]) ** 2, axis=-1) / count), n)


def _quantile(ordered: FloatArray, n: IntArray, share: float) -> FloatArray:
    """Quantile of the spikes; NaN where there is none.

    numpy's own nanquantile visits the rows one by one in Python.
    """
    position = share * np.maximum(n - 1, 0)
    below, above = np.floor(position).astype(int), np.ceil(position).astype(int)
    low, high = (
        np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0] for index in (below, above)
    )
    return low + (position - below) * (high - low)


def _if_enough(width: FloatArray, n: IntArray) -> FloatArray:
    return np.where(n >= MIN_SPIKES, width, np.nan)[()]


def _mean_of_defined(values: NDArray[Any]) -> FloatArray:
    n_defined = (~np.isnan(values)).sum(axis=0)
    return np.where(n_defined > 0, np.nansum(values, axis=0) / np.maximum(n_defined, 1), np.nan)

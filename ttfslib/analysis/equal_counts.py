"""Packets of different size compared at equal counts: as many spikes drawn from each.

The more spikes a packet has, the wider it looks by some measures and the better known it is by
all. Widths of layers, states and networks are therefore compared on packets of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.synchrony import pulse_packet, shorth


def draw_spikes(
    packet: ArrayLike, n_spikes: int, rng: np.random.Generator
) -> NDArray[np.floating[Any]]:
    """Draw the same number of spikes from each packet, without replacement.

    Parameters
    ----------
    packet : array_like, shape (n_samples, n_neurons)
        Spike times that count (:func:`~ttfslib.analysis.synchrony.pulse_packet`); ``inf`` for the
        others.
    n_spikes : int
        How many to draw from each sample.
    rng : numpy.random.Generator

    Returns
    -------
    array of the same dtype, shape (n_samples, n_spikes)
        In rising order. A packet that has fewer spikes is left out: its row is all ``inf``, and
        every width of it is NaN.

    Raises
    ------
    ValueError
        If `packet` is not two-dimensional, is empty, or holds NaN or ``-inf``, if `n_spikes` is
        not a positive integer, or `rng` no Generator.

    Examples
    --------
    >>> import numpy as np
    >>> packet = [[0.1, 0.2, np.inf, 0.3], [0.1, np.inf, np.inf, np.inf]]
    >>> draw_spikes(packet, 3, np.random.default_rng(0))
    array([[0.1, 0.2, 0.3],
           [inf, inf, inf]])
    """
    times = _checks.spike_times("packet", packet, ndim=2)
    n_spikes = _checks.integer("n_spikes", n_spikes)
    rng = _checks.generator("rng", rng)
    drawn = np.full((len(times), n_spikes), np.inf)
    fired = np.isfinite(times)
    large = fired.sum(axis=1) >= n_spikes
    if large.any():
        lots = np.where(fired[large], rng.random((int(large.sum()), times.shape[1])), np.inf)
        chosen = np.argpartition(lots, n_spikes - 1, axis=1)[:, :n_spikes]
        drawn[large] = np.sort(np.take_along_axis(times[large], chosen, axis=1), axis=1)
    return _checks.in_precision_of(packet, drawn)


def packet_widths(
    layers: Sequence[ArrayLike], decision_times: ArrayLike, n_spikes: int, rng: np.random.Generator
) -> FloatArray:
    """Shorth of each packet of each layer at equal counts.

    Parameters
    ----------
    layers, decision_times, n_spikes, rng
        As for :func:`mean_widths`.

    Returns
    -------
    array, shape (n_layers, n_samples)
        NaN for a packet that is too small.

    Raises
    ------
    ValueError
        As for :func:`draw_spikes`, or if decision times and layers do not fit each other.
    """
    packets = (pulse_packet(times, decision_times) for times in layers)
    return np.stack([shorth(draw_spikes(packet, n_spikes, rng)) for packet in packets])


def mean_widths(
    layers: Sequence[ArrayLike], decision_times: ArrayLike, n_spikes: int, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Mean shorth of each layer's packets at equal counts.

    Parameters
    ----------
    layers : sequence of array_like, shapes (n_samples, n_neurons)
        Spike times; ``inf`` where silent.
    decision_times : array_like, shape (n_samples,)
    n_spikes : int
        How many to draw from each packet.
    rng : numpy.random.Generator

    Returns
    -------
    widths : array, shape (n_layers,)
        NaN for a layer none of whose packets is large enough.
    n_measured : int array, shape (n_layers,)
        Samples whose packet is large enough.

    Raises
    ------
    ValueError
        As for :func:`packet_widths`.
    """
    widths = packet_widths(layers, decision_times, n_spikes, rng)
    n_measured = np.isfinite(widths).sum(axis=1)
    totals = np.nansum(widths, axis=1, dtype=np.float64)
    return np.where(n_measured > 0, totals / np.maximum(n_measured, 1), np.nan), n_measured

r"""One leaky integrate-and-fire neuron, exactly: potential, first spike time and its gradient.

Written to be read: NumPy, float64, one neuron. The engines in :mod:`ttfslib.engines` compute the
same numbers fast and are tested against this module.

The model (:eq:`eq-current`, :eq:`eq-membrane`): :math:`\tau_s \dot I = -I` with :math:`I` jumping
by :math:`w_i` at :math:`t_i`, and :math:`\dot V = -V/\tau_m + I/\tau_s`. The first upward crossing
of the threshold is the spike; there is no second one. Times are in any one unit (the book uses
:math:`\tau_s`).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib._crossing import crossing_delay, delay_to_threshold, peak_delay
from ttfslib._psp import DEFAULT, LIFParameters, check_parameters, psp, psp_slope

__all__ = [
    "DEFAULT",
    "LIFParameters",
    "causal_set",
    "crossing_delay",
    "first_spike_time",
    "membrane_potential",
    "peak_delay",
    "psp",
    "psp_slope",
    "spike_time_gradient",
]


def membrane_potential(
    times: ArrayLike,
    spike_times: ArrayLike,
    weights: ArrayLike,
    params: LIFParameters = DEFAULT,
) -> FloatArray:
    """Potential without the spike mechanism: a weighted sum of PSPs (:eq:`eq-potential`).

    Parameters
    ----------
    times : array_like
        Where to evaluate, any shape.
    spike_times, weights : array_like, shape (n_pre,)
        Input spikes; ``inf`` marks a silent input.
    params : LIFParameters

    Returns
    -------
    ndarray
        Of the shape of `times`.

    Raises
    ------
    ValueError
        If an input holds NaN, or shapes do not match.
    """
    times = _checks.finite_array("times", times)
    spike_times, weights = _inputs(spike_times, weights, params)
    spiked = np.isfinite(spike_times)
    delays = times[..., None] - spike_times[spiked]
    return psp(delays, params) @ weights[spiked]


def first_spike_time(
    spike_times: ArrayLike, weights: ArrayLike, params: LIFParameters = DEFAULT
) -> float:
    """Time at which the potential first reaches the threshold; ``inf`` if it never does.

    Walks from one input to the next. Between inputs the two state variables (V, I) fix the whole
    future, so each interval is one closed-form question: is the threshold reached before the next
    input arrives? Simultaneous inputs are one event. A spike that falls on the very time of an
    input does not see it (:eq:`eq-spike-rule`).

    Parameters
    ----------
    spike_times, weights : array_like, shape (n_pre,)
        Input spikes; ``inf`` marks a silent input.
    params : LIFParameters

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an input holds NaN, or shapes do not match.

    Examples
    --------
    >>> round(first_spike_time([0.0, 0.5], [2.0, 2.0]), 12)
    0.686130538891
    """
    spike_times, weights = _inputs(spike_times, weights, params)
    arrivals = np.unique(spike_times[np.isfinite(spike_times)])
    for now, following in pairwise([*arrivals.tolist(), math.inf]):
        potential, current = _state(now, spike_times, weights, params)
        spike = now + delay_to_threshold(potential, current, params)
        if spike <= following:
            return spike
    return math.inf


def causal_set(
    spike_times: ArrayLike, weights: ArrayLike, params: LIFParameters = DEFAULT
) -> NDArray[np.intp]:
    """Indices of the inputs that arrive before the first spike, in their given order.

    Parameters
    ----------
    spike_times, weights : array_like, shape (n_pre,)
        Input spikes; ``inf`` marks a silent input.
    params : LIFParameters

    Returns
    -------
    ndarray of int
        Empty if the neuron stays silent.

    Raises
    ------
    ValueError
        If an input holds NaN, or shapes do not match.
    """
    spike_times, weights = _inputs(spike_times, weights, params)
    spike = first_spike_time(spike_times, weights, params)
    return np.flatnonzero((spike_times < spike) & np.isfinite(spike))


def spike_time_gradient(
    spike_times: ArrayLike, weights: ArrayLike, params: LIFParameters = DEFAULT
) -> tuple[FloatArray, FloatArray]:
    r"""Exact derivatives of the first spike time by weights and by input times.

    :math:`\partial t/\partial w_i = -k(t - t_i)/\dot V(t)` (:eq:`eq-grad-weights`) and
    :math:`\partial t/\partial t_i = w_i k'(t - t_i)/\dot V(t)` (:eq:`eq-grad-times`). Inputs
    after the spike have gradient zero, and so has every input of a silent neuron. As the peak of
    the potential comes down to the threshold, :math:`\dot V \to 0` and both diverge.

    Parameters
    ----------
    spike_times, weights : array_like, shape (n_pre,)
        Input spikes; ``inf`` marks a silent input.
    params : LIFParameters

    Returns
    -------
    d_weights, d_spike_times : ndarray, shape (n_pre,)
        Infinite where the potential touches the threshold without slope.

    Raises
    ------
    ValueError
        If an input holds NaN, or shapes do not match.
    """
    spike_times, weights = _inputs(spike_times, weights, params)
    spike = first_spike_time(spike_times, weights, params)
    if math.isinf(spike):
        return np.zeros_like(weights), np.zeros_like(weights)
    delays = np.where(spike_times < spike, spike - spike_times, 0.0)
    pull = weights * psp_slope(delays, params)
    slope = max(float(pull.sum()), 0.0)
    return _ratio(-psp(delays, params), slope), _ratio(pull, slope)


def _state(
    now: float, spike_times: FloatArray, weights: FloatArray, params: LIFParameters
) -> tuple[float, float]:
    """(V, I) just after the inputs that arrive at `now`."""
    arrived = spike_times <= now
    delays, weights = now - spike_times[arrived], weights[arrived]
    return (
        float(weights @ psp(delays, params)),
        float(weights @ np.exp(-delays / params.tau_s)),
    )


def _inputs(
    spike_times: ArrayLike, weights: ArrayLike, params: LIFParameters
) -> tuple[FloatArray, FloatArray]:
    check_parameters(params)
    spike_times = _checks.spike_times("spike_times", spike_times, ndim=1)
    weights = _checks.finite_array("weights", weights, ndim=1)
    _checks.same_shape("weights", weights, "spike_times", spike_times)
    return spike_times, weights


def _ratio(numerator: FloatArray, slope: float) -> FloatArray:
    """Divide by the slope; a zero slope gives signed infinities, and zero stays zero."""
    if slope > 0:
        return numerator / slope
    return np.where(numerator == 0, 0.0, np.copysign(np.inf, numerator))

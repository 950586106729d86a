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
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import exprel, lambertw

from ttfslib import _checks
from ttfslib._checks import FloatArray


@dataclass(frozen=True)
class LIFParameters:
    """Time constants and threshold of a leaky integrate-and-fire neuron.

    Parameters
    ----------
    tau_m : float
        Membrane time constant, > 0; ``inf`` gives the non-leaky neuron.
    tau_s : float
        Synaptic time constant, > 0 and finite.
    threshold : float
        Potential above leak at which the neuron spikes, > 0.

    Raises
    ------
    ValueError
        If a value is not a positive number.
    """

    tau_m: float = 1.0
    tau_s: float = 1.0
    threshold: float = 1.0

    def __post_init__(self) -> None:
        """Validate, and store plain floats."""
        for name in ("tau_m", "tau_s", "threshold"):
            value = _checks.positive(name, getattr(self, name), allow_inf=name == "tau_m")
            object.__setattr__(self, name, value)


DEFAULT = LIFParameters()


def check_parameters(params: LIFParameters) -> None:
    """Raise unless these are LIFParameters."""
    if not isinstance(params, LIFParameters):
        raise ValueError(f"params must be LIFParameters, got {type(params).__name__}")


def psp(delay: ArrayLike, params: LIFParameters = DEFAULT) -> FloatArray:
    r"""Postsynaptic potential of a unit weight, `delay` after the input spike.

    :math:`k(s) = \frac{\tau_m}{\tau_m - \tau_s}(e^{-s/\tau_m} - e^{-s/\tau_s})` and zero for
    :math:`s \le 0`, evaluated in a form that neither cancels near :math:`\tau_m = \tau_s` nor
    needs a special case there or at :math:`\tau_m = \infty` (:eq:`eq-psp`).

    Parameters
    ----------
    delay : array_like
        Times since the input spike, any shape, in the unit of the time constants.
    params : LIFParameters

    Returns
    -------
    ndarray
        Of the shape of `delay`, in units of the weight.

    Raises
    ------
    ValueError
        If a delay is not finite.
    """
    tau_s, tau_m = params.tau_s, params.tau_m
    delay = np.maximum(_checks.finite_array("delay", delay, allow_empty=True), 0.0)
    rate_gap = abs(1 / tau_s - 1 / tau_m)
    return delay / tau_s * np.exp(-delay / max(tau_m, tau_s)) * exprel(-delay * rate_gap)


def psp_slope(delay: ArrayLike, params: LIFParameters = DEFAULT) -> FloatArray:
    r"""Time derivative of :func:`psp`: :math:`k'(s) = e^{-s/\tau_s}/\tau_s - k(s)/\tau_m`.

    Parameters
    ----------
    delay : array_like
        Times since the input spike, any shape; zero slope for :math:`s \le 0`.
    params : LIFParameters

    Returns
    -------
    ndarray
        Of the shape of `delay`, per unit of time.

    Raises
    ------
    ValueError
        If a delay is not finite.
    """
    delay = _checks.finite_array("delay", delay, allow_empty=True)
    current = np.exp(-np.maximum(delay, 0.0) / params.tau_s)
    slope = current / params.tau_s - psp(delay, params) / params.tau_m
    return np.where(delay > 0, slope, 0.0)


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
    spike_times, weights = _inputs(spike_times, weights)
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
    spike_times, weights = _inputs(spike_times, weights)
    arrivals = np.unique(spike_times[np.isfinite(spike_times)])
    for now, following in pairwise([*arrivals.tolist(), math.inf]):
        potential, current = _state(now, spike_times, weights, params)
        spike = now + crossing_delay(potential, current, params)
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
    spike_times, weights = _inputs(spike_times, weights)
    spike = first_spike_time(spike_times, weights, params)
    return np.flatnonzero((spike_times < spike) & np.isfinite(spike))


def spike_time_gradient(
    spike_times: ArrayLike, weights: ArrayLike, params: LIFParameters = DEFAULT
) -> tuple[FloatArray, FloatArray]:
    r"""Exact derivatives of the first spike time by weights and by input times.

    :math:`\partial t/\partial w_i = -k(t - t_i)/\dot V(t)` (:eq:`eq-grad-weights`) and
    :math:`\partial t/\partial t_i = w_i k'(t - t_i)/\dot V(t)` (:eq:`eq-grad-times`). Inputs after the spike have
    gradient zero, and so has every input of a silent neuron. As the peak of the potential comes
    down to the threshold, :math:`\dot V \to 0` and both diverge.

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
    spike_times, weights = _inputs(spike_times, weights)
    spike = first_spike_time(spike_times, weights, params)
    if math.isinf(spike):
        return np.zeros_like(weights), np.zeros_like(weights)
    delays = np.where(spike_times < spike, spike - spike_times, 0.0)
    pull = weights * psp_slope(delays, params)
    slope = max(float(pull.sum()), 0.0)
    return _ratio(-psp(delays, params), slope), _ratio(pull, slope)


def crossing_delay(potential: float, current: float, params: LIFParameters = DEFAULT) -> float:
    r"""Delay until V reaches the threshold from the state (V, I) if no further input comes.

    Closed form where there is one: Lambert's W for :math:`\tau_m = \tau_s` (:eq:`eq-spike-time`), a quadratic
    for :math:`\tau_m = 2\tau_s` (:eq:`eq-quadratic`), a logarithm for :math:`\tau_m = \infty` (:eq:`eq-non-leaky`);
    otherwise a bracketed root between now and the peak (:eq:`eq-peak`).

    Parameters
    ----------
    potential, current : float
        State just after the last input, with ``potential <= threshold``.
    params : LIFParameters

    Returns
    -------
    float
        ``inf`` if the peak stays under the threshold; 0 if the state is already there.
    """
    if potential >= params.threshold:
        return 0.0
    rising = current / params.tau_s > potential / params.tau_m
    # All the charge still to come, without leak, is `current`: it must fill the gap.
    if not rising or current <= params.threshold - max(potential, 0.0):
        return math.inf
    if params.tau_m == params.tau_s:
        return _crossing_equal(potential, current, params)
    if params.tau_m == 2 * params.tau_s:
        return _crossing_double(potential, current, params)
    if params.tau_s / params.tau_m == 0:
        return _crossing_non_leaky(potential, current, params)
    return _crossing_any(potential, current, params)


def peak_delay(potential: float, current: float, params: LIFParameters = DEFAULT) -> float:
    r"""Delay until the maximum of V for a rising state, :math:`I > 0` and :math:`\dot V > 0`.

    One formula for every ratio of time constants (:eq:`eq-peak`); ``inf`` where V keeps rising.
    """
    speed = params.tau_s / params.tau_m
    mismatch = 1 - speed
    ratio = potential / current
    if speed == 0 or ratio * mismatch <= -1:
        return math.inf
    # log(speed), not log1p(-mismatch): a membrane 1e16 times slower still has its peak.
    own = -math.log(speed) / mismatch if mismatch != 0 else 1.0
    return params.tau_s * (own - ratio * _log1prel(ratio * mismatch))


def _crossing_equal(potential: float, current: float, params: LIFParameters) -> float:
    """Solve :eq:`eq-spike-time` in terms of the distance from the peak, where no digits cancel."""
    ratio = potential / current
    excess = math.log(current / params.threshold) - (1 - ratio)
    if excess < 0:
        return math.inf
    return max(params.tau_s * (1 - ratio - _time_before_peak(excess)), 0.0)


def _time_before_peak(excess: float) -> float:
    """Return x = 1 + W0(-exp(-1 - excess)), the root in [0, 1] of x + log(1 - x) = -excess.

    `excess` is log(peak / threshold). Towards the branch point of W (excess = 0) the argument of W
    loses the digits of `excess`: there the expansion of W in p, which keeps them, takes over, and
    in between one Newton step on the equation itself brings them back.
    """
    p = math.sqrt(-2 * math.expm1(-excess))
    if p < 1e-4:
        return p - p**2 / 3 + 11 / 72 * p**3
    x = 1 + float(lambertw(-math.exp(-1 - excess)).real)
    return x - (x + math.log1p(-x) + excess) * (x - 1) / x if x < 0.5 else x


def _crossing_double(potential: float, current: float, params: LIFParameters) -> float:
    """Solve the quadratic in exp(-s / tau_m) for tau_m = 2 tau_s; the larger root is earlier."""
    half = 1 + potential / current / 2
    discriminant = half * half - 2 * params.threshold / current
    if half <= 0 or discriminant < 0:
        return math.inf
    return max(-params.tau_m * math.log((half + math.sqrt(discriminant)) / 2), 0.0)


def _crossing_non_leaky(potential: float, current: float, params: LIFParameters) -> float:
    """Solve V + I (1 - exp(-s / tau_s)) = threshold, exact in the surplus of charge."""
    gap = params.threshold - potential
    surplus = current - gap
    return params.tau_s * math.log1p(gap / surplus) if surplus > 0 else math.inf


def _crossing_any(potential: float, current: float, params: LIFParameters) -> float:
    """Find the root on the rising flank, for any ratio of time constants."""

    def above_threshold(delay: float) -> float:
        decayed = potential * math.exp(-delay / params.tau_m)
        return decayed + current * float(psp(delay, params)) - params.threshold

    peak = peak_delay(potential, current, params)
    if math.isinf(peak) or above_threshold(peak) < 0:
        return math.inf
    fastest = min(params.tau_m, params.tau_s)
    return brentq(above_threshold, 0.0, peak, xtol=1e-15 * fastest, rtol=8.9e-16)


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


def _inputs(spike_times: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    spike_times = _checks.spike_times("spike_times", spike_times, ndim=1)
    weights = _checks.finite_array("weights", weights, ndim=1)
    _checks.same_shape("weights", weights, "spike_times", spike_times)
    return spike_times, weights


def _ratio(numerator: FloatArray, slope: float) -> FloatArray:
    """Divide by the slope; a zero slope gives signed infinities, and zero stays zero."""
    if slope > 0:
        return numerator / slope
    return np.where(numerator == 0, 0.0, np.copysign(np.inf, numerator))


def _log1prel(x: float) -> float:
    """log(1 + x) / x, continued to 1 at x = 0."""
    return math.log1p(x) / x if x != 0 else 1.0

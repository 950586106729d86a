"""When the potential reaches the threshold if no further input comes: one state, closed forms."""

from __future__ import annotations

import math

import scipy

from ttfslib import _checks
from ttfslib._psp import DEFAULT, LIFParameters, check_parameters, psp


def crossing_delay(potential: float, current: float, params: LIFParameters = DEFAULT) -> float:
    r"""Delay until V reaches the threshold from the state (V, I) if no further input comes.

    Closed form where there is one: Lambert's W for :math:`\tau_m = \tau_s`
    (:eq:`eq-spike-time`), a quadratic for :math:`\tau_m = 2\tau_s` (:eq:`eq-quadratic`), a
    logarithm for :math:`\tau_m = \infty` (:eq:`eq-non-leaky`); otherwise a bracketed root between
    now and the peak (:eq:`eq-peak`).

    Parameters
    ----------
    potential, current : float
        State just after the last input, with ``potential <= threshold``.
    params : LIFParameters

    Returns
    -------
    float
        ``inf`` if the peak stays under the threshold; 0 if the state is already there.

    Raises
    ------
    ValueError
        If the state is not finite.
    """
    check_parameters(params)
    state = _checks.real("potential", potential), _checks.real("current", current)
    return delay_to_threshold(*state, params)


def delay_to_threshold(potential: float, current: float, params: LIFParameters) -> float:
    """:func:`crossing_delay` of a state that has been checked."""
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

    Parameters
    ----------
    potential, current : float
    params : LIFParameters

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the state is not finite, or the current not positive.
    """
    check_parameters(params)
    potential, current = _checks.real("potential", potential), _checks.positive("current", current)
    return _peak(potential, current, params)


def _peak(potential: float, current: float, params: LIFParameters) -> float:
    """:func:`peak_delay` of a state that has been checked."""
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
    x = 1 + float(scipy.special.lambertw(-math.exp(-1 - excess)).real)
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

    peak = _peak(potential, current, params)
    if math.isinf(peak) or above_threshold(peak) < 0:
        return math.inf
    fastest = min(params.tau_m, params.tau_s)
    return scipy.optimize.brentq(above_threshold, 0.0, peak, xtol=1e-15 * fastest, rtol=8.9e-16)


def _log1prel(x: float) -> float:
    """log(1 + x) / x, continued to 1 at x = 0."""
    return math.log1p(x) / x if x != 0 else 1.0

r"""The scalar formulas of the compiled engines, each once: compiled for the CPU and for CUDA."""

from __future__ import annotations

import math

from numba import njit

from ttfslib.engines._cache import can_cache

_MAX_NEWTON_STEPS = 60
# No "contract" (fused multiply-add): code just compiled and code from the cache fuse differently.
COMPILE = {"cache": can_cache(), "nogil": True, "error_model": "numpy"}


@njit(inline="always", **COMPILE)
def propagator(delay, rate_m, rate_s):
    r"""How (V, I) moves without input: :math:`V \to aV + bI, I \to cI` (:eq:`eq-propagator`).

    The rates are 1/tau_m and 1/tau_s. Returns (a, b, c) = (exp(-delay/tau_m), psp(delay),
    exp(-delay/tau_s)), in the precision of the arguments.
    """
    a = math.exp(-delay * rate_m)
    if rate_m == rate_s:
        return a, delay * rate_s * a, a
    c = math.exp(-delay * rate_s)
    x = -delay * abs(rate_s - rate_m)
    relative = math.expm1(x) / x if x != 0.0 else math.exp(x)  # 1, without becoming a double
    return a, delay * rate_s * max(a, c) * relative, c


@njit(**COMPILE)
def crossing_delay(potential, current, tau_m, tau_s, threshold, horizon, tolerance):
    """Delay to the threshold within `horizon`, or inf.

    Newton's method, from where the parabola at the start of the interval crosses. On the rising
    flank V is concave, so that a step never ends beyond the root: it finds it, passes the horizon
    or, where the peak is too low, runs over it.
    """
    if potential >= threshold:
        return 0.0
    rate_m, rate_s = 1.0 / tau_m, 1.0 / tau_s
    slope = rate_s * current - rate_m * potential
    # V stays below max(V, 0) + I, but once it has rounded to that, Newton would see a crossing.
    if not slope > 0.0 or current <= threshold - max(potential, 0.0):
        return math.inf
    missing = threshold - potential
    bend = rate_s * rate_s * current + rate_m * slope
    square = slope * slope - 2.0 * bend * missing
    delay = 2.0 * missing / (slope + math.sqrt(square)) if square > 0.0 else 0.0
    delay = min(delay, horizon)
    from_left = delay == 0.0
    for _ in range(_MAX_NEWTON_STEPS):
        a, b, c = propagator(delay, rate_m, rate_s)
        v, flowing = a * potential + b * current, c * current
        slope = rate_s * flowing - rate_m * v
        if not slope > 0.0:
            if from_left:
                return math.inf
            delay, from_left = 0.0, True
            continue
        step = (threshold - v) / slope
        delay = max(delay + step, 0.0)
        if delay > horizon:
            return math.inf
        bend = rate_s * rate_s * flowing + rate_m * slope
        if step * step * bend <= tolerance * slope * delay:
            return delay
        from_left = from_left or step < 0.0
    return delay


@njit(**COMPILE)
def spike_delay(potential, current, ahead, tau_m, tau_s, threshold, horizon, tolerance):
    """Delay to the spike within `horizon`, or inf; `ahead` is V at the horizon.

    Where rounding hides a crossing just before the horizon, V at the horizon still tells of it.
    """
    delay = crossing_delay(potential, current, tau_m, tau_s, threshold, horizon, tolerance)
    if delay == math.inf and horizon < math.inf and ahead >= threshold:
        return horizon
    return delay


@njit(**COMPILE)
def slope_at_spike(current, delay, tau_m, tau_s, threshold):
    """Slope of V where it crosses the threshold, `delay` after the current was `current`."""
    rate_m, rate_s = 1.0 / tau_m, 1.0 / tau_s
    return max(current * math.exp(-delay * rate_s) * rate_s - threshold * rate_m, 0.0)

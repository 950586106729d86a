"""Parameters of a neuron, and what one input spike does to its potential."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

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
            if value < sys.float_info.min:  # its inverse is no float
                raise ValueError(f"{name} must be at least {sys.float_info.min:.1e}, got {value!r}")
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
    check_parameters(params)
    tau_s, tau_m = params.tau_s, params.tau_m
    delay = np.maximum(_checks.finite_array("delay", delay, allow_empty=True), 0.0)
    rate_gap = abs(1 / tau_s - 1 / tau_m)
    slower = delay / tau_s * np.exp(-delay / max(tau_m, tau_s))
    return slower * scipy.special.exprel(-delay * rate_gap)


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
    check_parameters(params)
    delay = _checks.finite_array("delay", delay, allow_empty=True)
    current = np.exp(-np.maximum(delay, 0.0) / params.tau_s)
    slope = current / params.tau_s - psp(delay, params) / params.tau_m
    return np.where(delay > 0, slope, 0.0)

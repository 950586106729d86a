"""Validators: the one place where bad input becomes a ValueError in one line.

Every message names the argument, says what came and what was expected, so that it can be read
without the source at hand.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def positive(name: str, value: Any, *, allow_inf: bool = False) -> float:
    """Return `value` as a float > 0; infinity passes only with `allow_inf`."""
    number = real(name, value, allow_inf=allow_inf)
    if number <= 0:
        raise ValueError(f"{name} must be positive, got {number!r}")
    return number


def real(name: str, value: Any, *, allow_inf: bool = False) -> float:
    """Return `value` as a float that is not NaN; infinities pass only with `allow_inf`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must be a real number, got {_describe(value)}")
    number = float(value)
    if math.isnan(number) or (math.isinf(number) and not allow_inf):
        raise ValueError(f"{name} must be finite, got {number!r}")
    return number


def within(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in the closed interval [low, high]."""
    number = real(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {number!r}")
    return number


def integer(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return `value` as an int >= `minimum`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be an integer, got {_describe(value)}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def one_of(name: str, value: Any, options: Collection[str]) -> str:
    """Return `value` if it is among `options`."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def finite_array(
    name: str, value: ArrayLike, *, ndim: int | None = None, allow_empty: bool = False
) -> FloatArray:
    """Return `value` as a float64 array without NaN or infinities, of `ndim` dimensions."""
    array = _float_array(name, value, ndim=ndim, allow_empty=allow_empty)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {_first(array, ~np.isfinite(array))}")
    return array


def spike_times(
    name: str, value: ArrayLike, *, ndim: int | None = None, allow_empty: bool = False
) -> FloatArray:
    """Return `value` as a float64 array of spike times: no NaN, no -inf; +inf means silent."""
    array = _float_array(name, value, ndim=ndim, allow_empty=allow_empty)
    bad = np.isnan(array) | np.isneginf(array)
    if bad.any():
        raise ValueError(f"{name} must be finite or +inf (silent), got {_first(array, bad)}")
    return array


def same_shape(name: str, array: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """Raise unless both arrays have the same shape."""
    if array.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name} {other.shape}, got {array.shape}"
        )


def _float_array(name: str, value: ArrayLike, *, ndim: int | None, allow_empty: bool) -> FloatArray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of numbers, got {_describe(value)}") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    if array.size == 0 and not allow_empty:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array


def _first(array: FloatArray, bad: NDArray[np.bool_]) -> str:
    """Name the first offending entry and where it stands."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    return f"{float(array[index])!r}{where}"


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"

"""Validators: the one place where bad input becomes a ValueError in one line.

Every message names the argument, says what came and what was expected, so that it can be read
without the source at hand.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Collection
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Thing = TypeVar("Thing")
Checked = TypeVar("Checked")

MAX_INTEGER = 2**63 - 1
"""What NumPy and torch hold."""


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
    try:
        number = float(value)
    except OverflowError:  # an int beyond the floats
        number = math.inf
    if math.isnan(number) or (math.isinf(number) and not allow_inf):
        raise ValueError(f"{name} must be finite, got {number!r}")
    return number


def within(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in the closed interval [low, high]."""
    number = real(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {number!r}")
    return number


def integer(name: str, value: Any, *, minimum: float = 1, maximum: float = MAX_INTEGER) -> int:
    """Return `value` as an int from `minimum` to `maximum`, both included."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be an integer, got {_describe(value)}")
    number = int(value)
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {shown(number)}")
    if number > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {shown(number)}")
    return number


def instance(name: str, value: Any, kind: type[Thing]) -> Thing:
    """Return `value` if it is a `kind`."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}, got {_describe(value)}")
    return value


def function(name: str, value: Any) -> Callable[..., Any]:
    """Return `value` if it can be called."""
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {_describe(value)}")
    return value


def truth(name: str, value: Any) -> bool:
    """Return whether `value` is true to Python, if it is either."""
    try:
        return bool(value)
    except (TypeError, ValueError, RuntimeError):  # arrays and tensors of several entries
        raise ValueError(f"{name} must be true or false, got {_describe(value)}") from None


def axis(name: str, value: Any, ndim: int) -> int:
    """Return `value` as the number of one of `ndim` axes; negative ones count from the end."""
    number = integer(name, value, minimum=-math.inf, maximum=math.inf)
    if not -ndim <= number < ndim:
        raise ValueError(f"{name} must be one of {ndim} axes, got {shown(number)}")
    return number


def each(name: str, values: Any, check: Callable[[str, Any], Checked]) -> list[Checked]:
    """Return a list of what `check` makes of every entry, which it calls ``name[i]``."""
    try:
        entries = list(values)
    except (TypeError, ValueError, RuntimeError):  # the last: a sparse tensor
        raise ValueError(f"{name} must be a sequence, got {_describe(values)}") from None
    return [check(f"{name}[{i}]", entry) for i, entry in enumerate(entries)]


def path(name: str, value: Any) -> Path:
    """Return `value` as a path, with the user's home in the place of ``~``."""
    try:
        found = Path(value).expanduser()
    except (TypeError, RuntimeError):  # no path; no home
        raise ValueError(f"{name} must be a path, got {_describe(value)}") from None
    if "\0" in str(found):
        raise ValueError(f"{name} must be a path without null bytes, got {_describe(value)}")
    return found


def text(name: str, value: Any) -> str:
    """Return `value` if it is a string."""
    return instance(name, value, str)


def one_of(name: str, value: Any, options: Collection[str]) -> str:
    """Return `value` if it is among `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, options))}, got {shown(value)}"
        )
    return value


def any_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return `value` as a NumPy array of any type, in the byte order of the machine."""
    refuse_masked(name, value)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        if dtype := getattr(value, "dtype", None):  # of torch, as bfloat16
            raise ValueError(f"{name} must be of a dtype that NumPy has, got {dtype}") from None
        raise ValueError(f"{name} must be a rectangular array, got {_describe(value)}") from None
    except RuntimeError as error:  # torch, which says what is in the way
        raise ValueError(f"{name} must be an array: {str(error).splitlines()[0]}") from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def refuse_masked(name: str, value: Any) -> None:
    """Raise if entries of an array are masked, which NumPy and torch would use all the same."""
    try:
        masked = _is_masked(value)
    except RecursionError:  # a list that holds itself
        masked = False
    if masked:
        raise ValueError(
            f"{name} must not be masked: fill in what is masked, with inf for a silent neuron"
        )


def _is_masked(value: Any) -> bool:
    """Whether entries of an array, or of arrays in a list, are masked: NumPy would unmask them."""
    if isinstance(value, (list, tuple)):
        return any(
            _is_masked(entry) for entry in value if isinstance(entry, (list, tuple, np.ndarray))
        )
    return bool(np.ma.is_masked(value))


def numbers(
    name: str, value: ArrayLike, *, ndim: int | None = None, allow_empty: bool = False
) -> FloatArray:
    """Return `value` as a float64 array of `ndim` dimensions; any float passes."""
    array = any_array(name, value)
    if array.dtype.kind not in "buif":  # text and complex numbers would convert, and lose
        raise ValueError(f"{name} must be an array of numbers, got {_describe(value)}")
    array = array.astype(np.float64, copy=False)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    if array.size == 0 and not allow_empty:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array


def finite_array(
    name: str, value: ArrayLike, *, ndim: int | None = None, allow_empty: bool = False
) -> FloatArray:
    """Return `value` as a float64 array without NaN or infinities, of `ndim` dimensions."""
    array = numbers(name, value, ndim=ndim, allow_empty=allow_empty)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {_first(array, ~np.isfinite(array))}")
    return array


def spike_times(
    name: str, value: ArrayLike, *, ndim: int | None = None, allow_empty: bool = False
) -> FloatArray:
    """Return `value` as a float64 array of spike times: no NaN, no -inf; +inf means silent."""
    array = numbers(name, value, ndim=ndim, allow_empty=allow_empty)
    bad = np.isnan(array) | np.isneginf(array)
    if bad.any():
        raise ValueError(f"{name} must be finite or +inf (silent), got {_first(array, bad)}")
    return array


def matrix(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as a finite float64 matrix."""
    return finite_array(name, value, ndim=2)


def layer_times(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as the float64 spike times of a layer, shape (n_samples, n_neurons)."""
    return spike_times(name, value, ndim=2)


def sample_labels(name: str, value: ArrayLike, n_samples: int) -> NDArray[np.int64]:
    """Return `value` as int64 labels, one for each sample."""
    array = any_array(name, value)
    if array.shape != (n_samples,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{name} must be {n_samples} integers, got {array.dtype} of shape {array.shape}"
        )
    return array.astype(np.int64)


def class_labels(name: str, value: ArrayLike, n_samples: int) -> NDArray[np.int64]:
    """Return `value` as int64 classes, one for each sample; each of 0, 1, ... has to occur."""
    array = sample_labels(name, value, n_samples)
    present = np.unique(array)
    if not np.array_equal(present, np.arange(len(present))):
        raise ValueError(f"{name} must be 0, 1, ... without gaps, got {present[:20].tolist()}")
    return array


def booleans(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> NDArray[np.bool_]:
    """Return `value` as an array of booleans of that shape; None stands for any length but 0."""
    array = any_array(name, value)
    fits = len(shape) == array.ndim and all(
        length == expected or (expected is None and length > 0)
        for length, expected in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.bool_ or not fits:
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must be booleans, {wanted}, got {array.dtype} of shape {array.shape}"
        )
    return array


def each_or_all(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return `value` as booleans for neurons, in all samples or in each: ``shape``, or its end."""
    return booleans(name, value, shape if np.ndim(any_array(name, value)) == 2 else shape[1:])


def in_precision_of(given: ArrayLike, result: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Return `result` as float32 if `given` is, otherwise as float64."""
    single = any_array("given", given).dtype == np.float32
    return result.astype(np.float32 if single else np.float64, copy=False)


def labelled(responses: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return finite `responses` (n_samples, n_neurons) and the samples' class `labels`."""
    values = finite_array("responses", responses, ndim=2)
    return values, class_labels("labels", labels, len(values))


def generator(name: str, value: Any) -> np.random.Generator:
    """Return `value` if it is a numpy Generator."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(f"{name} must be a numpy.random.Generator, got {type(value).__name__}")
    return value


def same_shape(name: str, array: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """Raise unless both arrays have the same shape."""
    if array.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name} {other.shape}, got {array.shape}"
        )


def printable(text: str) -> str:
    """Text with its control characters escaped, so that no terminal obeys them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: Any) -> str:
    """A value as a message echoes it: printable, and short however long or deep it is."""
    try:
        return printable(reprlib.repr(value))
    except ValueError:  # an int of more digits than Python writes
        return f"a very long {type(value).__name__}"


def _first(array: FloatArray, bad: NDArray[np.bool_]) -> str:
    """Name the first offending entry and where it stands."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    return f"{float(array[index])!r}{where}"


def _describe(value: Any) -> str:
    try:
        return f"{type(value).__name__} {str(value)[:40]!r}"
    except (RecursionError, ValueError):  # nested too deeply; an int of too many digits
        return f"{type(value).__name__} {shown(value)}"

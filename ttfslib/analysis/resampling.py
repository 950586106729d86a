"""Intervals for numbers that were measured on a few samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ttfslib import _checks
from ttfslib._checks import FloatArray


def bootstrap_interval(
    statistic: Callable[..., Any],
    *arrays: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval of any statistic of the samples.

    Samples are drawn with replacement, as many as there are, `n_resamples` times; the interval
    holds the middle `level` of the values that the statistic then takes.

    Parameters
    ----------
    statistic : callable
        Called as ``statistic(*arrays)``; returns a number or an array.
    *arrays : array_like
        Samples along the first axis; each draw takes the same ones from every array. What they
        hold is the business of `statistic`: NaN and text pass.
    rng : numpy.random.Generator
        The source of randomness.
    n_resamples : int
        How often to draw.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : arrays
        Of the shape that the statistic returns.

    Raises
    ------
    ValueError
        If there is no array, one is empty, they differ in length, or an option is out of range.

    Notes
    -----
    `scipy.stats.bootstrap` resamples arrays of one shape; here responses of shape (n_samples,
    n_neurons) go with labels of shape (n_samples,). A draw holds some samples twice, and those
    are at no distance from each other: statistics of pairs, like
    :func:`ttfslib.analysis.semantics.separability`, come out a little high in every draw.

    Examples
    --------
    >>> low, high = bootstrap_interval(np.mean, np.arange(100), rng=np.random.default_rng(0))
    >>> bool(low < 49.5 < high)
    True
    """
    statistic = _checks.function("statistic", statistic)
    data = _checks.each("arrays", arrays, _checks.any_array)
    lengths = {array.shape[:1] for array in data}
    if len(lengths) != 1 or not all(array.ndim and array.size for array in data):
        raise ValueError(
            "arrays must be one or more of the same length, not empty, "
            f"got shapes {[array.shape for array in data]}"
        )
    rng = _checks.generator("rng", rng)
    n_resamples = _checks.integer("n_resamples", n_resamples)
    tail = (1 - _checks.within("level", level, 0, 1)) / 2
    n_samples = len(data[0])
    draws = rng.integers(n_samples, size=(n_resamples, n_samples))
    values = [statistic(*(array[drawn] for array in data)) for drawn in draws]
    found = _checks.numbers("the values of statistic", values)
    low, high = np.quantile(found, [tail, 1 - tail], axis=0)
    return low, high

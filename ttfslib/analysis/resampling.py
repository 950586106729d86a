"""Intervals for numbers that were measured on a few samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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

    def redrawn(rng: np.random.Generator) -> Any:
        drawn = _with_replacement(len(data[0]), rng)
        return statistic(*(array[drawn] for array in data))

    return _interval(redrawn, rng, n_resamples, level)


def hierarchical_interval(
    statistic: Callable[[Any], Any],
    networks: Sequence[ArrayLike],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Bootstrap interval of what a recipe gives, from a few of its networks and their samples.

    In each draw as many networks are drawn with replacement as there are, and from each of them
    as many samples as it has; the statistic is computed for each network and averaged over them.
    So the interval holds what further seeds may change, and not only further samples.

    Parameters
    ----------
    statistic : callable
        Called with the samples of one network; returns a number or an array.
    networks : sequence of array_like
        For each network its samples along the first axis. NaN is the business of `statistic`.
    rng, n_resamples, level
        As for :func:`bootstrap_interval`.

    Returns
    -------
    low, high : arrays
        Of the shape that the statistic returns.

    Raises
    ------
    ValueError
        If there are fewer than two networks, one has no samples, or an option is out of range.

    Notes
    -----
    With few networks the interval is too narrow: of three, a draw misses one at least in seven
    cases of nine, and the spread between them is estimated from three numbers.

    References
    ----------
    Saravanan, Berman and Sober (2020), Application of the hierarchical bootstrap to multi-level
    data in neuroscience, Neurons, Behavior, Data Analysis and Theory 3.

    Examples
    --------
    >>> seeds = np.random.default_rng(0).normal(1, 0.1, (3, 50))
    >>> low, high = hierarchical_interval(np.mean, seeds, rng=np.random.default_rng(0))
    >>> bool(low < 1 < high)
    True
    """
    statistic = _checks.function("statistic", statistic)
    data = _checks.each("networks", networks, _checks.any_array)
    if len(data) < 2 or not all(array.ndim and len(array) for array in data):
        raise ValueError(
            "networks must be two or more arrays of samples, not empty, "
            f"got shapes {[array.shape for array in data]}"
        )

    def redrawn(rng: np.random.Generator) -> Any:
        drawn = [data[i] for i in _with_replacement(len(data), rng)]
        return np.mean([statistic(each[_with_replacement(len(each), rng)]) for each in drawn], 0)

    return _interval(redrawn, rng, n_resamples, level)


def _with_replacement(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(n, size=n)


def _interval(
    redrawn: Callable[[np.random.Generator], Any],
    rng: np.random.Generator,
    n_resamples: int,
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Middle `level` of the values of a statistic that is drawn anew each time."""
    rng = _checks.generator("rng", rng)
    n_resamples = _checks.integer("n_resamples", n_resamples)
    tail = (1 - _checks.within("level", level, 0, 1)) / 2
    values = [redrawn(rng) for _ in range(n_resamples)]
    found = _checks.numbers("the values of statistic", values)
    low, high = np.quantile(found, [tail, 1 - tail], axis=0)
    return low, high

r"""Is there synchrony in what electrodes saw? Surrogates, counts of coincidences, p-values.

Units may fire together only because their rates are high, or because the stimulus makes all of
them fire. :func:`coincidences` of an :class:`~ttfslib.analysis.electrodes.Observation` are
therefore compared with those of surrogates (:func:`surrogate_p_value`): spikes that are dithered
(:func:`dithered`) keep the rates, trials that are exchanged (:func:`trials_shuffled`) keep what the
stimuli do to each unit on average. Where trials show different stimuli, what these have in common
for several units is lost with the exchange, so that a small p-value need not mean more than that.
What differs between layers and classes is tested in :mod:`ttfslib.analysis.recorded_volleys`.

A p-value is :math:`(1 + n)/(1 + m)`, where :math:`n` of :math:`m` surrogates reach the observed
value, so that it is never zero and its test keeps its level. :func:`rejection_rate` turns p-values
of repeated experiments into power or false-positive rate. Elephant has the same surrogates for
single spike trains; those here keep all trains in one array, because a power curve needs many
thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib.analysis.electrodes import Observation

IntArray = NDArray[np.int64]

MAX_WIDTH = np.finfo(float).max / 2
"""Half the range of a uniform distribution."""
MAX_BINS = 10**8
"""Of all trials together; they are counted one by one."""


def dithered(observation: Observation, width: float, rng: np.random.Generator) -> Observation:
    """Move every spike by up to `width`, earlier or later: what is finer in time is lost.

    Parameters
    ----------
    observation : Observation
    width : float
        Half the range of the uniform displacement.
    rng : numpy.random.Generator

    Returns
    -------
    Observation

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    observation = _checks.instance("observation", observation, Observation)
    width = _checks.within("width", _checks.positive("width", width), 0, MAX_WIDTH)
    rng = _checks.generator("rng", rng)
    return observation.moved(rng.uniform(-width, width, len(observation.times)))


def trials_shuffled(observation: Observation, rng: np.random.Generator) -> Observation:
    """Exchange the trials of each unit: its rate and its locking to the stimulus stay.

    Parameters
    ----------
    observation : Observation
    rng : numpy.random.Generator

    Returns
    -------
    Observation
        In which no unit's spikes belong to the trial of another's but by chance.

    Raises
    ------
    ValueError
        If an argument is of another kind.
    """
    observation = _checks.instance("observation", observation, Observation)
    rng = _checks.generator("rng", rng)
    shape = (observation.n_units, observation.n_trials)
    new_trial = rng.permuted(np.tile(np.arange(observation.n_trials), (shape[0], 1)), axis=1)
    return replace(observation, trials=new_trial[observation.units, observation.trials])


def coincidences(observation: Observation, width: float) -> int:
    """Count pairs of units that fire in the same bin of a trial (:eq:`eq-coincidences`).

    With :math:`c` units in a bin there are :math:`c(c-1)/2` pairs; a unit that fires twice in a bin
    counts once. Elephant's ``Complexity`` counts the same units in its bins.

    Parameters
    ----------
    observation : Observation
    width : float
        Of a bin; bins begin at multiples of it.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from ttfslib import observe
    >>> spikes = observe([[[0.11, 0.12, 0.13, 0.55]]], [[0, 1, 2, 3]], np.random.default_rng(0))
    >>> coincidences(spikes, 0.1)
    3
    """
    observation = _checks.instance("observation", observation, Observation)
    found = members(observation, _checks.positive("width", width))
    in_bin = np.bincount(found.bins)
    return int((in_bin * (in_bin - 1) // 2).sum())


class Members(NamedTuple):
    """Which units fire in which bin, each once; bins are numbered through all trials."""

    bins: IntArray
    units: IntArray
    bins_per_trial: int


def members(observation: Observation, width: float) -> Members:
    """Sort spikes into bins, which begin at multiples of their width."""
    if observation.n_trials * observation.duration > MAX_BINS * width:
        raise ValueError(f"width must leave at most {MAX_BINS} bins in all trials, got {width!r}")
    bins = np.floor(observation.times / width).astype(np.int64)
    per_trial = int(observation.duration / width) + 1
    place = observation.trials * per_trial + bins
    once = np.unique(place * observation.n_units + observation.units)
    return Members(once // observation.n_units, once % observation.n_units, per_trial)


def surrogate_p_value(
    observation: Observation,
    statistic: Callable[[Observation], float],
    surrogate: Callable[[Observation, np.random.Generator], Observation],
    *,
    rng: np.random.Generator,
    n_surrogates: int = 199,
) -> float:
    """How often surrogates reach the observed statistic (:eq:`eq-surrogate-p`).

    Parameters
    ----------
    observation : Observation
    statistic : callable
        ``statistic(observation)`` is a number that is large if there is synchrony.
    surrogate : callable
        ``surrogate(observation, rng)`` is one surrogate.
    rng : numpy.random.Generator
    n_surrogates : int

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    observation = _checks.instance("observation", observation, Observation)
    statistic = _checks.function("statistic", statistic)
    surrogate = _checks.function("surrogate", surrogate)
    rng = _checks.generator("rng", rng)
    n_surrogates = _checks.integer("n_surrogates", n_surrogates)
    null = [statistic(surrogate(observation, rng)) for _ in range(n_surrogates)]
    return p_value_of(statistic(observation), null)


def p_value_of(observed: float, null: Sequence[float]) -> float:
    """How often values of the null hypothesis reach the observed one, which counts among them."""
    return float(1 + np.sum(np.asarray(null) >= observed)) / (1 + len(null))


def rejection_rate(p_values: ArrayLike, level: float = 0.05) -> tuple[float, tuple[float, float]]:
    """Share of experiments whose p-value is at most the level, with its 95 % interval.

    Of experiments with an effect it is the power of the test, of those without one the rate of
    false positives.

    Parameters
    ----------
    p_values : array_like, shape (n_experiments,)
        In [0, 1].
    level : float

    Returns
    -------
    rate : float
    interval : (float, float)
        Wilson's interval for a share.

    Raises
    ------
    ValueError
        If the p-values are empty or outside [0, 1], or the level is.

    Examples
    --------
    >>> rate, (low, high) = rejection_rate([0.01, 0.2, 0.03, 0.9])
    >>> rate
    0.5
    >>> round(low, 2), round(high, 2)
    (0.15, 0.85)
    """
    values = _checks.finite_array("p_values", p_values, ndim=1)
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"p_values must lie in [0, 1], got {values.min()!r} to {values.max()!r}")
    level = _checks.within("level", level, 0, 1)
    from scipy.stats import binomtest

    found = binomtest(int(np.sum(values <= level)), len(values))
    interval = found.proportion_ci(method="wilson")
    return found.k / found.n, (float(interval.low), float(interval.high))

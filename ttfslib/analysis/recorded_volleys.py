"""Whether the volleys of recorded units differ between layers, and between classes.

Both tests permute what they ask about, the layers of units or the labels of trials, and leave
everything else as it was recorded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.analysis.electrodes import Observation
from ttfslib.analysis.equal_counts import draw_spikes
from ttfslib.analysis.surrogates import members, p_value_of
from ttfslib.analysis.synchrony import shorth

IntArray = NDArray[np.int64]


def width_p_value(
    observation: Observation,
    *,
    wide: int,
    narrow: int,
    n_spikes: int,
    rng: np.random.Generator,
    n_permutations: int = 199,
) -> float:
    """Test whether the volley of one layer is narrower than that of another, at equal counts.

    The statistic is the median over trials of the difference of the shorths of `n_spikes`
    spikes drawn from each layer. Under the null hypothesis a unit's layer does not matter: units
    are dealt to the two layers at random, after the median of its layer in its trial has been
    taken from each spike, so that a layer that fires later is not for that reason another one.
    Background that is the same everywhere weighs more in a layer that sends fewer spikes, and makes
    it look wider: bring layers of different rates to one rate by dropping spikes first.

    Parameters
    ----------
    observation : Observation
    wide, narrow : int
        The layer that is expected to be wider, and the other one.
    n_spikes : int
        Spikes that are drawn from each; at least 4.
    rng : numpy.random.Generator
    n_permutations : int

    Returns
    -------
    float
        In (0, 1]; 1 if no trial has enough spikes in both layers.

    Raises
    ------
    ValueError
        If an argument is out of range, or one of the layers has no unit.
    """
    observation = _checks.instance("observation", observation, Observation)
    is_wide, is_narrow = (
        observation.layers == _checks.integer(name, layer, minimum=0)
        for name, layer in {"wide": wide, "narrow": narrow}.items()
    )
    for name, chosen in {"wide": is_wide, "narrow": is_narrow}.items():
        if not chosen.any():
            raise ValueError(f"{name} must be a layer with recorded units")
    n_spikes = _checks.integer("n_spikes", n_spikes, minimum=4)
    rng = _checks.generator("rng", rng)
    n_permutations = _checks.integer("n_permutations", n_permutations)
    centered = _centered(_centered(observation, is_wide), is_narrow)

    def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
        widths = (
            shorth(draw_spikes(centered.of_units(units), n_spikes, rng))
            for units in (first, second)
        )
        found = np.subtract(*widths)
        measured = found[np.isfinite(found)]
        return float(np.median(measured)) if len(measured) else -np.inf

    both = np.flatnonzero(is_wide | is_narrow)
    null = []
    for _ in range(n_permutations):
        first = np.zeros_like(is_wide)
        first[rng.choice(both, is_wide.sum(), replace=False)] = True
        null.append(difference(first, (is_wide | is_narrow) & ~first))
    return p_value_of(difference(is_wide, is_narrow), null)


def _centered(observation: Observation, chosen: NDArray[np.bool_]) -> Observation:
    """Take the median of the chosen units in each trial from their spikes."""
    rows = observation.of_units(chosen)
    rows[~np.isfinite(rows).any(axis=1)] = 0.0  # no spike, no median
    middle = np.nanmedian(np.where(np.isfinite(rows), rows, np.nan), axis=1)
    shift = np.where(chosen[observation.units], middle[observation.trials], 0.0)
    return replace(observation, times=observation.times - shift)


def label_p_value(
    observation: Observation,
    labels: ArrayLike,
    width: float,
    *,
    rng: np.random.Generator,
    n_permutations: int = 199,
) -> float:
    """Test whether the same units fire together whenever the same class is shown.

    In each trial the bin with most units is its event. The statistic is the mean share of common
    units (the cosine) of the events of two trials of one class, minus that of two trials of
    different classes. Under the null hypothesis labels are exchangeable.

    Parameters
    ----------
    observation : Observation
    labels : array_like of int, shape (n_trials,)
    width : float
        Of a bin.
    rng : numpy.random.Generator
    n_permutations : int

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        If an argument is out of range, or no class is shown twice, or there is one class alone.
    """
    observation = _checks.instance("observation", observation, Observation)
    classes = _checks.sample_labels("labels", labels, observation.n_trials)
    if not 1 < len(np.unique(classes)) < len(classes):
        raise ValueError("labels must hold two classes, and one of them twice")
    rng = _checks.generator("rng", rng)
    n_permutations = _checks.integer("n_permutations", n_permutations)
    common = _common_units(_events(observation, _checks.positive("width", width)))
    pairs = np.triu_indices(observation.n_trials, k=1)

    def contrast(shown: IntArray) -> float:
        same = shown[pairs[0]] == shown[pairs[1]]
        return float(common[pairs][same].mean() - common[pairs][~same].mean())

    null = [contrast(rng.permutation(classes)) for _ in range(n_permutations)]
    return p_value_of(contrast(classes), null)


def _events(observation: Observation, width: float) -> NDArray[np.bool_]:
    """Which units fire in the fullest bin of each trial, shape (n_trials, n_units)."""
    bins, units, per_trial = members(observation, width)
    in_bin = np.bincount(bins, minlength=observation.n_trials * per_trial)
    fullest = in_bin.reshape(observation.n_trials, per_trial).argmax(axis=1)
    trials = bins // per_trial
    inside = bins % per_trial == fullest[trials]
    events = np.zeros((observation.n_trials, observation.n_units), dtype=bool)
    events[trials[inside], units[inside]] = True
    return events


def _common_units(events: NDArray[np.bool_]) -> FloatArray:
    """Cosine of every two events; 0 where one is empty."""
    size = np.sqrt(np.maximum(events.sum(axis=1), 1))
    return (events.astype(np.float64) @ events.T) / np.outer(size, size)

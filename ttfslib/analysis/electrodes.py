r"""What electrodes would see of a network: few units, noisy times, lost and foreign spikes.

An experimenter records some of the neurons (:func:`blind_array`, :func:`laminar_probe`) and does
so imperfectly (:func:`observe`). Time has no reference such as the decision of a network: all
spikes of a trial count. Surrogates (:mod:`ttfslib.analysis.surrogates`) then say what of the
synchrony is more than chance.

Times are in the unit of the spike times that are observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Observation:
    """Spikes that were recorded, one by one, in any order.

    Attributes
    ----------
    times : float array, shape (n_spikes,)
        Since the beginning of the trial, from 0 to `duration`.
    trials, units : int arrays, shape (n_spikes,)
        Where each spike belongs.
    layers : int array, shape (n_units,)
        In which layer each unit lies.
    n_trials : int
    duration : float
        Of a trial.
    """

    times: FloatArray
    trials: IntArray
    units: IntArray
    layers: IntArray
    n_trials: int
    duration: float

    def moved(self, shifts: FloatArray) -> Observation:
        """Move each spike; at the ends of the trial it turns back.

        Spikes that were dropped or kept outside there would make the ends of a trial emptier than
        its middle, and that alone changes how many coincide.
        """
        beyond = np.mod(self.times + shifts, 2 * self.duration)
        return replace(self, times=self.duration - np.abs(beyond - self.duration))

    @property
    def n_units(self) -> int:
        """Number of recorded units, silent ones included."""
        return len(self.layers)

    def of_units(self, chosen: NDArray[np.bool_]) -> FloatArray:
        """Spike times of some units, a row for each trial, filled up with ``inf``."""
        kept = chosen[self.units]
        order = np.argsort(self.trials[kept], kind="stable")
        trials, times = self.trials[kept][order], self.times[kept][order]
        counts = np.bincount(trials, minlength=self.n_trials)
        column = np.arange(len(times)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.full((self.n_trials, max(counts.max(), 1)), np.inf)
        rows[trials, column] = times
        return rows


def blind_array(sizes: Sequence[int], n_units: int, rng: np.random.Generator) -> list[IntArray]:
    """Choose neurons as electrodes do that cannot see layers: all are equally likely.

    Parameters
    ----------
    sizes : sequence of int
        Neurons in each layer.
    n_units : int
        How many neurons are recorded in all.
    rng : numpy.random.Generator

    Returns
    -------
    list of int arrays
        The recorded neurons of each layer, in rising order.

    Raises
    ------
    ValueError
        If an argument is out of range, or there are fewer neurons than `n_units`.

    Examples
    --------
    >>> import numpy as np
    >>> sites = blind_array([400, 400], 100, np.random.default_rng(0))
    >>> sum(len(neurons) for neurons in sites)
    100
    """
    counts = _sizes(sizes)
    n_units = _checks.integer("n_units", n_units, maximum=sum(counts))
    rng = _checks.generator("rng", rng)
    chosen = np.zeros(sum(counts), dtype=bool)
    chosen[rng.choice(sum(counts), n_units, replace=False)] = True
    return [np.flatnonzero(part) for part in np.split(chosen, np.cumsum(counts)[:-1])]


def laminar_probe(sizes: Sequence[int], n_units: int, rng: np.random.Generator) -> list[IntArray]:
    """Choose the same number of neurons in each layer, as a probe across the layers does.

    Parameters
    ----------
    sizes : sequence of int
        Neurons in each layer.
    n_units : int
        How many neurons are recorded in each layer.
    rng : numpy.random.Generator

    Returns
    -------
    list of int arrays
        The recorded neurons of each layer, in rising order.

    Raises
    ------
    ValueError
        If an argument is out of range, or a layer has fewer neurons than `n_units`.
    """
    counts = _sizes(sizes)
    n_units = _checks.integer("n_units", n_units, maximum=min(counts))
    rng = _checks.generator("rng", rng)
    return [np.sort(rng.choice(count, n_units, replace=False)) for count in counts]


def observe(
    layers: Sequence[ArrayLike],
    sites: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    jitter: float = 0.0,
    lost: float = 0.0,
    background: float = 0.0,
    mistaken: float = 0.0,
    duration: float | None = None,
) -> Observation:
    """Record some neurons of each layer, as imperfectly as electrodes do.

    Parameters
    ----------
    layers : sequence of array_like, each of shape (n_trials, n_neurons)
        Spike times layer by layer; ``inf`` where silent. Each sample is a trial.
    sites : sequence of array_like of int
        The recorded neurons of each layer, of :func:`blind_array` or :func:`laminar_probe`.
    rng : numpy.random.Generator
    jitter : float
        Standard deviation of Gaussian noise on every spike's time; at the ends of the trial the
        spike turns back.
    lost : float
        Share of the spikes that are not detected.
    background : float
        Spontaneous spikes of each unit in a trial: the mean of a Poisson distribution. They are
        spread evenly over the trial.
    mistaken : float
        Share of the spikes, spontaneous ones included, that spike sorting gives to another unit,
        which is drawn at random from all.
    duration : float, optional
        Of a trial, which begins at 0; it ends with the last spike of all layers by default, and
        not earlier.

    Returns
    -------
    Observation

    Raises
    ------
    ValueError
        If an argument is out of range, or the layers and sites do not fit each other.
    """
    volleys = _checks.each("layers", layers, _checks.layer_times)
    chosen = _checks.each("sites", sites, _neurons)
    _check_fit(volleys, chosen)
    rng = _checks.generator("rng", rng)
    jitter = _checks.within("jitter", jitter, 0, np.inf)
    lost, mistaken = _checks.within("lost", lost, 0, 1), _checks.within("mistaken", mistaken, 0, 1)
    background = _checks.within("background", background, 0, 1e6)
    recorded = np.hstack([v[:, neurons] for v, neurons in zip(volleys, chosen, strict=True)])
    last = float(max(volley[np.isfinite(volley)].max(initial=0) for volley in volleys))
    duration = _checks.positive("duration", last if duration is None else duration)
    if duration < last:
        raise ValueError(f"duration must reach the last spike at {last!r}, got {duration!r}")
    trials, units = np.nonzero(np.isfinite(recorded) & (rng.random(recorded.shape) >= lost))
    n_foreign = rng.poisson(background, recorded.shape).ravel()
    foreign = np.repeat(np.arange(recorded.size), n_foreign)
    heard = Observation(
        times=recorded[trials, units],
        trials=trials,
        units=units,
        layers=np.repeat(np.arange(len(chosen)), [len(neurons) for neurons in chosen]),
        n_trials=len(recorded),
        duration=duration,
    ).moved(jitter * rng.standard_normal(len(trials)))
    foreign_trials, foreign_units = np.divmod(foreign, recorded.shape[1])
    units = np.concatenate([units, foreign_units])
    return replace(
        heard,
        times=np.concatenate([heard.times, rng.uniform(0, duration, len(foreign))]),
        trials=np.concatenate([trials, foreign_trials]),
        units=_mistaken(units, mistaken, recorded.shape[1], rng),
    )


def _mistaken(units: IntArray, share: float, n_units: int, rng: np.random.Generator) -> IntArray:
    """Give a share of the spikes to another unit; with one unit there is no other."""
    others = (units + rng.integers(1, max(n_units, 2), len(units))) % n_units
    return np.where(rng.random(len(units)) < share, others, units)


def _sizes(sizes: Sequence[int]) -> list[int]:
    counts = _checks.each("sizes", sizes, _checks.integer)
    if not counts:
        raise ValueError("sizes must name at least one layer, got none")
    return counts


def _neurons(name: str, value: ArrayLike) -> IntArray:
    """Numbers of neurons, perhaps none, each once."""
    found = _checks.any_array(name, value)
    if found.size == 0:
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
        raise ValueError(f"{name} must be integers >= 0, got {found.dtype} of shape {found.shape}")
    if len(np.unique(found)) < len(found):
        raise ValueError(f"{name} must name each neuron once, got {_checks.shown(found.tolist())}")
    return found.astype(np.int64)


def _check_fit(volleys: Sequence[FloatArray], sites: Sequence[IntArray]) -> None:
    if len({len(volley) for volley in volleys}) != 1:
        raise ValueError(
            "layers must be one or more with the same number of trials, "
            f"got {[len(volley) for volley in volleys]}"
        )
    if len(sites) != len(volleys) or not sum(map(len, sites)):
        raise ValueError(
            f"sites must name neurons of {len(volleys)} layers, got {[len(s) for s in sites]}"
        )
    for i, (volley, neurons) in enumerate(zip(volleys, sites, strict=True)):
        if neurons.max(initial=0) >= volley.shape[1]:
            raise ValueError(
                f"sites[{i}] must be below the {volley.shape[1]} neurons, got {neurons.max()}"
            )

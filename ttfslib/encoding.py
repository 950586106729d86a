"""Latency code: how an image becomes spike times, and spike times an image again.

A bright pixel is a strong stimulus and spikes early; the background spikes late. Every input
neuron fires once, so the whole image is carried by the order and the distance of the spikes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks

EARLY, LATE = 0.15, 2.0
SURROUND = 5
"""Side of the square, in pixels, whose mean `on_off_contrast` compares its middle with."""
MAX_GAIN = 1000.0


def latency_encode(
    images: ArrayLike, early: float = EARLY, late: float = LATE
) -> NDArray[np.floating[Any]]:
    """Turn intensities into spike times: bright (ink) early, background late.

    An intensity `x` spikes at ``t = early + (1 - x) * (late - early)`` (:eq:`eq-latency`).

    Parameters
    ----------
    images : array of float32 or float64, shape (n_samples, ...)
        Intensities in [0, 1]; 8-bit pixels have to be divided by 255 (or by 256) first.
    early, late : float
        Spike times of full and of zero intensity, in units of tau_s; ``0 <= early < late``.

    Returns
    -------
    spike_times : array of the same dtype, shape (n_samples, n_features)
        Everything after the first axis is flattened, row by row.

    Raises
    ------
    ValueError
        If `images` are integers, empty, NaN or outside [0, 1], or have no feature axis, or if
        the times do not satisfy ``0 <= early < late``.

    Notes
    -----
    The defaults are those of Oberste-Frielinghaus et al. (2025), arXiv 2508.12975.

    Examples
    --------
    >>> latency_encode([[1.0, 0.5, 0.0]], early=0.0, late=2.0)
    array([[0., 1., 2.]])
    """
    early, late = _window(early, late)
    intensities = _intensities(images)
    if intensities.ndim < 2:
        raise ValueError(f"images must have shape (n_samples, ...), got {intensities.shape}")
    return early + (1 - intensities.reshape(len(intensities), -1)) * (late - early)


def latency_decode(
    spike_times: ArrayLike, early: float = EARLY, late: float = LATE
) -> NDArray[np.floating[Any]]:
    """Turn spike times into the intensities that `latency_encode` would give them.

    ``x = (late - t) / (late - early)``, clipped to [0, 1]: a spike before `early` counts as full
    intensity; a spike after `late` and a silent neuron count as no intensity. With this, noisy
    times and the times of any layer can be shown as an image.

    Parameters
    ----------
    spike_times : array of float32 or float64, any shape
        In units of tau_s; ``+inf`` for a neuron that stays silent.
    early, late : float
        Spike times of full and of zero intensity; ``0 <= early < late``.

    Returns
    -------
    intensities : array of the same dtype and shape
        In [0, 1].

    Raises
    ------
    ValueError
        If `spike_times` are integers, empty, NaN or ``-inf``, or if the times do not satisfy
        ``0 <= early < late``.
    """
    early, late = _window(early, late)
    times = _spike_times(spike_times)
    return ((late - times) / (late - early)).clip(0, 1)


def on_off_contrast(images: ArrayLike, gain: float = 1.0) -> NDArray[np.floating[Any]]:
    """Tell of each pixel how much brighter (ON) and how much darker (OFF) it is than around it.

    ON is ``gain * (x - m)`` and OFF is ``gain * (m - x)``, both clipped to [0, 1], where `m` is the
    mean of the `SURROUND` x `SURROUND` pixels around the pixel `x`, itself among them and those
    outside of the image not. An area of one intensity has neither.

    Parameters
    ----------
    images : array of float32 or float64, shape (n_samples, height, width)
        Intensities in [0, 1].
    gain : float
        From 0 to 1000; with 1 only a white pixel on black, or black one on white, comes near 1.

    Returns
    -------
    contrasts : array of the same dtype, shape (n_samples, 2, height, width)
        Intensities of the ON and of the OFF inputs, which `latency_encode` turns into spike times.

    Raises
    ------
    ValueError
        If `images` are integers, empty, NaN or outside [0, 1], or have another shape, or if `gain`
        lies beyond.

    References
    ----------
    Cells of both kinds carry images from the eye: Kuffler (1953). Coding an image by the order of
    their first spikes is from Thorpe, Delorme and Van Rullen (2001).

    Examples
    --------
    >>> edge = [[[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]]
    >>> on, off = on_off_contrast(edge)[0]
    >>> on[0].round(2)
    array([0.  , 0.  , 0.  , 0.4 , 0.25, 0.  ])
    >>> off[0].round(2)
    array([0.  , 0.25, 0.4 , 0.  , 0.  , 0.  ])
    """
    gain = _checks.within("gain", gain, 0, MAX_GAIN)
    intensities = _intensities(images)
    if intensities.ndim != 3:
        raise ValueError(
            f"images must have shape (n_samples, height, width), got {intensities.shape}"
        )
    around = _mean_around(intensities) / _mean_around(np.ones_like(intensities[:1]))
    contrasts = np.stack([intensities - around, around - intensities], axis=1)
    return (gain * contrasts).clip(0, 1)


def _mean_around(images: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Mean of each pixel's surround, as if the image went on in black."""
    from scipy.ndimage import uniform_filter

    return uniform_filter(images, size=(1, SURROUND, SURROUND), mode="constant")


def jitter(
    spike_times: ArrayLike, scale: float, rng: np.random.Generator
) -> NDArray[np.floating[Any]]:
    """Add independent Gaussian noise N(0, scale) to every spike; the silent stay silent.

    The times are not clipped: they may leave the window of the encoding and even come before
    zero; the neurons only see differences of times.

    Parameters
    ----------
    spike_times : array of float32 or float64, any shape
        In units of tau_s; ``+inf`` for a neuron that stays silent.
    scale : float
        Standard deviation of the noise, in units of tau_s; zero leaves the times as they are.
    rng : numpy.random.Generator
        The source of randomness.

    Returns
    -------
    noisy_times : array of the same dtype and shape
        A new array.

    Raises
    ------
    ValueError
        If `spike_times` are integers, empty, NaN or ``-inf``, if `scale` is negative or not
        finite, or if `rng` is not a numpy Generator.
    """
    times = _spike_times(spike_times)
    scale = _checks.within("scale", scale, 0, math.inf)
    rng = _checks.generator("rng", rng)
    return times + scale * rng.standard_normal(times.shape, dtype=times.dtype.type)


def _window(early: float, late: float) -> tuple[float, float]:
    early = _checks.within("early", early, 0, math.inf)
    late = _checks.real("late", late)
    if late <= early:
        raise ValueError(f"late must be greater than early = {early!r}, got {late!r}")
    return early, late


def _intensities(images: ArrayLike) -> NDArray[np.floating[Any]]:
    intensities = _floats("images", images, hint="divide 8-bit pixels by 255 or 256")
    _require((intensities >= 0) & (intensities <= 1), "images must lie in [0, 1]", intensities)
    return intensities


def _spike_times(value: ArrayLike) -> NDArray[np.floating[Any]]:
    times = _floats("spike_times", value)
    _require(times > -np.inf, "spike_times must be finite or +inf (silent)", times)
    return times


def _floats(name: str, value: ArrayLike, *, hint: str = "") -> NDArray[np.floating[Any]]:
    """Return `value` as an array that keeps its precision, float32 or float64."""
    array = _checks.any_array(name, value)
    if array.dtype not in (np.float32, np.float64):
        advice = f" ({hint})" if hint else ""
        raise ValueError(f"{name} must be float32 or float64, got {array.dtype}{advice}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array


def _require(good: NDArray[np.bool_], expectation: str, array: NDArray[np.floating[Any]]) -> None:
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{expectation}, got {float(array[index])!r} at index {index}")

"""What a network is shown in training: samples of a data set, as spike times, shifted at random."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ttfslib import datasets
from ttfslib.config import TrainingConfig
from ttfslib.encoding import latency_encode

N_YIN_YANG, N_YIN_YANG_TEST = 5000, 1000
_MNIST_SIZE, _STAND_IN_SIZE, _STAND_IN_CONTRAST = 28, 20, 1.5


class Samples(NamedTuple):
    """Features in [0, 1], shape (n_samples, ...), and labels, shape (n_samples,)."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def load_samples(config: TrainingConfig) -> dict[str, Samples]:
    """Load the samples of a config, split into "train", "validation" and "test".

    Raises
    ------
    OSError
        If the data set cannot be had.
    ValueError
        If there are not more training samples than `config.n_validation`, or a feature is NaN
        or outside [0, 1].
    """
    if config.dataset == "yin_yang":
        train = datasets.load_yin_yang(N_YIN_YANG + config.n_validation, seed=0)
    else:
        train = _load_images(config, "train")
    n_train = len(train[1]) - config.n_validation
    if n_train < 1:
        raise ValueError(
            f"n_validation must be below the {len(train[1])} training samples, "
            f"got {config.n_validation}"
        )
    parts = {
        "train": Samples(train[0][:n_train], train[1][:n_train]),
        "validation": Samples(train[0][n_train:], train[1][n_train:]),
        "test": load_test_samples(config),
    }
    for part, (features, _) in parts.items():
        low, high = features.min(), features.max()
        if not 0 <= low <= high <= 1:  # false for NaN
            raise ValueError(
                f"{config.dataset} must lie in [0, 1], got {low} to {high} in its {part} samples"
            )
    return parts


def load_test_samples(config: TrainingConfig) -> Samples:
    """Load the test samples of a config alone; OSError if the data set cannot be had."""
    if config.dataset == "yin_yang":
        return Samples(*datasets.load_yin_yang(N_YIN_YANG_TEST, seed=1))
    return Samples(*_load_images(config, "test"))


def digits_like_mnist() -> Samples:
    """Make all 1797 digits of scikit-learn look like those of MNIST, 28 x 28 pixels.

    They are enlarged from 8 x 8 to 20 x 20 pixels, their contrast is raised, and they are placed
    so that the center of mass of the ink is the center of the picture, as was done for MNIST.
    """
    images, labels = (
        np.concatenate(parts)
        for parts in zip(*map(datasets.load_digits, datasets.SPLITS), strict=True)
    )
    large = ndimage.zoom(images, (1, *[_STAND_IN_SIZE / images.shape[1]] * 2), order=3)
    ink = np.clip(0.5 + _STAND_IN_CONTRAST * (large - 0.5), 0, 255 / 256)
    margin = (_MNIST_SIZE - _STAND_IN_SIZE) // 2
    framed = np.pad(ink, [(0, 0), (margin, margin), (margin, margin)])
    return Samples(np.stack([_centered(image) for image in framed]).astype(np.float32), labels)


def _centered(image: NDArray[Any]) -> NDArray[Any]:
    middle = (np.array(image.shape) - 1) / 2
    offset = np.round(middle - ndimage.center_of_mass(image)).astype(int)
    return ndimage.shift(image, offset, order=0)


def _load_images(
    config: TrainingConfig, part: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    load = {"mnist": datasets.load_mnist, "digits": datasets.load_digits}[config.dataset]
    return load(part)


def encode(config: TrainingConfig, features: NDArray[np.float32]) -> Tensor:
    """Input spike times of samples, shape (n_samples, n_inputs), the bias inputs last."""
    times = latency_encode(features, config.early, config.late).astype(np.float32)
    bias = np.tile(np.asarray(config.bias_times, dtype=np.float32), (len(times), 1))
    return torch.from_numpy(np.hstack([times, bias]))


def shift_images(images: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `max_shift` pixels in both directions; the margin is empty.

    Parameters
    ----------
    images : Tensor, shape (n_samples, height, width)
    max_shift : int
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (n_samples, height, width)
    """
    n, height, width = images.shape
    padded = torch.nn.functional.pad(images, [max_shift] * 4)
    top, left = torch.randint(0, 2 * max_shift + 1, (2, n, 1), generator=generator)
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]

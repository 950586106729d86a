"""What a config stands for: its samples, its network, its loss, and what changes step by step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from ttfslib.datasets import DATASETS
from ttfslib.encoding import latency_encode, on_off_contrast
from ttfslib.experiment.config import TrainingConfig
from ttfslib.losses import LOSSES
from ttfslib.nn import TTFSNetwork

CONTROL_SPACING = 7
"""Most pixels between the points at which `deform_images` draws its displacements."""


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
        If there are not more training samples than `config.n_validation`, or samples are not
        what the data set promises, or a feature is NaN or outside [0, 1].
    """
    data = DATASETS.make(config.dataset)
    features, labels = data.load("train")
    n_train = len(labels) - config.n_validation
    if n_train < 1:
        raise ValueError(
            f"n_validation must be below the {len(labels)} training samples, "
            f"got {config.n_validation}"
        )
    parts = {
        "train": Samples(features[:n_train], labels[:n_train]),
        "validation": Samples(features[n_train:], labels[n_train:]),
        "test": load_test_samples(config),
    }
    for part, samples in parts.items():
        if samples.features.shape[1:] != data.shape or samples.labels.max() >= data.n_classes:
            raise ValueError(
                f"{config.dataset.name} must have samples of shape {data.shape} in "
                f"{data.n_classes} classes, got {samples.features.shape[1:]} and class "
                f"{samples.labels.max()} in its {part} samples"
            )
        low, high = samples.features.min(), samples.features.max()
        if not 0 <= low <= high <= 1:  # false for NaN
            raise ValueError(
                f"{config.dataset.name} must lie in [0, 1], got {low} to {high} in its {part} "
                "samples"
            )
    return parts


def load_test_samples(config: TrainingConfig) -> Samples:
    """Load the test samples of a config alone; OSError if the data set cannot be had."""
    return Samples(*DATASETS.make(config.dataset).load("test"))


def encode(config: TrainingConfig, features: NDArray[np.float32]) -> Tensor:
    """Input spike times of samples, shape (n_samples, n_inputs).

    First the pixels, then, if asked for, all ON and all OFF inputs, and the bias inputs last.
    """
    if config.contrast:
        contrasts = on_off_contrast(features, config.contrast)
        features = np.concatenate([features[:, None], contrasts], axis=1)
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


def mirror_images(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right, or not, as a coin says.

    Parameters
    ----------
    images : Tensor, shape (n_samples, height, width)
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (n_samples, height, width)
    """
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None], images.flip(-1), images)


def deform_images(images: Tensor, deformation: float, generator: torch.Generator) -> Tensor:
    """Bend each image by a smooth random field, as another hand might have drawn it.

    Displacements are drawn independently at control points, at most `CONTROL_SPACING` pixels
    apart, and interpolated in between; beyond the margin there is no ink.

    Parameters
    ----------
    images : Tensor, shape (n_samples, height, width)
    deformation : float
        Standard deviation of the displacement of a control point in each direction, in pixels.
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (n_samples, height, width)

    References
    ----------
    The idea is from Simard, Steinkraus and Platt (2003), Best practices for convolutional neural
    networks applied to visual document analysis, ICDAR.
    """
    n, height, width = images.shape
    control = [-(-(size - 1) // CONTROL_SPACING) + 1 for size in (height, width)]
    drawn = deformation * torch.randn((n, 2, *control), generator=generator)
    resized = torch.nn.functional.interpolate(
        drawn, (height, width), mode="bicubic", align_corners=True
    )
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    # grid_sample counts in (x, y), from -1 at the left edge of the first pixel to 1.
    x = (2 * (columns + resized[:, 0]) + 1) / width - 1
    y = (2 * (rows + resized[:, 1]) + 1) / height - 1
    grid = torch.stack([x, y], dim=-1)
    bent = torch.nn.functional.grid_sample(images[:, None], grid, align_corners=False)
    return bent[:, 0].clamp_(0, 1)


def make_network(config: TrainingConfig, generator: torch.Generator) -> TTFSNetwork:
    """Make the untrained network of a config."""
    return TTFSNetwork(
        config.sizes,
        config.params,
        mean=config.weight_mean,
        std=config.weight_std,
        excitatory_share=config.excitatory_share,
        delays=config.delays,
        gradient_limit=config.gradient_limit,
        generator=generator,
    )


def propagate(
    config: TrainingConfig, network: TTFSNetwork, inputs: Tensor, generator: torch.Generator
) -> list[Tensor]:
    """Spike times of each layer in a step of training, of which some do not arrive at the next.

    Where a share of the spikes is dropped, the weights of the others are divided by the rest, so
    that the trained network, which hears all of them, is driven as strongly.

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting,
    JMLR 15.
    """
    layers: list[Tensor] = []
    for layer in network.stack:
        arriving = layers[-1] if layers else inputs
        share = config.dropout if layers else config.input_dropout
        if share:
            dropped = torch.rand(arriving.shape, generator=generator) < share
            arriving = arriving.masked_fill(dropped.to(arriving.device), math.inf)
            weight = layer.weight / (1 - share)
            layers.append(functional_call(layer, {"weight": weight}, (arriving,)))
        else:
            layers.append(layer(arriving))
    return layers


def make_loss(config: TrainingConfig) -> torch.nn.Module:
    """Make the loss of a config."""
    return LOSSES.make(config.loss)


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0 over the whole training."""
    if config.schedule == "cosine":
        progress = step / (config.epochs * steps_per_epoch)
        return config.learning_rate * (1 + math.cos(math.pi * progress)) / 2
    epoch = step // steps_per_epoch
    return config.learning_rate * config.decay ** (epoch // config.decay_every)


def noise_scale(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Standard deviation of the input noise in a step: on a line to `config.final_noise`."""
    if config.final_noise is None:
        return config.input_noise
    progress = step / (config.epochs * steps_per_epoch)
    return config.input_noise + progress * (config.final_noise - config.input_noise)

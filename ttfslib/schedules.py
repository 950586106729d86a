"""What changes step by step over a training: the learning rate and the input noise."""

from __future__ import annotations

import math

from ttfslib.config import TrainingConfig


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

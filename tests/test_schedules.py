"""What changes over a training: learning rate and input noise, at points known by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttfslib import TrainingConfig
from ttfslib.experiment.recipe import learning_rate, noise_scale


def config_of(**values):
    return TrainingConfig(
        name="scheduled",
        dataset="digits",
        hidden=(5,),
        weight_mean=(0.1, 0.1),
        weight_std=(0.1, 0.1),
        **{"epochs": 10, "learning_rate": 0.8} | values,
    )


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.8),
        (10, 0.4 * (1 + math.sqrt(3) / 2)),
        (20, 0.6),
        (30, 0.4),
        (40, 0.2),
        (60, 0.0),
    ],
)
def test_the_cosine_falls_from_the_whole_rate_to_zero(step, expected):
    assert learning_rate(config_of(), step, 6) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.8), (11, 0.8), (12, 0.4), (23, 0.4), (24, 0.2), (59, 0.05)]
)
def test_the_steps_fall_when_their_epochs_are_over(step, expected):
    config = config_of(schedule="step", decay=0.5, decay_every=2)
    assert learning_rate(config, step, 6) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.3), (15, 0.25), (30, 0.2), (59, 0.1 + 0.2 / 60), (60, 0.1)]
)
def test_the_noise_fades_on_a_line(step, expected):
    config = config_of(input_noise=0.3, final_noise=0.1)
    assert noise_scale(config, step, 6) == pytest.approx(expected)


@given(step=st.integers(0, 60), noise=st.floats(0, 10))
def test_the_noise_stays_if_no_end_is_given(step, noise):
    assert noise_scale(config_of(input_noise=noise), step, 6) == noise


@given(step=st.integers(0, 59), schedule=st.sampled_from(["cosine", "step"]))
def test_no_step_is_larger_than_the_one_before(step, schedule):
    config = config_of(schedule=schedule, decay=0.9, decay_every=1)
    assert 0 <= learning_rate(config, step + 1, 6) <= learning_rate(config, step, 6) <= 0.8

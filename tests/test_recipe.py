"""What a network is shown: samples in three parts, as spike times, shifted at random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import TrainingConfig, datasets, latency_encode, load_digits, load_yin_yang
from ttfslib.experiment.recipe import (
    N_YIN_YANG,
    N_YIN_YANG_TEST,
    digits_like_mnist,
    encode,
    load_samples,
    shift_images,
)

CONFIG = TrainingConfig(
    name="shown",
    dataset="digits",
    hidden=(5,),
    weight_mean=(0.1, 0.1),
    weight_std=(0.1, 0.1),
    epochs=1,
    n_validation=37,
)


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


# The three parts


def test_the_validation_samples_are_the_last_of_the_training_set():
    parts = load_samples(CONFIG)
    assert list(parts) == ["train", "validation", "test"]
    assert [len(part.labels) for part in parts.values()] == [1400, 37, 360]
    for i, whole in enumerate(load_digits("train")):
        assert np.array_equal(np.concatenate([parts["train"][i], parts["validation"][i]]), whole)
    for i, whole in enumerate(load_digits("test")):
        assert np.array_equal(parts["test"][i], whole)


def test_mnist_is_split_likewise(monkeypatch):
    def few(split):
        n = {"train": 50, "test": 7}[split]
        return np.full((n, 28, 28), 0.5, dtype=np.float32), np.arange(n)

    monkeypatch.setattr(datasets, "load_mnist", few)
    parts = load_samples(dataclasses.replace(CONFIG, dataset="mnist"))
    assert [part.labels.tolist() for part in parts.values()] == [
        list(range(13)),
        list(range(13, 50)),
        list(range(7)),
    ]


def test_yin_yang_points_are_drawn_for_each_part():
    parts = load_samples(dataclasses.replace(CONFIG, dataset="yin_yang", n_validation=300))
    sizes = [len(part.labels) for part in parts.values()]
    assert sizes == [N_YIN_YANG, 300, N_YIN_YANG_TEST]
    rows = np.concatenate([part.features for part in parts.values()])
    assert len(np.unique(rows, axis=0)) == len(rows), "no point is in two parts"
    assert np.array_equal(parts["test"].features, load_yin_yang(N_YIN_YANG_TEST, seed=1)[0])


@pytest.mark.parametrize("n_validation", [1437, 5000])
def test_something_must_be_left_to_train_on(n_validation):
    with pytest.raises(
        ValueError,
        match=rf"^n_validation must be below the 1437 training samples, got {n_validation}$",
    ):
        load_samples(dataclasses.replace(CONFIG, n_validation=n_validation))
    assert len(load_samples(dataclasses.replace(CONFIG, n_validation=1436))["train"].labels) == 1


@pytest.mark.parametrize("value", [np.nan, -0.01, 1.01, np.inf])
@pytest.mark.parametrize(
    ("split", "index", "part"),
    [("train", 0, "train"), ("train", -1, "validation"), ("test", 5, "test")],
)
def test_features_beyond_the_code_are_refused(monkeypatch, value, split, index, part):
    def spoilt(asked):
        images, labels = load_digits(asked)
        if asked == split:
            images[index, 3, 3] = value
        return images, labels

    monkeypatch.setattr(datasets, "load_digits", spoilt)
    with pytest.raises(
        ValueError, match=rf"^digits must lie in \[0, 1\], got .* in its {part} samples$"
    ):
        load_samples(CONFIG)


# Spike times


def test_samples_become_spike_times():
    config = dataclasses.replace(CONFIG, early=0.5, late=1.5)
    features = load_digits("test")[0][:4]
    times = encode(config, features)
    assert times.dtype == torch.float32
    assert np.array_equal(times.numpy(), latency_encode(features, 0.5, 1.5))


def test_bias_inputs_come_last_and_always_spike_at_the_same_times():
    config = dataclasses.replace(CONFIG, bias_times=(0.25, 1.0))
    features = load_digits("test")[0][:4]
    times = encode(config, features)
    assert times.shape == (4, 66)
    assert np.array_equal(times[:, :64], encode(CONFIG, features))
    assert times[:, 64:].tolist() == [[0.25, 1.0]] * 4


# Shifts


def shifted_by_hand(image, down, right):
    height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            source_row, source_column = row - down, column - right
            if 0 <= source_row < height and 0 <= source_column < width:
                result[row, column] = image[source_row, source_column]
    return result


@settings(max_examples=30)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    max_shift=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_every_image_is_shifted_as_a_whole_and_leaves_an_empty_margin(
    height, width, max_shift, seed
):
    n = 5
    images = 1 + torch.rand(n, height, width, generator=seeded(seed))
    found = shift_images(images, max_shift, seeded(seed)).numpy()
    assert found.shape == images.shape
    assert found.dtype == np.float32
    steps = range(-max_shift, max_shift + 1)
    for image, result in zip(images.numpy(), found, strict=True):
        possible = [shifted_by_hand(image, down, right) for down in steps for right in steps]
        assert any(np.array_equal(result, candidate) for candidate in possible)


def displacements(max_shift, n=4000):
    """How far each of many images, a single bright pixel in the middle, was shifted."""
    size = 4 * max_shift + 1
    images = torch.zeros(n, size, size)
    images[:, 2 * max_shift, 2 * max_shift] = 1
    index, rows, columns = torch.nonzero(shift_images(images, max_shift, seeded()), as_tuple=True)
    assert torch.equal(index, torch.arange(n))
    return torch.stack([rows, columns]).numpy() - 2 * max_shift


@pytest.mark.parametrize("max_shift", [1, 2])
def test_all_shifts_occur_equally_often_in_both_directions(max_shift):
    down, right = displacements(max_shift)
    n_steps = 2 * max_shift + 1
    counts = np.zeros((n_steps, n_steps))
    np.add.at(counts, (down + max_shift, right + max_shift), 1)
    expected = len(down) / n_steps**2
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_no_shift_is_no_change():
    images = torch.rand(3, 5, 4, generator=seeded())
    assert torch.equal(shift_images(images, 0, seeded()), images)


def test_shifts_repeat_with_their_seed():
    images = torch.rand(20, 5, 4, generator=seeded())
    first, again, other = (shift_images(images, 2, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# A stand-in for MNIST


def test_the_stand_in_has_the_shape_and_the_range_of_mnist():
    images, labels = digits_like_mnist()
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 255 / 256
    assert labels.dtype == np.int64
    assert np.bincount(labels).min() > 170


def test_the_ink_of_the_stand_in_is_centered():
    images, _ = digits_like_mnist()
    place = np.arange(28)
    for axis in (1, 2):
        ink = images.sum(axis=3 - axis, dtype=float)
        assert np.abs(ink @ place / ink.sum(1) - 13.5).max() < 0.7


def test_the_stand_in_shows_the_digits_in_their_order():
    """Much ink in a source is much ink in its image, and next to none elsewhere."""
    images, labels = digits_like_mnist()
    sources, truth = (
        np.concatenate(parts)
        for parts in zip(load_digits("train"), load_digits("test"), strict=True)
    )
    assert np.array_equal(labels, truth)
    ink, expected = (shown.sum(axis=(1, 2)) for shown in (images, sources))
    assert np.corrcoef(ink, expected)[0, 1] > 0.9
    assert np.corrcoef(ink[1:], expected[:-1])[0, 1] < 0.3

"""What a config stands for: samples in three parts, spike times, shifts, and what changes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import (
    TrainingConfig,
    TTFSNetwork,
    datasets,
    latency_encode,
    load_digits,
    load_yin_yang,
    on_off_contrast,
)
from ttfslib.experiment.recipe import (
    CONTROL_SPACING,
    deform_images,
    encode,
    learning_rate,
    load_samples,
    mirror_images,
    noise_scale,
    propagate,
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
        return np.full((n, 28, 28), 0.5, dtype=np.float32), np.arange(n) % 10

    monkeypatch.setattr(datasets, "load_mnist", few)
    parts = load_samples(dataclasses.replace(CONFIG, dataset="mnist"))
    assert [part.labels.tolist() for part in parts.values()] == [
        [i % 10 for i in range(13)],
        [i % 10 for i in range(13, 50)],
        list(range(7)),
    ]


def test_yin_yang_points_are_drawn_for_each_part():
    chosen = {"name": "yin_yang", "n_train": 900, "n_test": 70}
    parts = load_samples(dataclasses.replace(CONFIG, dataset=chosen, n_validation=300))
    assert [len(part.labels) for part in parts.values()] == [600, 300, 70]
    rows = np.concatenate([part.features for part in parts.values()])
    assert len(np.unique(rows, axis=0)) == len(rows), "no point is in two parts"
    assert np.array_equal(parts["test"].features, load_yin_yang(70, seed=1)[0])


@pytest.mark.parametrize("wrong", ["shape", "classes"])
def test_samples_are_what_their_data_set_promises(monkeypatch, wrong):
    def others(split):
        images, labels = load_digits(split)
        return (images[:, :7], labels) if wrong == "shape" else (images, labels + 1)

    monkeypatch.setattr(datasets, "load_digits", others)
    with pytest.raises(ValueError, match=r"^digits must have samples of shape \(8, 8\) in 10 cla"):
        load_samples(CONFIG)


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


# Mirrored images


def test_half_of_the_images_are_mirrored():
    images = ramp(200, 5, 6)[200:]
    found = mirror_images(images, seeded())
    mirrored = (found == images.flip(-1)).all(dim=(1, 2))
    assert torch.equal(found[~mirrored], images[~mirrored])
    assert 70 < mirrored.sum() < 130
    assert torch.equal(found, mirror_images(images, seeded()))
    assert not torch.equal(found, mirror_images(images, seeded(2)))


# Inputs


def test_contrast_comes_after_the_pixels_and_before_the_bias():
    features = np.random.default_rng(1).random((4, 8, 8), dtype=np.float32)
    config = dataclasses.replace(CONFIG, contrast=2.0, bias_times=(0.5,))
    found = encode(config, features)
    assert found.shape == (4, config.sizes[0])
    parts = [features[:, None], on_off_contrast(features, 2.0)]
    times = latency_encode(np.concatenate(parts, axis=1), config.early, config.late)
    np.testing.assert_array_equal(found[:, :-1], times)
    assert (found[:, -1] == 0.5).all()


# Dropout


def driven(config, seed=1, n_samples=300):
    """A network that hears one input spike on each of its lines, and what it answers."""
    network = TTFSNetwork([40, 30, 20], mean=0.2, std=0.1, generator=seeded())
    inputs = torch.rand(n_samples, 40, generator=seeded(2))
    return network, inputs, propagate(config, network, inputs, seeded(seed))


def test_without_dropout_the_steps_of_training_see_the_network():
    generator = seeded()
    network, inputs, layers = driven(CONFIG)
    assert all(map(torch.equal, layers, network(inputs)))
    propagate(CONFIG, network, inputs, generator)
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize(("name", "layer"), [("input_dropout", 0), ("dropout", 1)])
def test_a_share_of_the_spikes_does_not_arrive_and_the_others_count_for_more(name, layer):
    """Against a layer whose weights are stronger, and inputs that are silent where it says."""
    config = dataclasses.replace(CONFIG, **{name: 0.3})
    network, inputs, layers = driven(config)
    arriving = [inputs, *layers][layer]
    dropped = torch.rand(arriving.shape, generator=seeded()) < 0.3
    assert 0.25 < dropped.double().mean() < 0.35
    stronger = TTFSNetwork.from_weights([network.weights[layer] / 0.7])
    (expected,) = stronger(arriving.masked_fill(dropped, math.inf))
    assert torch.equal(layers[layer], expected)
    assert not torch.equal(layers[layer], network.stack[layer](arriving))
    assert not torch.equal(layers[-1], driven(config, seed=3)[2][-1])


def test_dropped_spikes_get_no_gradient_and_weights_do():
    config = dataclasses.replace(CONFIG, input_dropout=0.5)
    network, _, layers = driven(config, n_samples=1)
    layers[0][torch.isfinite(layers[0])].sum().backward()
    dropped = (torch.rand(1, 40, generator=seeded()) < 0.5)[0]
    gradient = network.stack[0].weight.grad
    assert (gradient[dropped] == 0).all()
    assert (gradient[~dropped] != 0).any()


# Bent images


def ramp(n, height, width):
    """Images whose brightness tells where a pixel lies: down each column, and along each row."""
    rows = torch.arange(height, dtype=torch.float32)[:, None].expand(height, width) / height
    columns = torch.arange(width, dtype=torch.float32).expand(height, width) / width
    return torch.cat([rows.expand(n, height, width), columns.expand(n, height, width)])


def moved(n=400, size=29, deformation=0.8):
    """How far the pixels away from the margin were moved, in pixels; (2n, 15, 15)."""
    images = ramp(n, size, size)
    found = deform_images(images, deformation, seeded())
    return ((found - images) * size)[:, 7:-7, 7:-7].numpy()


def test_control_points_move_by_the_standard_deviation_independently():
    deformation = 0.8
    at_points = moved(deformation=deformation)[:, ::CONTROL_SPACING, ::CONTROL_SPACING]
    n = at_points.size
    assert abs(at_points.mean()) < 5 * deformation / math.sqrt(n)
    assert abs(at_points.std() / deformation - 1) < 5 / math.sqrt(2 * n)
    flat = at_points.reshape(len(at_points), -1)
    off_diagonal = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(off_diagonal).max() < 5 / math.sqrt(len(flat))


def test_neighbouring_pixels_move_alike():
    field = moved()
    assert np.diff(field, axis=1).std() < 0.3 * field.std()
    assert np.diff(field, axis=2).std() < 0.3 * field.std()


@settings(max_examples=20)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    deformation=st.floats(0, 5),
    seed=st.integers(0, 1000),
)
def test_bent_images_are_images(height, width, deformation, seed):
    images = torch.rand(4, height, width, generator=seeded(seed))
    found = deform_images(images, deformation, seeded(seed))
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert 0 <= found.min() <= found.max() <= 1


def test_no_deformation_is_no_change():
    images = torch.rand(3, 8, 9, generator=seeded())
    assert torch.allclose(deform_images(images, 0.0, seeded()), images, atol=1e-5)


def test_beyond_the_margin_lies_emptiness():
    found = deform_images(torch.ones(50, 8, 8), 3.0, seeded())
    assert (found == 0).any()
    assert (deform_images(torch.zeros(5, 8, 8), 3.0, seeded()) == 0).all()


def test_deformations_repeat_with_their_seed():
    images = torch.rand(20, 8, 8, generator=seeded())
    first, again, other = (deform_images(images, 1.0, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# What changes over a training


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


@given(step=st.integers(0, 60), noise=st.floats(0, 8))
def test_the_noise_stays_if_no_end_is_given(step, noise):
    assert noise_scale(config_of(input_noise=noise), step, 6) == noise


@given(step=st.integers(0, 59), schedule=st.sampled_from(["cosine", "step"]))
def test_no_step_is_larger_than_the_one_before(step, schedule):
    config = config_of(schedule=schedule, decay=0.9, decay_every=1)
    assert 0 <= learning_rate(config, step + 1, 6) <= learning_rate(config, step, 6) <= 0.8

"""What every registered data set and loss keeps to: a new one is done when these tests pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ttfslib.datasets import DATASETS, SPLITS
from ttfslib.losses import LOSSES


@pytest.mark.parametrize("name", DATASETS.names)
def test_a_data_set_gives_features_and_classes_to_train_and_test_on(name):
    choice = DATASETS.choice(name)
    dataset = DATASETS.make(choice)
    for split in SPLITS:
        try:
            features, labels = dataset.load(split)
        except OSError as error:
            pytest.skip(str(error))
        assert features.dtype == np.float32
        assert features.ndim == (3 if dataset.are_images else 2)
        assert features.min() >= 0
        assert features.max() <= 1
        assert labels.dtype == np.int64
        assert labels.shape == features.shape[:1]
        assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
        again, _ = dataset.load(split)
        assert np.array_equal(features, again)
        n_samples = dict(zip(SPLITS, dataset.n_samples, strict=True))[split]
        assert n_samples in (0, len(features))
    assert DATASETS.choice(choice.as_mapping()) == choice


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES.names)
def test_a_loss_teaches_the_true_output_to_fire_first(name, dtype):
    choice = LOSSES.choice(name)
    loss = LOSSES.make(choice)
    assert LOSSES.choice(choice.as_mapping()) == choice
    times = torch.tensor([[2.0, 2.1], [2.0, torch.inf]], dtype=dtype, requires_grad=True)
    labels = torch.tensor([1, 0])
    value = loss(times, labels)
    assert value.shape == ()
    assert value.dtype == dtype
    assert torch.isfinite(value)
    value.backward()
    assert torch.isfinite(times.grad).all()
    assert times.grad[1, 1] == 0  # a silent output passes no gradient
    with torch.no_grad():
        right = loss(torch.tensor([[2.5, 1.5]], dtype=dtype), labels[:1])
        wrong = loss(torch.tensor([[1.5, 2.5]], dtype=dtype), labels[:1])
    assert right < wrong


@pytest.mark.parametrize("name", LOSSES.names)
def test_a_loss_refuses_labels_that_are_no_classes(name):
    with pytest.raises(ValueError, match="labels"):
        LOSSES.make(LOSSES.choice(name))(torch.ones(2, 3), torch.tensor([0, 3]))

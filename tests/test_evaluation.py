"""What a network does with samples, whatever their grouping, and who counts as wrong."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from ttfslib import FirstSpikeCrossEntropy, SpikeTimeMSE, TTFSNetwork
from ttfslib.experiment.evaluation import EVALUATION_BATCH, evaluate, make_loss

INF = math.inf


def test_undecided_samples_count_as_wrong():
    """The first input alone drives output 0, the second output 1, the third none."""
    network = TTFSNetwork.from_weights([torch.tensor([[5.0, 0.0], [0.0, 5.0], [0.5, 0.5]])])
    inputs = torch.tensor([[0.0, INF, INF], [INF, 0.0, INF], [INF, INF, 0.0], [INF, INF, 0.0]])
    found = evaluate(network, inputs, torch.tensor([0, 0, 0, 1]), FirstSpikeCrossEntropy())
    assert found.predicted.tolist() == [0, 1, -1, -1]
    assert found.accuracy == 0.25
    assert np.isinf(found.decision_times).tolist() == [False, False, True, True]
    assert [layer.shape for layer in found.layers] == [(4, 3), (4, 2)]
    assert np.array_equal(found.layers[0], inputs)


def test_an_evaluation_does_not_depend_on_how_samples_are_grouped():
    n = 2 * EVALUATION_BATCH + 100
    network = TTFSNetwork([4, 6, 3], mean=0.8, generator=torch.Generator().manual_seed(1))
    inputs = torch.rand(n, 4, generator=torch.Generator().manual_seed(2))
    labels, loss = torch.arange(n) % 3, FirstSpikeCrossEntropy()
    whole = evaluate(network, inputs, labels, loss)
    assert len(whole.predicted) == n
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3))
    shuffled = evaluate(network, inputs[order], labels[order], loss)
    assert np.array_equal(shuffled.predicted, whole.predicted[order])
    assert shuffled.accuracy == whole.accuracy
    assert shuffled.loss == pytest.approx(whole.loss, rel=1e-5)
    with torch.no_grad():
        assert whole.loss == pytest.approx(float(loss(network(inputs)[-1], labels)), rel=1e-5)


@pytest.mark.parametrize("n_labels", [0, 3, 5, 600])
def test_an_evaluation_needs_a_label_for_each_sample(n_labels):
    network = TTFSNetwork([4, 3], mean=0.8)
    labels = torch.zeros(n_labels, dtype=torch.int64)
    with pytest.raises(
        ValueError, match=rf"^labels must be one for each of 4 inputs, got {n_labels}$"
    ):
        evaluate(network, torch.rand(4, 4), labels, FirstSpikeCrossEntropy())


def test_the_loss_is_the_one_of_the_settings(tiny_config):
    cross_entropy = make_loss(dataclasses.replace(tiny_config, xi=0.3, alpha=0.1, beta=2.0))
    assert isinstance(cross_entropy, FirstSpikeCrossEntropy)
    assert (cross_entropy.xi, cross_entropy.alpha, cross_entropy.beta) == (0.3, 0.1, 2.0)
    mse = make_loss(dataclasses.replace(tiny_config, loss="mse", correct_time=1.1, wrong_time=2.2))
    assert isinstance(mse, SpikeTimeMSE)
    assert (mse.correct, mse.wrong) == (1.1, 2.2)

"""What a network does with samples, whatever their grouping, and who counts as wrong."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from ttfslib import FirstSpikeCrossEntropy, SpikeTimeMSE, TTFSNetwork
from ttfslib.experiment.evaluation import EVALUATION_BATCH, evaluate

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


NETWORK = TTFSNetwork([4, 3], mean=0.8)
TIMES, LABELS = torch.rand(4, 4), torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": None}, "network must be a TTFSNetwork, got NoneType"),
        ({"inputs": np.zeros((4, 4))}, "inputs must be a Tensor, got ndarray"),
        ({"inputs": TIMES.to_sparse()}, "inputs must be a dense Tensor on the CPU, got "),
        ({"inputs": TIMES.to("meta")}, "inputs must be a dense Tensor on the CPU, got "),
        ({"inputs": TIMES[0]}, "inputs and labels must have shapes (n_samples, n_inputs) and "),
        ({"inputs": TIMES[:0], "labels": LABELS[:0]}, "inputs and labels must have shapes "),
        ({"labels": None}, "labels must be a Tensor, got NoneType"),
        ({"labels": LABELS[:, None]}, "inputs and labels must have shapes "),
        ({"labels": LABELS + 3}, "labels must lie in [0, 2], got "),
        ({"labels": LABELS.double()}, "labels must be int64 of shape (4,), got "),
        ({"loss": "mse"}, "loss must be a Module, got str"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    arguments = {"network": NETWORK, "inputs": TIMES, "labels": LABELS, "loss": SpikeTimeMSE()}
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        evaluate(**arguments | wrong)

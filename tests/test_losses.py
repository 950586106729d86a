"""Losses on output spike times: their values, what silence does, and what they refuse."""

import math

import numpy as np
import pytest
import torch

from ttfslib.losses import RESOLUTION, FirstSpikeCrossEntropy, SpikeTimeMSE, log_packet_width

INF = math.inf


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def test_cross_entropy_by_hand():
    """Output times 1 and 2, xi = 1: -log softmax is log(1 + e^-1) or 1 more."""
    loss = FirstSpikeCrossEntropy(xi=1.0, alpha=0.0)
    times = torch.tensor([[1.0, 2.0], [1.0, 2.0]]).double()
    right = math.log1p(math.exp(-1))
    assert loss(times, torch.tensor([0, 1])).item() == pytest.approx(right + 0.5)


def test_early_spikes_are_rewarded_by_alpha():
    times, labels = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([0])
    plain, pressed = FirstSpikeCrossEntropy(alpha=0.0), FirstSpikeCrossEntropy(alpha=0.1, beta=2.0)
    extra = pressed(times, labels) - plain(times, labels)
    assert extra.item() == pytest.approx(0.1 * math.exp(2))


def test_squared_distance_by_hand():
    times = torch.tensor([[1.0, 2.5, 2.0], [1.5, 2.0, 1.0]]).double()
    expected = (0.25 + 0.25 + 0.0 + 0.0 + 0.0 + 1.0) / 4
    assert SpikeTimeMSE()(times, torch.tensor([0, 0])).item() == pytest.approx(expected)


LOSSES = [FirstSpikeCrossEntropy(), SpikeTimeMSE()]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


@each_loss
def test_a_silent_output_counts_as_late_and_passes_no_gradient(loss):
    times = torch.tensor([[1.0, INF, 2.0], [1.5, 2.0, INF]]).double().requires_grad_()
    labels = torch.tensor([2, 0])
    late = torch.where(torch.isinf(times), loss.silent_time, times).detach().requires_grad_()
    value, of_late = loss(times, labels), loss(late, labels)
    assert value.item() == of_late.item()
    (gradient,) = torch.autograd.grad(value, times)
    (expected,) = torch.autograd.grad(of_late, late)
    assert torch.equal(gradient, torch.where(torch.isinf(times), 0.0, expected))
    assert gradient[0, 0] != 0


def test_a_sample_whose_true_class_is_silent_pushes_no_output_away():
    times = torch.tensor([[1.0, INF, 2.0], [1.0, 1.2, 2.0]]).double().requires_grad_()
    loss, labels = FirstSpikeCrossEntropy(), torch.tensor([1, 1])
    (gradient,) = torch.autograd.grad(loss(times, labels), times)
    assert gradient[0].tolist() == [0, 0, 0]
    assert gradient[1, 0] < 0 < gradient[1, 1]


@each_loss
def test_gradcheck_of_the_losses(loss):
    times = 1 + torch.rand(4, 3, generator=seeded(), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda t: loss(t, labels), times.requires_grad_())


@each_loss
@pytest.mark.parametrize(
    ("times", "labels", "complaint"),
    [
        (torch.ones(3), torch.zeros(3).long(), r"output_times must have shape .* got \(3,\)"),
        (torch.ones(0, 3), torch.zeros(0).long(), r"output_times must have shape .* got \(0, 3\)"),
        (
            torch.tensor([[1.0, math.nan]]),
            torch.tensor([0]),
            r"output_times must be finite or \+inf \(silent\), got nan$",
        ),
        (
            torch.tensor([[1.0, -INF]]),
            torch.tensor([0]),
            r"output_times must be finite or \+inf \(silent\), got -inf$",
        ),
        (None, torch.tensor([0]), "output_times must be a torch tensor, got NoneType"),
        (np.ones((2, 3)), torch.tensor([0]), "output_times must be a torch tensor, got ndarray"),
        (torch.ones(2, 3).long(), torch.tensor([0, 1]), "output_times must be float32 or float64"),
        (torch.ones(2, 3) * 1j, torch.tensor([0, 1]), "output_times must be float32 or float64"),
        (torch.eye(3).to_sparse(), torch.tensor([0]), "output_times must be a dense tensor"),
        (torch.ones(2, 3, device="meta"), torch.tensor([0]), "output_times must hold numbers"),
        (torch.ones(2, 3), None, "labels must be a dense int64 tensor, got NoneType"),
        (torch.ones(2, 3), [0, 1], "labels must be a dense int64 tensor, got list"),
        (torch.ones(2, 3), torch.zeros(2, device="meta").long(), "labels must be on the device"),
        (torch.ones(2, 3), torch.zeros(3).long(), r"labels must be int64 of shape \(2,\), got"),
        (torch.ones(2, 3), torch.zeros(2), r"labels must be int64 .*, got torch.float32"),
        (torch.ones(2, 3), torch.tensor([0, 3]), r"labels must lie in \[0, 2\], got \[0, 3\]"),
        (torch.ones(2, 3), torch.tensor([-1, 0]), r"labels must lie in \[0, 2\], got \[-1, 0\]"),
    ],
)
def test_losses_name_what_is_wrong(loss, times, labels, complaint):
    with pytest.raises(ValueError, match=complaint):
        loss(times, labels)


def test_the_width_of_a_packet_by_hand():
    """Spikes at 0, 1 and 2 up to the decision at 2; the one at 5 and the silent one count not."""
    hidden = torch.tensor([[0.0, 1.0, 2.0, 5.0, INF]]).double()
    output = torch.tensor([[2.0, 3.0]]).double()
    expected = math.log(2 / 3 + RESOLUTION**2) / 2
    assert log_packet_width([hidden, output]).item() == pytest.approx(expected)


def test_the_width_counts_every_packet_once():
    """A layer or a sample without two spikes before the decision has no packet."""
    packet, lone = [0.0, 1.0, 2.0], [0.0, INF, 3.0]
    output = torch.tensor([[2.0], [2.0]])
    layers = [torch.tensor([packet, lone]), torch.tensor([lone, packet]), output]
    assert log_packet_width(layers) == log_packet_width([layers[0][:1], output[:1]])
    assert log_packet_width([torch.tensor([lone, lone]), output]) == 0


def test_gradcheck_of_the_width():
    times = torch.rand(4, 6, generator=seeded(), dtype=torch.float64).requires_grad_()
    output = torch.tensor([[0.8, 0.9], [INF, INF], [0.1, INF], [2.0, 0.7]]).double()
    assert torch.autograd.gradcheck(lambda t: log_packet_width([t, t**2, output]), times)


def test_packets_as_narrow_as_can_be_give_a_finite_gradient():
    times = torch.ones(2, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(log_packet_width([times, torch.full((2, 1), 2.0)]), times)
    assert torch.equal(gradient, torch.zeros(2, 3))

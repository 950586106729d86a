"""When a sample is decided, and for which class."""

import math

import numpy as np
import pytest
import torch

from ttfslib import decided_class, decision_time

INF = math.inf


def test_the_first_spike_decides():
    times = torch.tensor([[3.0, 1.0, 2.0], [INF, INF, 9.0], [0.5, 0.7, INF]])
    assert decided_class(times).tolist() == [1, 2, 0]


def test_of_spikes_at_the_same_time_the_lower_index_counts():
    times = torch.tensor([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0], [INF, 3.0, 3.0]])
    assert decided_class(times).tolist() == [1, 0, 1]


def test_silence_is_no_class():
    decided = decided_class(torch.tensor([[INF, INF], [INF, 1.0]]))
    assert decided.tolist() == [-1, 1]
    assert decided.dtype == torch.int64


@pytest.mark.parametrize("measure", [decided_class, decision_time])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        ([1.0, 1.0, 1.0], r"output_times must have 2 dimension\(s\), got shape \(3,\)"),
        ([[], []], r"output_times must not be empty, got shape \(2, 0\)"),
        ([[math.nan, 1.0]], r"output_times must be finite or \+inf \(silent\), got nan at index"),
        ([[1.0, -INF]], r"output_times must be finite or \+inf \(silent\), got -inf at index"),
    ],
)
def test_a_decision_needs_output_times(measure, kind, times, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}"):
        measure(kind(times))


@pytest.mark.parametrize("times", [None, "early", [["a"]], [[1.0], [1.0, 2.0]], [[1j]]])
@pytest.mark.parametrize("measure", [decided_class, decision_time])
def test_what_is_no_array_of_numbers_is_refused(measure, times):
    with pytest.raises(ValueError, match=r"^output_times must be "):
        measure(times)


def test_the_first_output_spike_sets_the_time_of_the_decision():
    times = np.array([[3.0, 1.0, 2.0], [INF, INF, 9.0], [INF, INF, INF]])
    assert decision_time(times).tolist() == [1, 9, INF]


def test_arrays_are_decided_as_tensors_are():
    times = np.random.default_rng(0).uniform(0, 1, (20, 4)).round(1)
    times[3] = INF
    assert decided_class(times).tolist() == decided_class(torch.from_numpy(times)).tolist()


def test_a_tensor_with_a_history_is_decided_but_makes_no_array():
    times = torch.ones(2, 3, requires_grad=True)
    assert decided_class(times).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"^output_times must be an array: .*detach"):
        decision_time(times)


@pytest.mark.filterwarnings("ignore:.*quantize")  # torch is about to part with them
def test_tensors_of_every_float_are_decided_and_others_are_named():
    times = torch.tensor([[1.0, 2.0], [2.0, 1.0], [torch.inf, torch.inf]])
    for dtype in (torch.bfloat16, torch.float16, torch.float8_e5m2):
        assert decided_class(times.to(dtype)).tolist() == [0, 1, -1]
    quantized = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)
    with pytest.raises(ValueError, match=r"^output_times must be of a dtype that NumPy has, got "):
        decided_class(quantized)

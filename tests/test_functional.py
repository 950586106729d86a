"""Differentiable first spikes: both engines against the readable neuron, and what can go wrong."""

import math

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import (
    LIFParameters,
    engines,
    first_spike_time,
    peak_delay,
    psp,
    spike_time_gradient,
)
from ttfslib.engines import cpu
from ttfslib.functional import first_spike_times

RATIOS = {
    "equal": LIFParameters(),
    "two to one": LIFParameters(tau_m=2.0),
    "non-leaky": LIFParameters(tau_m=math.inf),
    "fast membrane": LIFParameters(tau_m=0.5),
    "nearly equal": LIFParameters(tau_m=1.0001),
    "slow membrane": LIFParameters(tau_m=10.0),
    "other units": LIFParameters(tau_m=12.0, tau_s=5.0, threshold=0.4),
}
each_ratio = pytest.mark.parametrize("params", RATIOS.values(), ids=RATIOS)
each_engine = pytest.mark.usefixtures("engine")
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@pytest.fixture(params=["cpu", "plain"])
def engine(request):
    """Run a test with the compiled kernels and with the walk in torch operations."""
    with engines.use(request.param):
        yield request.param


def random_layer(seed, params=RATIOS["equal"], *, n_samples=3, n_pre=8, n_post=6):
    """Inputs of which a tenth is silent and some are tied; weights that make most neurons fire."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, 2, (n_samples, n_pre))
    times[:, 1] = times[:, 0]
    times[rng.random(times.shape) < 0.1] = math.inf
    weights = rng.normal(0.6, 0.8, (n_pre, n_post)) * params.threshold
    return torch.from_numpy(times * params.tau_s), torch.from_numpy(weights)


def reference(times, weights, params):
    """First spikes and their gradients by the readable code, one neuron at a time."""
    n_samples, n_pre = times.shape
    spikes = torch.full((n_samples, weights.shape[1]), math.inf, dtype=torch.float64)
    by_weight = torch.zeros(n_samples, weights.shape[1], n_pre, dtype=torch.float64)
    by_time = torch.zeros_like(by_weight)
    for s, j in np.ndindex(*spikes.shape):
        neuron = times[s].numpy(), weights[:, j].numpy(), params
        spikes[s, j] = first_spike_time(*neuron)
        by_weight[s, j], by_time[s, j] = map(torch.from_numpy, spike_time_gradient(*neuron))
    return spikes, by_weight, by_time


def gradients(times, weights, params, pull=None, **options):
    """Spikes, and the gradients of the sum of those that came, each weighted by its pull."""
    times, weights = (tensor.clone().requires_grad_() for tensor in (times, weights))
    spikes = first_spike_times(times, weights, params, **options)
    pull = torch.ones_like(spikes) if pull is None else pull
    (d_times, d_weights) = torch.autograd.grad(spikes, (times, weights), pull)
    return spikes.detach(), d_times, d_weights


def close(found, expected, atol=1e-9, rtol=1e-9):
    torch.testing.assert_close(found, expected, atol=atol, rtol=rtol)


# Against the readable neuron, finite differences and float64


@each_engine
@each_ratio
@pytest.mark.parametrize("seed", range(3))
def test_spikes_and_gradients_are_those_of_the_readable_neuron(params, seed):
    times, weights = random_layer(seed, params)
    expected, by_weight, by_time = reference(times, weights, params)
    well_posed = by_weight.abs().amax(2) < 1e3
    pull = torch.from_numpy(np.random.default_rng(seed).normal(size=expected.shape)) * well_posed
    spikes, d_times, d_weights = gradients(times, weights, params, pull)
    assert 0.3 < torch.isfinite(spikes).double().mean() <= 1
    close(spikes[well_posed], expected[well_posed])
    close(d_weights, torch.einsum("sj,sji->ij", pull, by_weight))
    close(d_times, torch.einsum("sj,sji->si", pull, by_time))


grid = st.integers(0, 6).map(lambda i: i / 2)
one_neuron = st.lists(
    st.tuples(st.one_of(grid, st.floats(0, 3), st.just(math.inf)), st.floats(-3, 3)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", ["cpu", "plain"])
@given(neuron=one_neuron, params=st.sampled_from(list(RATIOS.values())))
@settings(max_examples=80)
def test_any_neuron_fires_when_the_readable_one_does(name, neuron, params):
    """Unless a hair's breadth of threshold decides whether it fires."""
    inputs, weights = (np.array(column) for column in zip(*neuron, strict=True))
    nearby = [
        first_spike_time(inputs, weights, LIFParameters(params.tau_m, params.tau_s, threshold))
        for threshold in params.threshold * np.array([1 - 1e-9, 1 + 1e-9])
    ]
    if not (nearby[0] == nearby[1] or nearby[1] - nearby[0] < 1e-6):
        return
    with engines.use(name):
        found = first_spike_times(
            torch.from_numpy(inputs)[None], torch.from_numpy(weights)[:, None], params
        )
    expected = first_spike_time(inputs, weights, params)
    assert found.item() == pytest.approx(expected, abs=1e-6)


@each_engine
@each_ratio
def test_gradcheck(params):
    times, weights = random_layer(11, params)
    _, by_weight, _ = reference(times, weights, params)
    largest = by_weight.abs().amax(2)
    steady = (largest > 0) & (largest < 20)
    assert steady.double().mean() > 0.3

    def steady_spikes(times, weights):
        return first_spike_times(times, weights, params)[steady]

    assert torch.autograd.gradcheck(
        steady_spikes, (times.requires_grad_(), weights.requires_grad_()), eps=1e-6, atol=1e-5
    )


@each_engine
@each_ratio
def test_float32_keeps_five_digits_of_time_and_four_of_the_gradient(params):
    """Of all neurons but those that touch the threshold so softly that both must be lost."""
    times, weights = random_layer(5, params, n_samples=5, n_pre=60, n_post=20)
    weights *= 0.2
    expected, by_weight, _ = reference(times, weights, params)
    steepness = by_weight.abs().amax(2) * params.threshold / params.tau_s
    steady = torch.isfinite(expected) & (steepness < 2)
    assert steady.double().mean() > 0.5
    pull = steady.double()
    spikes, *double = gradients(times, weights, params, pull)
    single_spikes, *single = gradients(times.float(), weights.float(), params, pull.float())
    close(single_spikes[steady].double(), spikes[steady], atol=1e-5 * params.tau_s, rtol=0)
    for found, wanted in zip(single, double, strict=True):
        assert found.dtype == torch.float32
        assert (found.double() - wanted).norm() < 2e-4 * wanted.norm()


@each_engine
@each_ratio
def test_a_shift_of_all_inputs_shifts_all_spikes(params):
    times, weights = random_layer(3, params)
    close(
        first_spike_times(times + 0.75, weights, params),
        0.75 + first_spike_times(times, weights, params),
    )


@each_engine
@each_ratio
def test_the_order_of_the_inputs_does_not_matter(params):
    times, weights = random_layer(4, params)
    shuffled = torch.from_numpy(np.random.default_rng(0).permutation(len(weights)))
    spikes, d_times, d_weights = gradients(times, weights, params)
    mixed = gradients(times[:, shuffled], weights[shuffled], params)
    for found, expected in zip(
        mixed, (spikes, d_times[:, shuffled], d_weights[shuffled]), strict=True
    ):
        close(found, expected)


# Silence, ties and touching the threshold


@each_engine
@each_dtype
def test_without_any_input_spike_all_stay_silent_and_nothing_is_learned(dtype):
    times = torch.full((4, 3), math.inf, dtype=dtype)
    spikes, d_times, d_weights = gradients(times, torch.ones(3, 2, dtype=dtype), RATIOS["equal"])
    assert torch.isposinf(spikes).all()
    assert spikes.dtype == dtype
    assert not d_times.any()
    assert not d_weights.any()


@each_engine
def test_a_silent_input_is_as_good_as_none():
    times, weights = random_layer(6)
    times[:, 2] = math.inf
    spikes, d_times, d_weights = gradients(times, weights, RATIOS["equal"])
    kept = [i for i in range(len(weights)) if i != 2]
    without = gradients(times[:, kept], weights[kept], RATIOS["equal"])
    for found, expected in zip((spikes, d_times[:, kept], d_weights[kept]), without, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not d_times[:, 2].any()
    assert not d_weights[2].any()


@each_engine
def test_inputs_at_the_same_time_act_as_their_sum():
    """Two weights of 1.5 at once are one of 3; each gets the gradient of that one."""
    one = [torch.zeros(1, 1).double(), torch.full((1, 1), 3.0).double()]
    two = [torch.zeros(1, 2).double(), torch.full((2, 1), 1.5).double()]
    spikes, d_times, d_weights = gradients(*one, RATIOS["equal"])
    tied_spikes, tied_d_times, tied_d_weights = gradients(*two, RATIOS["equal"])
    close(tied_spikes, spikes)
    close(tied_d_weights, d_weights.expand(2, 1))
    close(tied_d_times, d_times.expand(1, 2) / 2)


@each_engine
def test_one_input_moves_the_spike_with_itself():
    spikes, d_times, _ = gradients(
        torch.tensor([[0.5]]).double(), torch.tensor([[4.0]]).double(), RATIOS["equal"]
    )
    assert spikes.item() == pytest.approx(0.5 + 0.357402956181, abs=1e-12)
    close(d_times, torch.ones(1, 1).double())


@each_engine
def test_inputs_after_the_spike_have_no_say():
    times = torch.tensor([[0.0, 5.0]]).double()
    _, d_times, d_weights = gradients(times, torch.tensor([[4.0], [1.0]]).double(), RATIOS["equal"])
    assert d_weights[0, 0] < 0
    assert d_weights[1, 0] == 0
    assert d_times[0, 1] == 0


@each_engine
@each_dtype
@each_ratio
def test_a_grazing_spike_gives_numbers(params, dtype):
    """Weights a few units in the last place around the one whose peak is the threshold."""
    peak = peak_delay(0.0, 1.0, params)
    touching = params.threshold / (psp(peak, params) if peak < math.inf else 1.0)
    steps = 1 + torch.arange(-8, 9, dtype=dtype) * torch.finfo(dtype).eps
    weights = (touching * steps)[None]
    spikes, d_times, d_weights = gradients(torch.zeros(1, 1, dtype=dtype), weights, params)
    assert not torch.isnan(spikes).any()
    assert torch.isfinite(d_times).all()
    assert torch.isfinite(d_weights).all()
    assert (d_weights <= 0).all()


@each_engine
@each_dtype
def test_a_threshold_that_is_only_approached_is_never_reached(dtype):
    """Without leak a weight of 1 takes V to 1, in infinite time."""
    inputs, weights = torch.zeros(1, 1, dtype=dtype), torch.ones(1, 1, dtype=dtype)
    assert first_spike_times(inputs, weights, RATIOS["non-leaky"]).item() == math.inf


# The guard against grazing spikes


@each_engine
@each_ratio
def test_the_guard_drops_exactly_the_pairs_beyond_the_limit(params):
    times, weights = random_layer(8, params, n_samples=5)
    _, by_weight, by_time = reference(times, weights, params)
    largest = by_weight.abs().amax(2)
    fired = largest[largest > 0].sort().values
    limit = (fired[len(fired) // 2 - 1] + fired[len(fired) // 2]).item() / 2
    kept = (largest <= limit).double()
    assert 0 < (largest > limit).sum() < len(fired)
    _, d_times, d_weights = gradients(times, weights, params, gradient_limit=limit)
    close(d_weights, torch.einsum("sj,sji->ij", kept, by_weight))
    close(d_times, torch.einsum("sj,sji->si", kept, by_time))


@each_engine
def test_the_guard_leaves_the_spikes_alone():
    times, weights = random_layer(8)
    guarded = first_spike_times(times, weights, gradient_limit=1e-6)
    torch.testing.assert_close(guarded, first_spike_times(times, weights), rtol=0, atol=0)


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, "0.2"])
def test_the_limit_must_be_positive(limit):
    times, weights = random_layer(0)
    with pytest.raises(ValueError, match="gradient_limit must be"):
        first_spike_times(times, weights, gradient_limit=limit)


# Life as a torch operation


@each_engine
@pytest.mark.parametrize("power", [1, 2])
def test_there_is_no_second_derivative(power):
    """Neither for a linear loss, whose gradient autograd would take for a constant."""
    times, weights = random_layer(1)
    weights.requires_grad_()
    spikes = first_spike_times(times, weights)
    loss = (spikes[torch.isfinite(spikes)] ** power).sum()
    (d_weights,) = torch.autograd.grad(loss, weights, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiated only once"):
        d_weights.square().sum().backward()


@each_engine
def test_without_grad_the_same_spikes_come_detached():
    times, weights = random_layer(1)
    attached = first_spike_times(times, weights.requires_grad_())
    with torch.no_grad():
        detached = first_spike_times(times, weights)
    assert attached.requires_grad
    assert not detached.requires_grad
    torch.testing.assert_close(detached, attached.detach(), rtol=0, atol=0)


@each_engine
@pytest.mark.parametrize("wanted", [0, 1])
def test_a_gradient_may_be_asked_for_alone(wanted):
    inputs = random_layer(2)
    both = gradients(*inputs, RATIOS["equal"])[1:]
    inputs[wanted].requires_grad_()
    spikes = first_spike_times(*inputs)
    (alone,) = torch.autograd.grad(spikes, inputs[wanted], torch.ones_like(spikes))
    close(alone, both[wanted])


@each_engine
def test_strided_tensors_are_as_good_as_contiguous_ones():
    times, weights = random_layer(2)
    strided = times.t().contiguous().t(), weights.t().contiguous().t()
    assert not any(tensor.is_contiguous() for tensor in strided)
    plain = gradients(times, weights, RATIOS["equal"])
    for found, expected in zip(gradients(*strided, RATIOS["equal"]), plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@each_engine
def test_weights_changed_before_the_backward_pass_are_noticed():
    times, weights = random_layer(2)
    weights.requires_grad_()
    spikes = first_spike_times(times, weights)
    with torch.no_grad():
        weights += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


@each_engine
def test_the_arguments_are_left_alone():
    times, weights = random_layer(2)
    before = times.clone(), weights.clone()
    gradients(times, weights, RATIOS["equal"])
    torch.testing.assert_close((times, weights), before, rtol=0, atol=0)


@each_engine
@each_dtype
def test_results_repeat_bit_for_bit(dtype):
    inputs = [t.to(dtype) for t in random_layer(9, n_samples=20, n_pre=50, n_post=120)]
    first, second = (gradients(*inputs, RATIOS["equal"]) for _ in range(2))
    for found, expected in zip(first, second, strict=True):
        assert torch.equal(found, expected)


# Bad input


@pytest.mark.parametrize(
    ("times", "weights", "complaint"),
    [
        ([[0.0]], torch.ones(1, 1), "spike_times must be a torch tensor, got list"),
        (torch.zeros(1, 1), [[1.0]], "weights must be a torch tensor, got list"),
        (torch.zeros(2), torch.ones(2, 1), r"spike_times must have 2 dimensions, got shape \(2,\)"),
        (torch.zeros(1, 2), torch.ones(2), r"weights must have 2 dimensions, got shape \(2,\)"),
        (
            torch.zeros(1, 2, dtype=torch.int64),
            torch.ones(2, 1),
            "spike_times must be float32 or float64, got torch.int64",
        ),
        (
            torch.zeros(1, 2),
            torch.ones(2, 1, dtype=torch.int32),
            "weights must be float32 or float64, got torch.int32",
        ),
        (
            torch.zeros(1, 2).half(),
            torch.ones(2, 1),
            "spike_times must be float32 or float64, got torch.float16",
        ),
        (
            torch.zeros(1, 2),
            torch.ones(2, 1).double(),
            "weights must have the dtype of spike_times torch.float32, got torch.float64",
        ),
        (
            torch.zeros(1, 2),
            torch.ones(2, 1, device="meta"),
            "weights must hold numbers, got a tensor on the meta device",
        ),
        (
            torch.zeros(1, 2),
            torch.ones(3, 1),
            r"weights must have a row for each of the 2 input neurons, got shape \(3, 1\)",
        ),
        (
            torch.zeros(0, 2),
            torch.ones(2, 1),
            r"spike_times must not be empty, got shape \(0, 2\)",
        ),
        (torch.zeros(1, 0), torch.ones(0, 1), r"spike_times must not be empty"),
        (torch.zeros(1, 2), torch.ones(2, 0), r"weights must not be empty, got shape \(2, 0\)"),
        (
            torch.tensor([[0.0, math.nan]]),
            torch.ones(2, 1),
            r"spike_times must be finite or \+inf \(silent\), got nan$",
        ),
        (
            torch.tensor([[0.0, -math.inf]]),
            torch.ones(2, 1),
            r"spike_times must be finite or \+inf \(silent\), got -inf$",
        ),
        (torch.zeros(1, 1), torch.tensor([[math.nan]]), "weights must be finite, got NaN"),
        (
            torch.zeros(1, 1),
            torch.tensor([[math.inf]]),
            "weights must be finite, got NaN or an inf",
        ),
    ],
)
def test_bad_input_is_named_in_one_line(times, weights, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}") as error:
        first_spike_times(times, weights)
    assert "\n" not in str(error.value)


def test_little_work_takes_one_thread_and_the_threads_come_back(monkeypatch):
    """And whoever does the work, the bits are the same."""
    allowed = numba.get_num_threads()
    times, weights = random_layer(5, n_samples=12, n_pre=30, n_post=20)
    few = first_spike_times(times, weights)
    assert numba.get_num_threads() == allowed
    monkeypatch.setattr(cpu, "SMALL_WORK", 0)
    assert torch.equal(first_spike_times(times, weights), few)

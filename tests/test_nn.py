"""Layers, networks, losses and the remedies that keep a network alive."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ttfslib import LIFParameters, first_spike_times
from ttfslib.losses import FirstSpikeCrossEntropy, SpikeTimeMSE
from ttfslib.nn import TTFSLayer, TTFSNetwork
from ttfslib.remedy import SilentNeuronRemedy

INF = math.inf
SIZES = [6, 12, 10, 3]


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def small_network(seed=1, **options):
    return TTFSNetwork(SIZES, mean=1.2, std=0.5, generator=seeded(seed), **options)


def batch(n_samples=20, dtype=torch.float32):
    """Inputs whose class is the pair of neurons that fires first."""
    labels = torch.arange(n_samples) % 3
    times = 1 + torch.rand(n_samples, 6, generator=seeded(5), dtype=dtype)
    early = torch.stack([2 * labels, 2 * labels + 1], dim=1)
    return times.scatter_add(1, early, torch.full((n_samples, 2), -1.0, dtype=dtype)), labels


def remedied(n_layers=2, **options):
    """A network whose weights are all zero, and its remedy."""
    sizes = [2, 4, 3, 2][: n_layers + 1]
    network = TTFSNetwork(sizes, std=0.0)
    return network, SilentNeuronRemedy(network, **options)


# Layers and networks


def test_a_network_is_its_layers_one_after_the_other():
    network, (times, _) = small_network(), batch()
    found = network(times)
    assert [tuple(layer.shape) for layer in found] == [(20, 12), (20, 10), (20, 3)]
    for weights, layer in zip(network.weights, found, strict=True):
        times = first_spike_times(times, weights)
        assert torch.equal(times, layer)


def test_parameters_and_guard_reach_every_layer():
    params = LIFParameters(tau_m=2.0, threshold=0.7)
    network = small_network(params=params, gradient_limit=0.3)
    assert [layer.params for layer in network.stack] == [params] * 3
    times, _ = batch()
    free = TTFSNetwork.from_weights(network.weights, params)
    assert torch.equal(network(times)[0], free(times)[0])
    gradients = []
    for each in (network, free):
        first = each(times)[0]
        (by_weight,) = torch.autograd.grad(
            first, each.stack[0].weight, torch.isfinite(first).float()
        )
        gradients.append(by_weight.abs().sum().item())
    assert gradients[0] < gradients[1]


def test_initial_weights_have_the_asked_for_distribution():
    network = TTFSNetwork([300, 200, 100], mean=[0.5, -1.0], std=[0.1, 2.0], generator=seeded())
    for weights, mean, std in zip(network.weights, (0.5, -1.0), (0.1, 2.0), strict=True):
        error = std / math.sqrt(weights.numel())
        assert weights.mean().item() == pytest.approx(mean, abs=4 * error)
        assert weights.std().item() == pytest.approx(std, abs=4 * error)


def test_a_generator_makes_the_network_and_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    same, also, other = small_network(1), small_network(1), small_network(2)
    TTFSNetwork.from_weights(same.weights)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, same.weights, also.weights))
    assert not any(map(torch.equal, same.weights, other.weights))


def test_training_repeats_bit_for_bit():
    runs = [trained(torch.optim.Adam, 0.01)[0].weights for _ in range(2)]
    assert all(map(torch.equal, *runs))


def test_from_weights_copies():
    matrices = [torch.ones(2, 3), torch.full((3, 1), 2.0)]
    network = TTFSNetwork.from_weights(matrices)
    matrices[0].zero_()
    assert torch.equal(network.weights[0], torch.ones(2, 3))
    assert torch.equal(network.weights[1], torch.full((3, 1), 2.0))
    assert all(layer.weight.requires_grad for layer in network.stack)


def test_from_weights_takes_arrays_and_keeps_their_precision():
    arrays = [matrix.numpy() for matrix in small_network(dtype=torch.float64).weights]
    network = TTFSNetwork.from_weights(arrays)
    assert {weights.dtype for weights in network.weights} == {torch.float64}


def test_state_dict_round_trip():
    network, twin = small_network(1, excitatory_share=0.75), small_network(2)
    state = network.state_dict()
    assert list(state) == [f"layers.{i}.weight" for i in range(3)]
    twin.load_state_dict(state)
    assert all(map(torch.equal, network.weights, twin.weights))


def test_weights_are_kept_in_a_file_without_pickle(tmp_path):
    network, twin = small_network(1), small_network(2)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    twin.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    times, _ = batch()
    assert all(map(torch.equal, network(times), twin(times)))


def test_to_another_precision():
    network = small_network(excitatory_share=0.75)
    double = copy.deepcopy(network).to(torch.float64)
    times, _ = batch()
    assert {layer.dtype for layer in double(times.double())} == {torch.float64}
    assert double.stack[1].is_excitatory.dtype == torch.bool
    with pytest.raises(ValueError, match="weights must have the dtype of spike_times"):
        double(times)


def test_a_deep_copy_is_independent():
    network = small_network(excitatory_share=0.75)
    twin = copy.deepcopy(network)
    assert all(map(torch.equal, network.weights, twin.weights))
    with torch.no_grad():
        twin.stack[0].weight += 1
    assert not torch.equal(network.weights[0], twin.weights[0])
    assert twin.stack[0].params == network.stack[0].params


def test_the_gradient_runs_through_all_layers():
    """Against the change of the output when a first-layer weight changes, in float64."""
    times, _ = batch(4, torch.float64)
    network = small_network(dtype=torch.float64)
    weight = network.stack[0].weight
    output = network(times)[-1]
    steady = torch.isfinite(output)
    assert steady.any()
    (gradient,) = torch.autograd.grad(output, weight, steady.double())
    strongest = divmod(gradient.abs().argmax().item(), weight.shape[1])
    shifted = []
    for change in (1e-7, -1e-7):
        with torch.no_grad():
            weight[strongest] += change
            shifted.append(network(times)[-1][steady].sum().item())
            weight[strongest] -= change
    slope = (shifted[0] - shifted[1]) / 2e-7
    assert gradient[strongest].item() == pytest.approx(slope, rel=1e-4)


def trained(optimizer_class, lr, steps=40, **options):
    network, (times, labels) = small_network(gradient_limit=2.0, **options), batch()
    loss_of, remedy, losses = FirstSpikeCrossEntropy(), SilentNeuronRemedy(network), []
    optimizer = optimizer_class(network.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        layers = network(times)
        loss = loss_of(layers[-1], labels)
        loss.backward()
        optimizer.step()
        network.clip()
        remedy(layers)
        losses.append(loss.item())
    return network, losses


@pytest.mark.parametrize(
    ("optimizer_class", "lr"),
    [(torch.optim.SGD, 3.0), (torch.optim.Adam, 0.01), (torch.optim.RMSprop, 0.005)],
)
def test_any_optimizer_learns(optimizer_class, lr):
    _, losses = trained(optimizer_class, lr)
    assert losses[-1] < 0.8 * losses[0]


# Dale's law


def breaks_dale(network, share=0.75):
    """Whether a hidden neuron has weights of both signs, or of the wrong one."""
    for weights in network.weights[1:]:
        n_excitatory = round(share * len(weights))
        if (weights[:n_excitatory] < 0).any() or (weights[n_excitatory:] > 0).any():
            return True
    return False


def test_dale_is_obeyed_from_the_start_and_after_each_step():
    network, losses = trained(torch.optim.Adam, 0.01, excitatory_share=0.75)
    assert losses[-1] < losses[0]
    assert not breaks_dale(network)
    assert not breaks_dale(small_network(excitatory_share=0.75))
    assert breaks_dale(small_network())


def test_inputs_keep_both_signs_under_dale():
    first = TTFSNetwork(SIZES, excitatory_share=0.75, generator=seeded()).stack[0]
    assert first.is_excitatory is None
    assert (first.weight < 0).any()
    assert (first.weight > 0).any()


def test_projection_clips_the_wrong_signs_to_zero_and_leaves_the_rest():
    layer = TTFSLayer(2, 2, is_excitatory=[True, False])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -0.5], [0.25, -0.25]]))
    layer.obey_dale()
    assert layer.weight.tolist() == [[0.5, 0.0], [0.0, -0.25]]


def test_the_remedy_does_not_turn_inhibition_into_excitation():
    layers = [torch.ones(2, 4), torch.full((4, 2), -0.01)]
    network = TTFSNetwork.from_weights(layers, excitatory_share=0.5)
    silent = [torch.zeros(1, 4), torch.full((1, 2), INF)]
    SilentNeuronRemedy(network, step=0.5, largest_step=0.5)(silent)
    assert network.weights[1].tolist() == [[0.5, 0.5]] * 2 + [[0.0, 0.0]] * 2


def test_given_weights_are_brought_under_the_law():
    network = TTFSNetwork.from_weights([torch.ones(2, 4), -torch.ones(4, 1)], excitatory_share=0.5)
    assert network.weights[1].flatten().tolist() == [0, 0, -1, -1]


@pytest.mark.parametrize("loss", [FirstSpikeCrossEntropy(), SpikeTimeMSE()])
def test_a_half_silent_network_gets_finite_gradients(loss):
    network, (times, labels) = small_network(), batch()
    with torch.no_grad():
        network.stack[-1].weight[:, 0] = -1
    layers = network(times)
    assert torch.isinf(layers[-1][:, 0]).all()
    loss(layers[-1], labels).backward()
    for layer in network.stack:
        assert torch.isfinite(layer.weight.grad).all()
        assert layer.weight.grad.any()


def test_loaded_weights_are_brought_under_the_law_with_a_warning():
    free, bound = small_network(1), small_network(2, excitatory_share=0.75)
    n_wrong = int((free.weights[1][:9] < 0).sum() + (free.weights[1][9:] > 0).sum())
    assert n_wrong > 0
    with pytest.warns(UserWarning, match="loaded weights break Dale's law") as warned:
        bound.load_state_dict(free.state_dict())
    assert str(warned[0].message).startswith(f"{n_wrong} of 120 loaded weights break Dale's law")
    assert not breaks_dale(bound)
    assert torch.equal(bound.weights[0], free.weights[0])


def test_loading_lawful_weights_is_silent():
    network, twin = (small_network(seed, excitatory_share=0.75) for seed in (1, 2))
    twin.load_state_dict(network.state_dict())
    assert all(map(torch.equal, network.weights, twin.weights))


# Delays


def delayed(dtype=torch.float64, **options):
    """A network with random delays."""
    network = small_network(delays=True, dtype=dtype, **options)
    with torch.no_grad():
        for delay in network.delays:
            delay.copy_(torch.rand(delay.shape, generator=seeded(3), dtype=dtype))
    return network


def test_a_delay_is_added_to_the_time_of_its_input():
    network, (times, _) = delayed(), batch(dtype=torch.float64)
    for layer, found in zip(network.stack, network(times), strict=True):
        assert torch.equal(first_spike_times(times + layer.delay, layer.weight), found)
        times = found
    assert [len(delay) for delay in network.delays] == SIZES[:-1]


def test_a_network_begins_without_delay_and_has_none_unless_asked():
    (times, _), plain = batch(), small_network()
    assert plain.delays == []
    assert all(map(torch.equal, plain(times), small_network(delays=True)(times)))


def test_silent_inputs_stay_silent_whatever_their_delay():
    layer = TTFSLayer(2, 1, mean=3.0, std=0.0, delays=True, dtype=torch.float64)
    times = torch.tensor([[0.0, INF]], dtype=torch.float64)
    alone = first_spike_times(times, layer.weight.detach())
    with torch.no_grad():
        layer.delay[1] = 5.0
    spikes = layer(times)
    assert torch.equal(spikes, alone)
    spikes.sum().backward()
    assert layer.delay.grad.tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("tau_m", [1.0, 2.0, INF])
def test_the_gradient_of_delays_is_exact(tau_m):
    """Finite differences of causal inputs: no spike may come or go when a delay changes."""
    layer = TTFSLayer(5, 3, LIFParameters(tau_m=tau_m), mean=1.5, delays=True, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(0.8 + torch.rand(5, 3, generator=seeded(2), dtype=torch.float64))
    times = torch.rand(4, 5, generator=seeded(4), dtype=torch.float64)
    delay = torch.rand(5, generator=seeded(6), dtype=torch.float64, requires_grad=True)

    def spikes(delay, weight):
        return torch.func.functional_call(layer, {"delay": delay, "weight": weight}, times)

    assert torch.isfinite(spikes(delay, layer.weight)).all()
    assert torch.autograd.gradcheck(spikes, (delay, layer.weight))


@settings(deadline=None, max_examples=40)
@given(shift=st.floats(0, 100), seed=st.integers(0, 100))
def test_a_common_delay_shifts_the_output(shift, seed):
    """Of one layer by as much; of a network by what its layers add up to."""
    network = TTFSNetwork(SIZES, mean=1.2, delays=True, generator=seeded(seed), dtype=torch.float64)
    times, _ = batch(5, torch.float64)
    before = network(times)
    for delay in network.delays:
        delay.add_(shift)
    for i, (early, late) in enumerate(zip(before, network(times), strict=True), start=1):
        torch.testing.assert_close(late, early + i * shift, atol=1e-7, rtol=1e-9)


def test_delays_are_clipped_with_the_weights_after_a_step():
    network = small_network(delays=True, excitatory_share=0.75)
    with torch.no_grad():
        for layer in network.stack:
            layer.delay.copy_(torch.linspace(-1, 1, len(layer.delay)))
            layer.weight.neg_()
    network.clip()
    assert not breaks_dale(network)
    for delay in network.delays:
        assert torch.equal(delay, torch.linspace(-1, 1, len(delay)).clamp(min=0))


def test_delays_are_trained():
    network, losses = trained(torch.optim.Adam, 0.01, delays=True)
    assert losses[-1] < 0.8 * losses[0]
    assert all((delay >= 0).all() and delay.any() for delay in network.delays)


def test_delays_are_kept_copied_and_converted(tmp_path):
    network, (times, _) = delayed(torch.float32), batch()
    expected = network(times)[-1]
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    twin = small_network(2, delays=True)
    twin.load_state_dict(load_file(tmp_path / "network.safetensors"))
    given = TTFSNetwork.from_weights(network.weights, delays=network.delays)
    for same in (twin, given, copy.deepcopy(network)):
        assert torch.equal(same(times)[-1], expected)
        same.delays[0].add_(1)
    assert torch.equal(network(times)[-1], expected)
    assert {delay.dtype for delay in copy.deepcopy(network).double().delays} == {torch.float64}


def test_loaded_delays_below_zero_are_clipped_with_a_warning():
    state = delayed().state_dict()
    state["layers.1.delay"][:3] = -1
    network = small_network(delays=True, dtype=torch.float64)
    with pytest.warns(UserWarning, match="^3 of 12 loaded delays are negative: clipped to zero"):
        network.load_state_dict(state)
    assert not network.delays[1][:3].any()


# Silent neurons


def test_every_layer_in_need_is_helped():
    network, remedy = remedied()
    assert remedy([torch.full((5, 4), INF), torch.full((5, 3), INF)]) == [0, 1]
    assert all((weights == 0.0005).all() for weights in network.weights)
    assert remedy.times_in_a_row == [1, 1]


def test_help_doubles_while_it_is_needed_and_starts_anew_afterwards():
    network, remedy = remedied(step=0.001)
    silent, fine = torch.full((5, 4), INF), torch.ones(5, 4)
    output = torch.ones(5, 3)
    rises = []
    for hidden in (silent, silent, silent, fine, silent):
        before = network.weights[0].clone()
        remedy([hidden, output])
        rises.append((network.weights[0] - before).max().item())
    assert rises == pytest.approx([0.001, 0.002, 0.004, 0.0, 0.001])


def test_layers_are_helped_independently():
    network, remedy = remedied()
    fine, silent, output = torch.ones(5, 4), torch.full((5, 4), INF), torch.full((5, 3), INF)
    assert [remedy([fine, output]) for _ in range(3)] == [[1], [1], [1]]
    assert remedy.times_in_a_row == [0, 3]
    assert remedy([silent, torch.ones(5, 3)]) == [0]
    assert remedy.times_in_a_row == [1, 0]
    assert network.weights[0].max().item() == pytest.approx(0.0005)
    assert network.weights[1].max().item() == pytest.approx(0.0035)


def test_only_weights_into_neurons_that_are_silent_too_often_are_raised():
    """Neuron 0 misses no sample, neuron 1 one of four, neuron 2 half, neuron 3 all."""
    network, remedy = remedied(hidden_share=0.25, step=0.0625)
    hidden = torch.ones(4, 4)
    hidden[:1, 1] = hidden[:2, 2] = hidden[:, 3] = INF
    assert remedy([hidden, torch.ones(4, 3)]) == [0]
    assert network.weights[0].tolist() == [[0.0, 0.0, 0.0625, 0.0625]] * 2


def test_a_tolerated_share_of_silence_gets_no_help():
    network, remedy = remedied()
    hidden, output = torch.ones(5, 4), torch.ones(5, 4)[:, :3].clone()
    hidden[:3, 0] = INF  # 3 of 20 spikes: just the tolerated 15 %
    assert remedy([hidden, output]) == []
    assert not network.weights[0].any()
    output[0, 0] = INF  # 1 of 15: more than the 5 % that the output layer may miss
    assert remedy([hidden, output]) == [1]


def test_help_never_exceeds_its_largest_step_however_long_it_lasts():
    network, remedy = remedied(largest_step=0.1)
    remedy.times_in_a_row = [100_000, 0]
    remedy([torch.full((1, 4), INF), torch.ones(1, 3)])
    assert network.weights[0].max().item() == pytest.approx(0.1)


def test_the_remedy_wakes_a_silent_network():
    network = TTFSNetwork(SIZES, mean=0.01, std=0.01, generator=seeded())
    remedy, (times, _) = SilentNeuronRemedy(network), batch()
    assert torch.isinf(network(times)[-1]).all()
    for _ in range(100):
        helped = remedy(network(times))
        if not helped:
            break
    assert helped == []
    assert torch.isfinite(network(times)[-1]).float().mean() >= 0.95


def test_the_remedy_wants_the_times_of_every_layer():
    _, remedy = remedied()
    with pytest.raises(ValueError, match="layers must be the spike times of 2 layers, got 1"):
        remedy([torch.ones(5, 4)])


# Bad input


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: TTFSLayer(0, 3), "n_pre must be at least 1, got 0"),
        (lambda: TTFSLayer(3, 2.0), "n_post must be an integer, got float"),
        (lambda: TTFSLayer(3, 3, std=-1), r"std must lie in \[0, inf\], got -1"),
        (lambda: TTFSLayer(3, 3, mean=math.nan), "mean must be finite, got nan"),
        (lambda: TTFSLayer(3, 3, gradient_limit=0), "gradient_limit must be positive, got 0"),
        (lambda: TTFSLayer(3, 3, dtype=torch.float16), "dtype must be torch.float32 or"),
        (lambda: TTFSLayer(3, 3, is_excitatory=[1, 0, 1]), "is_excitatory must be 3 booleans"),
        (lambda: TTFSLayer(3, 3, is_excitatory=[True]), "is_excitatory must be 3 booleans"),
        (lambda: TTFSNetwork([3]), r"sizes must name at least input and output, got \[3\]"),
        (lambda: TTFSNetwork([3, 0]), "sizes.1. must be at least 1, got 0"),
        (lambda: TTFSNetwork([3, 2], mean=[1.0, 2.0]), "mean must have one entry for each of 1"),
        (lambda: TTFSNetwork([3, 2], excitatory_share=2), r"excitatory_share must lie in \[0, 1\]"),
        (lambda: TTFSNetwork.from_weights([]), "weights must not be empty"),
        (lambda: TTFSNetwork.from_weights([torch.ones(3)]), r"weights\[0\] must be a finite matr"),
        (
            lambda: TTFSNetwork.from_weights([torch.full((2, 2), math.nan)]),
            r"weights\[0\] must be a finite matrix",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3), torch.ones(2, 3)]),
            r"weights\[1\] must have 3 rows, got 2",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3), torch.ones(3, 1).double()]),
            r"weights\[1\] must have the dtype torch.float32 of the first, got torch.float64",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3).long()]),
            r"weights\[0\] must be float32 or float64, got torch.int64",
        ),
        (lambda: TTFSLayer(2, 1, 1.0), "params must be LIFParameters, got float"),
        (lambda: TTFSLayer(2, 1, None), "params must be LIFParameters, got NoneType"),
        (lambda: TTFSLayer(2, 1, generator=1), "generator must be a torch.Generator, got int"),
        (lambda: TTFSLayer(2, 1, dtype="float32"), "dtype must be torch.float32 or"),
        (lambda: TTFSLayer(2, 1, is_excitatory="ab"), "is_excitatory must be a tensor or array"),
        (lambda: TTFSNetwork(None), "sizes must be a sequence, got NoneType"),
        (lambda: TTFSNetwork(5), "sizes must be a sequence, got int"),
        (lambda: TTFSNetwork([3, 2], 1.0), "params must be LIFParameters, got float"),
        (lambda: TTFSNetwork([3, 2], mean=None), "mean must be a real number, got NoneType"),
        (lambda: TTFSNetwork.from_weights(None), "weights must be a list of matrices, got None"),
        (
            lambda: TTFSNetwork.from_weights([None]),
            r"weights\[0\] must be a tensor or array, got N",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.eye(2).to_sparse()]),
            r"weights\[0\] must be dense and hold numbers",
        ),
        (lambda: TTFSLayer(2, 1, delays=1), "delays must be a bool, got int"),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3)], delays=[[0.0, -1.0]]),
            r"delays\[0\] must be finite and at least 0, got -1 to 0",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3)], delays=[[0.0]]),
            r"delays\[0\] must be 2 numbers of torch.float32, got torch.float32 of shape \(1,\)",
        ),
        (
            lambda: TTFSNetwork.from_weights([torch.ones(2, 3)], delays=[]),
            "delays must be a list of 1 vectors, got 0",
        ),
        (
            lambda: TTFSLayer(2, 1, delays=True)(torch.ones(3, 1)),
            "weights must have a row for each of the 1 input neurons",
        ),
        (
            lambda: TTFSLayer(2, 1, delays=True, dtype=torch.float64)(torch.ones(3, 2)),
            "weights must have the dtype of spike_times torch.float32, got torch.float64",
        ),
        (lambda: SilentNeuronRemedy(None), "network must be a TTFSNetwork, got NoneType"),
        (lambda: remedied()[1](None), "layers must be the spike times of 2 layers, got NoneType"),
        (
            lambda: remedied()[1]([torch.ones(5, 4), torch.ones(5, 2)]),
            r"layers\[1\] must be a tensor \(n_samples, 3\), got \(5, 2\)",
        ),
        (
            lambda: remedied()[1]([torch.full((5, 4), math.nan), torch.ones(5, 3)]),
            r"layers\[0\] must be finite or \+inf \(silent\), got nan$",
        ),
        (
            lambda: remedied()[1]([torch.ones(0, 4), torch.ones(0, 3)]),
            r"layers\[0\] must hold a sample or more, got shape \(0, 4\)$",
        ),
        (lambda: FirstSpikeCrossEntropy(xi=0), "xi must be positive, got 0"),
        (lambda: FirstSpikeCrossEntropy(alpha=-1), r"alpha must lie in \[0, inf\], got -1"),
        (lambda: SpikeTimeMSE(silent_time=INF), "silent_time must be finite, got inf"),
        (lambda: remedied(hidden_share=1.5), r"hidden_share must lie in \[0, 1\], got 1.5"),
        (lambda: remedied(step=0.0), "step must be positive, got 0.0"),
    ],
)
def test_bad_arguments_are_named_in_one_line(make, complaint):
    with pytest.raises(ValueError, match=complaint) as error:
        make()
    assert "\n" not in str(error.value)

"""What of torch works with a network of first spikes: a test for each line of the table."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from torch.func import functional_call, grad, jacfwd, jacrev, vjp, vmap
from torch.utils.checkpoint import checkpoint

from ttfslib import FirstSpikeCrossEntropy, TTFSNetwork, first_spike_times

COMPILED_FIRST = """
import torch
from ttfslib import first_spike_times
times, weights = torch.zeros(2, 3), torch.full((3, 4), 2.0, requires_grad=True)
compiled = torch.compile(first_spike_times, backend="eager")(times, weights)
eager = first_spike_times(times, weights)
(by_compiled,), (by_eager,) = (torch.autograd.grad(s.sum(), weights) for s in (compiled, eager))
print(torch.equal(compiled, eager), torch.equal(by_compiled, by_eager))
"""


def layer(dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    times = torch.rand(5, 6, generator=generator, dtype=dtype)
    return times, 0.5 + torch.rand(6, 4, generator=generator, dtype=dtype)


def network(**options):
    return TTFSNetwork(
        [6, 8, 3], mean=0.9, std=0.3, generator=torch.Generator().manual_seed(1), **options
    )


def loss_of(module, times):
    return FirstSpikeCrossEntropy()(module(times)[-1], torch.arange(5) % 3)


def gradients_of(module, loss):
    return torch.autograd.grad(loss, list(module.parameters()))


def test_compile_before_the_first_eager_call():
    done = subprocess.run(
        [sys.executable, "-c", COMPILED_FIRST], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True True\n"


@pytest.mark.filterwarnings("ignore")  # what torch does on the way
def test_a_compiled_backward_pass_gives_the_same_numbers():
    from torch._dynamo import compiled_autograd

    times, weights = layer()
    weights.requires_grad_()
    loss = first_spike_times(times, weights).sum()
    with compiled_autograd._enable(torch.compile(backend="eager")):
        loss.backward()
    (expected,) = torch.autograd.grad(first_spike_times(times, weights).sum(), weights)
    assert torch.equal(weights.grad, expected)


def test_a_compiled_loss_may_keep_its_numbers_in_the_graph():
    times, labels = layer()[1], torch.arange(6) % 4
    loss = FirstSpikeCrossEntropy()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        assert torch.equal(torch.compile(loss, backend="eager")(times, labels), loss(times, labels))


def test_what_comes_out_of_a_transform_is_an_ordinary_tensor():
    """A vjp is taken, and a tensor may be kept, after the transform that they belong to."""
    times, weights = layer()
    spikes, pull_back = vjp(lambda w: first_spike_times(times, w), weights)
    (by_weights,) = pull_back(torch.ones_like(spikes))
    jacobian = jacrev(lambda w: first_spike_times(times, w), chunk_size=1)(weights)
    assert not by_weights.requires_grad
    assert not jacobian.requires_grad
    torch.testing.assert_close(by_weights, jacobian.sum((0, 1)))

    leaf, kept = weights.clone().requires_grad_(), []
    grad(lambda w: (kept.append(w), w.sum())[1])(leaf)
    first_spike_times(times, kept[0]).sum().backward()
    torch.testing.assert_close(leaf.grad, by_weights)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch hides it by other means
def test_a_compiled_network_gives_the_same_numbers():
    module, times = network(), layer(torch.float32)[0]
    compiled = torch.compile(module, backend="aot_eager")
    assert all(map(torch.equal, compiled(times), module(times)))
    expected = gradients_of(module, loss_of(module, times))
    assert all(map(torch.equal, gradients_of(module, loss_of(compiled, times)), expected))


def test_checkpointing_gives_the_same_gradients():
    module, times = network(), layer(torch.float32)[0].requires_grad_()
    expected = gradients_of(module, loss_of(module, times))

    def forgetful(times):
        return [checkpoint(lambda t: module(t)[-1], times, use_reentrant=False)]

    assert all(map(torch.equal, gradients_of(module, loss_of(forgetful, times)), expected))


def test_mixed_precision_keeps_float32_and_refuses_bfloat16():
    module, times = network(), layer(torch.float32)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(map(torch.equal, module(times), network()(times)))
        reduced = times @ torch.eye(6)
        assert reduced.dtype == torch.bfloat16
        with pytest.raises(ValueError, match=r"^spike_times must be float32 or float64"):
            module(reduced)


@pytest.mark.parametrize("excitatory_share", [None, 0.75])
def test_copies_pickles_and_files_hold_the_same_network(excitatory_share):
    module, times = network(excitatory_share=excitatory_share), layer(torch.float32)[0]
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(file, weights_only=False),
    ):
        assert all(map(torch.equal, twin(times), module(times)))


def test_func_grad_and_jacrev_are_autograd():
    times, weights = layer()
    attached = weights.clone().requires_grad_()
    (expected,) = torch.autograd.grad(first_spike_times(times, attached).sum(), attached)
    assert torch.equal(grad(lambda w: first_spike_times(times, w).sum())(weights), expected)
    jacobian = jacrev(lambda w: first_spike_times(times, w))(weights)
    torch.testing.assert_close(jacobian.sum((0, 1)), expected)


def test_func_grad_of_a_network():
    module, times = network(), layer(torch.float32)[0]
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    found = grad(lambda w: loss_of(lambda t: functional_call(module, w, (t,)), times))(weights)
    expected = gradients_of(module, loss_of(module, times))
    assert all(map(torch.equal, found.values(), expected))


def test_vmap_over_times_weights_and_gradients():
    times, weights = layer()
    spikes = first_spike_times(times, weights)
    assert torch.equal(vmap(lambda t: first_spike_times(t[None], weights)[0])(times), spikes)
    scaled = torch.stack([weights, 2 * weights], dim=2)
    both = vmap(lambda w: first_spike_times(times, w), in_dims=2)(scaled)
    assert torch.equal(both[0], spikes)
    assert torch.equal(both[1], first_spike_times(times, 2 * weights))
    each = vmap(grad(lambda w, t: first_spike_times(t[None], w).sum()), in_dims=(None, 0))
    whole = grad(lambda w: first_spike_times(times, w).sum())(weights)
    torch.testing.assert_close(each(weights, times).sum(0), whole)


def test_vmap_still_refuses_bad_values():
    times, weights = layer()
    times[1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"^spike_times must be finite or \+inf"):
        vmap(lambda t: first_spike_times(t[None], weights))(times)


@pytest.mark.skipif(not hasattr(torch.compiler, "is_exporting"), reason="torch before 2.7")
def test_export_is_refused_in_one_sentence():
    times = layer(torch.float32)[0]
    said = "first_spike_times cannot be exported as a graph of torch: keep the state_dict, or use"
    with pytest.raises(RuntimeError, match=rf"^{said} nir_graph$"):
        torch.export.export(network(), (times,), strict=False)
    with pytest.raises(RuntimeError, match=said):
        torch.export.export(network(), (times,), strict=True)


@pytest.mark.filterwarnings("ignore")  # of torch, which thinks little of both
def test_a_network_can_be_traced_but_neither_scripted_nor_saved():
    module, times = network(), layer(torch.float32)[0]
    traced = torch.jit.trace(module, (times,))
    for other in (times + 0.1, 2 * times[:2]):
        assert all(map(torch.equal, traced(other), module(other)))
    with pytest.raises(RuntimeError, match="Could not export Python function"):
        torch.jit.save(traced, io.BytesIO())
    for thing in (module, first_spike_times):
        with pytest.raises((ValueError, RuntimeError, torch.jit.frontend.NotSupportedError)):
            torch.jit.script(thing)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # raised inside torch
def test_forward_mode_and_second_derivatives_are_refused_in_one_sentence():
    times, weights = layer()
    with pytest.raises(RuntimeError, match=r"^first_spike_times has no forward-mode derivative"):
        jacfwd(lambda w: first_spike_times(times, w))(weights)
    with pytest.raises(RuntimeError, match=r"^first_spike_times can be differentiated only once"):
        jacrev(jacrev(lambda w: first_spike_times(times, w)))(weights)

r"""First spike times of a layer as one differentiable operation on torch tensors.

The passes are those of an engine, see :mod:`ttfslib.engines`: on the CPU and on a CUDA device they
are compiled, elsewhere plain torch operations do the same walk.

What of torch works with it, and with the networks built on it:

======================================  =======================================================
``torch.compile``                       the same numbers; the passes stay outside of the graph,
                                        so that ``fullgraph=True`` is refused
``torch.export``                        refused
``torch.jit.script``                    refused by torch, which cannot read the functions
``torch.jit.trace``                     the same numbers, also for other inputs; cannot be saved
``torch.func``: grad, vjp, jacrev       yes
``torch.func.vmap``                     yes, one entry after the other
forward mode, second derivatives        refused
``torch.utils.checkpoint``              yes
``torch.autocast``                      float32 stays float32; a bfloat16 input is refused
``copy.deepcopy``, pickle, torch.save   yes
``DataLoader`` workers                  with ``multiprocessing_context="spawn"``; after a fork
                                        they are refused where numba uses OpenMP
threads                                 yes
======================================  =======================================================
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import unwrap_dead_wrappers
from torch.autograd import Function

from ttfslib import _checks
from ttfslib._psp import DEFAULT, LIFParameters, check_parameters
from ttfslib.engines import engine_for
from ttfslib.lif import peak_delay

_NO_EXPORT = (
    "first_spike_times cannot be exported as a graph of torch: "
    "keep the state_dict, or use nir_graph"
)
_IS_EXPORTING = getattr(torch.compiler, "is_exporting", bool)  # torch 2.7 and later
_IN_TRANSFORM = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
FLOATS = (torch.float32, torch.float64)


def first_spike_times(
    spike_times: Tensor,
    weights: Tensor,
    params: LIFParameters = DEFAULT,
    *,
    gradient_limit: float = math.inf,
) -> Tensor:
    r"""First spike time of every neuron of a layer for a batch of samples.

    The gradient is the exact one, :math:`\partial t/\partial w_i = -k(t - t_i)/\dot V(t)` and
    :math:`\partial t/\partial t_i = w_i k'(t - t_i)/\dot V(t)` (:eq:`eq-grad-weights`,
    :eq:`eq-grad-times`), for every ratio of time constants. A silent neuron, and one whose
    potential touches the threshold with no slope at all, passes no gradient.

    Parameters
    ----------
    spike_times : Tensor, shape (n_samples, n_pre)
        Input spikes, float32 or float64, in units of tau_s; ``inf`` for a silent neuron.
    weights : Tensor, shape (n_pre, n_post)
        Of the same dtype and on the same device.
    params : LIFParameters
    gradient_limit : float, optional
        The guard against grazing spikes: a neuron whose largest :math:`|\partial t/\partial w_i|`
        exceeds it passes no gradient for that sample. By default all gradients pass.

    Returns
    -------
    Tensor, shape (n_samples, n_post)
        ``inf`` for neurons that stay silent.

    Raises
    ------
    ValueError
        If a tensor is empty, holds NaN, or has the wrong shape, dtype or device; if the weights of
        a neuron add up to more than the dtype holds, or a time is so early that a difference does.
    RuntimeError
        In a forked process whose parent has called it: start workers with "spawn".

    Examples
    --------
    >>> import torch
    >>> times = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    >>> weights = torch.tensor([[2.0], [2.0]], dtype=torch.float64)
    >>> print(f"{first_spike_times(times, weights).item():.9f}")
    0.686130539
    """
    if _IS_EXPORTING():  # the graph would have to hold the compiled passes
        raise RuntimeError(_NO_EXPORT)
    check_layer_input(spike_times, weights)
    _check_params(params, weights.dtype)
    limit = _checks.positive("gradient_limit", gradient_limit, allow_inf=True)
    apply = _apply
    if torch.compiler.is_compiling():  # what numba has compiled cannot be traced
        apply = torch.compiler.disable(apply)
    return apply(_FirstSpikes, spike_times, weights, params, limit)[0]


def check_layer_input(spike_times: Tensor, weights: Tensor) -> None:
    """Raise unless both are matrices of one dtype and device, with a weight for each input."""
    _check_matrix("spike_times", spike_times)
    _check_matrix("weights", weights)
    _check_match(spike_times, weights)


def _apply(function: type[Function], *arguments: Any) -> Any:
    """Apply a function, like `Function.apply`, but without reading the signature at every call.

    Reading it takes as long as the spikes of a small layer, and only ``torch.func`` needs it,
    inside its transforms. Tensors that have come out of one are unwrapped here as well.
    """
    if _IN_TRANSFORM() or torch.compiler.is_compiling():
        return function.apply(*arguments)
    return super(Function, function).apply(*unwrap_dead_wrappers(arguments))  # type: ignore[misc]


def _one_by_one(function: type[Function], info: Any, in_dims: Any, arguments: Any) -> Any:
    """Map a function over a further dimension, as ``torch.func.vmap`` asks for: by a loop."""
    columns = [
        [argument] * info.batch_size if dim is None else argument.unbind(dim)
        for argument, dim in zip(arguments, in_dims, strict=True)
    ]
    results = [function.apply(*each) for each in zip(*columns, strict=True)]
    return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * len(results[0])


class _FirstSpikes(Function):
    """Spikes, and what the backward pass needs of how they were found."""

    @staticmethod
    def forward(
        spike_times: Tensor, weights: Tensor, params: LIFParameters, _limit: float
    ) -> tuple[Tensor, ...]:
        _check_values(spike_times, weights)
        weights = weights.contiguous()
        engine = engine_for(weights.device)
        times, order = engine.sorted_events(spike_times.contiguous())
        steps = engine.propagators(times, params.tau_m, params.tau_s)
        spikes, slopes, causes = engine.first_spikes(
            times, order, steps, weights, params.tau_m, params.tau_s, params.threshold
        )
        return spikes, slopes, causes, times, order, steps

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        _, weights, ctx.params, ctx.limit = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weights, *output)
        ctx.engine = engine_for(weights.device)

    @staticmethod
    def backward(
        ctx: Any, d_spikes: Tensor | None, *_: None
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        if d_spikes is None:
            return None, None, None, None
        by_time, by_weight, *_ = ctx.needs_input_grad
        d_times, d_weights = _apply(
            _Gradients, d_spikes, *ctx.saved_tensors, ctx.engine, ctx.params, ctx.limit, by_time
        )
        return d_times if by_time else None, d_weights if by_weight else None, None, None

    @staticmethod
    def jvp(_ctx: Any, *_: Any) -> None:
        raise RuntimeError(
            "first_spike_times has no forward-mode derivative: use jacrev or vjp, not jacfwd or jvp"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _one_by_one(_FirstSpikes, info, in_dims, arguments)


class _Gradients(Function):
    """The backward pass, an operation of its own that cannot be differentiated again."""

    @staticmethod
    def forward(d_spikes: Tensor, *kept: Any) -> tuple[Tensor, Tensor]:
        weights, spikes, slopes, causes, times, order, steps = kept[:7]
        engine, params, limit, with_times = kept[7:]
        tau_m, tau_s = params.tau_m, params.tau_s
        passes = (slopes > 0) & (spikes < math.inf)
        if limit < math.inf:
            peak = peak_delay(0.0, 1.0, params)
            passes &= ~engine.gradient_exceeds(
                times, spikes, slopes, causes, tau_m, tau_s, peak, limit
            )
        pull = torch.where(passes, d_spikes / slopes, 0.0)
        weights = weights.contiguous()
        d_weights, d_times = engine.first_spikes_backward(
            times, order, steps, weights, spikes, causes, pull, tau_m, tau_s, with_times
        )
        return d_times, d_weights

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep nothing: there is no second derivative."""

    @staticmethod
    def backward(_ctx: Any, *_: Any) -> None:
        raise RuntimeError("first_spike_times can be differentiated only once")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _one_by_one(_Gradients, info, in_dims, arguments)


def _check_values(spike_times: Tensor, weights: Tensor) -> None:
    # Later than this, no difference of two times overflows.
    largest = torch.finfo(spike_times.dtype)
    earliest = -largest.max * largest.eps / 8
    first = check_times("spike_times", spike_times)
    if first < earliest:
        raise ValueError(f"spike_times must be later than {earliest:.0e}, got {first:.0e}")
    # Bounds of all weights are many times faster than a look at each, and nearly always enough.
    low, high = (bound.item() for bound in weights.aminmax())
    # With a NaN, both bounds are NaN, and this is false. Half leaves room for rounding in sums.
    if max(-low, high) <= largest.max / (2 * len(weights)):
        return
    if not torch.isfinite(weights).all():
        raise ValueError("weights must be finite, got NaN or an infinity")
    total = weights.abs().sum(0).amax()
    if torch.isinf(total):
        raise ValueError(
            f"weights must add up to a finite number for each neuron, got a sum beyond "
            f"{largest.max:.1e}, the largest {weights.dtype}"
        )


def _check_match(spike_times: Tensor, weights: Tensor) -> None:
    for aspect in ("dtype", "device"):
        expected, found = getattr(spike_times, aspect), getattr(weights, aspect)
        if found != expected:
            raise ValueError(
                f"weights must have the {aspect} of spike_times {expected}, got {found}"
            )
    if weights.device.type == "meta":
        raise ValueError("spike_times must hold numbers, got a tensor on the meta device")
    if len(weights) != spike_times.shape[1]:
        raise ValueError(
            f"weights must have a row for each of the {spike_times.shape[1]} input neurons, "
            f"got shape {tuple(weights.shape)}"
        )


def _check_params(params: LIFParameters, dtype: torch.dtype) -> None:
    check_parameters(params)
    representable = torch.finfo(dtype)
    for name in ("tau_m", "tau_s", "threshold"):
        value = getattr(params, name)
        if value < representable.tiny or (value > representable.max and name != "tau_m"):
            raise ValueError(
                f"params.{name} must lie in the range of {dtype}, "
                f"[{representable.tiny:.1e}, {representable.max:.1e}], got {value!r}"
            )


def _check_matrix(name: str, tensor: Tensor) -> None:
    check_float_tensor(name, tensor)
    if tensor.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")


def check_times(name: str, times: Tensor) -> float:
    """Raise if one of the times, at least one, is NaN or -inf; return the earliest."""
    first: float = times.detach().amin().item()  # NaN if one is
    if first >= -torch.finfo(times.dtype).max:
        return first
    raise ValueError(f"{name} must be finite or +inf (silent), got {first}")


def check_float_tensor(name: str, tensor: Tensor) -> None:
    """Raise unless it is a dense tensor of float32 or float64."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(tensor).__name__}")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} must be float32 or float64, got {tensor.dtype}")
    if tensor.layout != torch.strided:
        raise ValueError(f"{name} must be a dense tensor, got {tensor.layout}")
    if tensor.device.type == "meta":
        raise ValueError(f"{name} must hold numbers, got a tensor on the meta device")

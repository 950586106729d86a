r"""Deep time-to-first-spike networks for torch: layers, Dale's law, and delays.

A network maps spike times to those of each of its layers. Its only parameters are weights and, if
asked for, delays: any torch optimizer trains it, and a `state_dict` holds all there is to keep.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from ttfslib import _checks
from ttfslib._psp import DEFAULT, LIFParameters, check_parameters
from ttfslib._tensors import as_tensor, check_dtype, check_generator
from ttfslib.functional import FLOATS, check_layer_input, first_spike_times

_ASTRAY = ("weights break Dale's law", "delays are negative")


class TTFSLayer(nn.Module):
    r"""A layer of neurons that fire once: input spike times to first spike times.

    Parameters
    ----------
    n_pre, n_post : int
        Numbers of input and of output neurons.
    params : LIFParameters
    mean, std : float
        The initial weights are drawn from this normal distribution, in units of the threshold.
    is_excitatory : sequence of bool, length n_pre, optional
        Dale's law (:eq:`eq-dale`): which input neurons may have only weights >= 0; the others may
        have only weights <= 0. By default every weight may take either sign.
    delays : bool
        Whether each input neuron has a delay, zero at first, that is added to its spike time. The
        derivative of an output spike by a delay is the one by the input's spike time
        (:eq:`eq-grad-times`).
    gradient_limit : float
        Guard against grazing spikes, see `first_spike_times`.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.
    dtype : torch.dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter, shape (n_pre, n_post)
    delay : Parameter, shape (n_pre,), or None
        In units of tau_s; never negative after `clip`.
    is_excitatory : bool Tensor, shape (n_pre,), or None

    Warns
    -----
    UserWarning
        If `load_state_dict` brings weights that break Dale's law, or negative delays: they are
        clipped to zero.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    is_excitatory: Tensor | None
    delay: nn.Parameter | None

    def __init__(
        self,
        n_pre: int,
        n_post: int,
        params: LIFParameters = DEFAULT,
        *,
        mean: float = 0.0,
        std: float = 1.0,
        is_excitatory: Sequence[bool] | Tensor | None = None,
        delays: bool = False,
        gradient_limit: float = math.inf,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        shape = (_checks.integer("n_pre", n_pre), _checks.integer("n_post", n_post))
        mean, std = _checks.real("mean", mean), _checks.within("std", std, 0, math.inf)
        check_dtype(dtype)
        check_generator(generator)
        _checks.instance("delays", delays, bool)
        check_parameters(params)
        self.params = params
        self.gradient_limit = _checks.positive("gradient_limit", gradient_limit, allow_inf=True)
        values = torch.randn(shape, generator=generator, dtype=dtype)
        self.weight = nn.Parameter(mean + std * values)
        delay = nn.Parameter(torch.zeros(shape[0], dtype=dtype)) if delays else None
        self.register_parameter("delay", delay)
        self.register_buffer("is_excitatory", _signs(is_excitatory, shape[0]), persistent=False)
        self.register_load_state_dict_post_hook(_clip_what_was_loaded)
        self.obey_dale()

    def forward(self, spike_times: Tensor) -> Tensor:
        """First spike times, shape (n_samples, n_post), for inputs of shape (n_samples, n_pre)."""
        times = self.arriving(spike_times)
        return first_spike_times(
            times, self.weight, self.params, gradient_limit=self.gradient_limit
        )

    def arriving(self, spike_times: Tensor) -> Tensor:
        """When spikes, shape (n_samples, n_pre), come to the neurons: after their delays."""
        if self.delay is None:
            return spike_times
        check_layer_input(spike_times, self.weight)
        return spike_times + self.delay

    @torch.no_grad()
    def obey_dale(self) -> None:
        """Clip, in place, weights whose sign is not that of their input neuron (:eq:`eq-dale`)."""
        if self.is_excitatory is not None:
            self.weight.copy_(self._clipped(self.is_excitatory))

    @torch.no_grad()
    def clip(self) -> None:
        """Bring back, in place, what a step has led astray: `obey_dale`, and delays >= 0."""
        self.obey_dale()
        if self.delay is not None:
            self.delay.clamp_(min=0)

    def _clipped(self, is_excitatory: Tensor) -> Tensor:
        excitatory, weight = is_excitatory[:, None], self.weight
        return torch.where(excitatory, weight.clamp(min=0), weight.clamp(max=0))

    def extra_repr(self) -> str:
        """Shape and parameters, for print(network)."""
        n_pre, n_post = self.weight.shape
        delays = "" if self.delay is None else ", delays=True"
        return f"{n_pre}, {n_post}, {self.params}{delays}"


class TTFSNetwork(nn.Module):
    r"""Layers of first-spike neurons, each fed by the first spikes of the one before.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of neurons from input to output, at least two.
    params : LIFParameters
        Of every neuron.
    mean, std : float or sequence of float
        Of the normal distribution of initial weights: one number, or one for each layer of
        weights.
    excitatory_share : float, optional
        Dale's law: in each hidden layer the first neurons, this share of them, are excitatory
        and the others inhibitory. Inputs keep the freedom of both signs. By default no neuron is
        bound to one sign.
    delays : bool
        Whether each neuron, but for those of the output, has a delay: see `TTFSLayer`.
    gradient_limit : float
        Guard against grazing spikes, see `first_spike_times`.
    generator : torch.Generator, optional
        Source of the initial weights; torch's global one by default.
    dtype : torch.dtype
        float32 or float64.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import torch
    >>> network = TTFSNetwork([4, 8, 3], mean=0.8, generator=torch.Generator().manual_seed(1))
    >>> [tuple(times.shape) for times in network(torch.rand(5, 4))]
    [(5, 8), (5, 3)]
    """

    def __init__(
        self,
        sizes: Sequence[int],
        params: LIFParameters = DEFAULT,
        *,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        excitatory_share: float | None = None,
        delays: bool = False,
        gradient_limit: float = math.inf,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        sizes = _checks.each("sizes", sizes, _checks.integer)
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least input and output, got {sizes!r}")
        n_layers = len(sizes) - 1
        means, stds = _per_layer("mean", mean, n_layers), _per_layer("std", std, n_layers)
        if excitatory_share is not None:
            excitatory_share = _checks.within("excitatory_share", excitatory_share, 0, 1)
        self.layers = nn.ModuleList()
        for i, (n_pre, n_post) in enumerate(pairwise(sizes)):
            layer = TTFSLayer(
                n_pre,
                n_post,
                params,
                mean=means[i],
                std=stds[i],
                is_excitatory=_dale_population(n_pre, excitatory_share) if i else None,
                delays=delays,
                gradient_limit=gradient_limit,
                generator=generator,
                dtype=dtype,
            )
            self.layers.append(layer)

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[Tensor],
        params: LIFParameters = DEFAULT,
        *,
        delays: Sequence[Tensor] | None = None,
        excitatory_share: float | None = None,
        gradient_limit: float = math.inf,
    ) -> TTFSNetwork:
        """Make a network of given weights, which are copied.

        Parameters
        ----------
        weights : sequence of Tensor or array, shapes (n_pre, n_post)
            Of one float dtype; each n_post is the next n_pre.
        delays : sequence of Tensor or array, shapes (n_pre,), optional
            Finite and not negative, of the dtype of the weights; copied as well. By default the
            network has none.
        params, excitatory_share, gradient_limit
            As for the class. Weights that break Dale's law are clipped to zero, in silence;
            `load_state_dict` clips them with a warning.

        Returns
        -------
        TTFSNetwork

        Raises
        ------
        ValueError
            If there are no weights, or their shapes do not chain, or their dtypes differ, or they
            are not finite, or there is not one proper delay for each row of each matrix.
        """
        matrices = _matrices(weights)
        vectors = None if delays is None else _vectors(delays, matrices)
        network = cls(
            [len(matrices[0]), *(matrix.shape[1] for matrix in matrices)],
            params,
            std=0.0,
            excitatory_share=excitatory_share,
            delays=vectors is not None,
            gradient_limit=gradient_limit,
            generator=torch.Generator(),
            dtype=matrices[0].dtype,
        )
        with torch.no_grad():
            for layer, matrix in zip(network.stack, matrices, strict=True):
                layer.weight.copy_(matrix)
            for delay, vector in zip(network.delays, vectors or [], strict=True):
                delay.copy_(vector)
        network.obey_dale()
        return network

    def forward(self, spike_times: Tensor) -> list[Tensor]:
        """Spike times of each layer after the input, hidden layers first, output last."""
        layers = []
        for layer in self.layers:
            spike_times = layer(spike_times)
            layers.append(spike_times)
        return layers

    @property
    def stack(self) -> list[TTFSLayer]:
        """The layers as a plain list."""
        return [cast(TTFSLayer, layer) for layer in self.layers]

    @property
    def weights(self) -> list[Tensor]:
        """The weight matrices, detached, from input to output; they share their memory."""
        return [layer.weight.detach() for layer in self.stack]

    @property
    def delays(self) -> list[Tensor]:
        """The delays of each layer's inputs, detached and in shared memory; [] without delays."""
        return [layer.delay.detach() for layer in self.stack if layer.delay is not None]

    def obey_dale(self) -> None:
        """Project every layer back onto Dale's law; call it, or `clip`, after each step."""
        for layer in self.stack:
            layer.obey_dale()

    def clip(self) -> None:
        """Project weights back onto Dale's law and delays onto >= 0, after each optimizer step."""
        for layer in self.stack:
            layer.clip()


def _clip_what_was_loaded(layer: nn.Module, _keys: Any) -> None:
    """Bring weights out of a state_dict under Dale's law, and delays above zero, and say so."""
    assert isinstance(layer, TTFSLayer)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    layer.clip()
    for parameter, was, what in zip(layer.parameters(), before, _ASTRAY, strict=False):
        if n_wrong := int((parameter != was).sum()):
            warnings.warn(
                f"{n_wrong} of {was.numel()} loaded {what}: clipped to zero", stacklevel=2
            )


def _matrices(weights: Sequence[Any]) -> list[Tensor]:
    """Weights as finite matrices of one dtype whose shapes chain."""
    if not isinstance(weights, Sequence):
        raise ValueError(f"weights must be a list of matrices, got {type(weights).__name__}")
    if not weights:
        raise ValueError("weights must not be empty")
    matrices = [as_tensor(f"weights[{i}]", matrix) for i, matrix in enumerate(weights)]
    for i, matrix in enumerate(matrices):
        if matrix.ndim != 2 or not matrix.numel() or not torch.isfinite(matrix).all():
            raise ValueError(f"weights[{i}] must be a finite matrix, got {tuple(matrix.shape)}")
        if matrix.dtype not in FLOATS:
            raise ValueError(f"weights[{i}] must be float32 or float64, got {matrix.dtype}")
        if matrix.dtype != matrices[0].dtype:
            raise ValueError(
                f"weights[{i}] must have the dtype {matrices[0].dtype} of the first, "
                f"got {matrix.dtype}"
            )
    for i, (before, after) in enumerate(pairwise(matrices), start=1):
        if before.shape[1] != after.shape[0]:
            raise ValueError(f"weights[{i}] must have {before.shape[1]} rows, got {after.shape[0]}")
    return matrices


def _vectors(delays: Sequence[Any], matrices: Sequence[Tensor]) -> list[Tensor]:
    """Delays, one for each row of each matrix, in the dtype of the matrices."""
    if not isinstance(delays, Sequence) or len(delays) != len(matrices):
        found = len(delays) if isinstance(delays, Sequence) else type(delays).__name__
        raise ValueError(f"delays must be a list of {len(matrices)} vectors, got {found}")
    vectors = [as_tensor(f"delays[{i}]", vector) for i, vector in enumerate(delays)]
    for i, (vector, matrix) in enumerate(zip(vectors, matrices, strict=True)):
        if vector.dtype != matrix.dtype or vector.shape != matrix.shape[:1]:
            raise ValueError(
                f"delays[{i}] must be {len(matrix)} numbers of {matrix.dtype}, got "
                f"{vector.dtype} of shape {tuple(vector.shape)}"
            )
        if not (vector.amin() >= 0 and vector.amax() < math.inf):  # false for NaN
            raise ValueError(
                f"delays[{i}] must be finite and at least 0, got {vector.amin():g} to "
                f"{vector.amax():g}"
            )
    return vectors


def _signs(is_excitatory: Sequence[bool] | Tensor | None, n_pre: int) -> Tensor | None:
    if is_excitatory is None:
        return None
    signs = as_tensor("is_excitatory", is_excitatory)
    if signs.dtype != torch.bool or signs.shape != (n_pre,):
        raise ValueError(
            f"is_excitatory must be {n_pre} booleans, got {signs.dtype} of shape "
            f"{tuple(signs.shape)}"
        )
    return signs


def _dale_population(n_neurons: int, excitatory_share: float | None) -> Tensor | None:
    if excitatory_share is None:
        return None
    return torch.arange(n_neurons) < round(excitatory_share * n_neurons)


def _per_layer(name: str, value: float | Sequence[float], n_layers: int) -> list[float]:
    if isinstance(value, Sequence):
        if len(value) != n_layers:
            raise ValueError(f"{name} must have one entry for each of {n_layers}, got {value!r}")
        return [_checks.real(name, entry) for entry in value]
    return [_checks.real(name, value)] * n_layers

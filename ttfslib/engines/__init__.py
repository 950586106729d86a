"""The batch passes of a layer, three times: compiled for the CPU, compiled for CUDA, plain torch.

All of them offer the functions of `Engine`, on tensors. The device of the weights chooses one, or
`use` does, for tests and benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from ttfslib import _checks

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NAMES = ("cpu", "cuda", "plain")

_chosen: ContextVar[str | None] = ContextVar("engine", default=None)


class Engine(Protocol):
    """What an engine offers: the modules ``cpu``, ``cuda`` and ``plain`` do.

    Spike times have the shape (n_samples, n_pre) or (n_samples, n_post), weights (n_pre, n_post);
    all are of one float dtype and on one device, silent spikes are ``inf``.
    """

    def sorted_events(self, times: Tensor, /) -> tuple[Tensor, Tensor]:
        """Each sample's spikes in rising order, and the neurons that they belong to."""

    def propagators(self, times: Tensor, tau_m: float, tau_s: float, /) -> Tensor:
        """What the state is multiplied by from each input to the next: (n_samples, n_pre, 3)."""

    def first_spikes(
        self,
        times: Tensor,
        order: Tensor,
        steps: Tensor,
        weights: Tensor,
        tau_m: float,
        tau_s: float,
        threshold: float,
        /,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """First spikes, the slopes of V there, and the last input before each; see ``plain``."""

    def gradient_exceeds(
        self,
        times: Tensor,
        spikes: Tensor,
        slopes: Tensor,
        causes: Tensor,
        tau_m: float,
        tau_s: float,
        peak: float,
        limit: float,
        /,
    ) -> Tensor:
        """Which spikes have a derivative by a weight beyond `limit`."""

    def first_spikes_backward(
        self,
        times: Tensor,
        order: Tensor,
        steps: Tensor,
        weights: Tensor,
        spikes: Tensor,
        causes: Tensor,
        pull: Tensor,
        tau_m: float,
        tau_s: float,
        with_times: bool,
        /,
    ) -> tuple[Tensor, Tensor]:
        """Gradients by the weights and by the input times; see ``plain``."""


def load(name: str) -> Engine:
    """Import an engine by name; only then are numba and torch loaded.

    Parameters
    ----------
    name : {"cpu", "cuda", "plain"}

    Returns
    -------
    Engine

    Raises
    ------
    ValueError
        If there is no engine of that name.
    """
    return _imported(_checks.one_of("engine", name, NAMES))


@cache
def _imported(name: str) -> Engine:
    return cast(Engine, import_module(f"ttfslib.engines.{name}"))


def engine_for(device: torch.device) -> Engine:
    """Engine for tensors on a device: the one that `use` has chosen, or the fastest there is.

    Raises
    ------
    ValueError
        If the chosen engine cannot take tensors of that device.
    """
    chosen = _chosen.get()
    if chosen is None:
        return load(_fastest(device))
    if chosen == "cpu" and device.type != "cpu":
        raise ValueError(f"engine cpu must be given tensors on the CPU, got {device}")
    return load(chosen)


@contextmanager
def use(name: str) -> Iterator[Engine]:
    """Let one engine do all passes inside a ``with`` block, in this thread.

    Parameters
    ----------
    name : {"cpu", "cuda", "plain"}
        ``plain`` runs on every device. Gradients are computed by the engine that found the spikes.

    Raises
    ------
    ValueError
        If there is no engine of that name.

    Examples
    --------
    >>> import torch
    >>> from ttfslib import engines, first_spike_times
    >>> with engines.use("plain"):
    ...     first_spike_times(torch.zeros(1, 1), torch.full((1, 1), 3.0)).isfinite().item()
    True
    """
    engine = load(name)
    token = _chosen.set(name)
    try:
        yield engine
    finally:
        _chosen.reset(token)


def _fastest(device: torch.device) -> str:
    if device.type == "cpu":
        return "cpu"
    if device.type == "cuda":
        from ttfslib.engines.devices import numba_has_cuda

        return "cuda" if numba_has_cuda() else "plain"
    return "plain"

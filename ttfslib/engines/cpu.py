"""The compiled passes of :mod:`ttfslib.engines.kernels` for tensors, whose memory they share.

Threads may call them side by side. A forked process may not, once the process that it came from
has run them on OpenMP's threads: those do not survive a fork, and the process would end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

import numba
import torch
from torch import Tensor

from ttfslib.engines import _cache, kernels

SMALL_WORK = 4_000_000
"""Elementary steps that one thread does sooner than two could be woken for."""
_COST_OF_EXPONENTIALS = 30

_turns = Lock()
_lost_threads = False


def _on_tensors(kernel: Callable[..., Any], work: Callable[..., int]) -> Callable[..., Any]:
    """The kernel on tensors; `work` says of its arguments how many steps it takes."""

    def call(*arguments: Any) -> Any:
        arrays = tuple(a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments)
        if _lost_threads:
            raise RuntimeError(
                "first_spike_times must not be called in a forked process whose parent has called "
                "it: start worker processes with the method 'spawn'"
            )
        with _one_at_a_time(), _threads_for(work(*arrays)):
            try:
                result = kernel(*arrays)
            except _cache.DAMAGE as error:
                result = _cache.rebuilt(kernel, arrays, error)
        if isinstance(result, tuple):
            return tuple(map(torch.from_numpy, result))
        return torch.from_numpy(result)

    return call


def _one_at_a_time() -> AbstractContextManager[Any]:
    """A lock where numba's threads serve one caller only: its workqueue ends the process."""
    return _turns if _threads_of_numba() in (None, "workqueue") else nullcontext()


@contextmanager
def _threads_for(steps: int) -> Iterator[None]:
    """Use one thread for little work; results do not depend on it."""
    allowed = numba.get_num_threads()
    if steps > SMALL_WORK or allowed == 1:
        yield
        return
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(allowed)


def _threads_of_numba() -> str | None:
    """Name of numba's threading layer; None before its first parallel function runs."""
    try:
        return numba.threading_layer()
    except ValueError:
        return None


def _after_fork() -> None:
    global _lost_threads, _turns  # noqa: PLW0603
    _lost_threads = _threads_of_numba() == "omp"
    _turns = Lock()  # the old one may be held by a thread that the fork left behind


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _of_a_layer(times: Any, _order: Any, _steps: Any, weights: Any, *_: Any) -> int:
    return times.size * weights.shape[1]


def _of_exponentials(times: Any, *_: Any) -> int:
    return _COST_OF_EXPONENTIALS * times.size


sorted_events = _on_tensors(kernels.sorted_events, _of_exponentials)
propagators = _on_tensors(kernels.propagators, _of_exponentials)
first_spikes = _on_tensors(kernels.first_spikes, _of_a_layer)
gradient_exceeds = _on_tensors(kernels.gradient_exceeds, _of_exponentials)
first_spikes_backward = _on_tensors(kernels.first_spikes_backward, _of_a_layer)

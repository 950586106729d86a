"""The compiled passes of :mod:`ttfslib.engines.kernels` for tensors, whose memory they share.

Threads may call them side by side. A forked process may not, once the process that it came from
has run them on OpenMP's threads: those do not survive a fork, and the process would end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import numba
import torch
from torch import Tensor

from ttfslib.engines import _cache, kernels

_turns = Lock()
_lost_threads = False


def _on_tensors(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        arrays = tuple(a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments)
        if _lost_threads:
            raise RuntimeError(
                "first_spike_times must not be called in a forked process whose parent has called "
                "it: start worker processes with the method 'spawn'"
            )
        with _one_at_a_time():
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

sorted_events = _on_tensors(kernels.sorted_events)
propagators = _on_tensors(kernels.propagators)
first_spikes = _on_tensors(kernels.first_spikes)
gradient_exceeds = _on_tensors(kernels.gradient_exceeds)
first_spikes_backward = _on_tensors(kernels.first_spikes_backward)

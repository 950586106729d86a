"""The compiled passes of :mod:`ttfslib.engines.kernels` for tensors, whose memory they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ttfslib.engines import kernels


def _on_tensors(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        arrays = [a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments]
        result = kernel(*arrays)
        if isinstance(result, tuple):
            return tuple(map(torch.from_numpy, result))
        return torch.from_numpy(result)

    return call


sorted_events = _on_tensors(kernels.sorted_events)
propagators = _on_tensors(kernels.propagators)
first_spikes = _on_tensors(kernels.first_spikes)
gradient_exceeds = _on_tensors(kernels.gradient_exceeds)
first_spikes_backward = _on_tensors(kernels.first_spikes_backward)

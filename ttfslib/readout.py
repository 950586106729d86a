"""What the output spikes say: when a sample is decided, and for which class."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks

if TYPE_CHECKING:
    from torch import Tensor

UNDECIDED = -1
"""The class of a sample whose outputs all stay silent."""


def decision_time(output_times: ArrayLike) -> NDArray[np.float64]:
    """When each sample is decided: at its first output spike (:eq:`eq-packet`).

    Parameters
    ----------
    output_times : array_like, shape (n_samples, n_classes)
        Spike times of the output neurons, in units of tau_s; ``inf`` where silent.

    Returns
    -------
    decision_time : array, shape (n_samples,)
        ``inf`` for a sample whose output neurons all stay silent.

    Raises
    ------
    ValueError
        If `output_times` is not two-dimensional, is empty, holds NaN or ``-inf``, or is a tensor
        that requires grad.
    """
    return _checks.spike_times("output_times", output_times, ndim=2).min(axis=1)


@overload
def decided_class(output_times: Tensor) -> Tensor: ...
@overload
def decided_class(output_times: ArrayLike) -> NDArray[np.int64]: ...
def decided_class(output_times: Any) -> Any:
    """Class whose output neuron fires first; -1 where none fires.

    Parameters
    ----------
    output_times : array_like or Tensor, shape (n_samples, n_classes)
        In units of tau_s; ``inf`` where silent.

    Returns
    -------
    int64 array or Tensor, shape (n_samples,)
        Of the kind that came, on its device. Of outputs that fire at the very same time, the one
        with the lower index.

    Raises
    ------
    ValueError
        If `output_times` is not two-dimensional, is empty, or holds NaN or ``-inf``.
    """
    torch = sys.modules.get("torch")  # whoever has a tensor has loaded it
    if torch is not None and isinstance(output_times, torch.Tensor):
        if output_times.layout != torch.strided or output_times.device.type == "meta":
            raise ValueError(
                f"output_times must be dense and hold numbers, got {output_times.layout} on "
                f"{output_times.device}"
            )
        values = output_times.detach().cpu()
        values = values.double() if values.is_floating_point() else values
        decided = decided_class(_checks.any_array("output_times", values))
        return torch.from_numpy(decided).to(output_times.device)
    times = _checks.spike_times("output_times", output_times, ndim=2)
    return np.where(np.isinf(times.min(axis=1)), UNDECIDED, times.argmin(axis=1))

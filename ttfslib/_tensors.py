"""What a network asks of the tensors, dtypes and generators that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ttfslib import _checks
from ttfslib.functional import FLOATS


def as_tensor(name: str, value: Any) -> Tensor:
    """Return a dense tensor of a tensor, an array or nested lists."""
    _checks.refuse_masked(name, value)
    if isinstance(value, np.ndarray):  # of whatever strides and byte order
        value = _checks.any_array(name, value).copy()
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be a tensor or array, got {type(value).__name__}") from None
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise ValueError(
            f"{name} must be dense and hold numbers, got {tensor.layout} on {tensor.device}"
        )
    return tensor


def check_dtype(dtype: torch.dtype) -> None:
    """Raise unless weights may have this dtype."""
    if not isinstance(dtype, torch.dtype) or dtype not in FLOATS:
        raise ValueError(
            f"dtype must be torch.float32 or torch.float64, got {_checks.shown(dtype)}"
        )


def check_generator(generator: torch.Generator | None) -> None:
    """Raise unless it is None or a generator of torch."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator, got {type(generator).__name__}")

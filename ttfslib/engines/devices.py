"""What numba can compile for on this machine."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any


@cache
def numba_has_cuda() -> bool:
    """Whether numba can compile for the CUDA device here; warn if it finds one and cannot."""
    from numba.core.errors import NumbaError

    try:
        from numba import cuda

        if not cuda.is_available():
            return False
        cuda.jit("void(int32[:])")(_nothing)
    except (NumbaError, ImportError, AttributeError, OSError, RuntimeError) as error:
        warnings.warn(
            f"numba cannot compile for this CUDA device ({error}): spikes are found by plain "
            "torch operations, many times slower",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def _nothing(_array: Any) -> None:
    """Do what the smallest kernel does."""

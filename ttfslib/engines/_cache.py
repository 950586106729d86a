"""Numba's cache of compiled code: done without where it cannot be kept, rebuilt where damaged."""

from __future__ import annotations

import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from numba import njit
from numba.core.registry import CPUDispatcher

DAMAGE = (EOFError, UnpicklingError, OSError)
"""What a cut-off file or a full disk raises when a compiled function is loaded or kept."""
_MODULES = ("kernels", "formulas")


def can_cache() -> bool:
    """Whether numba has a folder for compiled code; warn if it has none."""
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:
        warnings.warn(
            "numba can write its cache neither beside ttfslib nor at home: each process compiles "
            "anew, which takes a minute; NUMBA_CACHE_DIR may name a folder for it",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def rebuilt(kernel: Any, arguments: tuple[Any, ...], error: Exception) -> Any:
    """Run a kernel that could not be loaded or kept: drop the cached code, and compile again."""
    warnings.warn(
        f"numba's cache in {kernel.stats.cache_path} is damaged or cannot be written "
        f"({type(error).__name__}: {error}): ttfslib compiles anew",
        RuntimeWarning,
        stacklevel=4,
    )
    _drop(Path(kernel.stats.cache_path))
    try:
        return kernel(*arguments)
    except DAMAGE:  # nothing can be written, or not even deleted
        _disable()
        return kernel(*arguments)


def _drop(folder: Path) -> None:
    for module in _MODULES:
        for file in folder.glob(f"{module}.*.nb[ic]"):
            with suppress(OSError):
                file.unlink()


def _disable() -> None:
    for module in _MODULES:
        for function in vars(import_module(f"ttfslib.engines.{module}")).values():
            if isinstance(function, CPUDispatcher):
                function._cache.disable()


def _nothing() -> None:
    """Do what the smallest function does."""

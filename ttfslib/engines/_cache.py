"""Numba's cache of compiled code: done without where it cannot be kept, rebuilt where unusable.

Numba compares the age of the file that a function stands in, and of no other, so that it would go
on using code made from formulas that have changed. A digest of all sources lies beside the code.
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from numba import njit
from numba.core.registry import CPUDispatcher

from ttfslib import _files

DAMAGE = (EOFError, UnpicklingError, OSError)
"""What a cut-off file or a full disk raises when a compiled function is loaded or kept."""
_MODULES = ("kernels", "formulas")
_SOURCES = (*_MODULES, "lanes")
_DIGEST = "kernels.sources"


def can_cache() -> bool:
    """Whether numba has a folder for compiled code; warn if it has none."""
    try:
        folder = Path(njit(cache=True)(_nothing).stats.cache_path)
    except RuntimeError:
        warnings.warn(
            "numba can write its cache neither beside ttfslib nor at home: each process compiles "
            "anew, which takes a minute; NUMBA_CACHE_DIR may name a folder for it",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    _drop_outdated(folder)
    return True


def _drop_outdated(folder: Path) -> None:
    sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in _SOURCES]
    digest, kept = hashlib.sha256(b"".join(sources)).hexdigest(), folder / _DIGEST
    with suppress(OSError):
        if kept.exists() and kept.read_bytes() == digest.encode():
            return
        _drop(folder)
        folder.mkdir(parents=True, exist_ok=True)
        _files.write(kept, digest)


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

"""The folder of a training while it runs: who may begin, go on, or has to keep out."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ttfslib import _files
from ttfslib.experiment._format import CONFIG, METRICS, read_settings, settings
from ttfslib.experiment.config import TrainingConfig

LOCK = ".lock"
HOLDER = ".lock-holder"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep every other training out of a folder, which is made if need be.

    The operating system drops the lock when its process ends, however it ends.

    Raises
    ------
    OSError
        If another training holds it, or the folder cannot be written.
    """
    existed = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = path / HOLDER
        who = _files.read_text(holder) if holder.exists() else "another process"
        raise OSError(f"{path} is in use by {who}: wait for it, or choose another folder") from None
    try:
        _files.write(path / HOLDER, f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        for name in (HOLDER, LOCK):
            (path / name).unlink(missing_ok=True)
        lock.release()
        if not existed and not any(path.iterdir()):
            path.rmdir()


def is_finished(path: Path) -> bool:
    """Whether a training has ended in this folder."""
    return (path / METRICS).exists()


def is_begun(path: Path, config: TrainingConfig, seed: int, *, resume: bool) -> bool:
    """Whether this very training has begun in the folder; if not, the folder must be free.

    Raises
    ------
    ValueError
        If the folder holds another run, or this one although it is not to be resumed, or
        anything else.
    OSError
        If it cannot be read.
    """
    if (path / CONFIG).exists():
        if not resume:
            raise ValueError(f"out holds a run already, got {path}: resume it or choose another")
        if read_settings(path) != (config, seed):
            raise ValueError(f"out holds a run of other settings or another seed, got {path}")
        return True
    if path.exists() and not (path.is_dir() and not _foreign(path)):
        raise ValueError(f"out must be a new or empty folder, got {path}")
    return False


def begin(path: Path, config: TrainingConfig, seed: int) -> None:
    """Make the folder of a run with its ``config.toml``."""
    path.mkdir(parents=True, exist_ok=True)
    _files.write(path / CONFIG, settings(config, seed))


def _foreign(path: Path) -> set[Path]:
    """What no training has left in a folder."""
    return set(path.iterdir()) - _files.drafts(path) - {path / LOCK, path / HOLDER}

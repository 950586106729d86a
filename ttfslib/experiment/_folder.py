"""The folder of a training while it runs: who may begin, go on, or has to keep out."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ttfslib import _checks, _files
from ttfslib.experiment._format import CONFIG, METRICS, read_settings, settings
from ttfslib.experiment.config import TrainingConfig

LOCK = ".lock"
BUSY_CODE = 75
"""Exit code of a command whose folder is in use: try again later."""
_HELD_ELSEWHERE = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_HOLDER_LENGTH = 200

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        """Lock a byte behind the text, which others may then still read."""
        os.lseek(descriptor, 2 * _HOLDER_LENGTH, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Lock the file, or raise at once if another process has."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class BusyError(OSError):
    """Another training holds the folder."""

    exit_code = BUSY_CODE


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep every other training out of a folder, which is made if need be.

    The operating system drops the lock when its process ends, however it ends: a lock file that a
    killed process has left behind keeps nobody out.

    Raises
    ------
    BusyError
        If another training holds it.
    OSError
        If the folder cannot be written.
    """
    existed = path.exists()
    _files.make_folder(path)
    descriptor = None
    try:
        descriptor = _acquired(path)
        _write_holder(descriptor)
        yield
    finally:
        if descriptor is not None:
            _release(path / LOCK, descriptor)
        if not existed:
            with suppress(OSError):  # something lies in it
                path.rmdir()


def _acquired(path: Path) -> int:
    """Descriptor of the lock file, once it is locked."""
    file = path / LOCK
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        try:
            descriptor = os.open(file, flags, 0o666)
        except OSError as error:
            raise OSError(f"cannot write {file}: {error.strerror or error}") from None
        try:
            _lock(descriptor)
        except OSError as error:
            who = _holder(descriptor)
            os.close(descriptor)
            if error.errno in _HELD_ELSEWHERE:
                raise BusyError(
                    f"{path} is in use by {who}: wait for it, or choose another folder"
                ) from None
            raise OSError(
                f"cannot lock {file}: {error.strerror or error} (choose a folder on another disk)"
            ) from None
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        os.close(descriptor)  # its holder has removed it in between: it keeps nobody out


def _release(file: Path, descriptor: int) -> None:
    """Remove the lock file while it is locked, or, where open files stay, right afterwards."""
    if sys.platform == "win32":
        os.close(descriptor)
        with suppress(OSError):  # somebody else has opened it
            file.unlink()
    else:
        with suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _write_holder(descriptor: int) -> None:
    with suppress(OSError):  # the text only helps; a full disk is noticed soon enough
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())


def _holder(descriptor: int) -> str:
    """Who holds a lock, as far as the lock file says."""
    text = b""
    with suppress(OSError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, _HOLDER_LENGTH)
    return _checks.printable(text.decode(errors="replace")) or "another process"


def is_locked(path: Path) -> bool:
    """Whether there is a lock file; the process that made it may be dead."""
    return (path / LOCK).exists()


def is_busy(path: Path) -> bool:
    """Whether a training is at work in this folder right now."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(descriptor)
    except OSError:
        return True
    finally:
        os.close(descriptor)  # and with it the lock
    return False


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
    _files.make_folder(path)
    _files.write(path / CONFIG, settings(config, seed))


def _foreign(path: Path) -> set[Path]:
    """What no training has left in a folder."""
    return set(path.iterdir()) - _files.drafts(path) - {path / LOCK}

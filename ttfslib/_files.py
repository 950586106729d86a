"""Files that are whole or not there: written beside their place, then renamed; read with a check.

Whoever reads says how large a file may be, and only regular files are opened: neither a sparse
file of many gigabytes nor a pipe or a device that never ends stops the program.

Tensors are stored with safetensors, which runs no code on loading, and with a digest of all their
bytes, since the format itself would not notice a flipped bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks

Arrays = dict[str, NDArray[Any]]
Slots = Mapping[str, tuple[str, tuple[int, ...]]]
"""Dtype and shape of arrays, by name."""
SlotsOf = Callable[[Mapping[str, Any]], Slots]

DRAFT = ".draft"
SEAL = "ttfslib"
LARGEST_HEADER = 50_000_000
LARGEST = 2**31
"""Bytes of the largest file that is read where nobody knows better."""
SMALL = 2**20
"""Bytes of the largest file of settings."""
_DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "U8": "uint8", "I64": "int64"}


def write(path: Path, content: bytes | str) -> None:
    """Write `content` so that `path` holds all of it or what it held before.

    Raises
    ------
    OSError
        If it cannot be written; the message names the path, and no draft is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{DRAFT}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # after a success there is none
            draft.unlink()


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    OSError
        If it cannot be made; the message names the path.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"cannot make the folder {path}: {error.strerror or error}") from None


def drafts(folder: Path) -> set[Path]:
    """What `write` leaves behind in a folder when its process is killed."""
    return set(folder.glob(f".*{DRAFT}"))


def remove_drafts(folder: Path) -> None:
    """Remove the drafts in a folder."""
    for draft in drafts(folder):
        draft.unlink(missing_ok=True)


def read_bytes(path: Path, limit: int = LARGEST) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file or is larger; the message names the path in plain
        words.
    """
    with _opened(path, limit) as file:
        return file.read(limit)


@contextlib.contextmanager
def _opened(path: Path, limit: float) -> Iterator[BinaryIO]:
    """A regular file of at most `limit` bytes, to be read; whatever fails names the path."""
    try:
        _check_kind(path.stat(), limit)  # before it is opened: opening a pipe would wait
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            _check_kind(os.fstat(file.fileno()), limit)
            yield file
    except ValueError as error:  # a null byte in the name
        raise OSError(f"cannot read {path}: {error}") from None
    except OSError as error:
        raise type(error)(f"cannot read {path}: {error.strerror or error}") from None


def _check_kind(found: os.stat_result, limit: float) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError("Is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a regular file")
    if found.st_size > limit:
        raise OSError(f"it must have at most {limit} bytes, got {found.st_size}")


def read_text(path: Path, limit: int = LARGEST) -> str:
    """Read a text file in UTF-8, with or without the byte-order mark of some editors.

    Raises
    ------
    OSError
        If it cannot be read; the message names the path.
    ValueError
        If it is no UTF-8; the message names the path.
    """
    try:
        return decoded(read_bytes(path, limit))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8: {one_line(error)}") from None


def decoded(content: bytes) -> str:
    """Text of a file in UTF-8, with or without the byte-order mark of some editors."""
    return content.decode("utf-8-sig")


def sha256(path: Path) -> str:
    """Return the SHA-256 sum of a file."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def save_tensors(path: Path, tensors: Arrays, about: Mapping[str, Any]) -> None:
    """Write what `pack_tensors` returns."""
    write(path, pack_tensors(tensors, about))


def pack_tensors(tensors: Arrays, about: Mapping[str, Any]) -> bytes:
    """Pack arrays and a JSON-able mapping that goes with them; the same give the same bytes."""
    from safetensors.numpy import save

    text = json.dumps(about)
    seal = json.dumps({"digest": _digest(tensors, text), "about": text})
    contiguous = {name: _contiguous(array) for name, array in tensors.items()}
    return save(contiguous, metadata={SEAL: seal})  # of two entries the order would vary


def load_tensors(
    path: Path, slots: Slots | SlotsOf | None = None, limit: int = LARGEST
) -> tuple[Arrays, dict[str, Any]]:
    """Read what `save_tensors` wrote; see `unpack_tensors`.

    Raises
    ------
    OSError
        If the file is missing, larger than `limit` bytes, damaged or not of that kind.
    """
    return unpack_tensors(read_bytes(path, limit), path, slots)


def unpack_tensors(
    content: bytes, path: Path, slots: Slots | SlotsOf | None = None
) -> tuple[Arrays, dict[str, Any]]:
    """Unpack what `pack_tensors` returned.

    Parameters
    ----------
    content : bytes
    path : Path
        Where they come from, for messages.
    slots : mapping of str to (str, tuple of int), or callable, optional
        The dtype and the shape of every array there has to be: those and no others. A function
        says it of the mapping that was packed with them, and raises ValueError if it is wrong.

    Raises
    ------
    OSError
        If the content is damaged, not of that kind, or has other arrays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    foreign = (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
    try:
        header = _header(content)
        seal = json.loads(header["__metadata__"][SEAL])
        text, digest = seal["about"], seal["digest"]
        about = json.loads(text)
        if not isinstance(about, dict):
            raise ValueError(f"about must be a mapping, got {type(about).__name__}")
        expected = slots(about) if callable(slots) else slots
        if expected is not None:
            _check_slots(header, expected)
        tensors = load(content)
    except foreign as error:
        raise OSError(f"{path} is damaged or not a file of ttfslib: {one_line(error)}") from None
    if digest != _digest(tensors, text):
        raise OSError(f"{path} is damaged: its numbers do not match their checksum")
    return tensors, about


def peek(path: Path) -> dict[str, Any]:
    """Read the mapping of a file of tensors alone, without the tensors and their checksum.

    Raises
    ------
    OSError
        If the file is missing or not of that kind.
    """
    try:
        with _opened(path, math.inf) as file:
            size = int.from_bytes(file.read(8), "little")
            header = b"" if size > LARGEST_HEADER else file.read(size)
        if size > LARGEST_HEADER:
            raise ValueError(f"its header must be small, got {size} bytes")
        seal = json.loads(json.loads(header)["__metadata__"][SEAL])
        about = json.loads(seal["about"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OSError(f"{path} is damaged or not a file of ttfslib: {one_line(error)}") from None
    if not isinstance(about, dict):
        raise OSError(f"{path} is damaged or not a file of ttfslib: {type(about).__name__}")
    return about


def largest_packed(slots: Slots, about: int) -> int:
    """Bytes that a file of these arrays has at most, if `about` takes that many as JSON."""
    numbers = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in slots.values())
    names = sum(len(name) + 200 for name in slots)
    return numbers + names + 8 * about + 1000  # quotes may be escaped twice


def one_line(error: BaseException) -> str:
    """What an error says, in one printable line of bounded length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return _checks.printable(said[:300])


def _header(content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError(f"its header must be a mapping, got {type(header).__name__}")
    return header


def _check_slots(header: Mapping[str, Any], slots: Slots) -> None:
    names = header.keys() - {"__metadata__"}
    if names != slots.keys():
        wrong = sorted(names ^ slots.keys())
        raise ValueError(f"it must hold {len(slots)} named arrays, got another {wrong[0]!r}")
    for name, (dtype, shape) in slots.items():
        found = _DTYPES.get(header[name]["dtype"]), tuple(header[name]["shape"])
        if found != (dtype, shape):
            raise ValueError(f"{name} must be {dtype} of shape {shape}, got {found[0]} {found[1]}")


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension


def _digest(tensors: Arrays, text: str) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(_contiguous(array).tobytes())
    return total.hexdigest()

"""Files that are whole or not there: written beside their place, then renamed; read with a check.

Tensors are stored with safetensors, which runs no code on loading, and with a digest of all their
bytes, since the format itself would not notice a flipped bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

DRAFT = ".draft"
SEAL = "ttfslib"


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


def drafts(folder: Path) -> set[Path]:
    """What `write` leaves behind in a folder when its process is killed."""
    return set(folder.glob(f".*{DRAFT}"))


def remove_drafts(folder: Path) -> None:
    """Remove the drafts in a folder."""
    for draft in drafts(folder):
        draft.unlink(missing_ok=True)


def read_bytes(path: Path) -> bytes:
    """Read a file; an OSError, of the same kind, names the path in plain words."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise type(error)(f"cannot read {path}: {error.strerror or error}") from None


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without the byte-order mark of some editors.

    Raises
    ------
    OSError
        If it cannot be read; the message names the path.
    ValueError
        If it is no UTF-8.
    """
    return read_bytes(path).decode("utf-8-sig")


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


def load_tensors(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises
    ------
    OSError
        If the file is missing, damaged or not of that kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_bytes(path)
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        seal = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][SEAL])
        text, digest = seal["about"], seal["digest"]
        about = json.loads(text)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} is damaged or not a file of ttfslib: {error}") from None
    if digest != _digest(tensors, text):
        raise OSError(f"{path} is damaged: its numbers do not match their checksum")
    return tensors, about


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension


def _digest(tensors: Arrays, text: str) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(_contiguous(array).tobytes())
    return total.hexdigest()

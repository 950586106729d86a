"""Files that are whole or not there: written beside their place, then renamed; read with a check.

Tensors are stored with safetensors, which runs no code on loading, and with a digest of all their
bytes, since the format itself would not notice a flipped bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def write(path: Path, content: bytes | str) -> None:
    """Write `content` so that `path` holds all of it or what it held before.

    Raises
    ------
    OSError
        If it cannot be written; the message names the path, and no draft is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    draft = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            draft = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 sum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_tensors(path: Path, tensors: Arrays, about: Mapping[str, Any]) -> None:
    """Write arrays and a JSON-able mapping that goes with them."""
    from safetensors.numpy import save

    text = json.dumps(about)
    metadata = {"about": text, "digest": _digest(tensors, text)}
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    write(path, save(ordered, metadata=metadata))


def load_tensors(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises
    ------
    OSError
        If the file is missing, damaged or not of that kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = path.read_bytes()
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        text, digest = metadata["about"], metadata["digest"]
        about = json.loads(text)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} is damaged or not a file of ttfslib: {error}") from None
    if digest != _digest(tensors, text):
        raise OSError(f"{path} is damaged: its numbers do not match their checksum")
    return tensors, about


def _digest(tensors: Arrays, text: str) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()

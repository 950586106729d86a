"""Folders that a tool writes anew: what is another's stays."""

from __future__ import annotations

import shutil
from pathlib import Path


def clear(folder: Path, mark: str) -> None:
    """Take away what a tool has written into `folder` before.

    Parameters
    ----------
    folder : Path
    mark : str
        A file within it that this tool writes first.

    Raises
    ------
    ValueError
        If the folder holds something, but not this file.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / mark).is_file()):
        raise ValueError(f"{folder} holds something else, which would be lost: name a new folder")
    shutil.rmtree(folder)

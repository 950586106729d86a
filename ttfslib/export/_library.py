"""The libraries of the formats, loaded when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def library(name: str) -> Any:
    """Import a library of the extra ``export``; OSError in one line if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise OSError(f"export needs {package}: pip install 'ttfslib[export]'") from None

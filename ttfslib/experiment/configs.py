"""The configurations that ship with the package, one for each published run."""

from __future__ import annotations

import os
from pathlib import Path

from ttfslib._registry import did_you_mean

_PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Where the configurations lie: in an installed package within it, in a checkout beside it."""
    within = _PACKAGE / "configs"
    return within if within.is_dir() else _PACKAGE.parent / "configs"


def names() -> list[str]:
    """Names of the configurations that ship, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(config: str) -> Path:
    """The file of a configuration that ships, by its name; any other path as it is.

    Parameters
    ----------
    config : str
        ``"digits-dale"``, or a path. Where a file has the name of a configuration, it is the file
        that is meant.

    Raises
    ------
    ValueError
        If it is neither a path nor the name of a configuration that ships.
    """
    path = Path(config)
    if path.exists() or path.suffix == ".toml" or path.name != os.fspath(config):
        return path
    if config not in names():
        allowed = ", ".join(map(repr, names())) or "none"
        raise ValueError(
            f"config must be a TOML file or one of {allowed}, got {config!r}"
            f"{did_you_mean(config, names())}"
        )
    return folder() / f"{config}.toml"

"""An environment with a wheel in it, for tests that must not see the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PIP = [sys.executable, "-m", "pip", "--python"]


def install(wheel, folder):
    """Make an environment that has the wheel, and sees what the wheel depends on.

    Parameters
    ----------
    wheel, folder : Path

    Returns
    -------
    Path
        The Python of the environment.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    options = ["install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*PIP, python, *options, wheel], check=True)
    asks = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", asks], capture_output=True, text=True, check=True).stdout
    # A plain path: the editable install's own .pth file is not read from there.
    dependencies = f"{Path(pytest.__file__).parents[1]}\n"
    Path(site.strip(), "dependencies.pth").write_text(dependencies, encoding="utf-8")
    return python


def script(python, name):
    """A program beside the Python of an environment."""
    return python.with_name(f"{name}.exe" if os.name == "nt" else name)

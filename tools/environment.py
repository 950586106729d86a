"""The environment in `.venv`: is it ready, and if not, how it is made.

A Python environment cannot be moved (its scripts and the link to this folder hold absolute paths),
so it is made in its place, under a marker. `.venv/.ready` is written last and says for which
requirements, folder and Python the environment holds; whatever lacks it is not used. What was
begun and not finished (`.venv/.unfinished`), what does not run, and what has been moved here from
another folder is thrown away and made again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import bootstrap

ROOT = Path(__file__).resolve().parents[1]
# Settings of the reader's own pip that would install somewhere else than into `.venv`
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME")

# What lets numba compile the layers, for both types of numbers: once, and not in each process
COMPILE = """
import torch
from ttfslib import first_spike_times
for dtype in (torch.float32, torch.float64):
    times, weights = (torch.full((1, 1), x, dtype=dtype, requires_grad=True) for x in (0.0, 4.0))
    first_spike_times(times, weights, gradient_limit=1.0).sum().backward()
"""


class Environment:
    """The folder `.venv` of a checkout.

    Parameters
    ----------
    root : Path
        The folder with `requirements.txt` and `pyproject.toml`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.ready = self.folder / ".ready"
        self.unfinished = self.folder / ".unfinished"
        windows = os.name == "nt"
        self.python = self.folder / ("Scripts/python.exe" if windows else "bin/python")

    def wanted(self) -> str:
        """Return what `.ready` says when nothing has to be done."""
        files = (self.root / name for name in ("requirements.txt", "pyproject.toml"))
        digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files))
        return f"{digest.hexdigest()}\n{self._place()}"

    def _place(self) -> str:
        return f"{self.root}\n"

    def is_ready(self) -> bool:
        """Tell whether the environment is complete, up to date, and in its place."""
        try:
            return self.ready.read_text(encoding="utf-8") == self.wanted()
        except (OSError, UnicodeDecodeError):
            return False

    def is_usable(self) -> bool:
        """Tell whether packages can be installed into what is there."""
        if self.unfinished.exists() or not self.python.exists() or self._has_moved():
            return False
        oldest = bootstrap.wanted((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        question = f"import sys, pip; raise SystemExit(sys.version_info < {oldest})"
        command = [str(self.python), "-c", question]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def _has_moved(self) -> bool:
        try:
            said = self.ready.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        return not said.endswith(f"\n{self._place()}")

    def make(self) -> None:
        """Make the environment, or bring it up to date.

        Raises
        ------
        OSError
            If this Python makes no environments.
        subprocess.CalledProcessError
            If the packages cannot be installed. A new environment is removed then; one that
            was there before stays, and is tried again the next time.
        """
        new = not self.is_usable()
        if new and importlib.util.find_spec("ensurepip") is None:
            raise OSError(
                f"{sys.executable} has no ensurepip: install the package python3-venv, "
                "or name another Python: make PYTHON=..."
            )
        if new:
            remove(self.folder)
            self.folder.mkdir()
        self.unfinished.touch()
        try:
            if new:
                print("Making .venv; this takes a few minutes, once.", flush=True)
                venv.create(self.folder, with_pip=True, symlinks=os.name != "nt")
            self._install()
            self._compile_python()
            self._compile_layers()
        except BaseException:
            if new:
                remove(self.folder)
            else:
                self.unfinished.unlink(missing_ok=True)
            raise
        self.ready.write_text(self.wanted(), encoding="utf-8")
        self.unfinished.unlink()

    def _install(self) -> None:
        command = [str(self.python), "-m", "pip", "--require-virtualenv", "install", "--quiet"]
        kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        # pip compiles on one processor, `_compile_python` on all.
        command += ["--no-compile", "--disable-pip-version-check", "-r", "requirements.txt"]
        subprocess.run(
            command,
            cwd=self.root,
            env=kept,
            check=True,
        )

    def _compile_python(self) -> None:
        """Compile all modules of the packages but their tests, on all processors."""
        command = [str(self.python), "-m", "compileall", "-qq", "-j", "0"]
        command += ["-x", r"site-packages.*[/\\]tests?[/\\]", str(self.folder)]
        subprocess.run(command, capture_output=True, check=False)  # some hold no valid Python

    def _compile_layers(self) -> None:
        """Save the reader a wait; what fails here is compiled when it is needed."""
        command = [str(self.python), "-c", COMPILE]
        subprocess.run(command, cwd=self.root, capture_output=True, check=False)


def remove(folder: Path) -> None:
    """Remove a folder, or the link to one, if it is there."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def main() -> int:
    """Make sure of the environment; with `--check`, only tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="make nothing; exit code 1: not ready")
    arguments = parser.parse_args()
    environment = Environment(ROOT)
    if arguments.check:
        return 0 if environment.is_ready() else 1
    try:
        environment.make()
    except OSError as error:
        print(f".venv cannot be made: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError:
        print("The packages were not installed: pip says above why.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing half-made is left.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

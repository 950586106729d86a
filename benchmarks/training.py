"""Time the epochs of a training on one core and on all, and say how long the whole would take.

Run: python benchmarks/training.py [configs/mnist-dale.toml] [--epochs 2]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ttfslib import TrainingConfig, fit

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "mnist-dale.toml"
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def seconds_per_epoch(config: TrainingConfig) -> float:
    """Train on this process's threads; the fastest epoch, validation included."""
    with tempfile.TemporaryDirectory() as folder:
        run = fit(config, 1, Path(folder) / "run", progress=False)
    return float(run.history["seconds"][1:].min())


def on_threads(n_threads: int, options: argparse.Namespace) -> float:
    """The same in a process of its own: numba and torch fix their threads when they start."""
    command = [sys.executable, __file__, str(options.config), "--epochs", str(options.epochs)]
    settings = os.environ | dict.fromkeys(THREADS, str(n_threads))
    done = subprocess.run(
        [*command, "--here"], env=settings, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main() -> None:
    """Print one line for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, nargs="?", default=CONFIG)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = TrainingConfig.from_toml(options.config)
    short = replace(config, epochs=options.epochs, kept_epochs=())
    if options.here:
        print(seconds_per_epoch(short))
        return
    print(f"{config.name}, torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    alone = 0.0
    for n_threads in sorted({1, os.cpu_count() or 1}):
        seconds = on_threads(n_threads, options)
        alone = alone or seconds
        print(
            f"{n_threads:2} threads: {seconds:6.1f} s an epoch, ratio {alone / seconds:.2f}; "
            f"{config.epochs} epochs in {seconds * config.epochs / 60:.0f} min"
        )


if __name__ == "__main__":
    main()

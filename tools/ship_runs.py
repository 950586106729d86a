"""Put trained networks into data/runs, under the name of their configuration in configs/.

    python tools/ship_runs.py CONFIG RUN [RUN ...] [--kept EPOCH ...]

A network is kept with its first and last weights and those of the epochs that are named. Nothing
else of a run changes, and its settings have to be those of the configuration.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ttfslib import TrainingConfig, _files
from ttfslib.experiment import _format

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "data" / "runs"


def same_training(one: TrainingConfig, other: TrainingConfig) -> bool:
    """Whether two configurations train the same network, whatever they are called and keep."""
    first, second = (dataclasses.replace(c, name="any", kept_epochs=()) for c in (one, other))
    return first == second


def ship(config: TrainingConfig, run: Path, kept: Sequence[int], runs: Path = RUNS) -> Path:
    """Copy a finished run into a folder of runs.

    Parameters
    ----------
    config : TrainingConfig
        Whose name the copy takes.
    run : Path
        Folder of the run.
    kept : sequence of int
        Epochs of the run whose weights go along, beside the first and the last.
    runs : Path

    Returns
    -------
    Path
        Folder of the copy, made completely or not at all.

    Raises
    ------
    OSError
        If the run is not finished or damaged, or the copy exists.
    ValueError
        If the run was made with other settings, or has not kept one of the epochs.
    """
    trained, seed, _, metrics, arrays = _format.read(run)
    if not same_training(trained, config):
        raise ValueError(f"{run} was not made with the settings of {config.name}")
    if missing := set(kept) - set(_format.kept_epochs(trained)):
        raise ValueError(f"{run} has not kept epoch {min(missing)}")
    copy = dataclasses.replace(config, kept_epochs=tuple(kept))
    settings = _format.settings(copy, seed)
    slots = _format.weight_slots(copy, _format.kept_epochs(copy))
    weights = {name: arrays[name] for name in slots}
    parts = {
        _format.CONFIG: settings.encode(),
        _format.HISTORY: (run / _format.HISTORY).read_bytes(),
        _format.WEIGHTS: _files.pack_tensors(weights, {"settings": settings}),
    }
    folder = runs / f"{config.name}-seed{seed}"
    if folder.exists():
        raise OSError(f"{folder} exists: delete it first")
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, prefix=".") as aside:
        whole = Path(aside) / folder.name
        whole.mkdir()
        _format.write_sealed(whole, parts, metrics | {"name": config.name})
        _format.read(whole)
        return whole.rename(folder)


def main() -> None:
    """Ship the runs that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", help="name of a file in configs/, without .toml")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--kept", nargs="*", type=int, default=(), help="epochs")
    asked = parser.parse_args()
    config = TrainingConfig.from_toml(ROOT / "configs" / f"{asked.config}.toml")
    for run in asked.runs:
        print(ship(config, run, asked.kept))


if __name__ == "__main__":
    main()

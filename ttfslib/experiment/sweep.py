"""Sweeps: many trainings from one file, each an ordinary run, and one table of what came out.

A sweep is a TOML file::

    name = "signs"
    base = "digits-dale"           # a configuration that ships, or a path
    seeds = [1, 2, 3]

    [groups.dale]                  # a group is the base with changes

    [groups.free]
    without = ["excitatory_share"]

    [grid]                         # every group with every combination
    epochs = [20, 40]
    loss.xi = [0.06, 0.1]

Its folder holds ``configs/``, a folder for each run, ``failures/`` with a line for each run that
could not be finished or cannot be read, and ``sweep.csv``. What is finished is never trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttfslib import _checks, _files
from ttfslib._checkout import checkout
from ttfslib._registry import did_you_mean
from ttfslib.experiment._jobs import Job, status
from ttfslib.experiment._sweep_file import read_head, read_jobs
from ttfslib.experiment.config import TrainingConfig, parsed

KEPT, BASE = "sweep.toml", "base.toml"


@dataclass(frozen=True)
class Sweep:
    """What to train: see the module's docstring for the file.

    Attributes
    ----------
    name : str
    jobs : list of Job
    base : TrainingConfig
    described : mapping
        The content of its file.
    """

    name: str
    jobs: list[Job]
    base: TrainingConfig
    described: Mapping[str, Any]

    def run(
        self, out: str | Path, *, n_workers: int | None = None, progress: bool = True
    ) -> list[dict[str, str]]:
        """Train everything that is not there yet, as `ttfs sweep` does, and return the table.

        Parameters
        ----------
        out : path
            Folder of the sweep; made if need be.
        n_workers : int, optional
            Trainings at a time, one thread each; as many as processors by default.
        progress : bool
            Show a bar, in a notebook one of its own kind.

        Returns
        -------
        list of dict
            A row for each training, by column; see `ttfslib.experiment.table`. Those that failed
            have their error in it.

        Raises
        ------
        OSError
            If the folder cannot be written; the same call goes on from what is finished.
        ValueError
            If `n_workers` is not a positive integer, or the folder holds networks that this sweep
            does not ask for.
        """
        from ttfslib.experiment._workers import run_sweep
        from ttfslib.experiment.table import read_table

        return read_table(run_sweep(self, out, n_workers=n_workers, progress=progress))

    def keep(self, out: Path) -> None:
        """Write the sweep's file and its base into its folder, where `description` finds them."""
        import tomli_w

        _files.write(out / BASE, self.base.to_toml())
        _files.write(out / KEPT, tomli_w.dumps({**self.described, "base": BASE}))

    def check_place(self, out: Path) -> None:
        """Refuse a folder with trainings of another sweep; one with more jobs than it had goes on.

        Raises
        ------
        ValueError
            If something that the folder's own sweep has begun or finished is not asked for.
        """
        if not (out / KEPT).exists():
            return
        kept = Sweep.from_toml(out / KEPT)
        asked, stages = {(job.folder, job.config) for job in self.jobs}, status(kept.jobs, out)
        there = [*stages["finished"], *stages["begun"]]
        if lost := [job.folder for job in there if (job.folder, job.config) not in asked]:
            raise ValueError(
                f"out holds the sweep {_checks.shown(kept.name)}, of which {len(lost)} trainings "
                f"are not asked for, such as {lost[0]}, got {out}: choose another folder"
            )

    @classmethod
    def from_toml(cls, path: str | Path) -> Sweep:
        """Read a sweep and check the settings of every one of its trainings.

        Raises
        ------
        OSError
            If the file, or that of its base, cannot be read.
        ValueError
            If it is no TOML, or a key or a value is wrong; the message names the file.
        """
        path = _checks.path("path", path)
        try:
            described = parsed(_files.read_bytes(path, _files.SMALL))
            return cls.from_mapping(described, path.parent)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def from_mapping(cls, described: Mapping[str, Any], folder: Path) -> Sweep:
        """Make a sweep of the content of its file; `folder` is where a relative base lies."""
        name, config = read_head(described, folder)
        return cls(name, read_jobs(name, config, described), config, described)


def description(file: Path | None, out: Path) -> Path:
    """File of a sweep: the one that is given, or the only one that its folder remembers.

    What is given is a path, or the name of a sweep that the book ships; where a file has such a
    name, it is the file that is meant. The folder keeps a copy, with its base beside it, so that
    `ttfs sweep --status` and a training that is taken up need nothing else.

    Raises
    ------
    ValueError
        If what is given is neither a path nor such a name, or none is given and the folder has
        none.
    """
    if file is not None:
        return _found(file)
    kept = out / KEPT
    if not kept.is_file():
        why = f"{out} holds no {KEPT}" if out.is_dir() else f"there is no folder {out}"
        raise ValueError(f"SWEEP must be given, as {why}")
    return kept


def shipped() -> dict[str, Path]:
    """Files of the sweeps that the book ships, by name; none without a checkout of it."""
    try:
        files = (checkout() / "data").glob(f"*/{KEPT}")
    except OSError:
        return {}
    return {file.parent.name: file for file in sorted(files)}


def _found(given: Path) -> Path:
    if given.is_file() or given.suffix == ".toml" or given != Path(given.name):
        return given
    files = shipped()
    if given.name not in files:
        allowed = ", ".join(map(repr, files)) or "none"
        raise ValueError(
            f"SWEEP must be a TOML file or one of {allowed}, got {_checks.shown(given.name)}"
            f"{did_you_mean(given.name, files)}"
        )
    return files[given.name]

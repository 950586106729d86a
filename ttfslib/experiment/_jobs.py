"""A training of a sweep, and what has become of it in the folder of the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttfslib import _files
from ttfslib.experiment import _folder, _format
from ttfslib.experiment.config import TrainingConfig

FAILURES, CONFIGS = "failures", "configs"
IDLE = ("name", "kept_epochs")
"""Settings that decide nothing of the network that comes out."""

Changes = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One training of a sweep.

    Attributes
    ----------
    group : str
    changes : dict
        What differs from the base of the sweep, by dotted names: ``{"loss.xi": 0.1}``.
    config : TrainingConfig
    seed : int
    """

    group: str
    changes: Changes
    config: TrainingConfig
    seed: int

    @property
    def folder(self) -> str:
        """Name of the run's folder inside that of the sweep."""
        return f"{self.config.name}-seed{self.seed}"


def is_done(job: Job, out: Path) -> bool:
    """Whether the folder of a job holds the finished training that it asks for."""
    path = out / job.folder
    try:
        return _folder.is_finished(path) and _format.read_settings(path) == (job.config, job.seed)
    except OSError:  # whoever trains it again is told what is wrong
        return False


def status(jobs: Sequence[Job], out: Path) -> dict[str, list[Job]]:
    """Jobs by what has become of them: ``finished``, ``failed``, ``begun`` and ``waiting``."""
    stages: dict[str, list[Job]] = {k: [] for k in ("finished", "failed", "begun", "waiting")}
    for job in jobs:
        if failure(out, job).exists():
            stage = "failed"
        elif is_done(job, out):
            stage = "finished"
        else:
            stage = "begun" if (out / job.folder / _format.CONFIG).exists() else "waiting"
        stages[stage].append(job)
    return stages


def failure(out: Path, job: Job) -> Path:
    """File that says in one line why a job could not be finished, or its run not be read."""
    return out / FAILURES / f"{job.folder}.txt"


def note(out: Path, job: Job, error: str) -> None:
    """Keep the error of a job, or forget that it once failed."""
    if error:
        failure(out, job).parent.mkdir(exist_ok=True)
        _files.write(failure(out, job), error + "\n")
    else:
        failure(out, job).unlink(missing_ok=True)


def error_of(out: Path, job: Job) -> str:
    """What was noted of a job; empty if nothing was."""
    said = failure(out, job)
    return _files.read_text(said).strip() if said.exists() else ""

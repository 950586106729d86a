"""How far a sweep has come, and how long it will take: a live bar, and a report for later."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from ttfslib import _files
from ttfslib.experiment import _folder, _format
from ttfslib.experiment._jobs import Job, error_of, status

if TYPE_CHECKING:
    from ttfslib.experiment.sweep import Sweep

_POLL_S = 1.0


def epochs_done(job: Job, out: Path) -> int:
    """How far a job has come: as far as its last checkpoint."""
    if _folder.is_finished(out / job.folder):
        return job.config.epochs
    epoch = _checkpoint(job, out).get("epoch")
    return epoch if isinstance(epoch, int) else 0


@contextmanager
def bar(sweep: Sweep, out: Path, shown: bool) -> Iterator[None]:
    """Show, from a thread of its own, how many epochs of all are done, and the time left."""
    ended = threading.Event()

    def done() -> int:
        return sum(epochs_done(job, out) for job in sweep.jobs)

    def watch(shown_bar: Any) -> None:
        while not ended.wait(_POLL_S):
            shown_bar.update(done() - shown_bar.n)

    total = sum(job.config.epochs for job in sweep.jobs)
    with tqdm(
        total=total, initial=done(), desc=sweep.name, unit="epoch", disable=not shown
    ) as shown_bar:
        watcher = threading.Thread(target=watch, args=[shown_bar], daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            shown_bar.update(done() - shown_bar.n)


def report(sweep: Sweep, out: Path) -> str:
    """Say how many trainings are where, how long the rest takes, and what is unfinished."""
    stages = status(sweep.jobs, out)
    lines = [", ".join(f"{len(jobs)} {stage}" for stage, jobs in stages.items())]
    waiting = [*stages["begun"], *stages["waiting"]]
    if left := _cpu_seconds_left(sweep, out, waiting):
        lines[0] += f"; about {left / 60:.0f} CPU minutes left"
    lines += [
        f"{job.folder}: epoch {epochs_done(job, out)} of {job.config.epochs}"
        for job in stages["begun"]
    ]
    lines += [f"{job.folder}: failed with: {error_of(out, job)}" for job in stages["failed"]]
    return "\n".join(lines)


def _cpu_seconds_left(sweep: Sweep, out: Path, waiting: list[Job]) -> float | None:
    """CPU time of the epochs to come, from those of the same group, or of all; None if none."""
    spent = {job.folder: _cpu_seconds(job, out) for job in sweep.jobs}
    everywhere = [seconds for epochs in spent.values() for seconds in epochs]
    if not everywhere:
        return None
    total = 0.0
    for job in waiting:
        alike = [s for j in sweep.jobs if j.group == job.group for s in spent[j.folder]]
        total += fmean(alike or everywhere) * (job.config.epochs - epochs_done(job, out))
    return total


def _cpu_seconds(job: Job, out: Path) -> list[float]:
    """CPU time of each epoch that a job has done; none of a run that cannot be read."""
    if _folder.is_finished(out / job.folder):
        from ttfslib.experiment.runs import load_run

        with suppress(OSError):
            return [float(s) for s in load_run(out / job.folder).history["cpu_seconds"][1:]]
    with suppress(KeyError, TypeError, ValueError):  # no checkpoint of a training
        rows = _checkpoint(job, out)["history"]
        return [float(row["cpu_seconds"]) for row in rows if row["epoch"]]
    return []


def _checkpoint(job: Job, out: Path) -> Mapping[str, Any]:
    """What the last checkpoint of a job says of itself; nothing if there is none."""
    try:
        return _files.peek(out / job.folder / _format.CHECKPOINT)
    except OSError:
        return {}

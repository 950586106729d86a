"""Who does the jobs of a sweep: processes of one thread here, or the workers of a dask cluster.

A job is the command ``ttfs train ... --resume`` in a process of its own. A process that is killed
is started again and goes on from its last checkpoint; one that ends with an error is recorded; one
whose folder another sweep is working on waits until that one is done or dead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ttfslib import _checks, _files
from ttfslib.experiment import _folder, _format
from ttfslib.experiment.sweep import CONFIGS, FAILURES, Job, Sweep, failure, write_table

MAX_KILLS = 5
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_BUSY_PAUSE_S, _POLL_S = 2.0, 1.0


def run_sweep(
    sweep: Sweep,
    out: str | Path,
    *,
    n_workers: int | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> Path:
    """Train everything that a sweep asks for and has not got, then write its table.

    Parameters
    ----------
    sweep : Sweep
    out : path
        Folder of the sweep; made if need be. With a scheduler, all workers must see it.
    n_workers : int, optional
        Trainings at a time on this machine, one thread each; as many as processors by default.
    scheduler : str, optional
        Address of a dask scheduler, such as ``tcp://10.0.0.1:8786``; its workers do the trainings.
    progress : bool
        Show a bar.

    Returns
    -------
    Path
        Of the table. Jobs that failed have their error in it.

    Raises
    ------
    OSError
        If the folder cannot be written, or the scheduler cannot be reached.
    ValueError
        If `n_workers` is not a positive integer.
    """
    out = Path(out).expanduser().absolute()
    n_workers = _checks.integer("n_workers", n_workers or os.cpu_count() or 1)
    for folder in (CONFIGS, FAILURES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    sweep.keep(out)
    for job in sweep.jobs:
        _files.write(out / CONFIGS / f"{job.config.name}.toml", job.config.to_toml())
    waiting = [job for job in sweep.jobs if not _folder.is_finished(out / job.folder)]
    with _bar(sweep, out, progress):
        if scheduler is None:
            _run_here(waiting, out, n_workers)
        else:
            _run_on_cluster(waiting, out, scheduler)
    return write_table(sweep, out)


def train(name: str, seed: int, folder: str, out: str) -> str:
    """Do one job, however often it takes; return its error, empty if there is none."""
    command = [sys.executable, "-m", "ttfslib", "train", str(Path(out, CONFIGS, f"{name}.toml"))]
    command += ["--seed", str(seed), "--out", str(Path(out, folder)), "--resume", "--quiet"]
    kills = 0
    while True:
        done = _stoppable(command)
        if done.returncode == _folder.BUSY_CODE:
            time.sleep(_BUSY_PAUSE_S)
            continue
        if done.returncode >= 0:
            said = done.stderr.strip().splitlines()
            return "" if done.returncode == 0 else (said[-1] if said else "no message")
        kills += 1
        if kills > MAX_KILLS:
            return f"killed {kills} times, last by signal {-done.returncode}"


_stopping = threading.Event()


def _stoppable(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of one thread; when the sweep is interrupted, hand the interrupt on."""
    environment = {**os.environ, **_ONE_THREAD}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    interrupted = False
    while True:
        try:
            _, said = process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if _stopping.is_set() and not interrupted:
                process.send_signal(signal.SIGINT)
                interrupted = True
            continue
        return subprocess.CompletedProcess(command, process.returncode, "", said)


def _run_here(jobs: Sequence[Job], out: Path, n_workers: int) -> None:
    _stopping.clear()
    pool = ThreadPoolExecutor(n_workers)
    try:
        futures = {pool.submit(train, *_arguments(job, out)): job for job in jobs}
        for future in as_completed(futures):
            _note(out, futures[future], future.result())
    except BaseException:
        _stopping.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _run_on_cluster(jobs: Sequence[Job], out: Path, scheduler: str) -> None:
    try:
        import distributed
    except ImportError:
        raise OSError("a scheduler needs dask: pip install 'ttfslib[cluster]'") from None
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise OSError(f"scheduler {scheduler} cannot be reached: {error}") from None
    with client:
        futures = {
            client.submit(train, *_arguments(job, out), key=f"{out}/{job.folder}", pure=False): job
            for job in jobs
        }
        for future in distributed.as_completed(list(futures)):
            lost = future.exception()
            _note(out, futures[future], future.result() if lost is None else str(lost))


def _arguments(job: Job, out: Path) -> tuple[str, int, str, str]:
    return job.config.name, job.seed, job.folder, str(out)


def _note(out: Path, job: Job, error: str) -> None:
    """Keep the error of a job, or forget that it once failed."""
    if error:
        _files.write(failure(out, job), error + "\n")
    else:
        failure(out, job).unlink(missing_ok=True)


def epochs_done(job: Job, out: Path) -> int:
    """How far a job has come: as far as its last checkpoint."""
    if _folder.is_finished(out / job.folder):
        return job.config.epochs
    try:
        about = _files.peek(out / job.folder / _format.CHECKPOINT)
    except OSError:
        return 0
    return int(about.get("epoch", 0))


@contextmanager
def _bar(sweep: Sweep, out: Path, shown: bool) -> Iterator[None]:
    """Show, from a thread of its own, how many epochs of all are done, and the time left."""
    ended = threading.Event()

    def done() -> int:
        return sum(epochs_done(job, out) for job in sweep.jobs)

    def watch(bar: Any) -> None:
        while not ended.wait(_POLL_S):
            bar.update(done() - bar.n)

    total = sum(job.config.epochs for job in sweep.jobs)
    with tqdm(total=total, initial=done(), desc=sweep.name, unit="epoch", disable=not shown) as bar:
        watcher = threading.Thread(target=watch, args=[bar], daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            bar.update(done() - bar.n)

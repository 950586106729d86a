"""Who does the jobs of a sweep: processes of one thread here, or the workers of a dask cluster.

A job is the command ``ttfs train ... --resume`` in a process of its own. A process that is killed
is started again and goes on from its last checkpoint; one that ends with an error is recorded. A
job that another sweep is doing is looked at again later, when that one is done or dead. When a
scheduler is lost, what is left is handed to the one that comes back at the same address.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttfslib import _checks, _files
from ttfslib.experiment import _folder
from ttfslib.experiment._jobs import CONFIGS, FAILURES, Job, is_done, note
from ttfslib.experiment._progress import bar
from ttfslib.experiment.table import check_rows, write_table

if TYPE_CHECKING:
    from ttfslib.experiment.sweep import Sweep

MAX_KILLS = 5
CONNECT_S, RECONNECT_S = 10, 600
"""How long to wait for a scheduler, at first and when it was lost."""
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_BUSY_PAUSE_S, _POLL_S = 0.5, 1.0


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
        If the folder cannot be written, or the scheduler cannot be reached, or was lost and stays
        away; what is finished is kept, and the same call goes on from there.
    ValueError
        If `n_workers` is not a positive integer, or the folder holds networks that this sweep does
        not ask for.
    """
    out = _checks.path("out", out).absolute()
    if n_workers is None:
        n_workers = os.cpu_count() or 1
    _checks.integer("n_workers", n_workers)
    sweep.check_place(out)
    check_rows(out, sweep.jobs)
    for folder in (CONFIGS, FAILURES):
        _files.make_folder(out / folder)
    sweep.keep(out)
    for job in sweep.jobs:
        _files.write(out / CONFIGS / f"{job.config.name}.toml", job.config.to_toml())
    waiting = [job for job in sweep.jobs if not is_done(job, out)]
    with bar(sweep, out, progress):
        if scheduler is None:
            _run_here(waiting, out, n_workers)
        else:
            _run_on_cluster(waiting, out, scheduler)
    return write_table(sweep, out)


def train(name: str, seed: int, folder: str, out: str) -> str | None:
    """Do one job, however often it takes.

    Returns
    -------
    str or None
        Its error, empty if there is none; None if another sweep is doing this job.
    """
    path = Path(out, folder)
    command = [sys.executable, "-m", "ttfslib", "train", str(Path(out, CONFIGS, f"{name}.toml"))]
    command += ["--seed", str(seed), "--out", str(path), "--resume", "--quiet"]
    for _ in range(MAX_KILLS):
        if _folder.is_busy(path):
            return None
        done = _stoppable(command)
        if done.returncode == _folder.BUSY_CODE:
            return None
        if done.returncode >= 0:
            said = done.stderr.strip().splitlines()
            return "" if done.returncode == 0 else (said[-1] if said else "no message")
    return f"killed {MAX_KILLS} times, last by signal {-done.returncode}"


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
    waiting = deque(jobs)
    pool = ThreadPoolExecutor(n_workers)
    try:
        for worker in as_completed([pool.submit(_work, waiting, out) for _ in range(n_workers)]):
            worker.result()
    except BaseException:
        _stopping.set()
        raise
    finally:
        pool.shutdown()


def _work(waiting: deque[Job], out: Path) -> None:
    """Do job after job; one that another sweep is doing goes to the end of the queue."""
    while waiting and not _stopping.is_set():
        try:
            job = waiting.popleft()
        except IndexError:  # another worker was quicker
            return
        error = "" if is_done(job, out) else train(*_arguments(job, out))
        if error is None:
            waiting.append(job)
            _stopping.wait(_BUSY_PAUSE_S)
        elif not (error and _stopping.is_set()):  # an interrupt is no failure
            note(out, job, error)


def _run_on_cluster(jobs: Sequence[Job], out: Path, scheduler: str) -> None:
    """Have all jobs done; when the scheduler is lost, wait for it and hand in what is left."""
    left, patience = {job.folder: job for job in jobs}, CONNECT_S
    while left:
        with _client(scheduler, patience) as client:
            for job, error in _answers(client, list(left.values()), out):
                note(out, job, error)
                del left[job.folder]
        patience = RECONNECT_S
        time.sleep(_BUSY_PAUSE_S if left else 0)


def _client(scheduler: str, patience: float) -> Any:
    try:
        import distributed
    except ImportError:
        raise OSError("a scheduler needs dask: pip install 'ttfslib[cluster]'") from None
    try:
        return distributed.Client(scheduler, timeout=f"{patience}s")
    except (OSError, ValueError) as error:
        raise OSError(f"scheduler {scheduler} cannot be reached: {error}") from None


def _answers(client: Any, jobs: Sequence[Job], out: Path) -> Iterator[tuple[Job, str]]:
    """Jobs that are settled, each with its error; the others are cancelled with the connection."""
    import distributed

    futures = {
        client.submit(train, *_arguments(job, out), key=f"{out}/{job.folder}", pure=False): job
        for job in jobs
    }
    for future in distributed.as_completed(list(futures)):
        if future.cancelled():
            return
        lost = future.exception()
        error = future.result() if lost is None else str(lost)
        if error is not None:
            yield futures[future], error


def _arguments(job: Job, out: Path) -> tuple[str, int, str, str]:
    return job.config.name, job.seed, job.folder, str(out)

"""A cage for the cells of one submission: a process of its own, which costs nobody but itself.

Limits of time, memory and files hold everywhere. Where Linux lets us make namespaces, the process
has no network besides, nothing to write to but a scratch folder that vanishes, and does not see
what is covered. What numba has compiled for the solution lies in the scratch folder from the
start, a copy for each submission: none has to compile the batch passes anew, and none can spoil
them for others.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttfslib import _checks

WORKER, CAGE = (Path(__file__).with_name(name) for name in ("cell_worker.py", "cage.sh"))
NAMESPACES = ["unshare", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork"]
KEPT = ("PATH", "PYTHONPATH")
SETTINGS = {
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
COMPILED = ".numba"  # within the scratch folder
LONGEST = 10_000  # bytes of an answer


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Parameters
    ----------
    seconds : float
        For one cell.
    memory : int
        Megabytes of address space.
    files : int
        Megabytes of files.
    restarts : int
        How often the process begins again, without the cell that ended it.
    """

    seconds: float = 120.0
    memory: int = 4096
    files: int = 64
    restarts: int = 3


@contextlib.contextmanager
def caged(
    limits: Limits, covered: Sequence[Path], compiled: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in the cage, or the next best thing where there is none.

    Parameters
    ----------
    limits : Limits
    covered : sequence of Path
        Folders that it must not see.
    compiled : Path or None
        What numba has compiled.

    Yields
    ------
    subprocess.Popen
    """
    with tempfile.TemporaryDirectory(prefix="ttfs-", ignore_cleanup_errors=True) as scratch:
        behind, settings = [], {}
        if has_cage():
            hidden = [str(path) for path in covered if path.is_dir()]
            behind = _behind(scratch, limits.files, compiled, hidden)
            settings = {"NUMBA_CACHE_DIR": str(Path(scratch, COMPILED))}
        with _worker(behind, scratch, limits, settings) as process:
            yield process


@contextlib.contextmanager
def free(limits: Limits, compiled: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker outside any cage, for what is trusted; `compiled` gets what numba compiles."""
    settings = {"NUMBA_CACHE_DIR": str(compiled.resolve())}
    with (
        tempfile.TemporaryDirectory(prefix="ttfs-") as scratch,
        _worker([], scratch, limits, settings) as process,
    ):
        yield process


@contextlib.contextmanager
def _worker(
    behind: list[str], scratch: str, limits: Limits, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs cells, in a scratch folder; it and its children are gone afterwards."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | SETTINGS
    process = subprocess.Popen(
        [*behind, sys.executable, str(WORKER), str(limits.memory), str(limits.files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=scratch,
        env={**environment, **settings, "HOME": scratch, "TMPDIR": scratch},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.wait()


def _behind(scratch: str, megabytes: int, cache: Path | None, covered: list[str]) -> list[str]:
    """What a command is put behind, to run in the cage."""
    inside = ["sh", str(CAGE), scratch, str(megabytes), str(cache or ""), *covered, "--"]
    return [*NAMESPACES, "--kill-child", "--", *inside]


@functools.cache
def has_cage() -> bool:
    """Tell whether this machine lets us make one."""
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        command = [*_behind(scratch, 1, None, []), "true"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def asked(
    process: subprocess.Popen[bytes], source: str, seconds: float
) -> tuple[str | None, int] | str:
    """Let the worker run a cell: its message and memory, or how it ended instead."""
    try:
        message, kilobytes = json.loads(_line(process, json.dumps(source).encode(), seconds))
        said = None if message is None else _checks.printable(str(message))
        return said, min(int(kilobytes), 2**40)
    except TimeoutError:
        return f"runs longer than {seconds:g} s"
    except EOFError:
        return "ends the process, or takes more memory than there is"
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return "ends the process, or writes where the grader does"


def _line(process: subprocess.Popen[bytes], question: bytes, seconds: float) -> bytes:
    """The line with which the worker answers, though it may neither read nor write.

    Raises
    ------
    TimeoutError
        If there is none in time.
    EOFError
        If the worker is gone, or says more than it should.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    line, unsent, until = b"", memoryview(question + b"\n"), time.monotonic() + seconds
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while not line.endswith(b"\n"):
            ready = [key.fileobj for key, _ in selector.select(max(until - time.monotonic(), 0))]
            if not ready:
                raise TimeoutError
            if process.stdin in ready:
                unsent = unsent[os.write(process.stdin.fileno(), unsent) :]
                if not unsent:
                    selector.unregister(process.stdin)
                continue
            read = os.read(process.stdout.fileno(), 4096)
            line += read
            if not read or len(line) > LONGEST:
                raise EOFError
    return line

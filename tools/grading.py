"""Grade a class: each submission in a process of its own, which costs nobody but itself.

Limits of time, memory and files hold everywhere. Where Linux lets us make namespaces, a submission
sits in a cage besides: no network, nothing to write to but a scratch folder that vanishes, and
neither the other submissions nor the hidden checks to be seen. `protection` says what holds here.

What numba has compiled for the solution lies in the scratch folder from the start, a copy for each
submission: none has to compile the batch passes anew, and none can spoil them for others.
"""

from __future__ import annotations

import contextlib
import csv
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttfslib import _checks, course

ROOT = Path(__file__).resolve().parents[1]
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
PATIENCE = 120.0  # seconds until the worker has started
LARGEST = 20 * 2**20  # bytes of a notebook
CAGED = (
    "own process, limits of time, memory and files; no network; the file system is read-only, and "
    "other submissions and the hidden checks are out of sight. Not protected: a submission can "
    "read other files that you can read, and code that looks into its own process can forge marks."
)
FREE = (
    "own process, limits of time, memory and files. Not protected, for want of namespaces: a "
    "submission can read, write and delete what you can, and reach the network. "
    "Grade in a container."
)


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


@dataclass(frozen=True)
class Graded:
    """A graded submission.

    Parameters
    ----------
    parts : list of course.Part
    seconds : float
    megabytes : float
        The most memory it had.
    """

    parts: list[course.Part]
    seconds: float
    megabytes: float


def merged(
    submission: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The answers of a submission among the checks of the grader, in the grader's order.

    Cells that students added run before the given cell that follows them, and give no points.
    Whatever else they changed (a check, a given cell) is as the grader has it.
    """
    given = {course.marks(cell).get("grade_id"): cell for cell in checks}
    answers: dict[Any, Mapping[str, Any]] = {}
    added: dict[Any, list[Mapping[str, Any]]] = {}
    kept: list[Mapping[str, Any]] = []
    for cell in submission:
        mark = course.marks(cell)
        name = mark.get("grade_id")
        if name not in given:
            kept.append({**cell, "metadata": {}})  # it gives no points
        else:
            added[name], kept = [*added.get(name, []), *kept], []
            answers.setdefault(name, cell)
    cells: list[Mapping[str, Any]] = []
    for name, cell in given.items():
        own = course.marks(cell).get("solution") and name in answers
        text = answers[name]["source"] if own else cell["source"]
        cells += [*added.get(name, []), {**cell, "source": text}]
    return cells


def grade(
    path: Path,
    checks: Sequence[Mapping[str, Any]],
    limits: Limits,
    covered: Sequence[Path] = (),
    cache: Path | None = None,
) -> Graded:
    """Grade one submission; whatever it does ends in points and messages.

    Parameters
    ----------
    path : Path
        The notebook that was handed in.
    checks : sequence of dict
        Cells of the grader's version.
    limits : Limits
    covered : sequence of Path
        Folders that it must not see.
    cache : Path, optional
        What numba has compiled.

    Returns
    -------
    Graded
    """
    begin = time.monotonic()
    try:
        if any(place.is_symlink() for place in (path, path.parent)) or not path.is_file():
            raise ValueError(f"{path.name} is missing, or it is no file but a link")
        if path.stat().st_size > LARGEST:
            raise ValueError("a notebook of at most 20 MB is expected")
        cells = merged(course.read_cells(path), checks)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        cells, lost = list(checks), " ".join(f"cannot be read: {error}".split())
        unread = dict.fromkeys(range(len(cells)), lost)
        return Graded(_parts(cells, unread), time.monotonic() - begin, 0.0)
    fatal: dict[int, str] = {}
    for _ in range(limits.restarts + 1):
        with _caged(limits, covered, cache) as process:
            ends, kilobytes, killer = _run(process, cells, fatal, limits)
        if killer is None:
            break
        fatal[killer[0]] = killer[1]
    unreached = dict.fromkeys(range(len(cells)), "not reached: cells before it end the process")
    return Graded(
        _parts(cells, unreached | ends | fatal), time.monotonic() - begin, kilobytes / 1024
    )


def _parts(cells: Sequence[Mapping[str, Any]], ends: Mapping[int, str | None]) -> list[course.Part]:
    parts = []
    for n, cell in enumerate(cells):
        if course.marks(cell).get("grade"):
            checked = cell["cell_type"] == "code"
            parts.append(course.part_of(cell, ends.get(n) if checked else None))
    return parts


def _run(
    process: subprocess.Popen[bytes],
    cells: Sequence[Mapping[str, Any]],
    skipped: Mapping[int, str],
    limits: Limits,
) -> tuple[dict[int, str | None], int, tuple[int, str] | None]:
    """Run the cells; return their messages, the memory, and which cell ended the process, how."""
    ends: dict[int, str | None] = {}
    kilobytes = 0
    if isinstance(_asked(process, "", PATIENCE), str):
        raise OSError("the process that runs a submission does not start")
    for n, cell in enumerate(cells):
        if cell["cell_type"] != "code" or n in skipped:
            continue
        answer = _asked(process, str(cell["source"]), limits.seconds)
        if isinstance(answer, str):
            return ends, kilobytes, (n, answer)
        ends[n], kilobytes = answer
    return ends, kilobytes, None


def warm(solution: Sequence[Mapping[str, Any]], limits: Limits, cache: Path) -> None:
    """Run the solution, which is trusted, outside any cage: what numba compiles stays in `cache`.

    Raises
    ------
    ValueError
        If the solution does not get full marks on this machine.
    """
    cache.mkdir(parents=True, exist_ok=True)
    settings = {"NUMBA_CACHE_DIR": str(cache.resolve())}
    with (
        tempfile.TemporaryDirectory(prefix="ttfs-") as scratch,
        _worker([], scratch, limits, settings) as process,
    ):
        ends, _, killer = _run(process, solution, {}, limits)
    lost = [part for part in _parts(solution, ends) if part.passed is False]
    if killer or lost:
        why = killer[1] if killer else f"{lost[0].name}: {lost[0].message}"
        raise ValueError(f"the solution must get full marks before a class is graded, got {why}")


def _asked(
    process: subprocess.Popen[bytes], source: str, seconds: float
) -> tuple[str | None, int] | str:
    """Let the worker run a cell: its message and memory, or how it ended instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    line, until = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        os.set_blocking(process.stdin.fileno(), False)
        unsent = memoryview(json.dumps(source).encode() + b"\n")
        try:
            while not line.endswith(b"\n"):
                ready = selector.select(max(until - time.monotonic(), 0))
                if not ready:
                    return f"runs longer than {seconds:g} s"
                if unsent and any(key.fileobj is process.stdin for key, _ in ready):
                    unsent = unsent[os.write(process.stdin.fileno(), unsent) :]
                    if not unsent:
                        selector.unregister(process.stdin)
                    continue
                read = os.read(process.stdout.fileno(), 4096)
                line += read
                if not read or len(line) > 10_000:
                    return "ends the process, or takes more memory than there is"
            message, kilobytes = json.loads(line)
            said = None if message is None else _checks.printable(str(message))
            return said, min(int(kilobytes), 2**40)
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            return "ends the process, or writes where the grader does"


@contextlib.contextmanager
def _caged(
    limits: Limits, covered: Sequence[Path], cache: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in the cage, or the next best thing where there is none."""
    with tempfile.TemporaryDirectory(prefix="ttfs-", ignore_cleanup_errors=True) as scratch:
        behind, settings = [], {}
        if has_cage():
            hidden = [str(path) for path in covered if path.is_dir()]
            behind = _behind(scratch, limits.files, cache, hidden)
            settings = {"NUMBA_CACHE_DIR": str(Path(scratch, COMPILED))}
        with _worker(behind, scratch, limits, settings) as process:
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


def protection() -> str:
    """Say what a submission can and cannot do on this machine."""
    return CAGED if has_cage() else FREE


def grade_class(
    submitted: Path,
    name: str,
    checks: Sequence[Mapping[str, Any]],
    out: Path,
    limits: Limits,
    cache: Path | None = None,
    jobs: int = 1,
    tell: Callable[[str, Graded], None] = lambda *_: None,
) -> dict[str, Graded]:
    """Grade `submitted`/STUDENT/NAME/NAME.ipynb of every student; write marks and feedback.

    Parameters
    ----------
    submitted : Path
        The folder of nbgrader's name.
    name : str
        Of the problem set.
    checks : sequence of dict
        Cells of the grader's version.
    out : Path
        Gets `NAME.csv`, a line for each part of each student, and `feedback/STUDENT/NAME.md`.
        Until all are graded, the table is `NAME-unfinished.csv`.
    limits : Limits
    cache : Path, optional
        What numba has compiled.
    jobs : int
        How many submissions run at a time.
    tell : callable
        Called with the name of each student and the result, as they come.

    Returns
    -------
    dict of str to Graded
    """
    students = students_of(submitted, name)
    covered = [submitted.resolve(), out.resolve(), ROOT / "assignments", ROOT / "_build"]
    covered += [ROOT / ".git"]
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    unfinished = out / f"{name}-unfinished.csv"
    paths = [submitted / student / name / f"{name}.ipynb" for student in students]
    graded: dict[str, Graded] = {}
    with (
        unfinished.open("w", encoding="utf-8", newline="") as file,
        ThreadPoolExecutor(jobs) as pool,
    ):
        writer = csv.writer(file)
        writer.writerow(["student", "part", "points", "of", "says", "seconds", "megabytes"])
        results = pool.map(lambda path: grade(path, checks, limits, covered, cache), paths)
        try:
            for student, result in zip(students, results, strict=True):
                graded[student] = result
                page = out / "feedback" / student / f"{name}.md"
                page.parent.mkdir(exist_ok=True)
                text = f"# {name}\n\n```\n{course.report(result.parts)}\n```\n"
                page.write_text(text, encoding="utf-8")
                writer.writerows(_rows(student, result))
                file.flush()
                tell(student, result)
        finally:
            pool.shutdown(cancel_futures=True)
    unfinished.replace(out / f"{name}.csv")
    return graded


def students_of(submitted: Path, name: str) -> list[str]:
    """Who has a folder in `submitted`.

    Raises
    ------
    ValueError
        If nobody has handed in this problem set.
    """
    if not any(submitted.glob(f"*/{name}/{name}.ipynb")):
        raise ValueError(f"{submitted} must hold STUDENT/{name}/{name}.ipynb, and holds none")
    hidden = (".", "__")  # what systems leave beside the folders of students
    folders = [path.name for path in submitted.iterdir() if path.is_dir()]
    return sorted(folder for folder in folders if not folder.startswith(hidden))


def _rows(student: str, result: Graded) -> Iterator[list[Any]]:
    """Lines of the table; none begins what a spreadsheet takes for a formula."""
    used = f"{result.seconds:.1f}", f"{result.megabytes:.0f}"
    for part in result.parts:
        points = "" if part.passed is None else f"{part.earned:g}"
        says = f"'{part.message}" if part.message.startswith(tuple("=+-@")) else part.message
        yield [student, part.name, points, part.points, says, *used]

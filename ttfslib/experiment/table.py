"""The table of a sweep: a row for each training, and the tables of several sweeps in one.

======================  ===========================================================================
``group``               the name of its group in the file of the sweep
settings                every setting but the name, tables by dotted names: ``epochs``, ``loss.xi``;
                        blank where a training has none
``seed``
accuracies              ``test_accuracy``, ``validation_accuracy``, ``train_accuracy``
``decision_time``       median over the test samples, ``inf`` if most are undecided
``cpu_minutes``         of the training
``width_0``, ...        mean shorth of each layer from the input to the last hidden one, on equal
                        numbers of spikes; nan if no packet has as many
``activity_0``, ...     share of each layer's neurons that spike up to the decision
``weights``             a fingerprint of the trained network; blank while there is none
``error``               why the training failed, or why its run cannot be read
======================  ===========================================================================
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ttfslib import _checks, _files
from ttfslib.analysis.equal_counts import mean_widths
from ttfslib.experiment._jobs import IDLE, Job, error_of, is_done, note
from ttfslib.experiment._sweep_file import flat
from ttfslib.experiment.config import TrainingConfig
from ttfslib.experiment.runs import Run, load_run

if TYPE_CHECKING:
    from ttfslib.experiment.sweep import Sweep

TABLE = "sweep.csv"
N_EQUAL = 12
"""How many spikes of each packet the widths in the table are measured on."""
_LAST = ("weights", "error")
_ABOUT = ("group", *_LAST)
_RESULTS = ("test_", "validation_", "train_", "decision_time", "cpu_minutes", "width_", "activity_")
_REQUIRED = ("dataset.name", "hidden", "weight_mean", "weight_std", "epochs")

Row = dict[str, str]


def write_table(sweep: Sweep, out: Path) -> Path:
    """Write ``sweep.csv``: a row for each job, measured once for each state of its weights.

    Parameters
    ----------
    sweep : Sweep
    out : Path
        The folder of the sweep.

    Returns
    -------
    Path
        Of the table.

    Raises
    ------
    OSError
        If the table cannot be written. What is wrong with a run stands in its row.
    ValueError
        If another sweep has written a table there with networks that would not be in this one.
    """
    check_rows(out, sweep.jobs)
    known = {row["weights"]: row for row in read_table(out / TABLE) if row.get("weights")}
    rows = [_settings(job) | _results(job, out, known) for job in sweep.jobs]
    _files.write(out / TABLE, _csv(rows))
    return out / TABLE


def read_table(path: Path) -> list[Row]:
    """Rows of a table that `write_table` or `merge` wrote; none if there is no such file.

    Raises
    ------
    OSError
        If the file cannot be read; the message names the path.
    ValueError
        If it is no such table; the message names the path.
    """
    if not path.exists():
        return []
    text = _files.read_text(path)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"{path} must be a table: {error}") from None
    for i, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"{path} must have an entry for each column, got others in row {i}")
    columns = reader.fieldnames or []
    if not {"dataset.name", *_ABOUT, "seed"} <= set(columns):
        got = _checks.shown(columns)
        raise ValueError(f"{path} must be a table that `ttfs sweep` wrote, got the columns {got}")
    return rows


def check_rows(out: Path, jobs: Iterable[Job]) -> None:
    """Refuse a folder whose table has networks that would not be in the new one.

    Raises
    ------
    ValueError
        If there are some.
    """
    _check_kept(out, {defining(_settings(job)) for job in jobs})


def _check_kept(out: Path, kept: Collection[frozenset[tuple[str, str]]]) -> None:
    found = [row for row in read_table(out / TABLE) if row.get("weights")]
    if lost := [row for row in found if defining(row) not in kept]:
        raise ValueError(
            f"out holds a table with {len(lost)} networks that would be lost, such as seed "
            f"{lost[0].get('seed')} of group {lost[0].get('group')}, got {out / TABLE}: choose "
            "another folder"
        )


def merge(tables: Iterable[Path], out: Path) -> Path:
    """Pool the tables of several sweeps; the same training counts once.

    Parameters
    ----------
    tables : iterable of paths
        Of the ``sweep.csv``, or of the folders that hold one.
    out : Path
        The folder of the new table.

    Returns
    -------
    Path
        Of the new table.

    Raises
    ------
    OSError
        If a table is not there.
    ValueError
        If two tables hold different networks for the same settings and seed, or `out` has a table
        with others.
    """
    pooled: dict[frozenset[tuple[str, str]], tuple[Path, Row]] = {}
    for table, row in itertools.chain.from_iterable(map(_rows, tables)):
        key = defining(row)
        before, known = pooled.get(key, (table, row))
        if known["weights"] and row["weights"] and known["weights"] != row["weights"]:
            raise ValueError(
                f"{before} and {table} hold different networks for the same settings and seed, "
                f"group {row['group']}, seed {row['seed']}: leave one of them out"
            )
        if key not in pooled or not known["weights"]:
            pooled[key] = table, row
    _check_kept(out, pooled)
    _files.make_folder(out)
    _files.write(out / TABLE, _csv([row for _, row in pooled.values()]))
    return out / TABLE


def equal_count_widths(run: Run, n_spikes: int = N_EQUAL) -> list[float]:
    """Mean shorth of each layer below the output, at equal counts, on all test samples.

    Spikes are drawn by a generator that the run's seed starts.
    """
    outcome, rng = run.evaluate(), np.random.default_rng(run.seed)
    widths, _ = mean_widths(outcome.layers[:-1], outcome.decision_times, n_spikes, rng)
    return [float(width) for width in widths]


def fingerprint(run: Run) -> str:
    """Sixteen digits that two networks share only if all their weights and delays are the same."""
    arrays = [*run.weights(), *run.delays()]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def _settings(job: Job) -> Row:
    values = dict(flat(tomllib.loads(job.config.to_toml())))
    told = {name: str(value) for name, value in values.items() if name not in IDLE}
    return {"group": job.group, **told, "seed": str(job.seed)}


def _results(job: Job, out: Path, known: Mapping[str, Row]) -> Row:
    """What came out of a job; a run that is done but cannot be read becomes a failure."""
    if is_done(job, out):
        try:
            found = _found(load_run(out / job.folder), known)
        except (OSError, ValueError) as error:
            note(out, job, _files.one_line(error))
        else:
            note(out, job, "")
            return found
    return {"weights": "", "error": error_of(out, job)}


def _found(run: Run, known: Mapping[str, Row]) -> Row:
    """Measures of a run, from the old table if it has them."""
    mark = fingerprint(run)
    before = {name: value for name, value in known.get(mark, {}).items() if _is_result(name)}
    return (before or _measured(run)) | {"weights": mark, "error": ""}


def _measured(run: Run) -> Row:
    history, metrics = run.history, run.metrics
    decided = metrics["decision_time_median"]
    measured = {
        "test_accuracy": metrics["test_accuracy"],
        "validation_accuracy": history["validation_accuracy"][-1],
        "train_accuracy": history["train_accuracy"][-1],
        "decision_time": np.inf if decided is None else decided,
        "cpu_minutes": np.nansum(history["cpu_seconds"]) / 60,
    }
    for i, width in enumerate(equal_count_widths(run)):
        measured[f"width_{i}"] = width
        measured[f"activity_{i}"] = metrics["layers"]["activity"][i]
    return {name: f"{value:.5g}" for name, value in measured.items()}


def _is_result(column: str) -> bool:
    return column.startswith(_RESULTS)


def defining(row: Row) -> frozenset[tuple[str, str]]:
    """What decides a training: its seed, and settings other than the default ones.

    So a table is understood that was written before there were as many settings as now.
    """
    told = {k: v for k, v in row.items() if v and k not in _ABOUT and not _is_result(k)}
    return frozenset((k, v) for k, v in told.items() if _usual().get(k) != v)


@cache
def _usual() -> Row:
    """Settings that need not be given, as the table writes them."""
    given = {"dataset": "digits", "hidden": [1], "weight_mean": [0, 0], "weight_std": [0, 0]}
    bare = TrainingConfig.from_mapping({"name": "bare", "epochs": 1, **given})
    values = dict(flat(tomllib.loads(bare.to_toml())))
    return {name: str(value) for name, value in values.items() if name not in _REQUIRED}


def _rows(given: Path) -> Iterator[tuple[Path, Row]]:
    table = given / TABLE if given.is_dir() else given
    if not table.is_file():
        raise OSError(f"{given} holds no {TABLE}")
    for row in read_table(table):
        yield table, row


def _csv(rows: Sequence[Row]) -> str:
    columns = dict.fromkeys(itertools.chain.from_iterable(rows))
    names = [name for name in columns if name not in _LAST] + list(_LAST)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

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
could not be finished, and ``sweep.csv``. What is finished is never trained again.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttfslib import _checks, _files
from ttfslib.analysis.equal_counts import draw_spikes
from ttfslib.analysis.synchrony import pulse_packet, shorth
from ttfslib.experiment import _folder, _format, configs
from ttfslib.experiment.config import TrainingConfig
from ttfslib.experiment.runs import Run, load_run

TABLE, KEPT, BASE = "sweep.csv", "sweep.toml", "base.toml"
FAILURES, CONFIGS = "failures", "configs"
N_EQUAL = 12
"""How many spikes of each packet the widths in the table are measured on."""
_GROUP_KEYS = ("without", "seeds", "grid")
_SWEEP_KEYS = ("name", "base", "seeds", "groups", "grid")

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

    def keep(self, out: Path) -> None:
        """Write the sweep's file and its base into its folder, where `description` finds them."""
        import tomli_w

        _files.write(out / BASE, self.base.to_toml())
        _files.write(out / KEPT, tomli_w.dumps({**self.described, "base": BASE}))

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
        path = Path(path)
        try:
            described = tomllib.loads(_files.read_text(path))
            return cls.from_mapping(described, path.parent)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def from_mapping(cls, described: Mapping[str, Any], folder: Path) -> Sweep:
        """Make a sweep of the content of its file; `folder` is where a relative base lies."""
        _known("sweep", described, _SWEEP_KEYS)
        missing = [key for key in ("name", "base", "seeds") if key not in described]
        if missing:
            raise ValueError(f"sweep lacks the keys {', '.join(missing)}")
        config = _base(described["base"], folder)
        base = tomllib.loads(config.to_toml())
        groups = described.get("groups") or {described["name"]: {}}
        jobs = []
        for group, given in groups.items():
            _checks.one_of(f"groups.{group}", type(given).__name__, ["dict"])
            grid = described.get("grid", {}) | given.get("grid", {})
            changes = {k: v for k, v in given.items() if k not in _GROUP_KEYS}
            seeds = given.get("seeds", described["seeds"])
            for combination in _combinations(grid):
                one = _config(described["name"], group, base, given, changes, combination)
                own = dict(_flat(changes)) | combination
                jobs += [Job(group, own, one, seed) for seed in _seeds(seeds)]
        return cls(described["name"], jobs, config, described)


def description(file: Path | None, out: Path) -> Path:
    """File of a sweep: the one that is given, or the only one that its folder remembers.

    The folder keeps a copy, with its base beside it, so that `ttfs sweep --status` and a training
    that is taken up need nothing else.

    Raises
    ------
    ValueError
        If none is given and the folder has none.
    """
    if file is not None:
        return file
    kept = out / KEPT
    if not kept.is_file():
        raise ValueError(f"SWEEP must be given, as {out} holds no {KEPT}")
    return kept


def status(sweep: Sweep, out: Path) -> dict[str, list[Job]]:
    """Jobs by what has become of them: ``finished``, ``failed``, ``begun`` and ``waiting``."""
    stages: dict[str, list[Job]] = {k: [] for k in ("finished", "failed", "begun", "waiting")}
    for job in sweep.jobs:
        if _folder.is_finished(out / job.folder):
            stage = "finished"
        elif failure(out, job).exists():
            stage = "failed"
        else:
            stage = "begun" if (out / job.folder / _format.CONFIG).exists() else "waiting"
        stages[stage].append(job)
    return stages


def failure(out: Path, job: Job) -> Path:
    """File that says in one line why a job could not be finished."""
    return out / FAILURES / f"{job.folder}.txt"


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
        If a finished run is damaged, or the table cannot be written.
    """
    known = {row["weights"]: row for row in read_table(out / TABLE) if row.get("weights")}
    rows = [_row(job, out, known) for job in sweep.jobs]
    _files.write(out / TABLE, _csv(rows))
    return out / TABLE


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table that `write_table` or `merge` wrote; none if there is no such file."""
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(_files.read_text(path))))


def merge(tables: Iterable[Path], out: Path) -> Path:
    """Pool the tables of several sweeps; the same network counts once.

    Parameters
    ----------
    tables : iterable of paths
        Of the ``sweep.csv``, or of the folders that hold one.
    out : Path
        Of the new table.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    OSError
        If a table is not there.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for given in tables:
        table = given / TABLE if given.is_dir() else given
        if not table.is_file():
            raise OSError(f"{given} holds no {TABLE}")
        for i, row in enumerate(read_table(table)):
            rows.setdefault((row["weights"], "" if row["weights"] else f"{table} {i}"), row)
    _files.write(out, _csv(list(rows.values())))
    return out


def equal_count_widths(run: Run, n_spikes: int = N_EQUAL) -> list[float]:
    """Mean shorth of each layer below the output, at equal counts, on all test samples.

    Spikes are drawn by a generator that the run's seed starts.
    """
    outcome, rng = run.evaluate(), np.random.default_rng(run.seed)
    packets = (pulse_packet(times, outcome.decision_times) for times in outcome.layers[:-1])
    widths = [shorth(draw_spikes(packet, n_spikes, rng)) for packet in packets]
    return [float(np.nanmean(w)) if np.isfinite(w).any() else np.nan for w in widths]


def _row(job: Job, out: Path, known: Mapping[str, dict[str, str]]) -> dict[str, str]:
    about = {"group": job.group} | {k: str(v) for k, v in job.changes.items()}
    about |= {"seed": str(job.seed), "epochs": str(job.config.epochs)}
    if not _folder.is_finished(out / job.folder):
        said = failure(out, job)
        return about | {"weights": "", "error": _files.read_text(said) if said.exists() else ""}
    run = load_run(out / job.folder)
    fingerprint = run.metrics["sha256"][_format.WEIGHTS][:16]
    if fingerprint in known:
        return known[fingerprint] | about
    history, metrics = run.history, run.metrics
    measured = {
        "test_accuracy": metrics["test_accuracy"],
        "validation_accuracy": history["validation_accuracy"][-1],
        "train_accuracy": history["train_accuracy"][-1],
        "decision_time": np.nan_to_num(float(metrics["decision_time_median"] or np.inf)),
        "cpu_minutes": np.nansum(history["cpu_seconds"]) / 60,
    }
    for i, width in enumerate(equal_count_widths(run)):
        measured[f"width_{i}"] = width
        measured[f"activity_{i}"] = metrics["layers"]["activity"][i]
    said_so = {name: f"{value:.5g}" for name, value in measured.items()}
    return about | said_so | {"weights": fingerprint, "error": ""}


def _csv(rows: Sequence[Mapping[str, str]]) -> str:
    columns = dict.fromkeys(itertools.chain.from_iterable(rows))
    last = [name for name in ("weights", "error") if name in columns]
    text = io.StringIO()
    names = [name for name in columns if name not in last] + last
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _base(name: Any, folder: Path) -> TrainingConfig:
    if not isinstance(name, str):
        raise ValueError(f"base must be the name or the path of a configuration, got {name!r}")
    path = folder / name
    return TrainingConfig.from_toml(path if path.is_file() else configs.find(name))


def _config(
    sweep: str,
    group: str,
    base: Mapping[str, Any],
    given: Mapping[str, Any],
    changes: Changes,
    combination: Changes,
) -> TrainingConfig:
    """Settings of one group at one point of the grid; the message names both."""
    values = {k: v for k, v in base.items() if k not in given.get("without", ())}
    for change in (changes, _nested(combination)):
        values = _merged(values, change)
    labels = [f"{key.rpartition('.')[2]}{value}" for key, value in combination.items()]
    values["name"] = _slug("-".join([sweep, group, *labels]))
    try:
        return TrainingConfig.from_mapping(values)
    except ValueError as error:
        raise ValueError(f"group {group} {combination or ''}: {error}") from None


def _combinations(grid: Mapping[str, Any]) -> list[Changes]:
    axes = dict(_flat(grid))
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid.{name} must be a list of values, got {values!r}")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _seeds(seeds: Any) -> list[int]:
    if not isinstance(seeds, list) or not seeds:
        raise ValueError(f"seeds must be a list of integers, got {seeds!r}")
    return [_checks.integer(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Entries of nested tables by dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(values: Changes) -> Changes:
    nested: Changes = {}
    for name, value in values.items():
        *tables, last = name.split(".")
        place = nested
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
    return nested


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Changes:
    """`values` with `changes`; tables are merged, but one of another entry is replaced."""
    merged = dict(values)
    for name, value in changes.items():
        before = merged.get(name)
        merged[name] = value
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            same = value.get("name", before.get("name")) == before.get("name")
            merged[name] = {**before, **value} if same else value
    return merged


def _known(kind: str, given: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise ValueError(f"{kind} must hold {', '.join(names)} only, got the key {name!r}")


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text).strip("-")

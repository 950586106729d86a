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

import itertools
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ttfslib import _checks, _files
from ttfslib._checkout import checkout
from ttfslib._registry import did_you_mean
from ttfslib.experiment import _folder, _format, configs
from ttfslib.experiment.config import TrainingConfig, parsed

KEPT, BASE = "sweep.toml", "base.toml"
FAILURES, CONFIGS = "failures", "configs"
MAX_JOBS = 10_000
"""Trainings of one sweep."""
IDLE = ("name", "kept_epochs")
"""Settings that decide nothing of the network that comes out."""
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
        _known("sweep", described, _SWEEP_KEYS)
        missing = [key for key in ("name", "base", "seeds") if key not in described]
        if missing:
            raise ValueError(f"sweep lacks the keys {', '.join(missing)}")
        name, config = _checks.text("name", described["name"]), _base(described["base"], folder)
        asked = _jobs(name, tomllib.loads(config.to_toml()), described)
        jobs = list(itertools.islice(asked, MAX_JOBS + 1))
        if len(jobs) > MAX_JOBS:
            raise ValueError(f"sweep must ask for at most {MAX_JOBS} trainings, got more")
        _check_folders(jobs)
        _check_different(jobs)
        return cls(name, jobs, config, described)


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


def is_done(job: Job, out: Path) -> bool:
    """Whether the folder of a job holds the finished training that it asks for."""
    path = out / job.folder
    try:
        return _folder.is_finished(path) and _format.read_settings(path) == (job.config, job.seed)
    except OSError:  # whoever trains it again is told what is wrong
        return False


def status(sweep: Sweep, out: Path) -> dict[str, list[Job]]:
    """Jobs by what has become of them: ``finished``, ``failed``, ``begun`` and ``waiting``."""
    stages: dict[str, list[Job]] = {k: [] for k in ("finished", "failed", "begun", "waiting")}
    for job in sweep.jobs:
        if failure(out, job).exists():
            stage = "failed"
        elif is_done(job, out):
            stage = "finished"
        else:
            stage = "begun" if (out / job.folder / _format.CONFIG).exists() else "waiting"
        stages[stage].append(job)
    return stages


def check_place(sweep: Sweep, out: Path) -> None:
    """Refuse a folder with trainings of another sweep; one with more jobs than it had goes on.

    Raises
    ------
    ValueError
        If something that the folder's own sweep has begun or finished is not asked for.
    """
    if not (out / KEPT).exists():
        return
    kept = Sweep.from_toml(out / KEPT)
    asked, stages = {(job.folder, job.config) for job in sweep.jobs}, status(kept, out)
    there = [*stages["finished"], *stages["begun"]]
    if lost := [job.folder for job in there if (job.folder, job.config) not in asked]:
        raise ValueError(
            f"out holds the sweep {_checks.shown(kept.name)}, of which {len(lost)} trainings are "
            f"not asked for, such as {lost[0]}, got {out}: choose another folder"
        )


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


def _base(name: Any, folder: Path) -> TrainingConfig:
    if not isinstance(name, str):
        raise ValueError(f"base must be the name or the path of a configuration, got {name!r}")
    path = folder / name
    return TrainingConfig.from_toml(path if path.is_file() else configs.find(name))


def _jobs(name: str, base: Changes, described: Mapping[str, Any]) -> Iterator[Job]:
    """Every training that is asked for, made one by one: there may be too many."""
    shared = _seeds("seeds", described["seeds"])
    grid = _table("grid", described.get("grid", {}))
    groups = _table("groups", described.get("groups", {})) or {name: {}}
    for group, table in groups.items():
        where = f"groups.{_checks.printable(group)}"
        given = _table(where, table)
        without = _without(f"{where}.without", given.get("without", []))
        kept = {k: v for k, v in base.items() if k not in without}
        changes = {k: v for k, v in given.items() if k not in _GROUP_KEYS}
        seeds = _seeds(f"{where}.seeds", given["seeds"]) if "seeds" in given else shared
        own_grid = _table(f"{where}.grid", given.get("grid", {}))
        for combination in _combinations({**grid, **own_grid}):
            config = _config(name, group, kept, changes, combination)
            own = dict(flat(changes)) | combination
            yield from (Job(group, own, config, seed) for seed in seeds)


def _config(
    sweep: str, group: str, base: Changes, changes: Changes, combination: Changes
) -> TrainingConfig:
    """Settings of one group at one point of the grid; the message names both."""
    labels = [f"{key.rpartition('.')[2]}{value}" for key, value in combination.items()]
    try:
        if "name" in changes or "name" in combination:
            raise ValueError("name is made of those of the sweep and of the group")
        values = _merged(_merged(base, changes), _nested(combination))
        values["name"] = _slug("-".join([sweep, group, *labels]))
        return TrainingConfig.from_mapping(values)
    except ValueError as error:
        raise ValueError(f"{_point(group, combination)}: {error}") from None


def _point(group: str, changes: Changes) -> str:
    """A group, and what else is particular about one of its trainings, as messages name it."""
    return f"group {_checks.printable(group)}" + (f" {_checks.shown(changes)}" if changes else "")


def _check_folders(jobs: Sequence[Job]) -> None:
    """Ask for a name, and so for a folder, for each point of the grid, on any disk."""
    taken: dict[str, Job] = {}
    for job in jobs:
        place = unicodedata.normalize("NFC", job.config.name).casefold()
        other = taken.setdefault(place, job)
        if other.config is not job.config:
            both = [_point(one.group, one.changes) for one in (other, job)]
            raise ValueError(f"{' and '.join(both)} would both be trained in {job.folder}")


def _check_different(jobs: Sequence[Job]) -> None:
    """Ask for each training once: a table of several sweeps holds it once."""
    taken: dict[tuple[Any, ...], Job] = {}
    names = [field.name for field in fields(TrainingConfig) if field.name not in IDLE]
    for job in jobs:
        other = taken.setdefault((job.seed, *(getattr(job.config, name) for name in names)), job)
        if other is not job:
            both = [_point(one.group, one.changes) for one in (other, job)]
            raise ValueError(f"{' and '.join(both)} would be the same training, seed {job.seed}")


def _combinations(grid: Mapping[str, Any]) -> Iterator[Changes]:
    axes = dict(flat(grid))
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid.{name} must be a list of values, got {_checks.shown(values)}")
        *tables, _ = itertools.accumulate(name.split("."), "{}.{}".format)
        if within := axes.keys() & tables:
            raise ValueError(f"grid.{name} must not be varied beside grid.{min(within)}")
    return (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))


def _seeds(name: str, seeds: Any) -> list[int]:
    if not isinstance(seeds, list) or not seeds:
        raise ValueError(f"{name} must be a list of integers, got {_checks.shown(seeds)}")
    for i, seed in enumerate(seeds):
        _checks.integer(f"{name}[{i}]", seed, minimum=0, maximum=_format.MAX_SEED)
    [(most, times)] = Counter(seeds).most_common(1)
    if times > 1:
        raise ValueError(f"{name} must all be different, got {most} {times} times")
    return seeds


def _without(name: str, given: Any) -> list[str]:
    """Settings of the base that a group does without."""
    settings = [field.name for field in fields(TrainingConfig)]
    if not isinstance(given, list):
        raise ValueError(f"{name} must be a list of settings, got {_checks.shown(given)}")
    for i, setting in enumerate(given):
        if _checks.text(f"{name}[{i}]", setting) not in settings:
            raise ValueError(
                f"{name}[{i}] must be a setting, got {_checks.shown(setting)}"
                f"{did_you_mean(setting, settings)}"
            )
    return given


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} must be a table, got {_checks.shown(given)}")
    return given


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Entries of nested tables by dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
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
    for name in _table(kind, given):
        if name not in names:
            said = _checks.shown(name)
            raise ValueError(f"{kind} must hold {', '.join(names)} only, got the key {said}")


def _slug(text: str) -> str:
    """Text as part of a file's name; minus signs stay, so that -1 is not 1."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-")

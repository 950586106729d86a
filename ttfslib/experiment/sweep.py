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

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttfslib import _checks, _files
from ttfslib.experiment import _folder, _format, configs
from ttfslib.experiment.config import TrainingConfig

KEPT, BASE = "sweep.toml", "base.toml"
FAILURES, CONFIGS = "failures", "configs"
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
                own = dict(flat(changes)) | combination
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


def is_done(job: Job, out: Path) -> bool:
    """Whether the folder of a job holds the finished training that it asks for."""
    path = out / job.folder
    return _folder.is_finished(path) and _format.read_settings(path) == (job.config, job.seed)


def status(sweep: Sweep, out: Path) -> dict[str, list[Job]]:
    """Jobs by what has become of them: ``finished``, ``failed``, ``begun`` and ``waiting``."""
    stages: dict[str, list[Job]] = {k: [] for k in ("finished", "failed", "begun", "waiting")}
    for job in sweep.jobs:
        if is_done(job, out):
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
    axes = dict(flat(grid))
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid.{name} must be a list of values, got {values!r}")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _seeds(seeds: Any) -> list[int]:
    if not isinstance(seeds, list) or not seeds:
        raise ValueError(f"seeds must be a list of integers, got {seeds!r}")
    return [_checks.integer(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]


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
    for name in given:
        if name not in names:
            raise ValueError(f"{kind} must hold {', '.join(names)} only, got the key {name!r}")


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text).strip("-")

"""What the file of a sweep asks for: its trainings, checked before anything starts."""

from __future__ import annotations

import itertools
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ttfslib import _checks
from ttfslib._registry import did_you_mean
from ttfslib.experiment import configs
from ttfslib.experiment._jobs import IDLE, Changes, Job
from ttfslib.experiment.config import TrainingConfig

MAX_JOBS = 10_000
"""Trainings of one sweep."""
_GROUP_KEYS = ("without", "seeds", "grid")
_SWEEP_KEYS = ("name", "base", "seeds", "groups", "grid")


def read_head(described: Mapping[str, Any], folder: Path) -> tuple[str, TrainingConfig]:
    """Name of a sweep and its base, which may be a path from `folder`; ValueError if wrong."""
    _known("sweep", described, _SWEEP_KEYS)
    missing = [key for key in ("name", "base", "seeds") if key not in described]
    if missing:
        raise ValueError(f"sweep lacks the keys {', '.join(missing)}")
    return _checks.text("name", described["name"]), _base(described["base"], folder)


def read_jobs(name: str, base: TrainingConfig, described: Mapping[str, Any]) -> list[Job]:
    """Every training, each different and with a folder of its own; ValueError if they are not."""
    asked = _jobs(name, tomllib.loads(base.to_toml()), described)
    jobs = list(itertools.islice(asked, MAX_JOBS + 1))
    if len(jobs) > MAX_JOBS:
        raise ValueError(f"sweep must ask for at most {MAX_JOBS} trainings, got more")
    _check_folders(jobs)
    _check_different(jobs)
    return jobs


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
        _checks.integer(f"{name}[{i}]", seed, minimum=0)
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

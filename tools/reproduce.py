"""Remake what the book publishes, and hold it to what is shipped.

    python tools/reproduce.py                  # what fits into an hour, the quickest first
    python tools/reproduce.py NAME [NAME ...]  # these rows of the table
    python tools/reproduce.py --list           # the table

The table is read from the repository: networks and sweeps from their folders in data/, other files
from `tools/data_readme.py`, chapters from their notebooks. A chapter has to print what it stores. A
network has to have the very weights of its shipped twin where versions and processor agree;
elsewhere rounding makes another network of the same kind of it, whose accuracy and widths have to
lie where the shipped seeds let a further one be expected.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
from chapter_facts import data_used, seconds
from data_readme import MADE_BY
from scipy import stats
from ship_runs import same_training

from ttfslib import Run, fit, load_run
from ttfslib.experiment._workers import run_sweep
from ttfslib.experiment.recipe import load_test_samples
from ttfslib.experiment.sweep import KEPT, Sweep
from ttfslib.experiment.table import TABLE, defining, read_table

ROOT = Path(__file__).resolve().parents[1]
REMADE = Path("_build", "reproduced")
HOUR = 60.0
LAYERS = "layers.csv"
"""What `tools/ensemble.py` measures of a sweep, beside its table."""
LEVEL = 0.99
"""How sure it is that a further seed falls into the interval that the shipped ones give."""
ONE_SEED_ACCURACY, ONE_SEED_WIDTH = 0.02, 0.3
"""What a single shipped seed lets expect: accuracy within this, widths within this share."""
CHECKED = "nbval-check-output"
AS_PUBLISHED, DIFFERS, NOT_COMPARED = "as published", "differs", "not compared"
OUTCOMES = (AS_PUBLISHED, DIFFERS, NOT_COMPARED)

Differences = list[str]


@dataclass(frozen=True)
class Entry:
    """A row: something published, and how it is made again.

    Attributes
    ----------
    name, kind : str
    shows : str
        What of the book it is, in Markdown.
    command : str
        That makes it.
    files : str
        That it is kept in, or that it reads.
    minutes : float
        Of CPU time; NaN where nobody has measured it.
    tolerance : str
    remake : function, optional
        Makes it in a folder and returns in what it differs more than it may. An OSError without a
        number says that data which it needs are not here.
    """

    name: str
    kind: str
    shows: str
    command: str
    files: str
    minutes: float
    tolerance: str
    remake: Callable[[Path], Differences] | None


def entries(root: Path = ROOT) -> list[Entry]:
    """Every row of the table, in the order of the book, then of the data."""
    return [*chapters(root), *networks(root), *sweeps(root), *tables(root)]


# Chapters


def chapters(root: Path) -> list[Entry]:
    """The numbers and figures of each chapter."""
    return [_chapter(root, path) for path in sorted((root / "chapters").glob("ch*.ipynb"))]


def _chapter(root: Path, path: Path) -> Entry:
    notebook = nbformat.read(path, as_version=4).cells
    cells = [cell for cell in notebook if cell.cell_type == "code"]
    prose = "".join(cell.source for cell in notebook if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells)
    named = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in cells]
    figures = [f"{{numref}}`{name}`" for name in named if name]
    illustrated = f"{figures[0]} to {figures[-1]}" if figures else "no figure"
    n_numbers = prose.count("{glue:text}")
    n_checked = sum(CHECKED in cell.metadata.get("tags", []) for cell in cells)
    return Entry(
        name=path.stem,
        kind="chapter",
        shows=f"{{doc}}`{path.stem}`: {illustrated}; {n_numbers} numbers in the text",
        command=f"make execute CHAPTER=chapters/{path.name}",
        files="; ".join(data_used(code)) or "none",
        minutes=(seconds(root, path.stem) or math.nan) / 60,
        tolerance=f"the text of {n_checked} checked cells, as it is printed",
        remake=partial(_run_chapter, path),
    )


def _run_chapter(path: Path, _out: Path) -> Differences:
    """Run a chapter and compare the cells whose output is checked."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-cell-timeout=600", "-q", "-p", "no:cacheprovider", "-W", "default"]
    command += ["--rootdir", str(path.parent), "-c", os.devnull, path.name]
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(
        command,
        cwd=path.parent,
        env=os.environ | inline,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return failed or ([done.stdout[-500:] + done.stderr[-500:]] if done.returncode else [])


# Networks


def networks(root: Path) -> list[Entry]:
    """Each trained network that is shipped."""
    runs = [load_run(path.parent) for path in sorted((root / "data").glob("runs/*/metrics.json"))]
    return [_network(run, [r for r in runs if same_training(r.config, run.config)]) for run in runs]


def _network(run: Run, twins: Sequence[Run]) -> Entry:
    low, high = accuracy_interval([twin.metrics["test_accuracy"] for twin in twins])
    return Entry(
        name=run.path.name,
        kind="network",
        shows=f"test accuracy {run.metrics['test_accuracy']:.2%}",
        command=f"ttfs train {run.config.name} --seed {run.seed} --out DIR",
        files=f"data/runs/{run.path.name}",
        minutes=float(np.nansum(run.history["cpu_seconds"])) / 60,
        tolerance=f"accuracy {low:.2%} to {high:.2%}, widths of {_seeds(len(twins))}",
        remake=partial(_train, run, twins),
    )


def _seeds(n_seeds: int) -> str:
    return f"{n_seeds} seeds" if n_seeds > 1 else f"one seed, by {ONE_SEED_WIDTH:.0%}"


def _train(run: Run, twins: Sequence[Run], out: Path) -> Differences:
    return differences(fit(run.config, run.seed, out, resume=True, progress=False), run, twins)


def differences(remade: Run, shipped: Run, twins: Sequence[Run]) -> Differences:
    """In what a network that was trained again differs from its shipped twin more than it may.

    Parameters
    ----------
    remade, shipped : Run
        Of the same settings and seed.
    twins : sequence of Run
        What is shipped of these settings, with any seed.
    """
    if all(map(np.array_equal, remade.weights(), shipped.weights())):
        return []
    versions = remade.metrics["versions"]
    if "processor" in versions and versions == shipped.metrics["versions"]:
        return ["the weights differ although versions and processor agree"]
    found = []
    accuracy = remade.metrics["test_accuracy"]
    low, high = accuracy_interval([twin.metrics["test_accuracy"] for twin in twins])
    if not low <= accuracy <= high:
        found.append(f"accuracy {accuracy:.2%} is not between {low:.2%} and {high:.2%}")
    profiles = [run.metrics["layers"]["shorth"] for run in (remade, *twins)]
    for i, (width, *known) in enumerate(zip(*profiles, strict=True)):
        if None in (width, *known):
            continue
        low, high = width_interval(known)
        if not low <= width <= high:
            found.append(f"width {width:.3f} of layer {i} is not between {low:.3f} and {high:.3f}")
    return found


def accuracy_interval(known: Sequence[float]) -> tuple[float, float]:
    """Where the accuracy of a further training is to be expected."""
    low, high = _interval(known, ONE_SEED_ACCURACY)
    return max(low, 0.0), min(high, 1.0)


def width_interval(known: Sequence[float]) -> tuple[float, float]:
    """Where the width of a layer's packets is to be expected in a further training."""
    return _interval(known, ONE_SEED_WIDTH * known[0])


def _interval(known: Sequence[float], if_one: float) -> tuple[float, float]:
    """Interval in which a further value of a normal distribution falls with certainty `LEVEL`."""
    n, middle = len(known), float(np.mean(known))
    half = if_one
    if n > 1:
        quantile = stats.t.ppf((1 + LEVEL) / 2, n - 1)
        half = float(quantile * np.std(known, ddof=1) * math.sqrt(1 + 1 / n))
    return middle - half, middle + half


# Sweeps


def sweeps(root: Path) -> list[Entry]:
    """Each sweep whose file and table are shipped side by side."""
    folders = [path.parent for path in sorted((root / "data").rglob(KEPT))]
    return [_sweep(root, folder) for folder in folders if (folder / TABLE).is_file()]


def _sweep(root: Path, folder: Path) -> Entry:
    rows, where = read_table(folder / TABLE), folder.relative_to(root).as_posix()
    minutes = sum(float(row["cpu_minutes"]) for row in rows if row.get("cpu_minutes"))
    layers = f"{where}/{LAYERS}"
    measured = f"; python tools/ensemble.py DIR {layers}" if (root / layers).exists() else ""
    return Entry(
        name=folder.name,
        kind="sweep",
        shows=f"{len(rows)} networks in {len({row['group'] for row in rows})} groups",
        command=f"ttfs sweep {where}/{KEPT} --out DIR{measured}",
        files=f"{where}/",
        minutes=minutes,
        tolerance="the accuracy of each network where those of its group let expect it",
        remake=partial(_sweep_again, folder),
    )


def _sweep_again(folder: Path, out: Path) -> Differences:
    remade = read_table(run_sweep(Sweep.from_toml(folder / KEPT), out))
    return sweep_differences(remade, read_table(folder / TABLE))


def sweep_differences(
    remade: Sequence[dict[str, str]], shipped: Sequence[dict[str, str]]
) -> Differences:
    """Networks that failed, or whose accuracy is not what those of the same settings let expect."""
    known = {defining(row): row for row in shipped}
    found = []
    for row in remade:
        twin = known.get(defining(row), {})
        if row["weights"] and row["weights"] == twin.get("weights"):
            continue
        who = f"{row['group']}, seed {row['seed']}"
        if row["error"] != twin.get("error", ""):
            found.append(f"{who}: {row['error']}")
        elif alike := [
            float(r["test_accuracy"]) for r in shipped if r["weights"] and _alike(r, row)
        ]:
            low, high = accuracy_interval(alike)
            if not low <= float(row["test_accuracy"]) <= high:
                found.append(
                    f"{who}: accuracy {row['test_accuracy']} is not {low:.4f} to {high:.4f}"
                )
        else:
            found.append(f"{who}: it is not in the shipped table")
    return found


def _alike(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether two rows have the same settings, with any seed."""
    return defining({**one, "seed": ""}) == defining({**other, "seed": ""})


# Other files


def tables(root: Path) -> list[Entry]:
    """Each other file of data/, made as `tools/data_readme.py` tells."""
    return [
        _table(root, name, how) for name, how in MADE_BY.items() if (root / "data" / name).is_file()
    ]


def _table(root: Path, name: str, how: str) -> Entry:
    command = re.search(r"`(python [^`]+)`", how)
    ablation = re.fullmatch(r"ablation_(\w+)\.csv", name)
    remake = partial(_ablation, root / "data" / name, ablation[1]) if ablation else None
    return Entry(
        name=Path(name).stem,
        kind="table",
        shows=how,
        command=command[1] if command else "–",
        files=f"data/{name}",
        minutes=_minutes_of(root / "data" / name, ablation[1]) if ablation else math.nan,
        tolerance="each entry within the widest spread of its column over seeds"
        if ablation
        else "–",
        remake=remake,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _minutes_of(table: Path, recipe: str) -> float:
    """About as many as so many trainings of the recipe take that the table begins with."""
    spent = [np.nansum(run.history["cpu_seconds"]) / 60 for run in _runs_of(table, recipe)]
    return float(np.mean(spent)) * len(_rows(table)) if spent else math.nan


def _runs_of(table: Path, recipe: str) -> list[Run]:
    return [load_run(path) for path in (table.parent / "runs").glob(f"{recipe}-dale-seed*")]


def _ablation(shipped: Path, recipe: str, out: Path) -> Differences:
    for run in _runs_of(shipped, recipe):
        load_test_samples(run.config)  # or say at once that they are not here
    out.mkdir(parents=True, exist_ok=True)
    remade = out / shipped.name
    tool = Path(__file__).with_name("ablation.py")
    subprocess.run([sys.executable, str(tool), recipe, "--out", str(remade)], check=True)
    return table_differences(_rows(remade), _rows(shipped))


def table_differences(
    remade: Sequence[dict[str, str]], shipped: Sequence[dict[str, str]]
) -> Differences:
    """Entries that differ by more than the widest spread of their column over seeds."""
    key = ("change", "seed")
    known = {tuple(row[k] for k in key): row for row in shipped}
    found = []
    for column in [name for name in shipped[0] if name not in key]:
        by_change: dict[str, list[float]] = {}
        for row in shipped:
            by_change.setdefault(row["change"], []).append(float(row[column]))
        spread = max(np.ptp(values) for values in by_change.values() if np.isfinite(values).all())
        for row in remade:
            twin = known[tuple(row[k] for k in key)]
            if row[column] != twin[column] and not (
                abs(float(row[column]) - float(twin[column])) <= spread
            ):
                found.append(f"{row['change']}, seed {row['seed']}: {column} {row[column]}")
    return found


# The command


def within(budget: float, rows: Iterable[Entry]) -> list[Entry]:
    """The quickest rows that fit together into so many CPU minutes."""
    chosen: list[Entry] = []
    can = [row for row in rows if row.remake and math.isfinite(row.minutes)]
    for row in sorted(can, key=lambda row: row.minutes):
        budget -= row.minutes
        if budget < 0:
            break
        chosen.append(row)
    return chosen


def remake(row: Entry, folder: Path) -> str:
    """Make one row again, say what came out, and return which of `OUTCOMES` it was."""
    started = time.perf_counter()
    if row.remake is None:
        print(f"{row.name}: {NOT_COMPARED}; {row.shows}")
        return NOT_COMPARED
    shutil.rmtree(folder / row.name, ignore_errors=True)
    try:
        found = row.remake(folder / row.name)
    except subprocess.CalledProcessError as error:
        found = [str(error)]
    except OSError as error:
        if error.errno is None:  # said by ttfslib, not by the system
            print(f"{row.name}: {NOT_COMPARED}; {error}", flush=True)
            return NOT_COMPARED
        found = [str(error)]
    outcome = DIFFERS if found else AS_PUBLISHED
    said = f"{outcome}: {'; '.join(found)}" if found else outcome
    print(f"{row.name}: {said} ({(time.perf_counter() - started) / 60:.1f} min)", flush=True)
    return outcome


def shown(rows: Sequence[Entry]) -> str:
    """The table for a terminal."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:<{width}}{row.minutes:8.1f}  {row.command}" for row in rows)


def main() -> int:
    """Remake, or list."""
    parser = argparse.ArgumentParser(
        prog="ttfs reproduce",
        description=__doc__.splitlines()[0],
        epilog=f"Default: what fits into {HOUR:.0f} CPU minutes.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="rows of the table; see --list")
    parser.add_argument(
        "--minutes", type=float, default=HOUR, help="CPU minutes to spend, unless NAMEs are given"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the table: names, CPU minutes, commands"
    )
    options = parser.parse_args()
    rows = {row.name: row for row in entries()}
    unknown = [name for name in options.names if name not in rows]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(rows)}, got {unknown[0]}")
    if options.list:
        print(shown(list(rows.values())))
        return 0
    chosen = [rows[name] for name in options.names] or within(options.minutes, rows.values())
    outcomes = [remake(row, ROOT / REMADE) for row in chosen]
    print("; ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES))
    return 0 if AS_PUBLISHED in outcomes and DIFFERS not in outcomes else 1


if __name__ == "__main__":
    sys.exit(main())

"""Remake what the book publishes, and hold it to what is shipped.

    python tools/reproduce.py                  # what fits into an hour, the quickest first
    python tools/reproduce.py NAME [NAME ...]  # these rows of the table
    python tools/reproduce.py --list           # the table

The table is read from the repository: networks and sweeps from their folders in data/, other files
from `tools/data_readme.py`, chapters from their notebooks. A chapter has to print what it stores. A
network has to have the very weights of its shipped twin where versions and processor agree;
elsewhere rounding makes another network of the same kind of it, whose accuracy and widths have to
lie where the shipped seeds let a further one be expected. So do the networks of a sweep, and what
is measured of their layers. Tables that are measured on shipped networks have to be as they are
printed, or as close as rounding allows: `tools/agreement.py` compares.
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import ensemble
import nbformat
import numpy as np
from agreement import (
    NEAR,
    ONE_SEED_WIDTH,
    OUTSIDE,
    RARE,
    Differences,
    accuracy_interval,
    differences,
    layer_differences,
    printed_differences,
    spread_differences,
    sweep_differences,
    unchanged,
)
from chapter_facts import data_used, seconds
from data_readme import AS_PRINTED_WITH, LAYERS_MINUTES, MADE_BY, Made
from ship_runs import same_training

from ttfslib import Run, fit, load_run
from ttfslib.datasets import fetchers
from ttfslib.experiment._format import _versions as versions
from ttfslib.experiment._workers import run_sweep
from ttfslib.experiment.recipe import load_test_samples
from ttfslib.experiment.sweep import KEPT, Sweep
from ttfslib.experiment.table import TABLE, read_table


def _share(part: float) -> str:
    return f"{100 * part:.0f} %"


ROOT = Path(__file__).resolve().parents[1]
REMADE = Path("_build", "reproduced")
HOUR = 60.0
LAYERS = "layers.csv"
"""What `tools/ensemble.py` measures of a sweep, beside its table."""
AS_PRINTED = (
    f"as printed on {AS_PRINTED_WITH['processor']}; elsewhere {_share(1 - RARE)} of a column's "
    f"numbers within {_share(NEAR)} of its span"
)
CHECKED = "nbval-check-output"
AS_PUBLISHED, DIFFERS, NOT_COMPARED = "as published", "differs", "not compared"
OUTCOMES = (AS_PUBLISHED, DIFFERS, NOT_COMPARED)


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
    is_estimate : bool
        Whether the minutes are those of a part, scaled.
    """

    name: str
    kind: str
    shows: str
    command: str
    files: str
    minutes: float
    tolerance: str
    remake: Callable[[Path], Differences] | None
    is_estimate: bool = False

    @property
    def time(self) -> str:
        """Its CPU minutes, as they are printed."""
        if math.isnan(self.minutes):
            return "–"
        return f"about {self.minutes:.0f}" if self.is_estimate else f"{self.minutes:.1f}"


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


# Sweeps


def sweeps(root: Path) -> list[Entry]:
    """Each sweep whose file and table are shipped side by side."""
    folders = [path.parent for path in sorted((root / "data").rglob(KEPT))]
    return [_sweep(root, folder) for folder in folders if (folder / TABLE).is_file()]


def _sweep(root: Path, folder: Path) -> Entry:
    rows, where = read_table(folder / TABLE), folder.relative_to(root).as_posix()
    minutes = sum(float(row["cpu_minutes"]) for row in rows if row.get("cpu_minutes"))
    command, kept = f"ttfs sweep {where}/{KEPT} --out DIR", [f"{where}/{TABLE}"]
    tolerance = (
        f"{_share(1 - OUTSIDE)} of accuracies, decision times, widths and activities where those "
        "of their groups let expect them, none far outside, and so the means of groups and of all"
    )
    if (folder / LAYERS).is_file():
        command += f"; python tools/ensemble.py DIR {where}/{LAYERS}"
        kept.append(f"{where}/{LAYERS}")
        tolerance += "; so each measure of the layers"
        minutes += LAYERS_MINUTES.get(folder.name, 0.0)
    return Entry(
        name=folder.name,
        kind="sweep",
        shows=f"{len(rows)} networks in {len({row['group'] for row in rows})} groups",
        command=command,
        files="; ".join(kept),
        minutes=minutes,
        tolerance=tolerance,
        remake=partial(_sweep_again, folder),
    )


def _sweep_again(folder: Path, out: Path) -> Differences:
    remade = read_table(run_sweep(Sweep.from_toml(folder / KEPT), out))
    shipped = read_table(folder / TABLE)
    found = sweep_differences(remade, shipped)
    if (folder / LAYERS).is_file():
        ensemble.measure(str(out), out / LAYERS)
        layers = _rows(out / LAYERS), _rows(folder / LAYERS)
        found += layer_differences(*layers, unchanged(remade, shipped))
    return found


# Other files


def tables(root: Path) -> list[Entry]:
    """Each other file of data/, made as `tools/data_readme.py` tells."""
    return [
        _table(root / "data" / name, name, made)
        for name, made in MADE_BY.items()
        if (root / "data" / name).is_file()
    ]


def _table(shipped: Path, name: str, made: Made) -> Entry:
    command = re.search(r"`(python [^`]+)`", made.how)
    row = Entry(
        name=name.rpartition(".")[0],
        kind="table",
        shows=made.how,
        command=command[1] if command else "–",
        files=f"data/{name}",
        minutes=made.minutes,
        tolerance=f"not compared: {made.why_not}",
        remake=None,
        is_estimate=made.is_estimate,
    )
    if ablation := re.fullmatch(r"ablation_(\w+)\.csv", name):
        return replace(
            row,
            minutes=_minutes_of(shipped, ablation[1]),
            is_estimate=True,
            tolerance="each entry within the widest spread of its column over seeds",
            remake=partial(_ablation, shipped, ablation[1]),
        )
    if made.n_names:
        again = partial(_measure_again, shipped, made, row.command)
        return replace(row, tolerance=AS_PRINTED, remake=again)
    return row


def _measure_again(shipped: Path, made: Made, command: str, out: Path) -> Differences:
    """Run the tool of a table once more, and compare what it writes."""
    for name in made.needs:
        fetchers()[name]()  # or say at once that it is not here
    remade = out / shipped.name
    _run(command, shipped, remade)
    exact = versions() == AS_PRINTED_WITH
    return printed_differences(_rows(remade), _rows(shipped), made.n_names, exact=exact)


def _run(command: str, shipped: Path, remade: Path) -> None:
    """Run the command that makes a table, but let it write to another place."""
    remade.parent.mkdir(parents=True, exist_ok=True)
    words = command.removesuffix(shipped.relative_to(ROOT).as_posix()).split()[1:]
    last = [str(remade)] if command.endswith(".csv") else ["--out", str(remade)]
    subprocess.run([sys.executable, *words, *last], cwd=ROOT, check=True)


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
    remade = out / shipped.name
    _run(f"python tools/ablation.py {recipe}", shipped, remade)
    return spread_differences(_rows(remade), _rows(shipped))


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
    started = _cpu_minutes()
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
    print(f"{row.name}: {said} ({_cpu_minutes() - started:.2f} CPU minutes)", flush=True)
    return outcome


def _cpu_minutes() -> float:
    """Of this process and of those that it has waited for, in the system too."""
    return sum(os.times()[:4]) / 60


def shown(rows: Sequence[Entry]) -> str:
    """The table for a terminal."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:<{width}}{row.time:>10}  {row.command}" for row in rows)


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

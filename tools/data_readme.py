"""Write data/README.md: how each file in data/ was made, what it cost, and its checksum.

    python tools/data_readme.py           # write
    python tools/data_readme.py --check   # exit code 1 if what is written is out of date

Everything comes from the runs themselves. A run whose settings differ from its config is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from ship_runs import same_training

from ttfslib import Run, TrainingConfig, load_run

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
README = DATA / "README.md"

INTRODUCTION = """\
# What the book ships

Trained networks and small tables that the chapters load. `python tools/data_readme.py` writes this
page from the runs; `tests/test_data_readme.py` holds it to them.

## Runs

Each folder in `runs/` is one training, read by `ttfslib.load_run`; what its four files hold is told
in `ttfslib/experiment/_format.py`. Nothing of a data set is stored, neither images nor labels nor
spikes: `Run` computes spikes and measures from the weights and the data set, which for MNIST and
Fashion-MNIST has to be there or is downloaded once. Where MNIST cannot be had,
`ttfslib.book.shipped` shows the network scikit-learn's digits instead; for clothes nothing stands
in.
`ttfs train configs/NAME.toml --seed N --out DIR` makes the folder `NAME-seedN` again: bit for bit
where code, libraries and processor are the same, elsewhere as closely as a training allows that
amplifies the last digit. So the networks of `ensemble_fashion`, trained earlier with the settings
and seeds of `fashion-dale.toml` on another processor, are others than those in `runs/`. Minutes are
those of the machine on which it ran, whatever else it had to do: the MNIST runs had one thread each
and trained three at a time on two cores. CPU minutes add up all cores.
`benchmarks/training.py` says how long a training takes that has a machine to itself.
"""

TABLES = """\
## Tables

| file | how it was made |
|---|---|
"""


@dataclass(frozen=True)
class Made:
    """How a file of data/ was made, and what it takes to make it again.

    Attributes
    ----------
    how : str
        In Markdown, with the command if there is one.
    minutes : float
        Of CPU time, of the system too, as `ttfs reproduce NAME` tells them; NaN where no tool makes
        it, or where `tools/reproduce.py` estimates them.
    n_names : int
        So many of the first columns of a table name a row; 0 where it is not measured again.
    needs : tuple of str
        Data sets without which it would be another table.
    why_not : str
        Why it is not compared.
    is_estimate : bool
        Whether the minutes are those of a part of its rows, scaled.
    """

    how: str
    minutes: float = math.nan
    n_names: int = 0
    needs: tuple[str, ...] = ()
    why_not: str = ""
    is_estimate: bool = False


AS_PRINTED_WITH = {
    "ttfslib": "0.1.0",
    "python": "3.11.7",
    "numpy": "2.4.6",
    "numba": "0.68.1",
    "torch": "2.13.0+cpu",
    "processor": "znver5",
}
"""Versions and processor with which tables were measured again, and found to be as printed."""
BOTH = ("mnist", "fashion_mnist")
MADE_BY = {
    "halves.csv": Made("`python tools/halves.py`", 1.7, 6, BOTH),
    "ablation_digits.csv": Made("`python tools/ablation.py digits`"),
    "ablation_fashion.csv": Made(
        "what `python tools/ablation.py fashion` makes; these rows were read from the runs that "
        "the book ships, and from one that `ttfs train` had made with the same settings"
    ),
    "ablation_mnist.csv": Made(
        "what `python tools/ablation.py mnist` makes; these rows were read from runs that "
        "`ttfs train` had made with the same settings"
    ),
    "electrodes_mnist.csv": Made(
        "`python tools/electrodes.py`", 2.2, 8, ("mnist",), is_estimate=True
    ),
    "standard_tests_mnist.csv": Made(
        "`python tools/standard_tests.py`", 20.0, 10, ("mnist",), is_estimate=True
    ),
    "pathways.csv": Made("`python tools/pathways.py`", 1.6, 4, BOTH, is_estimate=True),
    "robustness_mnist.csv": Made("`python tools/robustness.py`", 0.9, 4, ("mnist",)),
    "ensemble_fashion/shipped.csv": Made(
        "`python tools/ensemble.py fashion-dale data/ensemble_fashion/shipped.csv`",
        0.4,
        4,
        ("fashion_mnist",),
    ),
    "peers.json": Made(
        "`python benchmarks/peers.py --out data/peers.json`, on a machine with nothing else to do",
        why_not="times of one machine, in a quarter of an hour, with libraries that have an "
        "environment of their own",
    ),
    "pages.json": Made(
        "`python benchmarks/pages.py --out data/pages.json`, after `make book`",
        minutes=6.0,
        is_estimate=True,
        why_not="frame times of a browser, on an idle machine",
    ),
    "plain_training.csv": Made("`python tools/plain_training.py`", 0.5, 3, ("mnist",)),
    "reference/paper_packets.json": Made(
        "widths of packets in those of the published networks that have four hidden layers, at "
        "several cuts and at equal counts of spikes",
        why_not="measures of networks that others published",
    ),
    "reference/paper_networks.json": Made(
        "taken by hand from the networks that Oberste-Frielinghaus et al. (2025), arXiv "
        "2508.12975, published with their paper: measures of their spike times, to compare with",
        why_not="measures of networks that others published",
    ),
}

ENSEMBLE = {
    "base.toml": "the settings that the sweep changes",
    "sweep.toml": "the file of the sweep",
    "sweep.csv": "`ttfs sweep data/{name}/sweep.toml --out DIR`",
    "layers.csv": "`python tools/ensemble.py DIR data/{name}/layers.csv`",
}

LAYERS_MINUTES = {
    "ensemble_digits": 0.5,
    "ensemble_fashion": 0.4,
    "ensemble_large": 1.5,
    "ensemble_mnist": 2.6,
}
"""CPU minutes in which `tools/ensemble.py` measures the networks of each sweep: about so many times
what it took for one."""

CHECKSUMS = """\
## Checksums

`sha256sum --check` in this folder takes the following lines.
"""


def page() -> str:
    """Text of data/README.md for what lies in data/ now."""
    files = [path for path in sorted(DATA.rglob("*")) if path.is_file() and path != README]
    names = [path.relative_to(DATA).as_posix() for path in files]
    tables = [f"| `{name}` | {_origin(name)} |" for name in names if not name.startswith("runs/")]
    sums = [f"{_sha256(path)}  {name}" for path, name in zip(files, names, strict=True)]
    runs = [load_run(path.parent) for path in files if path.name == "metrics.json"]
    parts = [INTRODUCTION, *_run_table(runs), "", TABLES + "\n".join(tables), "", CHECKSUMS]
    return "\n".join([*parts, "```text", *sums, "```", ""])


def _origin(table: str) -> str:
    folder, _, name = table.partition("/")
    if folder.startswith("ensemble_") and name in ENSEMBLE:
        return ENSEMBLE[name].format(name=folder)
    if table not in MADE_BY:
        raise ValueError(f"data/{table} has no entry in MADE_BY: say how it was made")
    return MADE_BY[table].how


def _run_table(runs: list[Run]) -> list[str]:
    head = ["run", "config", "seed", "epochs", "minutes", "CPU minutes", "test accuracy"]
    return [_row(head), _row(["---"] * 3 + ["---:"] * 4), *(_row(_cells(run)) for run in runs)]


def _cells(run: Run) -> list[str]:
    config = ROOT / "configs" / f"{run.config.name}.toml"
    if not same_training(run.config, TrainingConfig.from_toml(config)):
        raise ValueError(f"{run.path.name} was not made with {config.name} as it is now")
    minutes = [run.history[clock].sum() / 60 for clock in ("seconds", "cpu_seconds")]
    accuracy = f"{run.metrics['test_accuracy']:.2%}"
    counts = [str(run.seed), str(run.config.epochs), *(f"{m:.1f}" for m in minutes)]
    return [f"`{run.path.name}`", f"`{config.name}`", *counts, accuracy]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare only")
    check = parser.parse_args().check
    text = page()
    if check:
        current = README.is_file() and README.read_text(encoding="utf-8") == text
        print("up to date" if current else f"{README} is out of date: run tools/data_readme.py")
        return 0 if current else 1
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

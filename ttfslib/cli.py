"""The command `ttfs`: what the package does, from the shell.

A subcommand is one function that takes the parsed arguments, and one entry in `build_parser`.
A failure that the user can mend ends in one line on stderr and exit code 1, a misspelt command
in argparse's usage and exit code 2.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ttfslib
from ttfslib import _checks, _sources, datasets
from ttfslib._checkout import checkout
from ttfslib.experiment import configs

if TYPE_CHECKING:
    from ttfslib.experiment.runs import Run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the command's name; those of the process by default.

    Returns
    -------
    exit_code : int
        0 when all went well, 1 after a failure that was told in one line on stderr.

    Raises
    ------
    SystemExit
        By argparse, with code 0 after ``--help`` and ``--version``, 2 after a usage error.
    """
    arguments = build_parser().parse_args(argv)
    # Threads that wait should sleep: spinning ones stall each other wherever cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"ttfs: {_checks.printable(str(error))}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    except KeyboardInterrupt as interrupt:
        print(f"ttfs: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of `ttfs` with all its subcommands."""
    parser = argparse.ArgumentParser(
        prog="ttfs", description="Deep time-to-first-spike networks, from the book First Spikes."
    )
    parser.add_argument("--version", action="version", version=f"ttfs {ttfslib.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fetch = commands.add_parser(
        "fetch",
        help="download a data set, or check the one that is here",
        description=(
            "Find the files of a data set, check what they hold against the published checksums, "
            "and say where they are. They are used where they lie: in the folder that the variable "
            f"{_sources.DATA_VARIABLE} names, in the user's cache, or where torchvision, Keras or "
            "Debian have put them. What is missing is downloaded into the cache."
        ),
    )
    fetch.add_argument("dataset", choices=list(datasets.fetchers()), help="which data set")
    fetch.set_defaults(run=_fetch)

    train = commands.add_parser(
        "train",
        help="train a network and keep the run",
        description=(
            "Train the network of a TOML file and keep weights and measures in a folder. "
            "A checkpoint is written after each epoch; a training that was stopped, by Ctrl-C or "
            "in any other way, goes on with --resume and ends in the same weights."
        ),
    )
    train.add_argument(
        "config",
        metavar="CONFIG",
        help="TOML file, or the name of settings that `ttfs configs` lists",
    )
    train.add_argument("--seed", type=int, required=True, help="seed of all randomness, >= 0")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    train.add_argument("--resume", action="store_true", help="go on from the checkpoint in DIR")
    train.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to train")
    train.add_argument("--quiet", action="store_true", help="show no progress bar")
    train.set_defaults(run=_train)

    _add_sweep(commands)
    listing = commands.add_parser(
        "configs",
        help="list the settings that ship with the package",
        description="List the settings that `ttfs train` knows by name, and where their files are.",
    )
    listing.set_defaults(run=_configs)

    evaluate = commands.add_parser(
        "evaluate",
        help="run a trained network on its test samples",
        description="Recompute the test accuracy of a run and hold it to the one it published.",
    )
    evaluate.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    evaluate.set_defaults(run=_evaluate)

    again = commands.add_parser(
        "reproduce",
        help="remake what the book publishes, and compare",
        description=(
            "Make rows of the appendix `Reproducing everything` again and hold them to what is "
            "shipped; without NAME, the quickest rows that fit into an hour. It needs a clone of "
            "the book, in which it is called or from which ttfslib is installed."
        ),
    )
    again.add_argument("names", metavar="NAME", nargs="*", help="rows of the table; see --list")
    again.add_argument("--list", action="store_true", help="print names, CPU minutes and commands")
    again.set_defaults(run=_reproduce)

    check = commands.add_parser(
        "check",
        help="check the answers in a problem set",
        description=(
            "Run a problem set and say part by part what passes its checks. The exit code is 0 "
            "when all do."
        ),
    )
    check.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="file of the problem set")
    check.set_defaults(run=_check)

    show = commands.add_parser("show", help="summarise a run", description="Summarise a run.")
    show.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    show.set_defaults(run=_show)
    _add_export(commands)
    return parser


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser(
        "sweep",
        help="train many networks from one file",
        description=(
            "Train every network that a sweep's TOML file asks for, each in a folder of its own, "
            "and write sweep.csv. What is finished is skipped and what was begun goes on, so that "
            "the same command takes up a sweep that was stopped."
        ),
    )
    sweep.add_argument(
        "file",
        type=Path,
        metavar="SWEEP",
        nargs="?",
        help=(
            "TOML file, or the name of a sweep that the book ships, such as ensemble_digits; the "
            "file that DIR remembers by default"
        ),
    )
    sweep.add_argument("--out", type=Path, metavar="DIR", help="folder of the sweep")
    sweep.add_argument(
        "--workers", type=int, metavar="N", help="trainings at a time, one thread each"
    )
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="let a dask cluster do the trainings")
    sweep.add_argument("--quiet", action="store_true", help="show no progress bar")
    sweep.add_argument(
        "--status",
        action="store_true",
        help="say how far the sweep in DIR has come; DIR may stand in the place of SWEEP",
    )
    sweep.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="SWEPT",
        help="pool the tables of these sweeps, given as folders or files, in DIR/sweep.csv",
    )
    sweep.set_defaults(run=_sweep, refuse=sweep.error)


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="write spikes or network in a format of the field",
        description=(
            "Write the spikes of a run as a recording (nwb: units and trials; neo: a pickled "
            "Block), or its network (nir). Needs pip install 'ttfslib[export]'."
        ),
    )
    export.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    export.add_argument("out", type=Path, metavar="OUT", help="file to write")
    export.add_argument("--format", choices=["nwb", "neo", "nir"], required=True)
    export.add_argument("--epoch", type=int, metavar="N", help="state of the network; the last")
    export.add_argument(
        "--layers", type=int, nargs="+", metavar="L", help="layers, 0 for the input; all of them"
    )
    export.add_argument("--samples", type=int, metavar="N", help="the first N test samples; 100")
    export.add_argument("--tau-s-ms", type=float, default=10.0, help="tau_s in milliseconds; 10")
    export.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> None:
    from ttfslib.experiment.runs import load_run
    from ttfslib.export import export_run

    options: dict[str, Any] = {"epoch": arguments.epoch, "tau_s_ms": arguments.tau_s_ms}
    if arguments.layers is not None:
        options["layers"] = arguments.layers
    if arguments.samples is not None:
        options["samples"] = range(arguments.samples)
    print(export_run(load_run(arguments.folder), arguments.out, arguments.format, **options))


def _sweep(arguments: argparse.Namespace) -> None:
    from ttfslib.experiment import _jobs, _progress, _workers, sweep, table

    file, out = arguments.file, arguments.out
    is_file = file is None or (file.suffix == ".toml" and not file.is_dir())
    if out is None and arguments.status and not is_file:
        file, out = None, file
    if out is None:
        arguments.refuse("the following arguments are required: --out")
    if arguments.merge:
        print(table.merge(arguments.merge, out))
        return
    asked = sweep.Sweep.from_toml(sweep.description(file, out))
    if not arguments.status:
        written = _workers.run_sweep(
            asked,
            out,
            n_workers=arguments.workers,
            scheduler=arguments.scheduler,
            progress=not arguments.quiet,
        )
        print(written)
    print(_progress.report(asked, out))
    failed = len(_jobs.status(asked.jobs, out)["failed"])
    if failed and not arguments.status:
        raise ValueError(f"{failed} of {len(asked.jobs)} trainings failed")


def _fetch(arguments: argparse.Namespace) -> None:
    for path in dict.fromkeys(datasets.fetchers()[arguments.dataset]()):
        print(path)


def _configs(_arguments: argparse.Namespace) -> None:
    width = max(map(len, configs.names()), default=0)
    for name in configs.names():
        print(f"{name:<{width}}  {configs.find(name)}")


def _train(arguments: argparse.Namespace) -> None:
    from ttfslib.experiment.config import TrainingConfig
    from ttfslib.experiment.training import fit

    config = TrainingConfig.from_toml(configs.find(arguments.config))
    try:
        run = fit(
            config,
            arguments.seed,
            arguments.out,
            resume=arguments.resume,
            progress=not arguments.quiet,
            device=arguments.device,
        )
    except KeyboardInterrupt:
        again = ["ttfs", "train", str(arguments.config), "--seed", str(arguments.seed)]
        again += ["--out", str(arguments.out), "--resume"]
        again += [] if arguments.device == "cpu" else ["--device", arguments.device]
        raise KeyboardInterrupt(f"stopped; go on with: {shlex.join(again)}") from None
    print(summary(run))


def _evaluate(arguments: argparse.Namespace) -> None:
    from ttfslib.experiment.runs import load_run

    run = load_run(arguments.folder)
    found, published = run.evaluate(), run.metrics["test_accuracy"]
    print(f"test accuracy {found.accuracy:.2%} (published: {published:.2%})")


def _reproduce(arguments: argparse.Namespace) -> None:
    tool = checkout() / "tools" / "reproduce.py"
    command = [sys.executable, str(tool), *arguments.names, *["--list"] * arguments.list]
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(code)


def _check(arguments: argparse.Namespace) -> None:
    from ttfslib import course

    parts = course.check(arguments.notebook)
    print(course.report(parts))
    failed = [part.name for part in parts if part.passed is False]
    if failed:
        raise ValueError(f"checks do not pass yet: {', '.join(failed)}")


def _show(arguments: argparse.Namespace) -> None:
    from ttfslib.experiment.runs import load_run

    print(summary(load_run(arguments.folder)))


def summary(run: Run) -> str:
    """Say in a few lines what a run is and what came out."""
    config, metrics, history = run.config, run.metrics, run.history
    dale = "free signs" if config.excitatory_share is None else "Dale's law"
    layers = metrics["layers"]
    names = ["input", *(f"hidden {i}" for i in range(1, len(config.hidden) + 1)), "output"]
    decided = _figure(metrics["decision_time_median"])
    accuracies = ", ".join(
        f"{part} {value:.2%}"
        for part, value in {
            "test": metrics["test_accuracy"],
            "validation": history["validation_accuracy"][-1],
            "training": history["train_accuracy"][-1],
        }.items()
    )
    hidden = "-".join(map(str, config.hidden))
    lines = [
        f"{config.name}, seed {run.seed}: {config.dataset.name}, hidden {hidden}, {dale}",
        f"{config.epochs} epochs in {metrics['seconds'] / 60:.1f} min",
        f"accuracy: {accuracies}",
        f"decision: median {decided} tau_s, {metrics['n_undecided']} samples undecided",
        f"{'layer':<10}{'activity':>10}{'shorth':>10}{'silent':>10}",
    ]
    columns = zip(names, layers["activity"], layers["shorth"], metrics["silent"], strict=True)
    lines += [
        f"{name:<10}{_figure(activity):>10}{_figure(shorth):>10}{silent:>10.3f}"
        for name, activity, shorth, silent in columns
    ]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

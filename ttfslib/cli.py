"""The command `ttfs`: what the package does, from the shell.

A subcommand is one function that takes the parsed arguments, and one entry in `build_parser`.
A failure that the user can mend ends in one line on stderr and exit code 1, a misspelt command
in argparse's usage and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import ttfslib
from ttfslib import datasets

FETCHERS = {"mnist": datasets.fetch_mnist}


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
    try:
        arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"ttfs: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ttfs: interrupted", file=sys.stderr)
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
            "Download a data set once and check it against the published checksums. Files "
            f"in the folder that the variable {datasets.DATA_VARIABLE} names are used where they "
            "lie; everything else goes into the user's cache."
        ),
    )
    fetch.add_argument("dataset", choices=list(FETCHERS), help="which data set")
    fetch.set_defaults(run=_fetch)
    return parser


def _fetch(arguments: argparse.Namespace) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # what was fetched is said below, in one place
    for path in FETCHERS[arguments.dataset]():
        print(path)

"""Tables of `data` that are made by long computations."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ttfslib import _files

Row = TypeVar("Row")


def path_from_arguments(about: str | None, usual: Path) -> Path:
    """Where the command line wants a table written: what `--out` names, or the usual place."""
    parser = argparse.ArgumentParser(description=str(about).splitlines()[0])
    parser.add_argument("--out", type=Path, default=usual, help="where to write it instead")
    return Path(parser.parse_args().out)


def write(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a whole table, or leave what is there."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([list(columns), *rows])
    _files.write(path, table.getvalue())


def complete(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Row],
    key: Callable[[Row], tuple[str, ...]],
    measure: Callable[[Row], list[str]],
) -> None:
    """Add the rows that a table lacks, each as soon as it is there, and put all in order.

    Parameters
    ----------
    path : Path
        Where an interrupted run left off, the next one goes on.
    columns : sequence of str
        Those of `key` first, then those of `measure`.
    rows : iterable
    key, measure : callable
        Cells of a row: those that name it, and those that take long.
    """
    wanted = {key(row): row for row in rows}
    done = _found(path, len(next(iter(wanted))))
    if not done:
        write(path, columns, [])
    for names, row in wanted.items():
        if names not in done:
            done[names] = [*names, *measure(row)]
            with path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(done[names])
    write(path, columns, [done[names] for names in wanted])


def _found(path: Path, n_names: int) -> dict[tuple[str, ...], list[str]]:
    """The rows of a table by the cells that name them."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {tuple(row[:n_names]): row for row in list(csv.reader(file))[1:]}

"""Sphinx extension: tables that are read from the repository when the book is built.

`{reproduce-table}` has all that is published, `{peers-table}` the benchmark against peers,
`{pages-table}` that of the pages that compute, and `{minutes-table}` the time that chapters and
problem sets take.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agreement
import minutes
import reproduce
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

KINDS = {
    "chapter": "**Chapters**: `make execute CHAPTER=chapters/NAME.ipynb`",
    "network": "**Trained networks**: `ttfs train CONFIG --seed N --out CONFIG-seedN`",
    "sweep": "**Sweeps**: `ttfs sweep FOLDER/sweep.toml --out DIR`",
    "table": "**Other tables**",
}
"""What stands above the table of each kind: how its rows are made."""
INTERVALS = (
    f"Intervals are Student's prediction intervals of {agreement.LEVEL:.0%} for one further seed. "
    "Where a single seed is shipped, its accuracy may be missed by "
    f"{100 * agreement.ONE_SEED_ACCURACY:.0f} percentage points, and its widths by "
    f"{agreement.ONE_SEED_WIDTH:.0%}."
)


class Generated(SphinxDirective):
    """A directive that stands for some Markdown."""

    def markdown(self) -> list[str]:
        """Lines that it stands for."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse them as a part of the page."""
        box = nodes.container()
        lines = self.markdown()
        self.state.nested_parse(StringList(lines, self.env.docname), self.content_offset, box)
        return box.children


class ReproduceTable(Generated):
    """Everything published: what makes it, from what, in what time, and how well it agrees."""

    def markdown(self) -> list[str]:
        """One table for each kind."""
        rows = reproduce.entries(Path(self.env.srcdir))
        lines = [INTERVALS, ""]
        for kind, told in KINDS.items():
            if of_kind := [row for row in rows if row.kind == kind]:
                lines += [told, "", *_table(_HEAD, map(_cells, of_kind)), ""]
        return lines


class Measured(Generated):
    """What a benchmark has measured last."""

    benchmark = ""
    """Name of the script in `benchmarks`, and of its results in `data`."""

    def table(self, measured: dict[str, Any]) -> list[str]:
        """Lines of Markdown for the results."""
        raise NotImplementedError

    def markdown(self) -> list[str]:
        """The table, and on what it was measured."""
        path = Path(self.env.srcdir, "data", f"{self.benchmark}.json")
        self.env.note_dependency(str(path))
        if path.is_file():
            return self.table(json.loads(path.read_text("utf-8")))
        command = f"benchmarks/{self.benchmark}.py --out"
        return [f"*This copy holds no data/{path.name}: run `{command}` with it.*"]


class PeersTable(Measured):
    """One step of training, here and in other libraries."""

    benchmark = "peers"

    def table(self, measured: dict[str, Any]) -> list[str]:
        """A row for each library."""
        return peers_table(measured)


class PagesTable(Measured):
    """The pages that compute, driven for minutes."""

    benchmark = "pages"

    def table(self, measured: dict[str, Any]) -> list[str]:
        """A row for each page."""
        return pages_table(measured)


class MinutesTable(Generated):
    """The minutes that chapters and problem sets take."""

    def markdown(self) -> list[str]:
        """A row for each."""
        root = Path(self.env.srcdir)
        for path in (path for kind in minutes.sources(root) for path in kind):
            self.env.note_dependency(str(path))
        return _table(("chapter or problem set", "to read", "to work on"), minutes.rows(root))


_HEAD = ("NAME", "what", "data", "CPU minutes", "tolerance")


def _cells(row: reproduce.Entry) -> list[str]:
    return [f"`{row.name}`", row.shows, row.files, row.time, row.tolerance]


def peers_table(measured: dict[str, Any]) -> list[str]:
    """Lines of Markdown for the results of the benchmark."""
    head = (
        *("library", "version", "batch", "1 thread", "2 threads"),
        *("error, first layer", "last", "wrong in number, last"),
    )
    names = list(dict.fromkeys(row["name"] for row in measured["rows"]))
    by_name = {n: [r for r in measured["rows"] if r["name"] == n] for n in names}
    layers = "–".join(map(str, measured["sizes"]))
    return [
        *_table(head, (_peer(name, rows) for name, rows in by_name.items())),
        "",
        f"Network: {layers}, on {measured['data']}; processor: {measured['machine']}; "
        + ", ".join(f"{name} {number}" for name, number in measured["versions"].items() if number)
        + f"; load of the machine before: {measured['load']:.1f}.",
    ]


def _peer(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    alone, pair = ({**r} for r in sorted(rows, key=lambda row: row["threads"]))
    if "failed" in alone:
        return [name, *["–"] * 7]
    times = [f"{row['ms']:.2f} ms" if "ms" in row else "–" for row in (alone, pair)]
    errors = [_error(alone[f"error_{layer}"]) for layer in ("first", "last")]
    wrong = f"{100 * alone['disagree_last']:.1f} %"
    return [name, str(alone["version"]), str(alone["batch"]), *times, *errors, wrong]


def pages_table(measured: dict[str, Any]) -> list[str]:
    """Lines of Markdown for the results of the benchmark of the pages that compute."""
    head = (
        *("page", "moves", "pictures a second", "script, a move", "all that the page does"),
        *("memory", "nodes", "listeners"),
    )
    told = (
        f"{measured['minutes']:.0f} minutes a page; Chromium {measured['chromium']}; processor: "
        f"{measured['machine']}; load of the machine before: {measured['load']:.1f}."
    )
    return [*_table(head, starmap(_page, measured["pages"].items())), "", told]


def _page(name: str, row: dict[str, Any]) -> list[str]:
    first, last = row["memory"][:2][-1], row["memory"][-1]  # from the first minute on
    costs = [f"{row[k]['median']:.1f} ms ({row[k]['p99']:.1f})" for k in ("script_ms", "busy_ms")]
    counts = [f"{first[key]} → {last[key]}" for key in ("nodes", "listeners")]
    before, after = (found["heap_mb"] + found["worker_mb"] for found in (first, last))
    frames = f"{1000 / row['frame_ms']['median']:.0f} ({1000 / row['frame_ms']['p99']:.0f})"
    return [name, str(row["moves"]), frames, *costs, f"{before:.1f} → {after:.1f} MB", *counts]


def _error(value: float) -> str:
    return "none" if value == 0 else f"{value:.1g}"


def _table(head: Sequence[str], rows: Any) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("reproduce-table", ReproduceTable)
    app.add_directive("peers-table", PeersTable)
    app.add_directive("pages-table", PagesTable)
    app.add_directive("minutes-table", MinutesTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

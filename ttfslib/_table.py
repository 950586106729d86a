"""A table that a notebook shows as HTML and a terminal as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape


class Table:
    """A table that a notebook shows as HTML and a terminal as text; made by `table`."""

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]):
        self._head, self._rows, self._numeric = list(head), [list(row) for row in rows], numeric

    def __repr__(self) -> str:
        lines = [self._head, *self._rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if numeric else cell.ljust(width)
                for cell, width, numeric in zip(line, widths, self._numeric, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        kinds = [' class="number"' if numeric else "" for numeric in self._numeric]
        head = "".join(
            f'<th scope="col"{kind}>{_with_subscripts(cell)}</th>'
            for cell, kind in zip(self._head, kinds, strict=True)
        )
        body = "\n".join(self._html_row(row, kinds) for row in self._rows)
        return (
            f'<table class="table ttfs-table">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody>\n</table>"
        )

    @staticmethod
    def _html_row(row: Sequence[str], kinds: Sequence[str]) -> str:
        first, *others = row
        cells = "".join(
            f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(others, kinds[1:], strict=True)
        )
        return f'<tr><th scope="row"{kinds[0]}>{escape(first)}</th>{cells}</tr>'


def _with_subscripts(head: str) -> str:
    """HTML of a head, in which ``τ_s`` is a letter with a subscript."""
    return re.sub(r"(?<!\w)(\w)_(\w)(?!\w)", r"\1<sub>\2</sub>", escape(head))

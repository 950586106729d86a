"""Sphinx extension: in each chapter, the first use of a term leads to the glossary.

The terms are those of the glossary itself. A chapter that links a term by hand keeps that link.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

GLOSSARY = Path("chapters", "notation.md")
# Where a link would be one too many, or no part of the running text.
CLOSED = (
    *(nodes.title, nodes.reference, nodes.literal, nodes.math, nodes.caption, nodes.raw),
    *(addnodes.pending_xref, addnodes.literal_strong, nodes.system_message),
)


@cache
def terms(glossary: Path) -> list[str]:
    """Terms that a page explains in its ``{glossary}``, the longest first."""
    text = glossary.read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```\{glossary\}\n(.*?)^```", text)
    found = [line.strip() for block in blocks for line in re.findall(r"(?m)^\S.*$", block)]
    return sorted(found, key=len, reverse=True)


@cache
def pattern(term: str) -> re.Pattern[str]:
    """What a term looks like in the text: with any first letter, in the singular or plural."""
    stem = r"\s+".join(map(re.escape, term[1:].split(" ")))
    return re.compile(rf"(?<![\w-])[{term[0].upper()}{term[0].lower()}]{stem}s?(?![\w-])")


def link_first_uses(app: Sphinx, doctree: nodes.document) -> None:
    """Turn the first use of each term in a chapter into a link."""
    if Path(app.env.doc2path(app.env.docname)).suffix != ".ipynb":
        return
    by_hand = {
        node["reftarget"].lower()
        for node in doctree.findall(addnodes.pending_xref)
        if node.get("reftype") == "term"
    }
    for term in terms(Path(app.srcdir) / GLOSSARY):
        if term.lower() not in by_hand:
            _link_first(doctree, term, app.env.docname)


def _link_first(doctree: nodes.document, term: str, docname: str) -> None:
    for text in doctree.findall(nodes.Text):
        said = text.astext()
        if (found := pattern(term).search(said)) and _is_open(text):
            link = addnodes.pending_xref(
                "",
                nodes.inline("", found[0], classes=["std", "std-term"]),
                refdomain="std",
                reftype="term",
                reftarget=term,
                refdoc=docname,
                refexplicit=True,
                refwarn=True,
            )
            parts = (nodes.Text(said[: found.start()]), link, nodes.Text(said[found.end() :]))
            text.parent.replace(text, [part for part in parts if part.astext()])
            return


def _is_open(text: nodes.Text) -> bool:
    """Say whether a text stands in a paragraph of its own, and in nothing closed."""
    node, in_paragraph = text.parent, False
    while node is not None:
        if isinstance(node, CLOSED):
            return False
        in_paragraph |= isinstance(node, nodes.paragraph)
        node = node.parent
    return in_paragraph


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the step."""
    app.connect("doctree-read", link_first_uses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

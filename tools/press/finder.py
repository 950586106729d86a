"""Search in sections: `finder.js` looks through the text that is gathered here.

What is found is a section, so a hit opens where the word stands; the text holds words and symbols,
no TeX. Sphinx's own index knows pages only, and reads them over the network to show a passage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from press.equations import typeset

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_MATHML = re.compile(r"<math.*?</math>", re.DOTALL)
_UNREAD = (
    nodes.literal_block,
    nodes.doctest_block,
    addnodes.desc_signature,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    nodes.image,
    nodes.title,
)

_sections: list[dict[str, str]] = []


def words(node: nodes.Node) -> Iterator[str]:
    """Yield what a reader reads in `node`, without the sections and entries inside it."""
    if isinstance(node, nodes.Text):
        yield node.astext()
    elif isinstance(node, nodes.math):
        found = _MATHML.search(typeset(node.astext(), False).markup)
        yield re.sub(r"<[^>]+>", "", found[0]) if found else ""
    elif not isinstance(node, _UNREAD) and not _has_its_own_hit(node):
        for child in node.children:
            yield from words(child)
        if isinstance(node, nodes.TextElement) and not isinstance(node, nodes.Inline):
            yield " "


def _has_its_own_hit(node: nodes.Node) -> bool:
    return isinstance(node, addnodes.desc) or (
        isinstance(node, nodes.section) and bool(node["ids"])
    )


def _anchor(node: nodes.Element) -> str:
    """Return the id of a section or of an entry of the reference."""
    holder = node[0] if isinstance(node, addnodes.desc) else node
    assert isinstance(holder, nodes.Element)
    return holder["ids"][0] if holder["ids"] else ""


def _title(node: nodes.Element) -> str:
    if isinstance(node, addnodes.desc):
        names = node[0].findall(addnodes.desc_name)  # type: ignore[union-attr]
        return "".join(name.astext() for name in names)
    title = next(node.findall(nodes.title), None)
    return "".join(w for child in title.children for w in words(child)) if title else ""


def _gather(
    app: Sphinx, page: str, _template: str, _context: dict[str, Any], tree: nodes.document | None
) -> None:
    if tree is None:
        return
    numbers = app.env.toc_secnumbers.get(page, {})
    chapter = ""
    for node in tree.findall(_has_its_own_hit):
        assert isinstance(node, nodes.Element)
        anchor = _anchor(node)
        number = numbers.get(f"#{anchor}") or (numbers.get("") if not chapter else None)
        number_text = ".".join(map(str, number)) + ". " if number else ""
        title = number_text + _title(node)
        chapter = chapter or title
        text = " ".join("".join(w for child in node.children for w in words(child)).split())
        place = {"page": f"{page}.html", "chapter": chapter, "anchor": anchor}
        _sections.append(place | {"title": title, "text": text})


def _pages(_app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    yield "search", {"title": "Search"}, "search.html"


def _no_other_index(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]
    _sections.clear()


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        text = json.dumps(_sections, ensure_ascii=False, separators=(",", ":"))
        target = Path(app.outdir, "_static", "finder-sections.js")
        target.write_text(f"const SECTIONS = {text};\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the steps."""
    app.connect("builder-inited", _no_other_index)
    app.connect("html-page-context", _gather)
    app.connect("html-collect-pages", _pages)
    app.connect("build-finished", _write)

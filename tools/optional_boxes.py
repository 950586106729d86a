"""Sphinx extension: code cells inside an optional box.

A directive cannot reach over the end of a notebook cell. So a box is an ordinary ``dropdown`` that
closes a text cell, and the code cells after it that carry the tag ``in-box`` move into it. Where
this extension is unknown, as in JupyterLab, such cells simply stand below the box.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

TAG = "tag_in-box"


class MoveIntoBox(SphinxTransform):
    """Append every cell with the tag to the dropdown right before it."""

    default_priority = 250  # before figures are numbered and references resolved

    def apply(self, **_: Any) -> None:
        """Move the cells of one page."""
        for cell in list(self.document.findall(_is_tagged)):
            siblings = cell.parent.children
            place = siblings.index(cell)
            box = siblings[place - 1] if place else None
            if isinstance(box, nodes.Element) and box.get("design_component") == "dropdown":
                cell.parent.remove(cell)
                box.append(cell)
            else:
                logging.getLogger(__name__).warning(
                    "a cell with the tag in-box must follow a dropdown", location=cell
                )


def _is_tagged(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and TAG in node.get("classes", ())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_transform(MoveIntoBox)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

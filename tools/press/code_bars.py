"""Folded code and folded solutions: one bar each, named for what it hides.

A figure is often made by several hidden cells in a row. They are shown as one piece of code under
one bar, "Code of Fig. 8.1". Bars are the browser's own `<details>`, so they need no script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

FOLDED = ("input", "input+output", "all")


class Fold(nodes.Element):
    """A box that is folded until the reader opens it."""


class FoldTitle(nodes.Element):
    """The line of a folded box that one always sees."""


def _is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def _is_folded(node: nodes.Node) -> bool:
    return _is_cell(node) and node.get("hide_mode") in FOLDED and bool(node.children)  # type: ignore[attr-defined]


def _part(cell: nodes.Element, name: str) -> nodes.Element | None:
    parts = (child for child in cell.children if child.get("nb_element") == f"cell_code_{name}")  # type: ignore[attr-defined]
    return next(parts, None)  # type: ignore[arg-type]


class MergeFoldedCells(SphinxPostTransform):
    """Put folded cells that follow one another under one bar, and name it."""

    default_priority = 198  # just before myst-nb makes the bars
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Merge, then name."""
        cells = [node for node in self.document.findall(nodes.container) if _is_folded(node)]
        for cell in cells:
            following = cell.next_node(siblings=True, descend=False)
            if _part(cell, "output") is None and following is not None and _is_folded(following):
                assert isinstance(following, nodes.Element)
                self._prepend(cell, following)
            else:
                self._name(cell)

    @staticmethod
    def _prepend(cell: nodes.Element, following: nodes.Element) -> None:
        source, target = _part(cell, "source"), _part(following, "source")
        if source is not None and target is not None:
            for child in reversed(source.children):
                target.insert(0, child)
            cell.parent.remove(cell)

    def _name(self, cell: nodes.Element) -> None:
        name = f"Code of {self._shown(cell)}"
        cell["prompt_show"] = cell["prompt_hide"] = name

    def _shown(self, cell: nodes.Element) -> str:
        figure = next(cell.findall(nodes.figure), None)
        if figure is not None:
            numbers = self.env.toc_fignumbers.get(self.env.docname, {}).get("figure", {})
            number = next((numbers[name] for name in figure["ids"] if name in numbers), None)
            return f"Fig.\u00a0{'.'.join(map(str, number))}" if number else "this figure"
        return "what follows" if _part(cell, "output") is None else "this result"


class FoldSolutions(SphinxPostTransform):
    """Turn each solution that starts folded into a box that opens without a script.

    The title was a link to the exercise: a click on it would jump away and open nothing.
    """

    default_priority = 210  # after sphinx-exercise has resolved the titles
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Fold solutions, and free their sections of ids that occur more than once."""
        for box in list(self.document.findall(_is_box)):
            for section in box.findall(nodes.section):
                section["ids"] = []
            if isinstance(box, solution_node) and "dropdown" in box["classes"]:
                self._fold(box)

    @staticmethod
    def _fold(box: nodes.Element) -> None:
        title = box.children[0]
        for link in list(title.findall(nodes.reference)):
            link.replace_self(link.children)
        folded = Fold("", ids=box["ids"], classes=["solution", "admonition"])
        folded += FoldTitle("", *title.children)
        folded.extend(box.children[1:])
        box.replace_self(folded)


def _is_box(node: nodes.Node) -> bool:
    return isinstance(node, solution_node | exercise_node | exercise_enumerable_node)


def _open_bar(self: HTML5Translator, node: HideCodeCellNode) -> None:
    self.body.append(self.starttag(node, "details", CLASS="code-bar"))
    self.body.append(f"<summary>{node['prompt_show']}</summary>\n")


def _open_fold(self: HTML5Translator, node: Fold) -> None:
    self.body.append(self.starttag(node, "details"))


def _close_details(self: HTML5Translator, _node: nodes.Element) -> None:
    self.body.append("</details>\n")


def _open_title(self: HTML5Translator, node: FoldTitle) -> None:
    self.body.append(self.starttag(node, "summary", "", CLASS="admonition-title"))


def _close_title(self: HTML5Translator, _node: FoldTitle) -> None:
    self.body.append("</summary>\n")


def setup(app: Sphinx) -> None:
    """Register the transforms and how their nodes are written."""
    app.add_node(Fold, html=(_open_fold, _close_details))
    app.add_node(FoldTitle, html=(_open_title, _close_title))
    app.add_node(HideCodeCellNode, override=True, html=(_open_bar, _close_details))
    app.add_post_transform(MergeFoldedCells)
    app.add_post_transform(FoldSolutions)

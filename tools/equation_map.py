"""Sphinx extension: from every numbered equation to its symbols, code, tests and uses, and back.

Nothing of the map is written by hand. Equations and uses are read from the pages, symbols from the
tables of the notation, code from what the sources of `ttfslib` cite (``Eq. 2.3`` or the label), and
tests from `tests/test_equations.py`: one for each equation by its name, further ones by its table.
What cites an equation that does not exist, or uses one that has no test, is a warning, and so stops
the build.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = ROOT / "ttfslib", ROOT / "tests"
NUMBER = r"[1-9A-Z]\d?\.\d+"
CITATION = re.compile(rf"Eqs?\.\s+({NUMBER}(?:(?:,| and)\s+{NUMBER})*)|\b(eq-\w(?:[\w-]*\w)?)")
NOTATION = "notation"
logger = logging.getLogger(__name__)

Definition = ast.FunctionDef | ast.ClassDef


# What the sources say


def citations(text: str) -> set[str]:
    """Numbers and labels of the equations that a text cites."""
    found: set[str] = set()
    for numbers, label in CITATION.findall(text):
        found |= {label} if label else set(re.findall(NUMBER, numbers))
    return found


def cited_by(package: Path) -> dict[str, set[str]]:
    """What each module, function and class of a package cites, by its full name."""
    cites: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        module = ".".join(part for part in parts if part != "__init__")
        text = path.read_text(encoding="utf-8")
        tree, lines = ast.parse(text), text.splitlines()
        cites[module] = citations(ast.get_docstring(tree) or "")
        for node in tree.body:
            if isinstance(node, Definition):
                source = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                cites[f"{module}.{node.name}"] = citations(source)
    return {name: found for name, found in cites.items() if found}


@dataclass(frozen=True)
class Test:
    """A test and its source."""

    module: str
    name: str
    source: str


def tests_of(folder: Path) -> dict[str, list[Test]]:
    """Tests of each equation by its label."""
    tree = ast.parse((folder / "test_equations.py").read_text(encoding="utf-8"))
    table: dict[str, tuple[list[str], list[str]]] = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EQUATIONS"
    )
    tests = {}
    for label, (_, further) in table.items():
        own = f"test_equations::test_{label.replace('-', '_')}"
        tests[label] = [_test(folder, *name.split("::")) for name in (own, *further)]
    return tests


def _test(folder: Path, module: str, name: str) -> Test:
    sources = _functions(folder / f"{module}.py")
    if name not in sources:
        raise ValueError(f"tests/{module}.py has no {name}, which an equation names as its test")
    return Test(module, name, sources[name])


@cache
def _functions(path: Path) -> dict[str, str]:
    """Source of each function of a module, decorators and all."""
    text = path.read_text(encoding="utf-8")
    lines, sources = text.splitlines(), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            sources[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return sources


# What the pages say


@dataclass
class Page:
    """What a page has of the map."""

    defined: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Label: the formula, and the title of its section."""
    used: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Label: id and title of the first section that refers to it."""
    symbols: dict[str, list[tuple[list[nodes.Node], list[nodes.Node]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Label: symbols and what they mean."""


def read_page(app: Sphinx, doctree: nodes.document) -> None:
    """Note the equations of a page, its references to others, and the symbols it explains."""
    page = Page()
    for block in doctree.findall(nodes.math_block):
        if block.get("label"):
            page.defined[block["label"]] = (block.astext(), _section(block)[1])
    for reference in _equation_references(doctree):
        page.used.setdefault(reference["reftarget"], _section(reference))
    if app.env.docname.endswith(NOTATION):
        for row in doctree.findall(nodes.row):
            symbol, meaning = (list(entry.children[0].children) for entry in row.children[:2])
            for reference in _equation_references(row):
                page.symbols[reference["reftarget"]].append((symbol, _without_references(meaning)))
    _pages(app.env)[app.env.docname] = page


def _equation_references(tree: nodes.Element) -> Iterator[addnodes.pending_xref]:
    for reference in tree.findall(addnodes.pending_xref):
        if reference.get("reftype") == "eq":
            yield reference


def _section(node: nodes.Node) -> tuple[str, str]:
    while not (isinstance(node, nodes.section) and isinstance(node[0], nodes.title)):
        node = node.parent
    return node["ids"][0], node[0].astext()


def _without_references(meaning: list[nodes.Node]) -> list[nodes.Node]:
    """Copy a text without the equations to which it refers in brackets."""
    kept: list[nodes.Node] = []
    after_reference = False
    for node in meaning:
        if isinstance(node, nodes.Text):
            text = re.sub(r"\s*\($", "", node.astext())
            text = re.sub(r"^[,)]\s*", "", text) if after_reference else text
            kept += [nodes.Text(text)] if text else []
        elif not isinstance(node, addnodes.pending_xref):
            kept.append(node.deepcopy())
        after_reference = isinstance(node, addnodes.pending_xref)
    return kept


def _pages(env: BuildEnvironment) -> dict[str, Page]:
    return vars(env).setdefault("equation_pages", {})  # type: ignore[no-any-return]


def forget_page(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what is known of a page that is read anew."""
    _pages(env).pop(docname, None)


# The map


class MapPlace(nodes.General, nodes.Element):
    """Where the map goes, once all pages are read."""


class EquationMap(SphinxDirective):
    """The map of all numbered equations."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark for `fill_in`."""
        _map_page(self.env, self.env.docname)
        return [MapPlace()]


def _map_page(env: BuildEnvironment, docname: str | None = None) -> str | None:
    """Return which page has the map, once that is known."""
    if docname:
        vars(env)["equation_map_page"] = docname
    return vars(env).get("equation_map_page")


class Atlas:
    """All that is known, and links from one page to everywhere."""

    def __init__(self, app: Sphinx, here: str) -> None:
        self.app, self.env, self.here = app, app.env, here
        self.pages = {name: _pages(app.env)[name] for name in self._in_order()}
        self.home = {label: name for name, page in self.pages.items() for label in page.defined}
        self.number = {label: self._number(label) for label in self.home}
        self.tests = tests_of(TESTS)
        self.code = self._resolved(cited_by(PACKAGE))

    def _in_order(self) -> list[str]:
        """Numbered chapters in the order of the contents."""
        numbers = {
            name: next(iter(sections.values()))
            for name, sections in self.env.toc_secnumbers.items()
            if sections
        }
        return sorted((name for name in _pages(self.env) if name in numbers), key=numbers.get)  # type: ignore[arg-type]

    def _number(self, label: str) -> str:
        shown = self.env.toc_fignumbers[self.home[label]]["displaymath"][f"equation-{label}"]
        return ".".join(map(str, shown))

    def _resolved(self, cites: dict[str, set[str]]) -> dict[str, list[str]]:
        """Labels for what each name of the code cites, in the order of the book."""
        label_of = {number: label for label, number in self.number.items()}
        resolved = {}
        for name, found in cites.items():
            labels = {label_of.get(each, each) for each in found}
            for label in sorted(labels - set(self.home)):
                logger.warning("%s cites %s, which no chapter has", name, label)
            for label in sorted(labels & set(self.home) - set(self.tests)):
                logger.warning("%s uses %s, which has no test", name, label)
            resolved[name] = [label for label in self.home if label in labels]
        return resolved

    def link(self, page: str, anchor: str, *shown: nodes.Node) -> nodes.reference:
        """A reference from this page to an anchor of another."""
        uri = self.app.builder.get_relative_uri(self.here, page)
        link = nodes.reference("", "", *shown, internal=True, refuri=f"{uri}#{anchor}")
        link["classes"].append("fs-eq-target")
        return link

    def equation(self, label: str) -> nodes.reference:
        """A reference to an equation."""
        text = nodes.Text(f"Eq. {self.number[label]}")
        return self.link(self.home[label], f"equation-{label}", text)

    def function(self, name: str) -> nodes.Node:
        """A name of the package, and a reference where the reference page has it."""
        shown = nodes.literal("", name.removeprefix(f"{PACKAGE.name}."))
        known = self.env.get_domain("py").objects.get(name)  # type: ignore[attr-defined]
        return self.link(known.docname, known.node_id, shown) if known else shown

    def section(self, name: str, anchor: str, title: str) -> nodes.reference:
        """A reference to a section, by its number and title."""
        numbers = self.env.toc_secnumbers[name]
        number = numbers.get(f"#{anchor}", numbers[""])
        return self.link(name, anchor, nodes.Text(f"{'.'.join(map(str, number))} {title}"))

    def uses(self, label: str) -> list[nodes.Node]:
        """References to the first section of each page that refers to an equation."""
        return [
            self.section(name, *page.used[label])
            for name, page in self.pages.items()
            if label in page.used
        ]

    def row(self, label: str) -> nodes.Element:
        """All about one equation."""
        formula, title = self.pages[self.home[label]].defined[label]
        row = nodes.container(classes=["fs-eq"], ids=[f"map-{label}"])
        head = nodes.paragraph("", "", self.equation(label), nodes.Text(f"  {title}"))
        head["classes"].append("fs-eq-head")
        block = nodes.math_block(formula, formula, nowrap=False, number=None, label=None)
        facts = nodes.field_list(classes=["fs-eq-facts"])
        symbols = [
            nodes.inline("", "", *(n.deepcopy() for n in (*symbol, nodes.Text(": "), *meaning)))
            for page in _pages(self.env).values()
            for symbol, meaning in page.symbols.get(label, [])
        ]
        code = [self.function(name) for name, labels in self.code.items() if label in labels]
        for name, items in {"Symbols": symbols, "Code": code, "Used in": self.uses(label)}.items():
            if items:
                facts += _field(name, items)
        row += [head, block, facts, *map(_folded, self.tests.get(label, []))]
        return row

    def both_ways(self) -> list[nodes.section]:
        """From the equations to the code, then from the code to the equations."""
        parts = [
            _part(f"map-{Path(name).name}", self.env.titles[name].astext(), map(self.row, labels))
            for name, labels in ((name, page.defined) for name, page in self.pages.items())
            if labels
        ]
        back = nodes.field_list(classes=["fs-eq-facts", "fs-eq-back"])
        for name, labels in self.code.items():
            back += _field(self.function(name), map(self.equation, labels))
        return [*parts, _part("map-code", "From the code to the equations", [back])]


def _part(anchor: str, title: str, content: Iterable[nodes.Node]) -> nodes.section:
    return nodes.section("", nodes.title("", title), *content, ids=[anchor])


def _contents(parts: Iterable[nodes.section]) -> nodes.Element:
    links = [
        nodes.reference("", part[0].astext(), internal=True, refuri=f"#{part['ids'][0]}")
        for part in parts
    ]
    return nodes.bullet_list(
        "", *(nodes.list_item("", nodes.paragraph("", "", link)) for link in links)
    )


def _field(name: str | nodes.Node, items: Iterable[nodes.Node]) -> nodes.field:
    body = nodes.paragraph()
    for item in items:
        body += [nodes.Text(" · "), item] if body.children else [item]
    title = nodes.Text(name) if isinstance(name, str) else name
    return nodes.field("", nodes.field_name("", "", title), nodes.field_body("", body))


def _folded(test: Test) -> nodes.Element:
    where = f"tests/{test.module}.py"
    opening = f"<details><summary>Test <code>{test.name}</code> in {where}</summary>"
    source = nodes.literal_block(test.source, test.source, language="python")
    closing = nodes.raw("", "</details>", format="html")
    return nodes.container(
        "", nodes.raw("", opening, format="html"), source, closing, classes=["fs-eq-test"]
    )


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the map into its place, and beside every numbered equation a link to its row."""
    page = _map_page(app.env)
    if page is None or docname not in (page, *_pages(app.env)):
        return
    for place in list(doctree.findall(MapPlace)):
        parts = Atlas(app, docname).both_ways()
        # A page without formulas when it was read: what typesets them has to know.
        app.env.get_domain("math").data["has_equations"][docname] = True
        place.replace_self([_contents(parts), *parts])
    uri, tests = app.builder.get_relative_uri(docname, page), tests_of(TESTS)
    for block in list(doctree.findall(nodes.math_block)):
        if label := block.get("label"):
            text = "code and test" if label in tests else "where it is used"
            link = nodes.reference("", text, internal=True, refuri=f"{uri}#map-{label}")
            line = nodes.paragraph("", "", link, classes=["fs-eq-link"])
            block.parent.insert(block.parent.index(block) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the steps that fill it."""
    app.add_directive("equation-map", EquationMap)
    app.add_node(MapPlace)
    app.add_css_file("map.css")
    app.connect("doctree-read", read_page)
    app.connect("env-purge-doc", forget_page)
    app.connect("doctree-resolved", fill_in, priority=300)
    return {"parallel_read_safe": False, "parallel_write_safe": True}

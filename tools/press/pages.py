"""What stands around the text of each page: head, scripts and styles.

The theme loads what a page might need (1.5 MB of icons, the search index, a client for remote
kernels). Here a page loads what it uses, and nothing keeps it from being drawn.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import alive
from docutils import nodes

from press import HERE

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

SCRIPTS = (
    *("clipboard.min.js", "copybutton.js", "scripts/sphinx-book-theme.js"),
    *("book.js", "previews.js", "hero.js"),
    *(file for file in alive.FILES if file.endswith(".js")),
    *(alive.data_file(name) for name, program in alive.PROGRAMS.items() if program.data),
)
NEEDLESS_STYLES = ("thebe", "togglebutton")
DESCRIPTION_LENGTH = 180
SOCIAL_CARD = "_static/fan.png"

# Roles that docutils gives to a list of references, and that ask for another structure than it has
_BIBLIOGRAPHY_ROLE = re.compile(
    r' role="(?:list|doc-biblioentry|listitem)"(?= class="citation)'
    r'|(?<=class="citation") role="(?:list|doc-biblioentry|listitem)"'
)


def _configure(_app: Sphinx, config: Config) -> None:
    config.templates_path.append(str(HERE / "templates"))
    config.html_static_path.append(str(HERE / "static"))
    config.html_js_files.append("book.js")


def _trim(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Keep the scripts that a page uses, and let none of them hold up the page."""
    scripts = [s for s in context["script_files"] if _name(s) in _wanted(SCRIPTS)]
    for script in scripts:
        script.attributes["defer"] = "defer"
    context["script_files"] = scripts
    context["css_files"] = [
        s for s in context["css_files"] if not any(n in _name(s) for n in NEEDLESS_STYLES)
    ]
    context["pagename_js"] = page
    context["project"] = app.config.html_title or app.config.project
    # Docutils states the viewport, as the theme's template does.
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>', "", context.get("metatags", ""))
    context["social_card"] = _address(app, page, SOCIAL_CARD)
    context["description"] = html.escape(_description(app, doctree), quote=True)
    if "body" in context:
        body = context["body"].replace(
            '<a class="headerlink"', '<a tabindex="-1" class="headerlink"'
        )  # what a mouse wants; the keyboard has the links that lead here
        context["body"] = _scrolling_tables(_BIBLIOGRAPHY_ROLE.sub("", body))


def _address(app: Sphinx, page: str, file: str) -> str:
    """Return the full address of a file, or one from the page while the book has no home."""
    base = app.config.html_baseurl
    return f"{base.rstrip('/')}/{file}" if base else "../" * page.count("/") + file


def _wanted(names: tuple[str, ...]) -> set[str]:
    return {f"_static/{name}" for name in names}


def _name(asset: Any) -> str:
    return str(getattr(asset, "filename", asset) or "").split("?")[0]


def _description(app: Sphinx, doctree: nodes.document | None) -> str:
    """Return the first paragraph of the running text, cut at a word."""
    paragraphs = doctree.findall(nodes.paragraph) if doctree is not None else iter(())
    texts = (p.astext() for p in paragraphs if isinstance(p.parent, nodes.section | nodes.document))
    text = " ".join(next(texts, f"{app.config.project}: an executable textbook").split())
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    return text[:DESCRIPTION_LENGTH].rsplit(" ", 1)[0] + "…"


def _scrolling_tables(body: str) -> str:
    """Put each table into a box of its own, which scrolls where the screen is narrow."""
    return re.sub(
        r"(?<!<div class=\"wide\">)(<table\b.*?</table>)",
        r'<div class="wide">\1</div>',
        body,
        flags=re.DOTALL,
    )


def _drop_files(app: Sphinx, error: Exception | None) -> None:
    """Take away what no page loads any more."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    needless = ("*.map", "*fontawesome.js*", "*thebe*", "*togglebutton*", "*webpack-macros*")
    for pattern in (*needless, "searchtools.js", "language_data.js", "doctools.js"):
        for file in static.rglob(pattern):
            file.unlink()


def setup(app: Sphinx) -> None:
    """Register the templates and the steps."""
    app.connect("config-inited", _configure)
    app.connect("html-page-context", _trim, priority=950)
    app.connect("build-finished", _drop_files)

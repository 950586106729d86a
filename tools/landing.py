"""Sphinx extension: what the first page shows and no file holds.

- ``{hero}``: a volley in motion. The page gets a still picture (SVG, in the colours of the theme)
  and the spike times from which `hero.js` makes it move.
- ``{chapter-card}``: a link to a chapter, with a thumbnail taken from the outputs that it stores.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import nbformat
import numpy as np
import volley
from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from ttfslib.explore import _dark

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

THUMBNAIL_PX = 640
FORMATS = {"image/svg+xml": "svg", "image/png": "webp", "image/webp": "webp", "image/jpeg": "webp"}
OPENING = re.compile(r'src="data:(image/[\w+]+);base64,([^"]+)"')
VIEW_BOX = re.compile(r'viewBox="([^"]+)"')


class Hero(SphinxDirective):
    """The moving picture; the content is its caption, in which ``SIZES`` stands for the layers."""

    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the picture, its data and its caption."""
        shown = volley.volleys()
        film = volley.film(shown)
        stages = (volley.wide(), volley.tall())
        pictures = "".join(volley.still(stage, shown[0], film["end"]) for stage in stages)
        label = escape(self.options["alt"], quote=True)
        opening = (
            f'<div class="fs-hero" role="img" aria-label="{label}">{pictures}</div>'
            f'<script type="application/json" id="fs-film">{json.dumps(film)}</script>'
        )
        caption = nodes.container(classes=["fs-hero-caption"])
        sizes = volley.sizes(shown[0])
        self.content.data = [line.replace("SIZES", sizes) for line in self.content.data]
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [nodes.raw("", opening, format="html"), caption]


class ChapterCard(SphinxDirective):
    """A link to a chapter: its figure, number, title, and what it gets the reader to.

    ``frame`` cuts the figure: left, top, right and bottom as shares of its width and height; what
    is left of it needs a text of its own, ``alt``.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {
        "figure": directives.unchanged_required,
        "alt": directives.unchanged_required,
        "frame": lambda text: [float(share) for share in text.split()],
    }

    def run(self) -> list[nodes.Node]:
        """Return the card, and note the thumbnail that it needs."""
        name = self.arguments[0]
        path = Path(self.env.srcdir, "chapters", f"{name}.ipynb")
        self.env.note_dependency(str(path))
        kind, _ = picture_of(figure_cell(path, self.options["figure"]))
        alt = escape(self.options["alt"], quote=True)
        frame = self.options.get("frame", [0, 0, 1, 1])
        _thumbnails(self.env)[name] = (str(path), self.options["figure"], frame)
        card = nodes.container(classes=["fs-card"])
        for dark in (False, True):
            file = f"../_static/thumbnails/{thumbnail_file(name, kind, dark)}"
            look = f'class="only-{"dark" if dark else "light"}" loading="lazy"'
            card += nodes.raw("", f'<img src="{file}" alt="{alt}" {look}>', format="html")
        number = nodes.inline("", f"Chapter {int(name[2:4])}", classes=["fs-card-number"])
        link = addnodes.pending_xref(
            "",
            nodes.inline("", name),
            refdomain="std",
            reftype="doc",
            reftarget=name,
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=True,
        )
        card += nodes.paragraph("", "", number, link, classes=["fs-card-title"])
        self.state.nested_parse(self.content, self.content_offset, card)
        return [card]


def _thumbnails(env: BuildEnvironment) -> dict[str, tuple[str, str, list[float]]]:
    """Chapter: its notebook, figure and frame."""
    return vars(env).setdefault("thumbnails", {})  # type: ignore[no-any-return]


def figure_cell(path: Path, figure: str) -> Any:
    """Return the cell of a chapter that draws this figure.

    Raises
    ------
    ValueError
        If there is none.
    """
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            return cell
    raise ValueError(f"{path.name} has no figure {figure}")


def picture_of(cell: Any) -> tuple[str, bytes]:
    """Return the kind and the bytes of the picture that a cell has stored.

    A figure to touch counts as the picture with which it opens.

    Raises
    ------
    ValueError
        If it has stored none.
    """
    for output in cell.get("outputs", []):
        data = {kind: "".join(stored) for kind, stored in output.get("data", {}).items()}
        for kind in FORMATS:
            if kind in data:
                is_text = kind == "image/svg+xml"
                return kind, data[kind].encode() if is_text else base64.b64decode(data[kind])
        if opening := OPENING.search(data.get("text/html", "")):
            return opening[1], base64.b64decode(opening[2])
    raise ValueError(f"the cell stores no picture: {cell.source[:60]!r}")


def thumbnail_file(chapter: str, kind: str, dark: bool) -> str:
    """Return the name of the file in which a chapter's thumbnail lies."""
    return f"{chapter}{'-dark' if dark else ''}.{FORMATS[kind]}"


def thumbnail(kind: str, picture: bytes, frame: Sequence[float], dark: bool = False) -> bytes:
    """Cut a picture to a frame (left, top, right, bottom as shares) and to the width of a card."""
    left, top, right, bottom = frame
    if kind == "image/svg+xml":
        text = picture.decode()
        x, y, width, height = map(float, VIEW_BOX.findall(text)[0].split())
        cut = (width * (right - left), height * (bottom - top))
        box = f"{x + width * left:g} {y + height * top:g} {cut[0]:g} {cut[1]:g}"
        before, svg = text.split("<svg", 1)
        head, body = svg.split(">", 1)
        head = re.sub(r'\s(?:viewBox|width|height)="[^"]*"', "", head)
        head += f' viewBox="{box}" width="{cut[0]:g}" height="{cut[1]:g}"'
        svg = f"{before}<svg{head}>{body}"
        return (_dark.svg_on_dark(svg) if dark else svg).encode()
    with Image.open(io.BytesIO(picture)) as image:
        size = np.array([*image.size, *image.size])
        small = image.convert("RGBA").crop(tuple(np.rint(size * frame).astype(int)))
        small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        if dark:
            small = _dark.image_on_dark(small)
        stream = io.BytesIO()
        small.save(stream, "webp", quality=82)
    return stream.getvalue()


def dress(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Give the first page, and no other, its own style and script, and the book's name once."""
    if page == app.config.root_doc:
        context["docstitle"] = ""
        app.add_css_file("landing.css", priority=900)
        app.add_js_file("hero.js", loading_method="defer")


def write_thumbnails(app: Sphinx, error: Exception | None) -> None:
    """Write the pictures of the cards beside the other static files."""
    if error is not None or app.builder.format != "html":
        return
    target = Path(app.outdir, "_static", "thumbnails")
    target.mkdir(parents=True, exist_ok=True)
    for name, (path, figure, frame) in _thumbnails(app.env).items():
        kind, picture = picture_of(figure_cell(Path(path), figure))
        for dark in (False, True):
            cut = thumbnail(kind, picture, frame, dark)
            (target / thumbnail_file(name, kind, dark)).write_bytes(cut)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the files they need."""
    app.add_directive("hero", Hero)
    app.add_directive("chapter-card", ChapterCard)
    app.connect("html-page-context", dress)
    app.connect("build-finished", write_thumbnails)
    return {"parallel_read_safe": False, "parallel_write_safe": True}

"""Figures of the chapters: crisp, of known size, and one for each of the two modes.

A stored figure is an SVG, or a PNG of twice the size where an SVG would be heavy. Both get a
variant for the dark mode; the page shows one of the two, and the browser fetches that one only. A
figure is a link to its picture, so it can be opened large, with a script or without.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from PIL import Image
from sphinx.transforms.post_transforms import SphinxPostTransform

from ttfslib.explore import _dark

if TYPE_CHECKING:
    from sphinx.application import Sphinx

POINTS_PER_INCH = 72
DOTS_PER_INCH = 96
FULL_WIDTH = 560  # a picture at least this wide fills the column
PHONE_WIDTH = 340  # a wider one is drawn smaller on a phone

_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', re.DOTALL)
_IMG = re.compile(
    r'(<figure[^>]*>\s*)?<img ([^>]*?)src="((?:\.\./)*_images/([^"/]+\.(?:svg|png)))"([^>]*?)/?>'
)


def _source(app: Sphinx, name: str) -> Path | None:
    """Return the file from which the build makes the picture `name`."""
    for source, target in app.builder.images.items():
        if target == name:
            return Path(app.srcdir, source)
    return None


def _is_output(source: Path) -> bool:
    """Tell whether a cell drew the picture; others know best how they want to be seen."""
    return "jupyter_execute" in source.parts


def size_in_pixels(path: Path) -> tuple[int, int]:
    """Return width and height on the page of a stored picture."""
    if path.suffix == ".svg":
        found = _SIZE.search(path.read_text(encoding="utf-8")[:2000])
        if found is None:
            raise ValueError(f"{path} must state its size in points")
        size, unit = (float(found[1]), float(found[2])), float(POINTS_PER_INCH)
    else:
        with Image.open(path) as image:
            size, unit = image.size, image.info.get("dpi", (2 * DOTS_PER_INCH,))[0]
    width, height = (round(length / unit * DOTS_PER_INCH) for length in size)
    return width, height


def shown(name: str, dark: bool) -> str:
    """Return the file name of a variant: PNG is shown as WebP, which is a third of the size."""
    path = Path(name)
    suffix = ".webp" if path.suffix == ".png" else path.suffix
    return f"{path.stem}{'-dark' if dark else ''}{suffix}"


def _pair(app: Sphinx, found: re.Match[str]) -> str:
    figure, before, address, name, after = found.groups()
    source = _source(app, name)
    if source is None or not _is_output(source):
        return found[0]
    width, height = size_in_pixels(source)
    fills = ' class="fills {}"' if width >= FULL_WIDTH else ' class="{}"'
    common = f'{before}{after} width="{width}" height="{height}" loading="lazy" decoding="async"'
    folder = address.removesuffix(name)
    pictures = "".join(
        f'<img {common}{fills.format(mode)} src="{folder}{shown(name, mode == "only-dark")}" />'
        for mode in ("only-light", "only-dark")
    )
    if figure is None:
        return pictures
    cue = '<span class="enlarge">Enlarge</span>' if width > PHONE_WIDTH else ""
    target = f"{folder}{shown(name, dark=False)}"
    return f'{figure}<a class="picture" href="{target}">{pictures}{cue}</a>'


def _place(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    if "body" in context:
        context["body"] = _IMG.sub(lambda found: _pair(app, found), context["body"])


def _draw(app: Sphinx, error: Exception | None) -> None:
    """Write the variants beside the pictures that the build has copied."""
    if error is not None or app.builder.format != "html":
        return
    for source, name in app.builder.images.items():
        if _is_output(Path(source)):
            picture = Path(app.outdir, "_images", name)
            if picture.suffix == ".svg":
                _write_svg(picture)
            elif picture.suffix == ".png":
                _write_webp(picture)


def _write_svg(picture: Path) -> None:
    markup = picture.read_text(encoding="utf-8")
    picture.with_name(shown(picture.name, dark=True)).write_text(
        _dark.svg_on_dark(markup), encoding="utf-8"
    )


def _write_webp(picture: Path) -> None:
    with Image.open(picture) as light:
        for dark in (False, True):
            image = _dark.image_on_dark(light) if dark else light.convert("RGBA")
            image.save(picture.with_name(shown(picture.name, dark)), quality=88, method=4)
    picture.unlink()


class ForgetStoredSizes(SphinxPostTransform):
    """Leave the size of a figure to the page: a dense PNG is stored with one, for JupyterLab."""

    default_priority = 300
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Take the sizes off what cells drew."""
        for image in self.document.findall(nodes.image):
            if _is_output(Path(image["uri"])):
                for name in ("width", "height", "scale"):
                    image.attributes.pop(name, None)


def setup(app: Sphinx) -> None:
    """Register the steps."""
    app.add_post_transform(ForgetStoredSizes)
    app.connect("html-page-context", _place, priority=550)
    app.connect("build-finished", _draw)

"""The figures of the chapters as files: SVG and PNG, for a light ground and for a dark one.

They come from the built site, where their numbers, captions and alt texts stand. An SVG has no
ground of its own; a PNG has one, white or as dark as the pages. A figure that is stored as a PNG,
because a drawing of so many dots would be heavy, has no SVG. Chromium draws the others as PNG.
"""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from PIL import Image

from ttfslib.explore import _dark

GROUNDS = {"": "#ffffff", "-dark": "#14191f"}  # by what the name of a file ends in
DENSITY = 3  # dots of a PNG for each of the page's
COLUMNS = ("name", "number", "page", "caption", "alt", "files")
GALLERY = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Figures of First Spikes</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
img {{ max-width: 100% }} figure {{ margin: 0 0 3rem }}</style>
<h1>Figures of <i>First Spikes</i></h1>
<p>Each has a file for light slides and one for dark slides. Text and figures: CC BY 4.0.</p>
{}
</html>
"""
ENTRY = """<figure id="{name}"><img src="{shown}" alt="{alt}" loading="lazy">
<figcaption><b>{number}</b> {caption}<br>{links}</figcaption></figure>"""


@dataclass(frozen=True)
class Figure:
    """A figure of a chapter.

    Parameters
    ----------
    name, number, page, caption, alt : str
    picture : str or bytes
        The text of an SVG, or a PNG.
    """

    name: str
    number: str
    page: str
    caption: str
    alt: str
    picture: str | bytes

    @property
    def files(self) -> list[str]:
        """Names of its files, the one for light slides first."""
        kinds = ("svg", "png") if isinstance(self.picture, str) else ("png",)
        return [f"{self.name}{ground}.{kind}" for kind in kinds for ground in GROUNDS]


def figures_of(site: Path, page: Path, article: Tag) -> Iterator[Figure]:
    """All figures of a page of the built site that a cell has drawn."""
    for found in article.select("figure[id]"):
        caption = found.select_one(".caption-text")
        number = found.select_one(".caption-number")
        if caption is None or number is None:
            continue
        picture, alt = _picture(site, page, found)
        said = " ".join(_words(caption).split())
        counted = " ".join(number.get_text().split())  # which has a space that does not break
        yield Figure(str(found["id"]), counted, page.stem, said, alt, picture)


def _words(caption: Tag) -> str:
    """The text of a caption; formulas in it as TeX-free text, as screen readers have them."""
    copy = BeautifulSoup(str(caption), "html.parser")
    for drawing in copy.select("mjx-container > svg"):
        drawing.decompose()
    return copy.get_text()


def _picture(site: Path, page: Path, figure: Tag) -> tuple[str | bytes, str]:
    """The picture of a figure, still if it moves, and its alt text."""
    stage = figure.select_one("img.ttfs-stage")
    if stage is not None:
        markup = base64.b64decode(str(stage["src"]).partition(",")[2]).decode()
        moving = figure.select_one(".ttfs-interactive")
        assert moving is not None
        return markup, f"{moving['aria-label']}. {stage['alt']}"
    image = figure.select_one("img")
    if image is None:
        raise ValueError(f"{page.name}: {figure['id']} must hold a picture")
    path = (page.parent / str(image["src"])).resolve()
    if path.suffix == ".svg":
        return path.read_text(encoding="utf-8"), str(image["alt"])
    # The page shows a smaller copy of the stored picture.
    stored = site.parent / "jupyter_execute" / f"{path.stem}.png"
    return stored.read_bytes(), str(image["alt"])


def write_pack(figures: Sequence[Figure], folder: Path, chromium: Any | None) -> None:
    """Write the files of all figures, a table of them, and a page to look at.

    Parameters
    ----------
    figures : sequence of Figure
    folder : Path
    chromium : browser of playwright or None
        Without it, drawings have no PNG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        if isinstance(figure.picture, bytes):
            _write_rasters(figure, folder)
        else:
            _write_drawings(figure, folder)
    if chromium is not None:
        draw([figure for figure in figures if isinstance(figure.picture, str)], folder, chromium)
    _write_lists(figures, folder)


def _write_drawings(figure: Figure, folder: Path) -> None:
    assert isinstance(figure.picture, str)
    pictures = (figure.picture, _dark.svg_on_dark(figure.picture))
    for ground, markup in zip(GROUNDS, pictures, strict=True):
        (folder / f"{figure.name}{ground}.svg").write_text(markup, encoding="utf-8")


def _write_rasters(figure: Figure, folder: Path) -> None:
    assert isinstance(figure.picture, bytes)
    with Image.open(io.BytesIO(figure.picture)) as stored:
        light = stored.convert("RGBA")
    pictures = (light, _dark.image_on_dark(light))
    for (ground, color), picture in zip(GROUNDS.items(), pictures, strict=True):
        paper = Image.new("RGBA", picture.size, color)
        paper.alpha_composite(picture)
        paper.convert("RGB").save(folder / f"{figure.name}{ground}.png", optimize=True)


def draw(figures: Iterable[Figure], folder: Path, chromium: Any) -> None:
    """Draw the SVG files of `figures` as PNG, each on its ground."""
    page = chromium.new_page(device_scale_factor=DENSITY)
    for figure in figures:
        for ground, color in GROUNDS.items():
            markup = (folder / f"{figure.name}{ground}.svg").read_text(encoding="utf-8")
            page.set_content(f'<body style="margin: 0; background: {color}">{markup}</body>')
            page.locator("svg").first.screenshot(path=folder / f"{figure.name}{ground}.png")
    page.close()


def _write_lists(figures: Sequence[Figure], folder: Path) -> None:
    entries = []
    with (folder / "figures.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for figure in figures:
            files = [name for name in figure.files if (folder / name).is_file()]
            texts = (figure.name, figure.number, figure.page, figure.caption, figure.alt)
            table.writerow([*texts, " ".join(files)])
            shown = dict(zip(COLUMNS, map(html.escape, texts), strict=False))
            links = " · ".join(f'<a href="{name}">{name}</a>' for name in files)
            entries.append(ENTRY.format(**shown, shown=files[0], links=links))
    page = GALLERY.format("\n".join(entries))
    (folder / "index.html").write_text(page, encoding="utf-8")

"""Slides for teaching: a reveal.js deck for each chapter, and the figures as files.

    python tools/slides.py [--out FOLDER]     # writes _build/slides

A deck takes from the built site (`make book`) what a lecture shows: goals, figures, numbered
equations, the questions to predict first with what then comes out, and the summary. Figures that
move do so on slides, too. Everything a deck needs lies in its folder; nothing is fetched.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import alive
import chromium
import commands
import figure_pack
import folders
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
OUT = ROOT / "_build" / "slides"
STATIC = Path(__file__).with_name("slides_static")
REVEAL = ("dist/reveal.js", "dist/reveal.css", "LICENSE")
BOOK = "First Spikes"
EQUATIONS = 3  # on one slide, at most
NOT_SHOWN = ["exercise", "solution", "sd-dropdown"]  # what is folded stays so
LAST = ("exercises", "further-reading")  # sections without slides
BOXES = {"goals": "In this chapter", "predict": "Predict first", "summary": "Summary"}
DECK = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: slides</title>
<link rel="stylesheet" href="_static/reveal.css">
<link rel="stylesheet" href="_static/fonts.css">
<link rel="stylesheet" href="_static/deck.css">
<script src="_static/deck.js"></script>
<script defer src="_static/reveal.js"></script>
{scripts}
</head>
<body>
<svg class="glyphs" aria-hidden="true" focusable="false"><defs>{glyphs}</defs></svg>
<div class="reveal"><div class="slides">
{slides}
</div></div>
</body>
</html>
"""
INDEX = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Slides of First Spikes</title>
<style>
body {{ font: 18px/1.6 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }}
</style>
<h1>Slides of <i>First Spikes</i></h1>
<ul>
{}
</ul>
<p><a href="figures/index.html">All figures</a>, as SVG and PNG, for a light and a dark ground.</p>
<p>Arrow keys turn the pages; <kbd>D</kbd> changes between light and dark, <kbd>?</kbd> shows all
keys. To print a deck, or to save it as a PDF, follow the second link and print that page.</p>
</html>
"""
ENTRY = '<li><a href="{name}">{title}</a> (<a href="{name}?view=print">to print</a>)</li>'


@dataclass
class Slide:
    """One slide: its kind, which is its class; its title and its content, as HTML.

    Parameters
    ----------
    kind : str
    title : str
    parts : list of str
    name : str
        Its address within the deck, where it has one.
    """

    kind: str
    title: str
    parts: list[str] = field(default_factory=list)
    name: str = ""

    def markup(self) -> str:
        """The slide as reveal.js reads it."""
        name = f' id="{self.name}"' if self.name else ""
        level = "h1" if self.kind == "title" else "h2"
        body = "\n".join(self.parts)
        return (
            f'<section class="{self.kind}"{name}><{level}>{self.title}</{level}>\n'
            f'<div class="content">{body}</div></section>'
        )


def slides_of(article: Tag, pack: str) -> Iterator[Slide]:
    """The slides of a chapter, in its order.

    Parameters
    ----------
    article : Tag
        The text of the page, which is changed.
    pack : str
        The folder with the figures, as seen from the deck.
    """
    heading = article.select_one("h1")
    assert heading is not None
    _tidy(article)
    title = heading.decode_contents()
    yield Slide("title", title, [f"<p>{BOOK}</p>"])
    equations: list[Slide] = []
    is_open = False  # a question waits for what comes out
    for found in article.select("h2, .admonition, figure, div.math, div.wide"):
        if found.name == "h2":
            yield from equations
            equations, is_open, title = [], False, found.decode_contents()
            if str(_section(found)["id"]) in LAST:
                return
            continue
        if found.find_parent(class_=NOT_SHOWN):
            continue
        if "math" in _classes(found):
            if found.select_one(".eqno"):
                _add_equation(equations, title, found)
            continue
        slides = list(_shown(found, title, pack, is_open))
        if slides:
            yield from equations
            equations = []
            yield from slides
            is_open = slides[-1].kind == "predict"
    yield from equations


def _shown(found: Tag, title: str, pack: str, is_open: bool) -> Iterator[Slide]:
    """The slides of a box, a figure, or a table that answers an open question."""
    kind = next((kind for kind in BOXES if kind in _classes(found)), None)
    if kind is not None:
        answers = [answer.extract() for answer in found.select(".sd-dropdown .sd-card-body")]
        for part in found.select(".admonition-title, .sd-dropdown"):
            part.decompose()
        yield Slide(kind, BOXES[kind], [found.decode_contents()])
        yield from (Slide("answer", "Answer", [answer.decode_contents()]) for answer in answers)
    elif found.name == "figure" and found.get("id") and found.select_one(".caption-text"):
        yield _figure(found, title, pack)
    elif is_open and found.name == "div" and found.find_parent(class_="cell_output"):
        yield Slide("answer", title, [str(found)])


def _figure(found: Tag, title: str, pack: str) -> Slide:
    """The slide of a figure: its picture, alive if it is, and its caption beside it."""
    name = str(found["id"])
    caption = found.select_one("figcaption p")
    assert caption is not None
    moving = found.select_one(".ttfs-interactive")
    if moving is not None:
        picture = str(moving)
    else:
        image = found.select_one("img")
        assert image is not None
        alt = html.escape(str(image["alt"]))
        kind = "svg" if str(image["src"]).endswith(".svg") else "png"
        picture = "".join(
            f'<img class="only-{mode}" src="{pack}/{name}{ground}.{kind}" alt="{alt}">'
            for mode, ground in (("light", ""), ("dark", "-dark"))
        )
    parts = [f'<div class="picture">{picture}</div>', f"<aside>{caption}</aside>"]
    return Slide("figure", title, parts, name)


def _add_equation(slides: list[Slide], title: str, found: Tag) -> None:
    """Put a numbered equation, behind the sentence before it, on a slide that has room for it."""
    if not slides or len(slides[-1].parts) >= EQUATIONS:
        slides.append(Slide("equations", title))
    before = found.find_previous_sibling()
    while before is not None and before.name == "span":
        before = before.find_previous_sibling()
    lead = _last_sentence(before) if before is not None and before.name == "p" else ""
    slides[-1].parts.append(f"<div>{lead}{found}</div>")


def _last_sentence(paragraph: Tag) -> str:
    """The last sentence of a paragraph, as a paragraph; empty if it ends before an equation."""
    text = paragraph.decode_contents()
    if text.rstrip().endswith("."):
        return ""
    ends = [end.end() for end in re.finditer(r"[.?!](?:</span>)?\s+(?=<|[A-Z])", text)]
    for end in reversed([0, *ends]):
        sentence = text[end:]
        if sentence.count("<") == 0 or _is_whole(sentence):
            return f"<p>{sentence}</p>"
    return ""


def _is_whole(text: str) -> bool:
    """Tell whether every tag in a piece of HTML that is opened is closed, and the reverse."""
    opened = len(re.findall(r"<[a-zA-Z](?:[^>]*[^/])?>", text))
    return opened == len(re.findall(r"</", text))


def _classes(tag: Tag) -> list[str]:
    return list(tag.get("class") or [])


def _section(heading: Tag) -> Tag:
    section = heading.find_parent("section")
    assert section is not None
    return section


def _tidy(article: Tag) -> None:
    """Take out what leads elsewhere: on a slide a reference is text."""
    for part in article.select(".headerlink, .cell_input, .enlarge, .fs-eq-link"):
        part.decompose()
    for link in article.select("a"):
        if not str(link.get("href", "")).startswith("http"):
            link.unwrap()


def deck(page: BeautifulSoup, pack: str = "figures") -> str:
    """The deck of a chapter.

    Parameters
    ----------
    page : BeautifulSoup
        The page of the chapter, which is changed.
    pack : str
        The folder with the figures, as seen from the deck.
    """
    loaded = " ".join(str(script.get("src", "")) for script in page.select("script"))
    scripts = [file for file in alive.FILES if f"_static/{file}" in loaded]
    slides = "\n".join(slide.markup() for slide in slides_of(_article(page), pack))
    used = set(re.findall(r'href="#(MJX[^"]+)"', slides))
    return DECK.format(
        title=html.escape(_title(page)),
        scripts="\n".join(f'<script defer src="_static/{file}"></script>' for file in scripts),
        glyphs="".join(str(g) for g in page.select("svg.glyphs path") if g["id"] in used),
        slides=slides,
    )


def _article(page: BeautifulSoup) -> Tag:
    article = page.select_one("article.bd-article")
    if article is None:
        raise ValueError("page must be a page of the built site, with an article")
    return article


def _title(page: BeautifulSoup) -> str:
    heading = _article(page).select_one("h1")
    assert heading is not None
    return heading.get_text().removesuffix("#").strip()


def write(site: Path, out: Path, drawer: Any | None) -> list[Path]:
    """Write the decks of all chapters, the figures, and a page that leads to them."""
    folders.clear(out, "_static/reveal.css")
    _copy_static(site, out / "_static")
    figures: list[figure_pack.Figure] = []
    decks, entries = [], []
    for path in sorted((site / "chapters").glob("ch*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        figures += figure_pack.figures_of(site, path, _article(page))
        decks.append(out / path.name)
        entries.append(ENTRY.format(name=path.name, title=html.escape(_title(page))))
        decks[-1].write_text(deck(page), encoding="utf-8")
    figure_pack.write_pack(figures, out / "figures", drawer)
    (out / "index.html").write_text(INDEX.format("\n".join(entries)), encoding="utf-8")
    return decks


def _copy_static(site: Path, folder: Path) -> None:
    """Copy reveal.js, which pip has installed, what is ours, and what figures need to move."""
    folder.mkdir(parents=True)
    package = distribution("sphinx-revealjs")
    for name in REVEAL:
        source = Path(str(package.locate_file(f"sphinx_revealjs/_static/revealjs/{name}")))
        shutil.copy(source, folder / source.name.replace("LICENSE", "reveal-LICENSE"))
    for own in STATIC.iterdir():
        shutil.copy(own, folder)
    shutil.copy(site / "_static" / "fonts.css", folder)
    shutil.copytree(site / "_static" / "fonts", folder / "fonts")
    for file in alive.FILES:
        target = folder / file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(site / "_static" / file, target)


@contextlib.contextmanager
def browser() -> Iterator[Any | None]:
    """A headless Chromium, or None where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        yield None
        return
    with sync_playwright() as playwright:
        try:
            found = chromium.launch(playwright)
        except Error:
            yield None
            return
        yield found
        found.close()


def make(out: Path) -> None:
    """Write the slides of the book, and say where they are."""
    with browser() as drawer:
        write(SITE, out, drawer)
        if drawer is None:
            print("There is no Chromium: the figures that are drawings come as SVG alone.")
    print(f"The slides are written. Open {out / 'index.html'}")


def main() -> int:
    """Write the slides of the book."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if not (SITE / "chapters").is_dir():
        print(f"{SITE} does not exist: run `make book` first", file=sys.stderr)
        return 1
    return commands.in_one_line(lambda: make(arguments.out))


if __name__ == "__main__":
    raise SystemExit(main())

"""Slides: each chapter has its deck, whole and without the network, and its figures as files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx_revealjs")

import figure_pack
import slides
from bs4 import BeautifulSoup
from PIL import Image

CHAPTERS = sorted(path.stem for path in Path(slides.ROOT, "chapters").glob("ch*.ipynb"))
TOO_LARGE = """() => [...document.querySelectorAll(".pdf-page section")].flatMap((slide) => {
  const paper = slide.closest(".pdf-page").getBoundingClientRect();
  return [...slide.querySelectorAll("*")].filter((part) => {
    if (part.closest("mjx-assistive-mml, .ttfs-spoken, svg")) return false;
    const at = part.getBoundingClientRect();
    return at.width && (at.bottom > paper.bottom || at.right > paper.right);
  }).map((part) => part.outerHTML.slice(0, 80));
})"""

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


@pytest.fixture(scope="module")
def decks(site, tmp_path_factory):
    """The folder of the decks; the figures are not drawn as PNG."""
    out = tmp_path_factory.mktemp("slides") / "slides"
    slides.write(site, out, None)
    return out


def source_of(chapter):
    path = Path(slides.ROOT, "chapters", f"{chapter}.ipynb")
    return path.read_text(encoding="utf-8")


@each_chapter
def test_a_deck_holds_what_a_lecture_shows(decks, chapter):
    page = BeautifulSoup((decks / f"{chapter}.html").read_text(encoding="utf-8"), "html.parser")
    kinds = [section["class"][0] for section in page.select(".slides > section")]
    assert kinds[:2] == ["title", "goals"]
    assert kinds[-1] == "summary"
    assert kinds.count("predict") == source_of(chapter).count(":class: predict")
    assert kinds.count("figure") >= 3
    numbers = [number.get_text() for number in page.select(".eqno")]
    assert len(numbers) == len(set(numbers))
    assert all(section.select_one("h1, h2").get_text() for section in page.select("section"))
    assert not page.select(".exercise, .solution, .cell_input")


@each_chapter
def test_a_deck_asks_for_nothing_but_its_own_folder(decks, chapter):
    text = (decks / f"{chapter}.html").read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    asked = {tag[key] for key in ("src", "href") for tag in page.select(f":not(a)[{key}]")}
    files = {name for name in asked if not name.startswith(("data:", "#"))}
    assert len(files) > 5
    assert [name for name in files if not (decks / name).is_file()] == []
    drawn = {path["id"] for path in page.select(".glyphs path")}
    assert set(re.findall(r'href="#(MJX[^"]+)"', text)) == drawn
    ids = re.findall(r'<section[^>]* id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_every_figure_comes_with_caption_and_alt_text(decks):
    with (decks / "figures" / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    named = {
        name
        for chapter in CHAPTERS
        for name in re.findall(r'"name": "(fig-[^"]+)"', source_of(chapter))
    }
    assert {row["name"] for row in rows} == named
    for row in rows:
        assert min(len(row["caption"]), len(row["alt"])) > 20, row["name"]
        assert row["number"].startswith("Fig. "), row["name"]
        files = row["files"].split()
        assert len(files) == 2, "one for light slides, one for dark ones"
        light, dark = (decks / "figures" / name for name in files)
        assert light.read_bytes() != dark.read_bytes(), row["name"]


def test_the_index_leads_to_every_deck(decks):
    page = (decks / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(ch\w+)\.html"', page) == CHAPTERS


def test_drawings_become_pictures_on_their_ground(browser, tmp_path):
    square = '<svg xmlns="http://www.w3.org/2000/svg" width="30pt" height="15pt"></svg>'
    figure = figure_pack.Figure("fig-x", "Fig. 1", "page", "A caption.", "A square.", square)
    figure_pack.write_pack([figure], tmp_path, browser)
    for ground, color in figure_pack.GROUNDS.items():
        with Image.open(tmp_path / f"fig-x{ground}.png") as picture:
            assert picture.size == (120, 60)
            assert "#{:02x}{:02x}{:02x}".format(*picture.getpixel((60, 30))[:3]) == color


@pytest.fixture
def deck(browser, decks):
    """A deck that is shown without network; what it complains of is a failure."""
    contexts, troubles = [], []

    def show(address, **options):
        contexts.append(
            browser.new_context(offline=True, viewport={"width": 1280, "height": 720}, **options)
        )
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.goto(f"{decks.as_uri()}/{address}")
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        return page

    yield show
    for context in contexts:
        context.close()
    assert troubles == []


@each_chapter
def test_a_deck_prints_each_slide_on_a_page_of_its_own(deck, chapter):
    """In light colors, whatever the screen has, and nothing runs over the edge."""
    page = deck(f"{chapter}.html?view=print", color_scheme="dark")
    page.wait_for_selector(".pdf-page")
    assert page.locator(".pdf-page").count() == page.locator(".pdf-page section").count() > 5
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate(TOO_LARGE) == []


def test_figures_move_and_the_ground_turns_dark(deck):
    page = deck(f"{CHAPTERS[0]}.html#/fig-crossings", color_scheme="light")
    figure = page.locator("section.present .ttfs-interactive")
    page.wait_for_function(
        "document.querySelector('.present .ttfs-interactive').dataset.state === 'ready'"
    )
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.locator("body").press("d")
    assert page.evaluate(ground) == "rgb(20, 25, 31)"
    before = figure.locator("output").first.inner_text()
    figure.locator("input").first.press("ArrowLeft")
    page.wait_for_function(
        "before => document.querySelector('.present output').innerText !== before", arg=before
    )
    assert page.evaluate("Reveal.getCurrentSlide().id") == "fig-crossings", "keys are the slider's"

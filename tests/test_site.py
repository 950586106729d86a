"""The site as a reader meets it: every page in a browser, with the network unplugged."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ttfslib

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).resolve().parents[1]
BYTES_PER_PAGE = 3_000_000
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Links(HTMLParser):
    """The targets a page points to, the ids it offers, and what it shows without alt text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.mute_images: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.targets += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        if tag == "img" and not (attributes.get("alt") or "").strip():
            self.mute_images.append(attributes.get("src") or "?")


def content_pages(site):
    """Pages of the book: what the table of contents names."""
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"(?:root|file): *(\S+)", contents)
    return [site / f"{name}.html" for name in names]


def all_pages(site):
    return sorted(page for page in site.rglob("*.html") if "_static" not in page.parts)


@functools.cache
def parsed(page):
    return Links(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def address(site):
    """The address of a server on this machine that shows the site."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Visit:
    """A page in the browser, and everything it complained about or asked for."""

    def __init__(self, browser, address, viewport=DESKTOP, scheme="light"):
        self.address = address
        self.troubles: list[str] = []
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme)
        self.context.route("**/*", self._stay_here)
        self.page = self.context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        self.page.on("requestfailed", lambda r: self.troubles.append(f"failed: {r.url}"))
        self.page.on("response", self._answered)

    def _stay_here(self, route):
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.troubles.append(f"outside: {route.request.url}")
            route.abort()

    def _listen(self, message):
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _answered(self, response):
        if response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")

    def open(self, path):
        self.page.goto(f"{self.address}/{path}", wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise ?? null")
        return self.page

    def overflow(self):
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def names(site):
    return [page.relative_to(site).as_posix() for page in content_pages(site)]


def test_every_page_of_the_contents_is_built(site):
    assert [page.name for page in content_pages(site) if not page.is_file()] == []


def test_every_public_name_is_in_the_reference(site):
    documented = {name.rsplit(".", 1)[-1] for name in parsed(site / "chapters" / "api.html").ids}
    assert set(ttfslib.__all__) - {"__version__"} - documented == set()


def test_no_page_is_heavy(site):
    """A page with the pictures it shows; what all pages share is loaded once."""
    for page in content_pages(site):
        pictures = {
            (page.parent / unquote(target)).resolve()
            for target in parsed(page).targets
            if "_images/" in target
        }
        weight = page.stat().st_size + sum(picture.stat().st_size for picture in pictures)
        assert weight <= BYTES_PER_PAGE, f"{page.name}: {weight} bytes"


def test_every_image_has_alt_text(site):
    mute = {page.name: parsed(page).mute_images for page in content_pages(site)}
    assert {name: images for name, images in mute.items() if images} == {}


def test_no_internal_link_is_broken(site):
    broken = []
    for page in all_pages(site):
        for target in parsed(page).targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            file = (page.parent / unquote(url.path)).resolve() if url.path else page
            file = file / "index.html" if file.is_dir() else file
            missing = not file.is_file()
            anchor = unquote(url.fragment)
            if not missing and anchor and file.suffix == ".html":
                missing = anchor not in parsed(file).ids
            if missing:
                broken.append(f"{page.name} -> {target}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site):
    """In the pages' text, too: what only loads on a click counts."""
    pattern = r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=\"(?:https?:)?//[^\"]+\""
    found = {
        page.name: re.findall(pattern, page.read_text(encoding="utf-8")) for page in all_pages(site)
    }
    assert {name: urls for name, urls in found.items() if urls} == {}


def test_pages_open_without_a_complaint(site, address, browser):
    for name in names(site):
        with Visit(browser, address) as visit:
            page = visit.open(name)
            assert page.title()
            assert visit.troubles == [], name


def test_equations_are_rendered(site, address, browser):
    rendered_somewhere = 0
    for name in names(site):
        with Visit(browser, address) as visit:
            page = visit.open(name)
            raw = page.locator("article .math").count()
            assert page.locator("article .math mjx-container svg").count() >= raw, name
            assert page.locator("[data-mml-node='merror']").count() == 0, name
            rendered_somewhere += raw
    assert rendered_somewhere


def test_interactive_figures_answer_mouse_and_keyboard(site, address, browser):
    seen = 0
    for name in names(site):
        with Visit(browser, address) as visit:
            page = visit.open(name)
            figures = page.locator(".ttfs-interactive")
            for index in range(figures.count()):
                figure = figures.nth(index)
                figure.locator("xpath=self::*[@data-state='ready']").wait_for(state="attached")
                sliders = figure.locator("input[type=range]")
                assert sliders.count() + figure.locator("select").count(), name
                for control in range(sliders.count()):
                    check_slider(figure, sliders.nth(control), f"{name} figure {index}")
                seen += 1
            assert visit.troubles == [], name
    assert seen


def check_slider(figure, slider, where):
    """Every step, by key and by hand, must show another frame and another picture."""
    slider.scroll_into_view_if_needed()
    slider.focus()
    slider.press("Home")
    before = state(figure)
    slider.press("ArrowRight")
    assert_changed(figure, before, f"{where}: the right arrow key changes nothing")
    before = state(figure)
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    assert_changed(figure, before, f"{where}: a click on the slider changes nothing")


def state(figure):
    return figure.get_attribute("data-frame"), picture(figure)


def picture(figure):
    """What the stage shows: its markup, with the source of each image in it."""
    return figure.locator(".ttfs-stage").first.evaluate("stage => stage.outerHTML")


def assert_changed(figure, before, message):
    for _ in range(40):
        now = state(figure)
        if now[0] != before[0] and now[1] != before[1]:
            return
        figure.page.wait_for_timeout(50)
    pytest.fail(message)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_fits_the_screen(site, address, browser, viewport, scheme):
    for name in names(site):
        with Visit(browser, address, viewport, scheme) as visit:
            page = visit.open(name)
            assert visit.overflow() <= 0, f"{name} is wider than the screen"
            assert page.evaluate("document.documentElement.dataset.theme") == scheme


def test_text_stands_out_in_both_modes(site, address, browser):
    """Contrast of the running text, of links and captions, after WCAG: at least 4.5 to 1."""
    for scheme in ("light", "dark"):
        for name in names(site):
            with Visit(browser, address, scheme=scheme) as visit:
                page = visit.open(name)
                weak = page.evaluate(CONTRAST, "article p, article figcaption, article li a")
                assert weak == [], f"{name} in {scheme} mode"


CONTRAST = """
selector => {
  const parse = c => {
    const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    probe.fillStyle = c; probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const solid = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const layer = parse(getComputedStyle(e).backgroundColor);
      if (layer[3]) layers.push(layer);
      if (layer[3] === 255) break;
    }
    return layers.reverse().reduce(
      (below, [r, g, b, a]) => [r, g, b].map((v, i) => (v * a + below[i] * (255 - a)) / 255),
      [255, 255, 255]);
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = [];
  for (const e of document.querySelectorAll(selector)) {
    if (e.closest(".ttfs-interactive") || !e.textContent.trim() || !e.offsetParent) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color).slice(0, 3)), light(solid(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${e.textContent.trim().slice(0, 40)}`);
  }
  return weak;
}
"""


def test_search_finds_a_word_without_the_network(address, browser):
    with Visit(browser, address) as visit:
        page = visit.open("search.html?q=spike")
        page.wait_for_selector("#search-results li", timeout=10_000)
        assert visit.troubles == []

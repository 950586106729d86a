"""The site as a reader meets it, with the network unplugged.

Every page in a browser: on a desk and on a phone, in the dark, on paper and without scripts.
To open a page is what takes long, so that each is opened on a desk by night, on a phone by day and
without scripts; the system then changes its mode while the page is open.
"""

from __future__ import annotations

import concurrent.futures
import functools
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).resolve().parents[1]
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PAPER = {"viewport": {"width": 672, "height": 1000}}  # A4 without its margins
OPENED = {
    "dark": DESKTOP | {"color_scheme": "dark"},
    "phone": PHONE,
    "no script": PHONE | {"java_script_enabled": False},
}
# Modes that come about while a page is open, and the one it was opened in
TURNED = {"paper": "dark", "desktop": "dark", "dark phone": "phone"}
MODES = [*OPENED, *TURNED]
SCREENS = ["desktop", "dark", "phone", "dark phone", "no script"]
PHONES = ["phone", "dark phone", "no script"]


def pages():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    named = [f"{name}.html" for name in re.findall(r"(?:root|file): *(\S+)", contents)]
    return [*named, "genindex.html", "py-modindex.html", "search.html"]


UNFOLD = "document.querySelectorAll('details').forEach((box) => { box.open = true; })"
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
# Width, medium and colors change one after the other; a page is laid out once, after the last.
HIDE = "document.body.style.display = 'none'"
SHOW = "document.body.style.display = ''"
END_OF_CHANGES = """
document.getAnimations().forEach((a) => { if (a instanceof CSSTransition) a.finish(); })
"""
# What is asked of every page, in one go
INSPECT = (ROOT / "tests" / "page_report.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tour(visit):
    """For a mode, what each page shows and what it complained about."""

    @functools.cache
    def go(opened):
        found = {mode: {} for mode in (opened, *(m for m in TURNED if TURNED[m] == opened))}
        with visit(fresh=True, **OPENED[opened]) as reader:
            for name in pages():
                reader.page.goto("about:blank")
                turn(reader.page, opened)
                reader.troubles.clear()
                page = reader.open(name)
                page.evaluate(UNFOLD)
                for mode, seen in found.items():
                    turn(page, mode)
                    seen[name] = page.evaluate(INSPECT) | {"troubles": list(reader.troubles)}
                if opened != "no script":
                    seen[name]["faults"] = look_for_faults(page)
        return found

    return lambda mode: go(TURNED.get(mode, mode))[mode]


def turn(page, mode):
    """Bring an open page into a mode, and let it settle."""
    if mode == "no script":
        return
    is_paper = mode == "paper"
    size = page.viewport_size if "phone" in mode else (PAPER if is_paper else DESKTOP)["viewport"]
    if page.viewport_size != size:
        page.evaluate(HIDE)
    if page.evaluate("matchMedia('print').matches"):
        page.evaluate("dispatchEvent(new Event('afterprint'))")
    if page.viewport_size != size:
        page.set_viewport_size(size)
    is_dark = is_paper or "dark" in mode
    page.emulate_media(
        media="print" if is_paper else "screen", color_scheme="dark" if is_dark else "light"
    )
    if is_paper:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.evaluate(SHOW)
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate(NEXT_FRAME)
    page.evaluate(END_OF_CHANGES)


def look_for_faults(page):
    """Serious faults after axe-core, which `axe-playwright-python` ships."""
    page.evaluate(axe_core())
    return page.evaluate(AXE)


@functools.cache
def axe_core():
    import axe_playwright_python

    script = next(Path(axe_playwright_python.__file__).parent.glob("axe*.js"))
    return script.read_text(encoding="utf-8")


def collect(found, key):
    return {name: page[key] for name, page in found.items() if page[key]}


each_mode = pytest.mark.parametrize("mode", MODES)
each_screen = pytest.mark.parametrize("mode", SCREENS)
each_scripted = pytest.mark.parametrize("mode", [m for m in SCREENS if m != "no script"])


@each_mode
def test_pages_open_without_a_complaint(tour, mode):
    assert collect(tour(mode), "troubles") == {}


@each_screen
def test_fits_the_screen(tour, mode):
    wider = {name: by for name, by in collect(tour(mode), "overflow").items() if by > 0}
    assert wider == {}


@each_scripted
def test_follows_the_mode_of_the_system(tour, mode):
    """Also when it changes while the page is open."""
    found = tour(mode)
    theme = "dark" if "dark" in mode else "light"
    assert {page["theme"] for page in found.values()} == {theme}
    assert collect(found, "wrongMode") == {}


@each_screen
def test_formulas_are_quiet(tour, mode):
    """No scrollbars in a line, no stops of the keyboard, nothing wider than the screen."""
    found = tour(mode)
    assert sum(page["formulas"] for page in found.values()) > 500
    for trouble in ("focusable", "barred", "wide"):
        assert collect(found, trouble) == {}, trouble


@each_mode
def test_no_line_of_code_is_cut(tour, mode):
    assert collect(tour(mode), "cut") == {}


@each_scripted
def test_what_is_wider_than_its_box_says_so(tour, mode):
    """Equations and tables scroll with a cue, by finger and keyboard; nothing else does."""
    assert collect(tour(mode), "uncued") == {}


@each_screen
def test_formulas_stay_readable(tour, mode):
    """None is drawn at less than 0.7 of its size to make it fit."""
    assert collect(tour(mode), "shrunk") == {}


@each_screen
def test_no_code_lies_under_its_button(tour, mode):
    assert collect(tour(mode), "covered") == {}


@each_scripted
def test_a_figure_that_is_drawn_small_can_be_enlarged(tour, mode):
    assert collect(tour(mode), "reduced") == {}


@each_mode
def test_text_stands_out(tour, mode):
    """Contrast of all text, after WCAG: at least 4.5 to 1, of large text 3 to 1."""
    assert collect(tour(mode), "weak") == {}


@each_screen
def test_a_link_among_words_is_seen(tour, mode):
    """Not by a slight difference of color alone."""
    assert collect(tour(mode), "indistinct") == {}


@pytest.mark.parametrize("mode", PHONES)
def test_a_finger_hits_what_it_aims_at(tour, mode):
    assert collect(tour(mode), "small") == {}


def test_figures_have_one_width(tour):
    widths = {width for page in tour("desktop").values() for width in page["figureWidths"]}
    assert len(widths) == 1


def test_the_fonts_of_the_book_are_used(tour):
    for name, page in tour("desktop").items():
        assert {"Book Sans", "Book Serif"} <= set(page["fonts"]), name


def test_headings_rank(tour):
    for name, page in tour("desktop").items():
        first, second = page["headings"]
        assert first >= 1.3 * second, name


def test_paper_is_light_and_whole(tour):
    found = tour("paper")
    assert {page["theme"] for page in found.values()} == {"light"}
    for trouble in ("screenOnly", "wrongMode", "breaks"):
        assert collect(found, trouble) == {}, trouble
    chapters = {name: page for name, page in found.items() if "/ch" in name}
    assert [n for n, page in chapters.items() if not re.match(r"\d+\. ", page["title"])] == []
    assert [n for n, page in chapters.items() if not page["titleSeen"]] == []


@pytest.mark.parametrize("mode", ["desktop", "dark phone"])
def test_no_serious_fault_for_assistive_technology(tour, mode):
    assert collect(tour(mode), "faults") == {}


# Pieces of code of one class look alike: the first of each is kept, as looking at thousands takes
# minutes. So does axe's way to find the ground of a text: `test_text_stands_out` asks for the first
# of its rules that need it, `test_a_link_among_words_is_seen` for the second.
AXE = """
() => {
const known = new Set(), again = [];
for (const piece of document.querySelectorAll(":is(pre, code, .sig) span:not(:has(*)):not(a *)")) {
  const around = piece.closest("pre, code, .sig").className;
  const look = [piece.className, getComputedStyle(piece).color, around].join();
  if (known.has(look)) again.push(piece);
  known.add(look);
}
again.forEach((piece) => piece.remove());
// Drawn formulas are many nodes with nothing to look at.
document.querySelectorAll("mjx-container > svg").forEach((svg) => svg.replaceChildren());
return axe.run({exclude: ["mjx-container", ".glyphs"]}, {
  resultTypes: ["violations"],
  preload: false,
  rules: {
    "label-content-name-mismatch": {enabled: true},
    "color-contrast": {enabled: false},
    "link-in-text-block": {enabled: false},
    region: {enabled: false}, // not serious by axe's own scale
  },
}).then((result) => result.violations
  .filter((v) => ["serious", "critical"].includes(v.impact))
  .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")}`));
}
"""


def test_interactive_figures_answer_mouse_and_keyboard(site, visit):
    names = [n for n in pages() if "ttfs-interactive" in (site / n).read_text(encoding="utf-8")]
    assert names
    with visit() as reader:
        for name in names:
            page = reader.open(name)
            figures = page.locator(".ttfs-interactive")
            assert figures.count(), name
            for index in range(figures.count()):
                figure = figures.nth(index)
                figure.locator("xpath=self::*[@data-state='ready']").wait_for(state="attached")
                sliders = figure.locator("input[type=range]")
                assert sliders.count() + figure.locator("select").count(), name
                for control in range(sliders.count()):
                    check_slider(figure, sliders.nth(control), f"{name} figure {index}")
        assert reader.troubles == []


def check_slider(figure, slider, where):
    """Every step, by key and by hand, must show another frame and another picture."""
    slider.scroll_into_view_if_needed()
    slider.focus()
    slider.press("Home")
    figure.evaluate(f"async () => {{ await {NEXT_FRAME}; }}")
    box = slider.bounding_box()
    for what, move in {
        "the right arrow key": lambda: slider.press("ArrowRight"),
        "the home key": lambda: slider.press("Home"),
        "a click": lambda: slider.click(position={"x": box["width"] - 2, "y": box["height"] / 2}),
    }.items():
        figure.evaluate(REMEMBER)
        move()
        assert figure.evaluate(CHANGED), f"{where}: {what} changes nothing"


# Pictures are long; they are compared where they are.
LOOK = "[figure.dataset.frame, figure.querySelector('.ttfs-stage').outerHTML]"
REMEMBER = f"figure => {{ figure.before = {LOOK}; }}"
CHANGED = f"""async figure => {{
  for (let i = 0; i < 200; i += 1) {{
    const now = {LOOK};
    if (now.every((part, k) => part !== figure.before[k])) return true;
    await new Promise(done => setTimeout(done, 10));
  }}
  return false;
}}"""


def picture(figure):
    """What the stage shows: its markup, with the source of each image in it."""
    return figure.locator(".ttfs-stage").first.evaluate("stage => stage.outerHTML")


def page_with(site, selector_text):
    """The first page of the book that holds some markup."""
    for name in pages():
        if selector_text in (site / name).read_text(encoding="utf-8"):
            return name
    pytest.fail(f"no page holds {selector_text}")


def test_an_interactive_figure_follows_the_mode(site, visit):
    with visit() as reader:
        page = reader.open(page_with(site, "ttfs-frames"))
        figure = page.locator(".ttfs-interactive[data-state=ready]:not(.ttfs-live)").first
        figure.wait_for()
        light = picture(figure)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_function(
            "old => document.querySelector('img.ttfs-stage').outerHTML !== old", arg=light
        )


def test_a_live_figure_that_is_enlarged_goes_on_and_comes_back(site, visit):
    with visit() as reader:
        page = reader.open(page_with(site, 'data-kind="decision"'))
        figure = page.locator(".ttfs-live[data-state=ready]")
        width = figure.bounding_box()["width"]
        figure.get_by_role("button", name="Enlarge").click()
        large = page.locator("dialog[open] .ttfs-live")
        assert large.bounding_box()["width"] > 1.3 * width
        before = picture(figure)
        x, y = (large.locator(".ttfs-ground").bounding_box()[side] for side in "xy")
        page.mouse.click(x + 150, y + 150)
        page.wait_for_function(
            "old => document.querySelector('.ttfs-live .ttfs-stage').outerHTML !== old", arg=before
        )
        page.keyboard.press("Escape")
        assert page.locator("article .ttfs-live").bounding_box()["width"] == width
        assert reader.troubles == []


def test_a_page_loads_the_engine_once_and_only_for_live_figures(site):
    live = 0
    for name in pages():
        text = (site / name).read_text(encoding="utf-8")
        kinds = re.findall(r'data-kind="([^"]*)"', text)
        scripts = re.findall(r'src="[./]*_static/([^"?]*\.js)', text)
        live += bool(kinds)
        assert sorted(s for s in scripts if s.startswith("live")) == sorted(
            {"live.js", *(f"live/{kind}.js" for kind in kinds)} if kinds else ()
        )
        assert scripts.count("engine.js") == bool(kinds or 'class="ttfs-alive"' in text)
        assert "ttfs-program" not in text
    assert live == 7


def cues(box):
    """What the left and the right edge of a box show."""
    return box.evaluate(
        "box => ['::before', '::after'].map(edge => getComputedStyle(box, edge).content !== 'none')"
    )


def test_a_cue_goes_where_there_is_no_more(visit):
    with visit(**PHONE) as reader:
        page = reader.open("chapters/ch07_semantization.html")
        box = page.locator(".wide.more-right").first.element_handle()
        assert cues(box) == [False, True]
        for left, shown in ((10, [True, True]), (10_000, [True, False]), (0, [False, True])):
            box.evaluate("(box, left) => box.scrollTo({left, behavior: 'instant'})", left)
            page.wait_for_timeout(100)
            assert cues(box) == shown


@pytest.mark.parametrize("how", ["finger", "button", "keyboard"])
def test_a_figure_opens_large(site, visit, how):
    with visit(**PHONE) as reader:
        page = reader.open(page_with(site, 'class="picture"'))
        link = page.locator("a.picture").first
        if how == "finger":
            link.tap()
        elif how == "button":
            link.locator(".enlarge").tap()
        else:
            link.focus()
            page.keyboard.press("Enter")
        image = page.locator("dialog.large[open] img")
        image.wait_for()
        assert image.bounding_box()["width"] >= 2 * PHONE["viewport"]["width"]
        page.keyboard.press("Escape")
        image.wait_for(state="hidden")
        assert reader.troubles == []


def test_a_solution_opens_where_it_stands(site, visit):
    for settings in (PHONE, PHONE | {"java_script_enabled": False}):
        with visit(**settings) as reader:
            page = reader.open(page_with(site, '<details class="solution'))
            address = page.url
            solution = page.locator("details.solution").first
            solution.locator("summary").tap()
            assert solution.evaluate("box => box.open")
            assert page.url == address


def test_the_first_slider_is_near(site, visit):
    """In stops of the keyboard from the top of the text."""
    with visit() as reader:
        page = reader.open(page_with(site, "ttfs-interactive"))
        page.locator(".ttfs-interactive[data-state=ready]").first.wait_for()
        stops = page.evaluate(
            'slider => [...document.querySelectorAll("article :is(a[href], button, input, select,'
            " summary, [tabindex='0'])\")].filter(stop => stop.tabIndex >= 0)"
            ".findIndex(stop => stop.matches(slider))",
            ".ttfs-interactive :is(input, select)",
        )
        assert 0 <= stops < 60


@pytest.fixture
def hits(site, visit):
    """What a search finds; the pages lie on a disk."""
    with visit(base=site.as_uri()) as reader:
        page = reader.open("search.html?q=thresholds")
        page.wait_for_selector("#finder-results li")
        yield reader, page


class TestSearch:
    """Without a server: the pages lie on a disk."""

    def test_says_where_and_in_words(self, hits):
        reader, page = hits
        assert page.locator("#finder-results li").count() > 5
        addresses = page.locator("#finder-results li > a").evaluate_all("a => a.map(e => e.href)")
        assert [
            address for address in addresses if not re.search(r"\?highlight=.*#.", address)
        ] == []
        passages = page.locator("#finder-results p").all_text_contents()
        assert [text for text in passages if re.search(r"\\[a-z]|\$\$", text)] == []
        assert page.locator("#finder-results mark").count() > 5
        assert page.locator("#finder-results .chapter").count() > 3
        assert reader.troubles == []

    def test_a_hit_opens_at_its_section(self, hits):
        reader, page = hits
        page.locator("#finder-results li > a", has_text=re.compile(r"\d\.\d")).first.click()
        page.wait_for_selector("article mark", state="attached")
        section = page.evaluate("decodeURIComponent(location.hash.slice(1))")
        top = page.evaluate(
            "id => document.getElementById(id).getBoundingClientRect().top", section
        )
        assert -60 < top < 400
        assert reader.troubles == []


class TestPreviews:
    """What a link leads to, before one follows it; on this page, and on others of a disk."""

    @pytest.mark.parametrize(
        ("leads_to", "shows"),
        [
            ("#equation-", "svg"),
            ("#fig-", "img"),
            (".html#equation-", "svg use"),
            ("references.html#", "p"),
        ],
    )
    def test_hover_and_focus(self, site, visit, leads_to, shows):
        own = f'<a class="reference internal" href="{leads_to}'
        needle = own if leads_to.startswith("#") else leads_to
        for how in ("hover", "focus"):
            with visit(base=site.as_uri()) as reader:
                page = reader.open(page_with(site, needle))
                start = f'^="{leads_to}"' if leads_to.startswith("#") else f'*="{leads_to}"'
                link = page.locator(f"article p a.reference[href{start}]").first
                link.scroll_into_view_if_needed()
                getattr(link, how)()
                preview = page.locator(".preview")
                preview.wait_for()
                assert preview.locator(shows).first.is_visible()
                assert preview.bounding_box()["x"] >= 0
                page.keyboard.press("Escape")
                preview.wait_for(state="detached")
                assert reader.troubles == []

    def test_the_target_is_marked_on_arrival(self, site, visit):
        with visit() as reader:
            page = reader.open(page_with(site, '<a class="reference internal" href="#equation-'))
            link = page.locator("article p a.reference[href^='#equation-']").first
            target = link.get_attribute("href")
            link.click()
            name = page.locator(target).evaluate("e => getComputedStyle(e).animationName")
            assert name == "arrive"


# A calculation, and the milliseconds that a slow phone takes for it: four times as long as a fast
# computer. The browser is slowed down to that, unless the machine, or what else runs on it at that
# moment, has made it as slow already.
CALCULATION = """
() => {
  const start = performance.now();
  for (let i = 0, x = 0; i < 3e6; i++) x = Math.sin(x + i);
  return performance.now() - start;
}
"""
PHONE_TAKES = 150


@pytest.mark.parametrize(
    "name", ["chapters/ch01_one_neuron.html", "chapters/ch05_deep_network.html"]
)
def test_a_slow_phone_shows_formulas_soon(visit, name):
    """At 1.6 Mbit/s; the best of three counts, for other work here counts as slowness."""
    for _ in range(3):
        seconds, shift = first_view(visit, name)
        assert shift < 0.05
        if seconds < 2:
            return
    pytest.fail(f"{seconds:.1f} s")


def first_view(visit, name):
    """Seconds until the first drawing (formulas stand in the page by then), and layout shift."""
    with visit(fresh=True, **PHONE) as reader:
        reader.page.add_init_script(SHIFT)
        session = reader.context.new_cdp_session(reader.page)
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 40, "downloadThroughput": 2e5, "uploadThroughput": 1e5},
        )
        taken = min(reader.page.evaluate(CALCULATION) for _ in range(5))
        session.send("Emulation.setCPUThrottlingRate", {"rate": max(1, PHONE_TAKES / taken)})
        page = reader.open(name)
        page.wait_for_timeout(500)
        return page.evaluate(
            "[performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000, shift]"
        )


SHIFT = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


def test_prints_from_the_dark_mode(visit, tmp_path):
    """The number of the chapter and its links are on paper."""
    from pypdf import PdfReader

    with visit(**DESKTOP, color_scheme="dark") as reader:
        page = reader.open("chapters/ch07_semantization.html")
        page.pdf(path=tmp_path / "chapter.pdf", format="A4", prefer_css_page_size=True)
    paper = PdfReader(tmp_path / "chapter.pdf")
    assert re.match(r"\s*7\. ", paper.pages[0].extract_text())
    assert sum(len(sheet.get("/Annots") or []) for sheet in paper.pages) > 10


def test_the_book_is_bound_with_links_from_page_to_page(site, browser, tmp_path, monkeypatch):
    from pypdf import PdfReader

    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import make_pdf

    assert browser.is_connected()
    names = ["chapters/ch08_pathways", "chapters/notation", "chapters/references"]
    # Playwright drives one browser a thread.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(make_pdf.bind, site, tmp_path / "book.pdf", names).result()
    book = PdfReader(tmp_path / "book.pdf")
    titles = [entry["/Title"] for entry in book.outline if not isinstance(entry, list)]
    assert len(titles) >= len(names)
    links = [link.get_object() for sheet in book.pages for link in sheet.get("/Annots") or []]
    inside = [link for link in links if "/Dest" in link]
    targets = {str(link["/Dest"]) for link in inside}
    assert targets <= set(book.named_destinations)
    assert {target.strip("/").split("--")[0] for target in targets} == {
        Path(name).name for name in names
    }
    assert not [link for link in links if "file:" in str(link.get("/A"))]
    assert not list(site.rglob("_bound.html"))

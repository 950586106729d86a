"""The first page: what it shows is computed, moves calmly, and stands still where it should."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import ttfslib

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).resolve().parents[1]
PREFACE = (ROOT / "chapters" / "preface.md").read_text(encoding="utf-8")
CHAPTERS = sorted((ROOT / "chapters").glob("ch*.ipynb"))
SCREENS = {
    "desktop": {"width": 1280, "height": 800},
    "tablet": {"width": 820, "height": 1100},
    "phone": {"width": 390, "height": 844},
}
LIT = """hero => {
  const canvas = hero.querySelector("canvas");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .filter((value, index) => index % 4 === 3 && value > 0).length;
}"""


@pytest.fixture(scope="module")
def volley():
    import volley

    return volley


@pytest.fixture(scope="module")
def landing():
    import landing

    return landing


# The volleys


def test_every_digit_is_shown_and_read_correctly(volley):
    shown = volley.volleys()
    assert sorted(each.digit for each in shown) == list(range(10))
    for each in shown:
        assert each.layers[-1].argmin() == each.digit
        assert each.decision == each.layers[-1].min()


def test_the_volleys_are_those_of_the_shipped_network(volley):
    weights = ttfslib.load_run(volley.RUN).weights()
    times, after = volley.volleys()[0].layers[:2]
    for neuron in np.flatnonzero(after < volley.volleys()[0].decision)[:5]:
        alone = ttfslib.first_spike_time(times, weights[0][:, neuron].astype(float))
        assert after[neuron] == pytest.approx(alone, abs=1e-4)


def test_a_volley_needs_no_mnist(volley, monkeypatch, tmp_path):
    monkeypatch.setenv("TTFSLIB_DATA", str(tmp_path))
    monkeypatch.setattr(ttfslib.datasets, "load_mnist", lambda *_: pytest.fail("asks for MNIST"))
    assert volley.volleys.__wrapped__()[0].digit == volley.volleys()[0].digit


def test_lines_lead_from_earlier_to_later_spikes_up_to_the_answer(volley):
    weights = ttfslib.load_run(volley.RUN).weights()
    for each in volley.volleys():
        assert {layer for layer, _, _ in each.lines} == set(range(len(weights)))
        for layer, pre, post in each.lines:
            assert each.layers[layer][pre] < each.layers[layer + 1][post] <= each.decision
            assert weights[layer][pre, post] > 0
        assert {post for layer, _, post in each.lines if layer == len(weights) - 1} == {each.digit}


def test_the_film_keeps_the_spike_times(volley):
    shown = volley.volleys()
    film = volley.film(shown)
    for kept, each in zip(film["volleys"], shown, strict=True):
        for packed, times in zip(kept["times"], each.layers[:-1], strict=True):
            steps = np.frombuffer(base64.b64decode(packed), dtype=np.uint8).astype(float)
            late = times > film["end"]
            assert (steps[late] == volley.NEVER).all()
            back = steps[~late] / (volley.NEVER - 1) * film["end"]
            np.testing.assert_allclose(back, times[~late], atol=film["end"] / 500)
        assert all(max(heights) == 100 for heights in kept["pulses"])


def test_pulses_end_with_the_decision_and_narrow(volley):
    """What the caption says of the curves, for the digit with which the page opens."""
    packets = [times[times <= volley.volleys()[0].decision] for times in volley.volleys()[0].layers]
    widths = [ttfslib.shorth(packet) for packet in packets[:-1]]
    assert max(widths[1:3]) > widths[0]
    assert widths[4] < max(widths[1:3]) / 2


@pytest.mark.parametrize("name", ["wide", "tall"])
def test_the_still_shows_the_moment_of_the_decision(volley, name):
    shown = volley.volleys()[0]
    stage = getattr(volley, name)()
    picture = ElementTree.fromstring(volley.still(stage, shown, 1.0))
    winners = [g.get("data-digit") for g in picture.iter("g") if "winner" in g.get("class", "")]
    assert winners == [str(shown.digit)]
    lit = sum(
        path.get("d").count("M")
        for path in picture.iter("path")
        if path.get("class") in {"ink", "excites", "inhibits"}
    )
    assert lit == sum((times <= shown.decision).sum() for times in shown.layers[:-1])
    for points in volley.places(stage, shown):
        assert (points > 0).all()
        assert (points < stage.size).all()
        assert len({tuple(point) for point in points}) == len(points)


# The cards


def test_there_is_a_card_for_every_chapter_in_order():
    cards = re.findall(r"^```\{chapter-card\} (\w+)$", PREFACE, re.MULTILINE)
    assert cards == [path.stem for path in CHAPTERS]


def test_a_thumbnail_is_cut_and_small(landing):
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (1600, 800), "white").save(stream, "png")
    small = landing.thumbnail("image/png", stream.getvalue(), (0.5, 0, 1, 0.5))
    assert Image.open(io.BytesIO(small)).size == (landing.THUMBNAIL_PX, landing.THUMBNAIL_PX // 2)
    drawing = b'<?xml version="1.0"?><svg width="9pt" height="5pt" viewBox="0 0 90 50"><g/></svg>'
    cut = landing.thumbnail("image/svg+xml", drawing, (0.1, 0.2, 0.6, 1))
    head = ElementTree.fromstring(cut).attrib
    assert head == {"viewBox": "9 10 45 40", "width": "45", "height": "40"}


def test_a_thumbnail_for_the_dark_page_is_recolored_like_the_figures(landing):
    from ttfslib.explore import _dark

    drawing = b'<svg width="9pt" height="5pt" viewBox="0 0 90 50"><g style="fill: #123456"/></svg>'
    light, dark = (landing.thumbnail("image/svg+xml", drawing, (0, 0, 1, 1), d) for d in (0, 1))
    assert dark == light.replace(b"#123456", _dark.hex_on_dark("#123456").encode())


def test_the_first_page_bears_its_title_once(site):
    page = (site / "chapters" / "preface.html").read_text(encoding="utf-8")
    assert re.findall(r"<title>(.*?)</title>", page, re.DOTALL)[0].split() == ["First", "Spikes"]


def test_a_figure_that_is_missing_is_named(landing):
    with pytest.raises(ValueError, match="has no figure fig-none"):
        landing.figure_cell(CHAPTERS[0], "fig-none")


def test_cards_say_what_their_pictures_show(site):
    page = (site / "chapters" / "preface.html").read_text(encoding="utf-8")
    alts = re.findall(r'<img src="../_static/thumbnails/\w+\.\w+" alt="([^"]*)"', page)
    assert len(alts) == len(CHAPTERS)
    assert min(map(len, alts)) > 20


def test_only_the_first_page_loads_its_script(site):
    with_script = [
        path.name
        for path in (site / "chapters").glob("*.html")
        if "hero.js" in path.read_text(encoding="utf-8")
    ]
    assert with_script == ["preface.html"]


# In a browser, from the disk


@pytest.fixture
def visit(site, browser):
    contexts = []

    def open_page(screen="desktop", **options):
        context = browser.new_context(viewport=SCREENS[screen], **options)
        contexts.append(context)
        page = context.new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda m: page.troubles.append(m.text) if m.type == "error" else None)
        page.goto((site / "chapters" / "preface.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_first_screen_says_what_it_is_and_where_to_start(visit, screen):
    page = visit(screen)
    assert "executable textbook" in page.locator(".fs-promise").inner_text()
    start = page.get_by_role("link", name="Start with chapter 1")
    box, hero = start.bounding_box(), page.locator(".fs-hero").bounding_box()
    assert box["height"] >= 40
    assert box["y"] + box["height"] < SCREENS[screen]["height"]
    assert hero["y"] < 0.7 * SCREENS[screen]["height"]
    start.click()
    page.wait_for_url("**/ch01_one_neuron.html")


@pytest.mark.parametrize("screen", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_moves_until_the_answer_lights_up(visit, screen, scheme):
    page = visit(screen, color_scheme=scheme)
    hero = page.locator(".fs-hero")
    hero.scroll_into_view_if_needed()
    page.wait_for_selector('.fs-hero[data-state="moving"]')
    first = hero.evaluate(LIT)
    page.wait_for_selector(".fs-stage:visible .output.winner", timeout=20_000)
    assert hero.evaluate(LIT) > first
    assert page.locator(".fs-stage:visible").count() == 1
    assert page.troubles == []


def test_pause_stops_it_and_play_goes_on(visit):
    page = visit()
    hero = page.locator(".fs-hero")
    page.wait_for_selector('.fs-hero[data-state="moving"]')
    page.get_by_role("button", name="Pause the moving picture").click()
    page.wait_for_selector('.fs-hero[data-state="still"]')
    before = hero.evaluate(LIT)
    page.wait_for_timeout(400)
    assert hero.evaluate(LIT) == before
    page.get_by_role("button", name="Play the moving picture").press("Enter")
    page.wait_for_selector('.fs-hero[data-state="moving"]')


def test_it_rests_while_it_is_out_of_sight(visit):
    page = visit()
    page.wait_for_selector('.fs-hero[data-state="moving"]')
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_selector('.fs-hero[data-state="still"]')
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_selector('.fs-hero[data-state="moving"]')


def test_it_stands_still_for_those_who_want_that(visit):
    page = visit(reduced_motion="reduce")
    hero = page.locator(".fs-hero")
    page.get_by_role("button", name="Play the moving picture").wait_for()
    page.wait_for_timeout(300)
    assert hero.get_attribute("data-state") == "still"
    assert hero.evaluate(LIT) == 0
    assert page.locator(".fs-stage:visible .moment").is_visible()
    page.get_by_role("button", name="Play the moving picture").click()
    page.wait_for_selector('.fs-hero[data-state="moving"]')


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_without_scripts_there_is_a_picture(visit, screen):
    page = visit(screen, java_script_enabled=False)
    stage = page.locator(".fs-stage:visible")
    assert stage.count() == 1
    assert stage.locator(".moment .excites").first.is_visible()
    assert stage.locator(".output.winner").count() == 1
    assert page.locator(".fs-card:visible").count() == len(CHAPTERS)

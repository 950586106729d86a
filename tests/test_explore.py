"""Figures to touch: what is stored, what a browser makes of it, what a kernel adds."""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from ttfslib.explore import Slider, _frames, _markup, _page, interactive_figure
from ttfslib.explore import figure as figure_module
from ttfslib.explore._controls import control

NAN = float("nan")
LEVELS, COLORS = [0, 1, 2, 3, 4], {"$w_1$ red": "tab:red", "blue": "tab:blue"}


def bar(level, color="tab:red", side="left"):
    """Draw a figure that is quick to draw: one bar."""
    figure = Figure(figsize=(3, 1))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 5))
    axes.set_axis_off()
    axes.bar(0.25 if side == "left" else 0.75, level, width=0.2, color=color)
    return figure


def describe(level, color="tab:red", side="left"):
    return f'A {color} bar of height {level} on the {side}, "at rest"'


def bars(**options):
    sliders = {
        "level": Slider(LEVELS, label=r"level $V_\mathrm{m}$", unit=r"$\vartheta$", fmt=".1f"),
        "color": Slider(COLORS),
        "side": Slider(["left", "right"], initial="right"),
    }
    return interactive_figure(bar, alt=describe, label="Bars", **{**sliders, **options})


@pytest.fixture(scope="module")
def figure():
    return bars()


class Piece(HTMLParser):
    """Start tags with their attributes, and the text of scripts, by class."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("class", "run") if tag == "script" else None

    def handle_data(self, data):
        if self._open:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data

    def handle_endtag(self, _):
        self._open = None

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def attempt(function, *arguments):
    """Return what a function gives, or of what it complains."""
    try:
        return function(*arguments), None
    except ValueError as error:
        return None, str(error)


def stored_frames(figure):
    return _frames.unpack(Piece(figure.html).scripts["ttfs-frames"])


def combinations():
    return list(itertools.product(LEVELS, COLORS.values(), ["left", "right"]))


# Labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "marked", "plain"),
    [
        ("weight", "weight", "weight"),
        ("a < b & c", "a &lt; b &amp; c", "a < b & c"),
        ("weight $w_1$", "weight <i>w</i><sub>1</sub>", "weight w_1"),
        (r"$\tau_\mathrm{s}$", "<i>τ</i><sub>s</sub>", "τ_s"),
        (r"$\tau_{\text{m}}$", "<i>τ</i><sub>m</sub>", "τ_m"),
        ("$10^{-3}$ s", "10<sup>−3</sup> s", "10^−3 s"),
        (r"$\Delta t_{ij}$", "<i>Δ</i> <i>t</i><sub><i>i</i><i>j</i></sub>", "Δ t_ij"),
        (r"$x_{a^{2}}$", "<i>x</i><sub><i>a</i><sup>2</sup></sub>", "x_a^2"),
        (r"$\lambda \le 5\%$", "<i>λ</i> ≤ 5%", "λ ≤ 5%"),
        (r"$\vartheta$, $\infty$", "<i>ϑ</i>, ∞", "ϑ, ∞"),
    ],
)
def test_labels_hold_a_little_mathematics(text, marked, plain):
    assert _markup.label("label", text) == (marked, plain)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "it must be a string, got NoneType 'None'"),
        ("costs 5$", "it must close every [$] it opens, got 'costs 5[$]'"),
        ("$a_{b$", "it has a misplaced '{' inside"),
        ("$a_$", "it has a misplaced '_' inside"),
        ("$a}$", "it has a misplaced '}' inside"),
        (r"$\frac{1}{2}$", r"it may use Greek letters and .*, got \\frac"),
        (r"$\ $", r"it may use Greek letters and"),
    ],
)
def test_a_label_that_cannot_be_shown_is_refused(text, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}") as caught:
        _markup.label("it", text)
    assert "\n" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="$")))
def test_text_is_shown_as_it_is(text):
    assert _markup.label("it", text) == (html.escape(text), text)


@settings(max_examples=60)
@given(st.text(st.sampled_from('$ab1_^{}\\<>&" '), max_size=14) | st.text(max_size=8))
def test_any_label_is_either_safe_or_refused(text):
    shown, complaint = attempt(_markup.label, "it", text)
    if complaint:
        assert complaint.startswith("it ")
    else:
        without_tags = re.sub(r"</?(?:i|sub|sup)>", "", shown.html)
        assert not set('<>"') & set(without_tags)
        ET.fromstring(f"<p>{re.sub('[^ -~]', '', shown.html)}</p>")


# Controls ------------------------------------------------------------------------------------


def test_numbers_make_a_slider_that_starts_in_the_middle():
    made = control("weight", Slider(np.linspace(-1, 1, 5), unit="mV", fmt=".1f"))
    assert not made.is_choice
    assert made.options == ["−1.0", "−0.5", "0.0", "0.5", "1.0"]
    assert made.arguments == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert made.initial == 2
    assert made.texts[0] == "−1.0 mV"
    assert made.setting == "weight = 0.0 mV"


@pytest.mark.parametrize("values", [range(3), (0, 1, 2), np.arange(3), iter([0, 1, 2])])
def test_integers_stay_integers(values):
    made = control("n_layers", values)
    assert made.arguments == [0, 1, 2]
    assert [type(argument) for argument in made.arguments] == [int] * 3
    assert made.label.plain == "n layers"


def test_the_name_of_an_argument_is_escaped():
    for values in ([1, 2], ["a", "b"]):
        made = control('a_"><b>$', values)
        assert 'name="a_&quot;&gt;&lt;b&gt;$"' in made.html
        assert "<label>a &quot;&gt;&lt;b&gt;$</label>" in made.html
        assert "<b>" not in made.html
        assert made.label.plain == made.title == 'a "><b>$'


def test_strings_and_mappings_are_choices_that_start_with_the_first():
    strings = control("rule", ["off", "on"])
    assert (strings.options, strings.arguments) == (["off", "on"], ["off", "on"])
    mapping = control("rule", Slider({"$w_1$": 1.5, "none": None}, initial="none"))
    assert (mapping.options, mapping.arguments) == (["w_1", "none"], [1.5, None])
    assert (strings.is_choice, strings.initial) == (True, 0)
    assert (mapping.is_choice, mapping.initial) == (True, 1)


@pytest.mark.parametrize("wanted", [0.3, 0.1 + 0.2, np.float32(0.3)])
def test_the_initial_number_may_be_off_by_rounding(wanted):
    assert control("x", Slider(np.linspace(0, 1, 11), initial=wanted)).initial == 3


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-1000, 1000), min_size=2, max_size=20))
def test_every_value_has_a_text_of_its_own_or_is_refused(values):
    made, complaint = attempt(control, "x", values)
    if complaint:
        assert re.match(r"x shows '.*' for more than one value", complaint)
        assert len({f"{value:g}" for value in values}) < len(values)
    else:
        (attributes,) = Piece(made.html).attributes("input")
        assert json.loads(attributes["data-values"]) == made.options
        assert [float(o.replace("−", "-")) for o in made.options] == pytest.approx(values, rel=1e-5)
        assert int(attributes["max"]) == len(values) - 1


BAD_SLIDERS = [
    (5.0, "x must be a sequence of values, got 5.0"),
    (None, "x must be a sequence of values, got None"),
    ("abc", "x must be a sequence of values, got 'abc'"),
    ([], "x must offer at least 2 values, got 0"),
    ([1.0], "x must offer at least 2 values, got 1"),
    ([1.0, NAN], "x must be finite, got nan at index 1"),
    ([1.0, "b"], "x must be an array of numbers, got list"),
    (["b", 1.0], "value of x must be a string, got float '1.0'"),
    ([[1, 2], [3, 4]], "x must have 1 dimension"),
    ({1: "a", 2: "b"}, "x must be an array of numbers|value of x must be a string, got int '1'"),
    ([0.1, 0.1], "x shows '0.1' for more than one value: mend values or fmt"),
    (Slider([0.11, 0.12], fmt=".1f"), "x shows '0.1' for more than one value"),
    (Slider([1, 2], fmt="km"), "fmt of x must be a number format, got 'km'"),
    (Slider([1, 2], initial=3), "initial of x must be one of 1, 2, got 3"),
    (Slider([1, 2], initial="1"), "initial of x must be a real number, got str '1'"),
    (Slider(["a", "b"], initial="c"), "initial of x must be one of a, b, got 'c'"),
    (Slider([1, 2], label="$x"), "label of x must close every"),
    (Slider([1, 2], unit=3), "unit of x must be a string, got int '3'"),
    (Slider([1, 2], play=0), "play of x must be positive, got 0.0"),
    (Slider(["a", "b"], play=3), "play of x must be left out: there is no order in its choices"),
]


@pytest.mark.parametrize(("slider", "complaint"), BAD_SLIDERS)
def test_a_bad_slider_is_one_line_that_names_it(slider, complaint):
    with pytest.raises(ValueError, match=f"^(?:{complaint})") as caught:
        interactive_figure(bar, alt="A bar.", x=slider)
    assert "\n" not in str(caught.value)


# Frames --------------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.sampled_from(["<g>", "</g>", '<path d="M 0 0"/>', "<a>ä < b</a>"]))
        .map("".join)
        .filter(bool)
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))
    )
)
def test_unpacking_gives_what_was_packed(frames):
    parcel = _frames.pack(frames, alts=["ä"])
    assert _frames.unpack(parcel) == frames
    assert _frames.pack(frames, alts=["ä"]) == parcel
    assert parcel.isascii()


def test_what_frames_share_is_stored_once():
    axes = [_frames.draw(bar, {"level": level}) for level in LEVELS]
    assert len(_frames.pack(axes * 20)) < 2 * len(_frames.pack(axes))


def rich(shift=0.0):
    """Draw a bit of everything: lines, an image, mathematics, clipping, a legend."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6, 2.5), layout="constrained")
    times = np.linspace(0, 3, 100)
    left.plot(times, np.sin(times + shift), label=r"$V(t)\cdot\tau_\mathrm{s}^{-1}$")
    left.plot([1, 2], [0.5, 5], "o--")
    left.set(xlim=(0, 3), ylim=(0, 1.2), xlabel=r"time $t$ ($\tau_s$)", title="a & b < c")
    left.legend()
    right.imshow(np.arange(12).reshape(3, 4) + shift)
    right.hist([1, 1, 2], hatch="//", alpha=0.5)
    return figure


def test_a_frame_is_one_line_of_svg_that_needs_nothing_else():
    frame = _frames.draw(rich, {})
    assert "\n" not in frame
    root = ET.fromstring(frame)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    ids = re.findall(r' id="([^"]+)"', frame)
    used = re.findall(r'(?:href="|url\()#([^")]+)', frame)
    assert set(ids) == set(used)
    assert re.findall(r'href="(?!#|data:image/png;base64,)', frame) == []
    assert _frames.size_in_points(frame) == (432, 180)
    assert base64.b64decode(_frames.data_uri(frame).split(",")[1]).decode() == frame


def test_the_same_call_gives_the_same_frame():
    assert _frames.draw(rich, {"shift": 0.5}) == _frames.draw(rich, {"shift": 0.5})
    assert _frames.draw(rich, {"shift": 0.5}) != _frames.draw(rich, {"shift": 0.6})


def test_only_pictures_have_a_size():
    with pytest.raises(ValueError, match="frame must be a picture made by `draw`, got 'svg'"):
        _frames.size_in_points("svg")


def untidy(outcome):
    plt.figure()
    mpl.rcParams["font.size"] = 3
    if outcome == "failure":
        raise ValueError("no such level")
    return rich() if outcome == "figure" else outcome


@pytest.fixture
def my_figure():
    figure = plt.figure()
    yield figure
    plt.close(figure)


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        ("figure", None),
        ("string", "plot must return a matplotlib Figure, got str"),
        ("failure", "no such level"),
    ],
)
def test_drawing_leaves_pyplot_and_its_settings_as_they_were(outcome, complaint, my_figure):
    before = mpl.rcParams.copy()
    assert attempt(_frames.draw, untidy, {"outcome": outcome})[1] == complaint
    assert plt.get_fignums() == [my_figure.number]
    assert mpl.rcParams == before


def test_an_error_tells_for_which_frame():
    with pytest.raises(ValueError, match="no such level") as caught:
        _frames.draw(untidy, {"outcome": "failure"})
    assert caught.value.__notes__ == ["while drawing the frame for outcome='failure'"]
    plt.close("all")


def test_a_figure_keeps_its_size_under_any_setting():
    with mpl.rc_context({"savefig.bbox": "tight", "svg.fonttype": "none", "savefig.dpi": 300}):
        assert _frames.size_in_points(_frames.draw(bar, {"level": 1})) == (216, 72)


# What is stored ------------------------------------------------------------------------------


def test_the_frames_are_the_plots_in_the_order_of_nested_loops(figure):
    drawn = [
        _frames.draw(bar, dict(zip(("level", "color", "side"), values, strict=True)))
        for values in combinations()
    ]
    assert stored_frames(figure) == drawn


def test_the_stored_picture_is_the_initial_frame_with_its_description(figure):
    initial = combinations().index((2, "tab:red", "right"))
    piece = Piece(figure.html)
    (image,) = piece.attributes("img")
    assert image["src"] == _frames.data_uri(stored_frames(figure)[initial])
    assert image["alt"] == describe(2, side="right")
    (root,) = (a for a in piece.attributes("div") if a.get("class") == "ttfs-interactive")
    assert root["data-frame"] == str(initial)
    assert root["aria-label"] == "Bars"
    assert "Shown for level V_m = 2.0 ϑ, color = w_1 red, side = right." in figure.html


def test_the_same_figure_is_stored_the_same_each_time(figure):
    assert bars().html == figure.html


def test_the_stored_figure_loads_nothing(figure):
    piece = Piece(figure.html)
    sources = [a[key] for _, a in piece.tags for key in ("src", "href") if key in a]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "http" not in _page.asset("explore.js") + _page.asset("explore.css")
    assert "id" not in {key for _, attributes in piece.tags for key in attributes}


def test_without_a_kernel_there_is_no_widget(figure):
    bundle = figure._repr_mimebundle_()
    assert bundle == {
        "text/plain": "InteractiveFigure(level: 5 values, color: 2 values, side: 2 values)",
        "text/html": figure.html,
    }


def test_one_description_may_serve_all_frames():
    figure = interactive_figure(bar, alt="A bar.", level=LEVELS)
    assert Piece(figure.html).attributes("img")[0]["alt"] == "A bar."


@settings(max_examples=15)
@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_any_text_may_describe_a_figure(alt, label):
    figure = interactive_figure(bar, alt=alt, label=label, level=[1, 2])
    piece = Piece(figure.html.replace("\r", "&#13;"))
    assert piece.attributes("img")[0]["alt"] == alt
    assert piece.attributes("div")[0]["aria-label"] == label
    assert len(stored_frames(figure)) == 2


def fails(**_):
    raise AssertionError("nothing should be drawn")


@pytest.mark.parametrize(
    ("plot", "options", "complaint"),
    [
        ("bar", {"level": LEVELS}, "plot must be callable, got str"),
        (bar, {}, "sliders must not be empty: give the values of an argument of plot"),
        (fails, {"a": range(20), "b": range(21)}, "sliders must make at most 400 frames, got 420"),
        (lambda level: level, {"level": LEVELS}, "plot must return a matplotlib Figure, got int"),
        (fails, {"level": LEVELS, "alt": " "}, "alt must say what the figure shows, got ' '"),
        (fails, {"level": LEVELS, "alt": None}, "alt must say what the figure shows, got None"),
        (fails, {"level": LEVELS, "alt": lambda level: level}, "alt must say .*, got 0"),
        (fails, {"level": LEVELS, "label": ""}, "label must say what the figure shows, got ''"),
    ],
)
def test_a_bad_figure_is_one_line_that_names_the_argument(plot, options, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}") as caught:
        interactive_figure(plot, **{"alt": "A bar.", **options})
    assert "\n" not in str(caught.value)


def test_a_figure_has_at_most_one_megabyte():
    def noise(seed):
        figure = Figure()
        pixels = np.random.default_rng(seed).random((350, 350))
        figure.subplots().imshow(pixels, interpolation="none")
        return figure

    with pytest.raises(ValueError, match=r"must fit in 1 MB, got \d\.\d\d MB in 4 frames: give"):
        interactive_figure(noise, alt="Noise.", seed=range(4))


# In the browser ------------------------------------------------------------------------------

in_browser = pytest.mark.filterwarnings("default")


def awake(page, index=0):
    root = page.locator(".ttfs-interactive").nth(index)
    root.locator("xpath=self::*[@data-state='ready']").wait_for()
    return root


def shown(root):
    """The picture on the stage, once it is decoded."""
    return root.locator(".ttfs-stage").evaluate(
        "async stage => { await stage.decode(); return (await fetch(stage.src)).text(); }"
    )


@in_browser
def test_every_setting_shows_its_frame(show, figure):
    root = awake(show(figure.html))
    frames = stored_frames(figure)
    slider, color, side = (root.locator(f"[name={name}]") for name in ("level", "color", "side"))
    assert shown(root) == frames[combinations().index((2, "tab:red", "right"))]
    slider.press("Home")
    for step, level in enumerate(LEVELS):
        if step:
            slider.press("ArrowRight")
        for (key, paint), place in itertools.product(COLORS.items(), ("left", "right")):
            color.select_option(key.replace("$", ""))
            side.select_option(place)
            index = combinations().index((level, paint, place))
            assert root.get_attribute("data-frame") == str(index)
            assert shown(root) == frames[index]
            assert root.locator("img").get_attribute("alt") == describe(level, paint, place)
            assert slider.get_attribute("aria-valuetext") == f"{level}.0 ϑ"
            assert root.locator("output").inner_text() == f"{level}.0 ϑ"


@in_browser
def test_the_keyboard_is_enough(show, figure):
    page = show(figure.html)
    root = awake(page)
    focused = "document.activeElement.name"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "level"
    for key, level in [("ArrowUp", 3), ("End", 4), ("ArrowLeft", 3), ("Home", 0), ("PageUp", 1)]:
        page.keyboard.press(key)
        assert root.locator("output").inner_text() == f"{level}.0 ϑ"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("l")
    assert page.evaluate(focused) == "side"
    assert shown(root) == stored_frames(figure)[combinations().index((1, "tab:blue", "left"))]


@in_browser
def test_the_mouse_and_a_finger_are_enough(show, figure):
    page = show(figure.html, has_touch=True)
    root = awake(page)
    slider, said = root.locator("input"), root.locator("output")
    box = slider.bounding_box()
    right, middle = {"x": box["width"] - 3, "y": box["height"] / 2}, box["y"] + box["height"] / 2
    slider.click(position=right)
    assert said.inner_text() == "4.0 ϑ"
    page.mouse.move(box["x"] + box["width"] - 5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    assert said.inner_text() == "2.0 ϑ"
    page.mouse.move(box["x"] + 2, middle, steps=5)
    page.mouse.up()
    assert said.inner_text() == "0.0 ϑ"
    page.touchscreen.tap(box["x"] + box["width"] / 2, middle)
    assert said.inner_text() == "2.0 ϑ"


@in_browser
def test_several_figures_and_the_same_one_twice_move_apart(show, figure):
    other = interactive_figure(bar, alt="Another bar.", label="Other", level=LEVELS)
    page = show(figure.html + other.html + figure.html)
    first, second, third = (awake(page, index) for index in range(3))
    still = shown(first), shown(second)
    third.locator("input").press("End")
    assert shown(third) != still[0]
    assert (shown(first), shown(second)) == still
    second.locator("input").press("Home")
    assert shown(second) == stored_frames(other)[0]
    assert shown(first) == still[0]
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids)) == 7
    third.locator("label").first.click()
    assert third.locator("input").evaluate("input => input === document.activeElement")


@in_browser
def test_a_screen_reader_hears_names_values_and_changes(show, figure):
    page = show(figure.html)
    awake(page)
    group = page.get_by_role("group", name="Bars", exact=True)
    slider = group.get_by_role("slider", name="level Vm")
    assert group.get_by_role("combobox").count() == 2
    assert group.get_by_role("combobox", name="color").is_enabled()
    spoken = group.locator("[aria-live=polite]")
    assert spoken.inner_text() == ""
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "3.0 ϑ"
    assert spoken.inner_text() == describe(3, side="right")
    assert group.get_by_role("img", name=describe(3, side="right"), exact=True).count() == 1


@in_browser
def test_what_stays_the_same_is_not_repeated(show):
    page = show(interactive_figure(bar, alt="A bar.", level=LEVELS).html)
    root = awake(page)
    root.locator("input").press("End")
    assert root.locator("img").get_attribute("alt") == "A bar."
    assert root.locator("[aria-live=polite]").inner_text() == ""


NO_GZIP = "delete window.DecompressionStream;"


@in_browser
@pytest.mark.parametrize("lack", ["scripts", "gzip", "parcel"])
def test_where_it_cannot_move_it_shows_one_picture_and_says_which(show, figure, lack):
    content = figure.html
    if lack == "parcel":
        parcel = Piece(content).scripts["ttfs-frames"]
        content = content.replace(parcel, parcel[:-40])
    init = NO_GZIP if lack == "gzip" else None
    page = show(content, init, java_script_enabled=lack != "scripts")
    root = page.locator(".ttfs-interactive")
    if lack != "scripts":
        root.locator("xpath=self::*[@data-state='still']").wait_for()
    assert root.locator("input, select").count() == 0
    assert root.get_by_text("Shown for level V_m = 2.0 ϑ, color = w_1 red").is_visible()
    assert root.locator("img").bounding_box()["height"] == pytest.approx(96)


def test_jupyterlab_leaves_the_arrow_keys_to_the_control_in_focus(figure):
    """Its shortcuts match the focused element itself, so there the attribute must be."""
    panel = Piece(Piece(figure.html).scripts["ttfs-panel"])
    inputs = panel.attributes("input") + panel.attributes("select")
    assert [a["data-lm-suppress-shortcuts"] for a in inputs] == ["true"] * 3


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_a_thumb(show, scheme):
    words = "a label that is far too long for a phone and has to be broken somewhere"
    figure = bars(level=Slider(LEVELS, label=words), side=Slider([words, "right"]))
    page = show(figure.html, viewport={"width": 360, "height": 640}, color_scheme=scheme)
    root = awake(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert root.locator("input").bounding_box()["width"] > 250
    for thing in root.locator("input, select").all():
        assert thing.bounding_box()["height"] >= 24


@in_browser
def test_the_picture_has_its_natural_size_where_there_is_room(show, figure):
    page = show(figure.html)
    assert awake(page).locator("img").bounding_box()["width"] == pytest.approx(3 * 96)


@in_browser
def test_on_paper_the_values_stay_and_the_sliders_go(show, figure):
    page = show(figure.html)
    root = awake(page)
    root.locator("input").press("End")
    page.emulate_media(media="print")
    assert root.locator("input").is_hidden()
    assert root.locator("img").is_visible()
    assert root.locator("label").first.is_visible()
    assert root.locator("output").inner_text() == "4.0 ϑ"
    assert root.locator("output").is_visible()


@in_browser
def test_no_text_can_break_out_of_its_place(show):
    evil = "\"'><script>document.title = 'broken'</script><!--</script>&lt;"
    figure = interactive_figure(
        bar,
        alt=lambda level, side: f"{evil}{level}{side}",
        label=evil,
        level=Slider(LEVELS, label=evil, unit=evil),
        side={evil: 1, "other": 2},
    )
    page = show(figure.html)
    root = awake(page)
    root.locator("input").press("End")
    assert page.title() == "Page"
    assert root.locator("label").first.inner_text() == evil
    assert root.locator("option").first.inner_text() == evil
    assert root.locator("img").get_attribute("alt") == f"{evil}41"


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), dtype=float)


@in_browser
def test_a_frame_looks_like_what_matplotlib_drew(show):
    """Ids, comments and all but two decimals are gone: no eye will miss them."""
    buffer = io.StringIO()
    rich().savefig(buffer, format="svg")
    plt.close("all")
    pictures = [buffer.getvalue(), _frames.draw(rich, {}), _frames.draw(rich, {"shift": 0.05})]
    uris = map(_frames.data_uri, pictures)
    page = show("".join(f'<img src="{uri}" width="576" style="display:block">' for uri in uris))
    whole, pruned, moved = (pixels(page.locator("img").nth(index)) for index in range(3))
    assert abs(whole - pruned).mean() < 0.2 * abs(whole - moved).mean()
    assert abs(whole - pruned).max() < 100


# In a kernel ---------------------------------------------------------------------------------

CELLS = [
    """
import base64, json
import matplotlib.pyplot as plt
from ttfslib.explore import Slider, interactive_figure

def plot(level, side):
    figure, axes = plt.subplots(figsize=(3, 1))
    axes.bar(side, level)
    axes.set(xlim=(-1, 1), ylim=(0, 5))
    return figure

figure = interactive_figure(
    plot,
    alt=lambda level, side: f'Height "{level}" on side {side}',
    level=Slider([0, 1, 2], label="level $V_m$"),
    side={"left": -0.5, "right": 0.5},
)
figure
""",
    """
box = figure._widget()
stage, slider, choice = box.children
values = [stage.value]
slider.index = 2
values.append(stage.value)
choice.index = 1
values.append(stage.value)
print(json.dumps([values, slider.description, list(choice._options_labels)]))
""",
    "plt.get_fignums()",
]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A notebook that was run by a kernel, as the book's chapters are."""
    nbclient = pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    folder = str(tmp_path_factory.mktemp("notebook"))
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return notebook


in_kernel = pytest.mark.filterwarnings("default")


@in_kernel
def test_a_kernel_adds_live_sliders_and_nothing_else(notebook):
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == {"text/plain", "text/html", figure_module._WIDGET_VIEW}
    assert output.data[figure_module._WIDGET_VIEW]["model_id"]
    assert len(_frames.unpack(Piece(output.data["text/html"]).scripts["ttfs-frames"])) == 6
    assert notebook.cells[2].outputs[0].data["text/plain"] == "[]"


@in_kernel
def test_moving_a_live_slider_draws_the_figure_anew(notebook):
    stored = _frames.unpack(
        Piece(notebook.cells[0].outputs[0].data["text/html"]).scripts["ttfs-frames"]
    )
    values, description, labels = json.loads(notebook.cells[1].outputs[0].text)
    images = [Piece(value).attributes("img")[0] for value in values]
    drawn = [base64.b64decode(image["src"].split(",")[1]).decode() for image in images]
    assert drawn == [stored[2], stored[4], stored[5]]
    assert [image["alt"] for image in images] == [
        'Height "1" on side -0.5',
        'Height "2" on side -0.5',
        'Height "2" on side 0.5',
    ]
    assert description == "level $V_m$"
    assert labels == ["left", "right"]


@in_kernel
@in_browser
@pytest.mark.parametrize("view", ["kept", "dropped"])
def test_nbconvert_makes_a_page_that_works(notebook, show, view):
    """Of a view whose kernel is gone nothing is left but the stored figure."""
    nbconvert = pytest.importorskip("nbconvert")
    copy = nbformat.from_dict(notebook)
    copy.metadata.pop("widgets", None)
    if view == "dropped":
        del copy.cells[0].outputs[0].data[figure_module._WIDGET_VIEW]
    page_text, _ = nbconvert.HTMLExporter().from_notebook_node(copy)
    page_text = re.sub(r"<script[^>]* src=.*?</script>", "", page_text, flags=re.DOTALL)
    page_text = re.sub(r"<script[^>]*>[^<]*https://.*?</script>", "", page_text, flags=re.DOTALL)
    root = awake(show(page_text))
    before = shown(root)
    root.locator("input").press("End")
    assert shown(root) != before

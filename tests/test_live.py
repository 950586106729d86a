"""Live figures: what a page computes for a slider is what `ttfslib` computes."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import ttfslib
from ttfslib import LIFParameters, book
from ttfslib.explore import Slider, _dark, _page, live, live_figure
from ttfslib.plotting import COLORS

in_browser = pytest.mark.filterwarnings("default")
CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
KINDS = {
    "crossings": "ch01_one_neuron",
    "moved_input": "ch02_causal_set",
    "grazing": "ch03_gradient",
    "lessons": "ch03_gradient",
    "decision": "ch04_layers",
    "replay": "ch05_deep_network",
    "pulses": "ch06_synchronization",
    "scatter": "ch09_general",
}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
# Puts the controls to each list of positions, and returns what the figure finds there.
VISIT = """async (root, places) => {
  const controls = [...root.querySelectorAll("input, select")], found = [];
  for (const place of places) {
    place.forEach((at, i) => {
      if (controls[i].options) controls[i].selectedIndex = at;
      else controls[i].value = at;
    });
    controls[0].dispatchEvent(new Event("input"));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const plain = (_, value) => ArrayBuffer.isView(value) ? Array.from(value)
      : value === Infinity ? "inf" : value;
    found.push(JSON.parse(JSON.stringify(root.found, plain)));
  }
  return found;
}"""


def stored(kind):
    """The figure as the chapter's cell displays it, the first one if there are several."""
    notebook = nbformat.read(CHAPTERS / f"{KINDS[kind]}.ipynb", 4)
    pages = [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if f'data-kind="{kind}"' in output.get("data", {}).get("text/html", "")
    ]
    assert pages, f"{KINDS[kind]} must hold a {kind}"
    return pages[0]


def content(page):
    """What the figure hands to its program, with arrays as arrays."""
    text = re.search(r'class="ttfs-data">(.*?)</script>', page, re.DOTALL)[1]

    def revive(thing):
        if "$bytes" in thing:
            return np.frombuffer(base64.b64decode(thing["$bytes"]), thing["$type"])
        return float(thing["$number"]) if "$number" in thing else thing

    return json.loads(text, object_hook=revive)


def handed(page, change):
    """The figure, its program handed other data."""

    def put(found):
        content = json.loads(found[2])
        change(content["data"])
        return found[1] + json.dumps(content).replace("<", "\\u003c") + found[3]

    return re.sub(r'(class="ttfs-data">)(.*?)(</script>)', put, page, flags=re.DOTALL)


def awake(page, index=0):
    root = page.locator(".ttfs-live").nth(index)
    root.locator("xpath=self::*[@data-state='ready']").wait_for()
    return root


def opened(show, kind):
    """The figure of a chapter, awake, and what it hands to its program."""
    page_text = stored(kind)
    return awake(show(page_text)), content(page_text)["data"]


def found_at(root, places):
    return root.evaluate(VISIT, [list(map(int, place)) for place in places])


def sizes(root):
    return root.locator("input, select").evaluate_all(
        "all => all.map(c => c.options ? c.options.length : Number(c.max) + 1)"
    )


def some_places(root, n, seed=0):
    """Random positions of the controls, and their ends."""
    shape = sizes(root)
    ends = [[0] * len(shape), [size - 1 for size in shape]]
    return [*ends, *np.random.default_rng(seed).integers(0, shape, (n, len(shape))).tolist()]


def numbers(values):
    return np.array([float(value) for value in np.atleast_1d(values)])


def line(level=1.0, side=1.0):
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([0, 1], [0, level * side], color="#123456")
    axes.plot([0, 1], [1, 1], color="#654321", gid="stays")
    axes.text(0.5, 0.5, "moves too")
    axes.set(xlim=(0, 2), ylim=(-1, 3))
    return figure


def small(plot=line, **options):
    settings = {"kind": "crossings", "alt": "A line.", "level": Slider([0.5, 1.0, 1.5])}
    return live_figure(plot, **{**settings, **options})


# What is stored ------------------------------------------------------------------------------


def test_a_cell_displays_a_page_that_is_complete_in_itself():
    figure = small(label="Lines")
    assert figure._repr_mimebundle_()["text/html"] == figure.html
    assert repr(figure) == "LiveFigure(crossings, level: 3 values)"
    assert 'aria-label="Lines"' in figure.html
    assert "Shown for level = 1." in figure.html
    markup = re.sub(r"<script.*?</script>", "", figure.html, flags=re.DOTALL)
    assert re.findall(r'\b(?:src|href)="(?!data:image/svg)[^"]*"', markup) == []
    assert plt.get_fignums() == []


def test_what_moves_is_marked_and_what_stays_is_not():
    page = small().html
    picture = base64.b64decode(re.search(r'src="data:[^,]*,([^"]*)"', page)[1]).decode()
    marked = re.findall(r'<g class="ttfs-moves">.*?</g>', picture)
    assert any("#123456" in part for part in marked)
    assert not any("#654321" in part for part in marked)
    assert "#654321" in picture


def test_an_axis_stays_unless_it_is_said_to_move():
    def still(page):
        return base64.b64decode(re.search(r'src="data:[^,]*,([^"]*)"', page)[1]).decode()

    def moving(level):
        figure = line(level)
        figure.axes[0].xaxis.set_gid("moves")
        return figure

    before, after = still(small().html), still(small(moving).html)
    assert after.count('class="ttfs-moves"') == before.count('class="ttfs-moves"') + 1
    assert after.replace('<g class="ttfs-moves">', "<g>") == before.replace(
        '<g class="ttfs-moves">', "<g>"
    ), "without scripts it is there"


def test_the_panel_is_where_matplotlib_draws_the_axes():
    (panel,) = content(small().html)["panels"]
    figure = line()
    box = figure.axes[0].get_position()
    plt.close(figure)
    expected = [box.x0 * 288, (1 - box.y1) * 144, box.width * 288, box.height * 144]
    assert panel["box"] == pytest.approx(expected, abs=1e-3)
    assert (panel["xlim"], panel["ylim"]) == ([0, 2], [-1, 3])


def test_every_color_has_one_for_the_dark_page():
    page = small(data={"paint": "#abcdef"}).html
    for color in ("#123456", "#654321", "#abcdef", *COLORS.values()):
        assert f"--ttfs-{color[1:]}:{_dark.hex_on_dark(color)};" in page


def test_a_callable_describes_the_initial_picture():
    page = small(alt=lambda level: f"A line to <{level}>.").html
    assert 'alt="A line to &lt;1.0&gt;."' in page


plain = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats() | st.text()


@given(
    st.recursive(
        plain, lambda part: st.lists(part) | st.dictionaries(st.text("ab"), part), max_leaves=8
    )
)
def test_data_arrive_as_they_are(value):
    page = Template("$data").substitute(data=json.dumps(live._sent("data", value)))
    text = f'class="ttfs-data">{page.replace("<", chr(92) + "u003c")}</script>'
    assert repr(content(text)) == repr(value)


def test_arrays_arrive_bit_by_bit():
    arrays = {
        "single": np.array([[0.1, math.inf], [-0.0, 3]], np.float32),
        "double": np.linspace(0, 1, 7)[::2],
        "whole": np.arange(5),
    }
    found = content(small(data=arrays).html)["data"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array.ravel())
    assert [found[name].dtype for name in arrays] == ["float32", "float64", "int32"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"plot": "line"}, "plot must be callable, got str"),
        ({"plot": lambda level: level}, "plot must return a matplotlib Figure, got float"),
        ({"kind": "circus"}, r"kind must be one of crossings, .*, got 'circus'"),
        ({"data": [1]}, "data must be a mapping, got list"),
        ({"data": {"a": [1, {2}]}}, r"data\['a'\]\[1\] must be a number, a string or an array"),
        ({"data": {"a": np.array(["b"])}}, r"data\['a'\] must hold floats or integers, got <U1"),
        ({"alt": ""}, "alt must say what the figure shows, got ''"),
        ({"label": " "}, "label must say what the figure shows, got ' '"),
        ({"level": [1.0]}, "level must offer at least 2 values, got 1"),
        ({"data": {"a": np.zeros(200_000)}}, r"the live figure must fit in 1 MB, got \d\.\d\d MB"),
    ],
)
def test_a_bad_figure_is_one_line_that_names_the_argument(options, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}") as caught:
        small(**options)
    assert "\n" not in str(caught.value)


def test_sliders_and_linear_axes_are_needed():
    with pytest.raises(ValueError, match=r"^sliders must not be empty"):
        live_figure(line, kind="crossings", alt="A line.")

    def logarithmic(level):
        figure = Figure()
        figure.subplots().semilogy([1, 2], [level, 1])
        return figure

    with pytest.raises(ValueError, match=r"^the y axis of a live figure must be linear, got log"):
        small(logarithmic)


def test_each_kind_is_a_file_that_registers_its_name_and_a_figure_of_the_book():
    assert live.kinds() == sorted(KINDS)
    for kind in live.kinds():
        assert f'live.register("{kind}"' in _page.asset(f"live/{kind}.js")
        assert f"``{kind}``" in live_figure.__doc__


# On the page ---------------------------------------------------------------------------------


def spikes_of_ttfslib(data, xy, dtype):
    """Inputs, hidden and output spikes for points, with the weights that the figure has."""
    shapes = zip(data["sizes"], data["sizes"][1:], strict=False)
    matrices = [
        torch.tensor(w, dtype=dtype).reshape(shape)
        for w, shape in zip(data["weights"], shapes, strict=True)
    ]
    features = torch.tensor(np.concatenate([xy, 1 - xy], axis=1), dtype=dtype)
    times = torch.from_numpy(ttfslib.latency_encode(features.numpy()))
    inputs = torch.cat([times, torch.full((len(xy), 1), data["clock"], dtype=dtype)], dim=1)
    with torch.no_grad():
        return [inputs, *ttfslib.TTFSNetwork.from_weights(matrices)(inputs)]


@in_browser
def test_a_point_has_the_spikes_that_ttfslib_finds(show):
    root, data = opened(show, "decision")
    found = found_at(root, some_places(root, 200))
    xy = np.array([[each["values"][name] for name in "xy"] for each in found])
    assert np.hypot(*(xy - 0.5).T).max() < 0.5, "the point stays in the disc"
    assert np.ptp(xy, axis=0).min() > 0.9
    layers = spikes_of_ttfslib(data, xy, torch.float64)
    seen = [np.array([numbers(each["spikes"][i]) for each in found]) for i in range(3)]
    for times, expected in zip(seen, layers, strict=True):
        np.testing.assert_allclose(times, expected, rtol=1e-9)
    # The cell computes in single precision, which knows a grazing spike less well.
    for times, expected in zip(seen, spikes_of_ttfslib(data, xy, torch.float32), strict=True):
        both = np.isfinite(times) & np.isfinite(expected.numpy())
        off = np.abs(times[both] - expected.numpy()[both])
        assert both.mean() > 0.9
        assert np.quantile(off, 0.99) < 1e-6
        assert off.max() < 1e-4
    winners = layers[-1].argmin(1)
    assert set(winners.tolist()) == {0, 1, 2}
    for each, winner in zip(found, winners, strict=True):
        assert f"class {winner} fires first" in each["says"]


@in_browser
def test_both_crossings_are_those_of_ttfslib(show):
    root = awake(show(stored("crossings")))
    silent = 0
    for each in found_at(root, some_places(root, 60)):
        w, params = each["values"]["w"], each["values"]["params"]
        params = LIFParameters(**{name: float(value) for name, value in params.items()})
        up, down = float(each["up"]), float(each["down"])
        assert up == pytest.approx(ttfslib.first_spike_time([0], [w], params), rel=1e-9)
        silent += math.isinf(up)
        if math.isfinite(down):
            assert w * ttfslib.psp(down, params) == pytest.approx(1, rel=1e-9)
            assert down >= ttfslib.peak_delay(0.0, w, params)
        else:
            assert math.isinf(up) or math.isinf(params.tau_m)
    assert 0 < silent < 60


@in_browser
def test_a_moved_input_moves_the_spike_and_its_curve(show):
    root, data = opened(show, "moved_input")
    silent = 0
    for each in found_at(root, some_places(root, 25)):
        times, weights = data["times"].copy(), data["weights"].copy()
        weights[data["moved"]] = each["values"]["weight"]

        def spike_at(arrival, times=times, weights=weights):
            times[data["moved"]] = arrival
            return ttfslib.first_spike_time(times, weights)

        arrivals, spikes = np.array(each["found"], dtype=float).T
        assert (arrivals.min(), arrivals.max()) == (0, 2)
        np.testing.assert_allclose(spikes, [spike_at(t) for t in arrivals], rtol=1e-9)
        spike = spike_at(each["values"]["arrival"])
        assert float(each["spike"]) == pytest.approx(spike, rel=1e-9)
        causes = [data["names"][i] for i in ttfslib.causal_set(times, weights)]
        assert each["causes"] == ", ".join(causes)
        silent += math.isinf(spike)
    assert 0 < silent < 25


@in_browser
def test_a_grazing_spike_has_the_gradient_of_ttfslib(show):
    root, data = opened(show, "grazing")
    steepest = 0.0
    for each in found_at(root, [[i] for i in range(0, *sizes(root), 5)]):
        weights = [each["values"]["w"], data["second"]]
        spike = ttfslib.first_spike_time(data["times"], weights)
        derivative = ttfslib.spike_time_gradient(data["times"], weights)[0][0]
        assert float(each["spike"]) == pytest.approx(spike, rel=1e-9)
        assert each["derivative"] == pytest.approx(derivative, rel=1e-7)
        assert each["slope"] == pytest.approx(-ttfslib.psp(spike) / derivative, rel=1e-7)
        steepest = max(steepest, -derivative)
    assert steepest > 10


@in_browser
def test_lessons_are_those_of_gradient_descent_in_python(show):
    root, data = opened(show, "lessons")
    silent = 0
    for each in found_at(root, some_places(root, 12)):
        w = data["start"].copy()
        for _ in range(each["values"]["step"]):
            spike = ttfslib.first_spike_time(data["times"], w)
            if math.isfinite(spike):
                gradient, _ = ttfslib.spike_time_gradient(data["times"], w)
                w = w - data["rate"] * (spike - each["values"]["target"]) * gradient
        spike = ttfslib.first_spike_time(data["times"], w)
        np.testing.assert_allclose(numbers(each["weights"]), w, rtol=1e-6, atol=1e-9)
        assert float(each["spike"]) == pytest.approx(spike, rel=1e-6)
        silent += math.isinf(spike)
    assert 0 < silent < 12


@in_browser
def test_a_replay_tells_who_has_fired_and_what_is_decided(show):
    root, data = opened(show, "replay")
    outcomes = set()
    for found in found_at(root, [*some_places(root, 60), [0, 0, 15]]):
        state, sample, time = (found["values"][name] for name in ("state", "sample", "time"))
        time = np.float32(time)  # as exact as the spikes
        layers = data["volleys"][state][str(sample)]
        fired = [(times <= time).mean() for times in layers]
        np.testing.assert_allclose(found["fired"], fired, atol=1e-12)
        decision = float(layers[-1].min())
        assert numbers(found["decision"]) == pytest.approx(decision, abs=1e-6)
        expected = int(layers[-1].argmin()) if decision <= time else None
        assert found["winner"] == expected
        assert ("has not decided" in found["says"]) == (expected is None)
        outcomes.add(expected)
    assert None in outcomes
    assert len(outcomes) > 4


@in_browser
def test_pulses_have_the_activity_and_width_that_ttfslib_finds(show):
    root, data = opened(show, "pulses")
    n_widths = 0
    for found in found_at(root, some_places(root, 60)):
        names = "image", "epoch", "share", "time"
        image, epoch, share, time = (found["values"][name] for name in names)
        time = np.float32(time)
        volley = data["volleys"][str(epoch)][str(image)]
        layers = [times.astype(float) for times in volley["layers"]]
        assert all((np.diff(times) >= 0).all() for times in layers), "no pixel has its place"
        packets = [times[times <= volley["decision"]] for times in layers]
        shares = [(p <= time).sum() / n for p, n in zip(packets, data["sizes"], strict=True)]
        np.testing.assert_allclose(found["shares"], shares, atol=1e-12)
        is_over = volley["decision"] <= time
        for seen, packet in zip(found["widths"], packets, strict=True):
            has_width = is_over and len(packet) >= 4
            width = float(ttfslib.shorth(packet, share=share)) if has_width else np.nan
            assert (np.nan if seen is None else seen) == pytest.approx(width, abs=1e-9, nan_ok=True)
            n_widths += math.isfinite(width)
        assert ("not decided" in found["says"]) != is_over
    assert n_widths > 50


MEASURES = {  # of chapter 9, how they are written, and where the tables have them
    "width of the last packet (τₛ)": (".3f", lambda rows: rows["width"][-1]),
    "right (%)": (".1f", lambda rows: 100 * rows["accuracy"][0]),
    "decides at (τₛ)": (".2f", lambda rows: rows["decision_time"][0]),
    "lost without five neurons (%)": (".1f", lambda rows: 100 * rows["needed"][-1]),
    "hidden layers": (".0f", lambda rows: rows["depth"][0]),
}


def in_tables(images):
    """The rows of each network of chapter 9, by group and seed."""
    path = CHAPTERS.parent / "data" / f"ensemble_{images.lower()}" / "layers.csv"
    table = np.genfromtxt(path, None, delimiter=",", names=True, encoding="utf-8")
    networks = {(str(row["group"]), int(row["seed"])): [] for row in table}
    for row in table:
        networks[str(row["group"]), int(row["seed"])].append(row)
    return {name: np.array(rows) for name, rows in networks.items()}


def choose(root, **values):
    """Choose by what the lists show; for a group, by its name without what it lacks."""
    for name, text in values.items():
        options = root.locator(f"select[name={name}] option").all_text_contents()
        (index,) = [i for i, o in enumerate(options) if o.split(" (not on")[0] == text]
        root.locator(f"select[name={name}]").select_option(index=index)
    settle(root.page)
    return root.evaluate("root => root.found")


@in_browser
def test_points_are_the_networks_of_the_tables_and_tell_both_values(show):
    root, data = opened(show, "scatter")
    missing = 0
    for images in ("digits", "MNIST"):
        networks = in_tables(images)
        for x, y in zip(MEASURES, [*list(MEASURES)[1:], next(iter(MEASURES))], strict=True):
            found = choose(root, images=images, x=x, y=y)
            expected = {}
            for (key, seed), rows in networks.items():
                at = [MEASURES[axis][1](rows) for axis in (x, y)]
                if np.isfinite(at).all():
                    expected[f"{data['groups'][key]['name']}, seed {seed}"] = at
            assert {p["name"] for p in found["points"]} == set(expected)
            for point in found["points"]:
                assert point["at"] == pytest.approx(expected[point["name"]], rel=1e-12)
                for axis, value in zip((x, y), point["at"], strict=True):
                    name, _, unit = axis.rstrip(")").partition(" (")
                    said = book.number(value, MEASURES[axis][0])
                    assert f"{name} {said} {unit}".strip() in point["says"]
            count = f"{len(expected)} of {len(networks)} networks on {images} have both values."
            assert found["says"] == f"{y} against {x}: {count}"
            assert root.locator(".ttfs-told").get_by_text(found["says"]).is_visible()
            missing += len(networks) - len(expected)
    assert missing > 20


@in_browser
def test_the_points_stand_where_the_ticks_say(show):
    root, data = opened(show, "scatter")
    x = "width of the last packet (τₛ)"
    for y in ("right (%)", "lost without five neurons (%)"):
        points = np.array([p["at"] for p in choose(root, y=y)["points"]])
        paths = root.evaluate(
            """root => [...root.querySelectorAll("svg g[clip-path] path")]
              .map(path => path.getAttribute("d").match(/[\\d.]+ [\\d.]+/)[0])
              .map(place => place.split(" ").map(Number))"""
        )
        across, up = (data["measures"][name] for name in (x, y))
        grid, marks = np.array(paths[: -len(points)]), np.array(paths[-len(points) :])
        assert len(grid) == len(across["ticks"]) + len(up["ticks"])
        rows, columns = grid[len(across["ticks"]) :, 1], grid[: len(across["ticks"]), 0]
        for i, (ruler, places) in enumerate([(across, columns), (up, rows)]):
            expected = np.polyval(np.polyfit(ruler["ticks"], places, 1), points[:, i])
            assert marks[:, i] == pytest.approx(expected, abs=0.05)
        words = root.locator("svg text").all_text_contents()
        assert words == [*across["words"], *up["words"], x, y]


@in_browser
def test_a_group_stands_out_with_its_seeds_and_one_that_lacks_says_so(show):
    root = awake(show(stored("scatter")))
    strong = """root => [...root.querySelectorAll("svg g[clip-path] path")]
      .filter(path => path.style.fill !== "none").map(path => Number(path.style.opacity))"""
    assert set(root.evaluate(strong)) == {1}
    found = choose(root, group="8 hidden layers")
    assert root.evaluate(strong) == [0.3] * 57 + [1] * 3
    assert [p["name"] for p in found["points"][:3]] == [
        f"8 hidden layers, seed {i}" for i in (1, 2, 3)
    ]
    assert found["says"].endswith("have both values, 3 of 3 in “8 hidden layers”.")
    seeds = root.locator("svg text[style*=bold]").all_text_contents()
    assert sorted(seeds) == ["1", "2", "3"]
    found = choose(root, y="lost without five neurons (%)")
    assert found["says"].endswith("have both values, 0 of 3 in “8 hidden layers”.")
    found = choose(root, images="MNIST", group="layers of 50")
    assert found["says"].endswith("; “layers of 50” was not trained on these images.")
    options = root.locator("select[name=group] option").all_text_contents()
    assert "layers of 50 (not on MNIST)" in options
    assert "layers of 400 (not on digits)" in options
    assert len(options) == 23


def at_point(root, name):
    """Where a point is on the screen."""
    return root.evaluate(
        """(root, name) => {
          const [x, y] = root.found.points.find(point => point.name === name).at;
          const ground = root.querySelector(".ttfs-ground").getBoundingClientRect();
          const rulers = JSON.parse(root.querySelector(".ttfs-data").textContent).data.measures;
          const read = ({$bytes}) => new Float64Array(
            Uint8Array.from(atob($bytes), letter => letter.charCodeAt(0)).buffer);
          const limits = ["x", "y"].map(side => read(rulers[root.found.values[side]].limits));
          const [right, up] = [x, y].map(
            (value, i) => (value - limits[i][0]) / (limits[i][1] - limits[i][0]));
          return [ground.left + right * ground.width, ground.bottom - up * ground.height];
        }""",
        name,
    )


def told(root):
    return root.locator(".ttfs-told span").first.inner_text()


@in_browser
def test_a_network_is_named_where_one_points_and_a_click_chooses_its_group(show):
    page = show(stored("scatter"))
    root = awake(page)
    ring, title = root.locator(".ttfs-ring"), root.locator(".ttfs-names title")
    assert told(root) == "Point at a network, or press the arrow keys, to see which one it is."
    assert not ring.is_visible()
    x, y = at_point(root, "8 hidden layers, seed 2")
    page.mouse.move(x + 3, y - 2)
    says = "8 hidden layers, seed 2: width of the last packet 0.045 τₛ, right 40.3 %"
    assert told(root) == says
    assert title.text_content() == says
    assert middle_of(ring) == pytest.approx((x, y), abs=1)
    page.mouse.move(x + 80, y)
    assert told(root) == says, "the last one that was named stays"
    assert title.text_content() == ""
    page.mouse.click(x, y)
    settle(page)
    assert root.evaluate("root => root.found.values.group") == "dale-8x100"
    assert root.locator("select[name=group] option:checked").text_content() == "8 hidden layers"
    choose(root, x="decides at (τₛ)")
    assert told(root) == "8 hidden layers, seed 2: decides at 1.20 τₛ, right 40.3 %"
    assert middle_of(ring) == pytest.approx(at_point(root, "8 hidden layers, seed 2"), abs=1)
    choose(root, y="lost without five neurons (%)")
    assert not ring.is_visible()


@in_browser
def test_the_keyboard_goes_from_network_to_network(show):
    page = show(stored("scatter"))
    root = awake(page)
    walk = root.get_by_role("slider", name="Networks, group by group")
    page.evaluate("document.addEventListener('keydown', ({key}) => { window.heard = key; })")
    walk.focus()
    names = []
    steps = ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "End", "ArrowUp")
    for key in (*steps, "Home"):
        page.keyboard.press(key)
        names.append(told(root).split(":")[0])
    first, second, *_, last = [p["name"] for p in root.evaluate("root => root.found.points")]
    assert names == [first, second, first, second, first, last, last, first]
    assert walk.get_attribute("aria-valuetext") == told(root)
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("window.heard") is None, "in a deck they would turn the slide"
    assert root.evaluate("root => root.found.values.group") == "dale-4x100"
    assert told(root).startswith("the recipe, seed 1: ")
    spoken = root.locator("[aria-live=polite]")
    page.wait_for_function(
        "() => document.querySelector('.ttfs-spoken').textContent.endsWith('in “the recipe”.')"
    )
    assert spoken.inner_text() == root.evaluate("root => root.found.says")


@in_browser
@pytest.mark.parametrize(("kind", "part"), [("scatter", "names"), ("decision", "handle")])
def test_keys_of_the_browser_are_left_to_it(show, kind, part):
    root = awake(show(stored(kind)))
    kept = """(part, key) => ["altKey", "ctrlKey", "metaKey", "shiftKey"].map(held =>
      part.dispatchEvent(new KeyboardEvent("keydown", {key, [held]: true, cancelable: true})))"""
    for key in ("ArrowLeft", "ArrowUp", "Home", "End"):
        assert root.locator(f".ttfs-{part}").evaluate(kept, key) == [True, True, True, False]


@in_browser
def test_networks_of_one_name_and_groups_that_are_not_offered_stop_nobody(show):
    def change(data):
        data["tables"]["digits"]["seeds"][:3] = 1, 1, 1
        data["tables"]["digits"]["groups"][2] = "unheard"
        data["groups"]["unheard"] = data["groups"]["dale-4x100"]

    root = awake(show(handed(stored("scatter"), change)))
    walk = root.locator(".ttfs-names")
    for step in range(4):
        assert walk.get_attribute("aria-valuenow") == str(step)
        walk.press("ArrowRight")
    before = root.evaluate("root => root.found.values")
    walk.press("ArrowLeft")
    walk.press("Enter")
    settle(root.page)
    assert root.evaluate("root => root.found.values") == before


@in_browser
def test_a_measure_that_a_data_set_lacks_leaves_no_points(show):
    def change(data):
        for part in ("values", "words"):
            del data["tables"]["digits"][part]["right (%)"]

    root = awake(show(handed(stored("scatter"), change)))
    assert "0 of 60 networks on digits have both values" in root.evaluate("root => root.found.says")
    walk = root.locator(".ttfs-names")
    for key in ("ArrowRight", "Home", "End", "Enter"):
        walk.press(key)
        values = [walk.get_attribute(f"aria-value{what}") for what in ("min", "now", "max")]
        assert values == ["0", "0", "0"]


@in_browser
def test_a_finger_names_a_network_on_a_phone(show):
    page = show(stored("scatter"), **PHONE)
    root = awake(page)
    page.touchscreen.tap(*at_point(root, "shuffled labels, seed 3"))
    settle(page)
    assert told(root).startswith("shuffled labels, seed 3: ")
    assert root.evaluate("root => root.found.values.group") == "shuffled"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def contrast(one, other):
    def luminance(color):
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_networks_can_be_told_apart_by_shape_and_seen_on_both_grounds():
    groups = content(stored("scatter"))["data"]["groups"].values()
    looks = {(group["shade"], group["mark"]) for group in groups}
    assert len(looks) == len({mark for _, mark in looks}) == 5
    for shade, mark in looks:
        assert f'{mark}: "m' in _page.asset("live/scatter.js").replace('"^"', "^")
        assert contrast(shade, "#ffffff") > 3
        assert contrast(_dark.hex_on_dark(shade), _dark.hex_on_dark("#ffffff")) > 3


@in_browser
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_play_runs_to_the_end_in_order_and_can_be_paused(show, motion):
    page = show(stored("replay"), reduced_motion=motion)
    root = awake(page)
    play, time = root.locator(".ttfs-play"), root.locator("input[name=time]")
    root.evaluate("(r) => { r.querySelector('[name=time]').dataset.play = 1.5; }")
    seen = """(r) => new Promise((done) => {
      const slider = r.querySelector('[name=time]'), at = [];
      slider.addEventListener("input", () => {
        at.push(Number(slider.value));
        if (slider.value === slider.max) setTimeout(() => done(at), 100);
      });
      r.querySelector(".ttfs-play").click();
    })"""
    places = root.evaluate(seen)
    assert places == sorted(places)
    assert places[0] < 40, "from the end it starts anew"
    assert places[-1] == 300
    assert len(set(places)) <= 13 if motion == "reduce" else len(set(places)) > 13
    assert play.get_attribute("aria-label") == "Play"
    root.evaluate("(r) => { r.querySelector('[name=time]').dataset.play = 60; }")
    play.click()
    assert play.get_attribute("aria-label") == "Pause"
    play.click()
    stopped = time.input_value()
    page.wait_for_timeout(400)
    assert time.input_value() == stopped
    assert play.get_attribute("aria-label") == "Play"
    play.click()
    time.focus()
    page.keyboard.press("ArrowRight")
    assert play.get_attribute("aria-label") == "Play", "who takes the slider has it"


@in_browser
@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_where_the_still_picture_is(show, kind):
    """And says of it what its alternative text says, to the last digit."""
    page_text = stored(kind)
    root = awake(show(page_text))
    alt = re.search(r'<img class="ttfs-stage" alt="([^"]*)"', page_text)[1]
    assert alt.endswith(root.evaluate("root => root.found.says"))
    assert root.get_by_role("img").get_attribute("aria-label") in alt


@in_browser
@pytest.mark.parametrize("kind", KINDS)
def test_no_letter_of_the_axes_is_lost(show, kind):
    """Matplotlib defines a letter where it is first used, which may be in a word that moves."""
    root = awake(show(stored(kind)))
    used = root.evaluate(
        """root => [...root.querySelectorAll("svg use")]
          .map(use => document.querySelector(use.getAttribute("xlink:href")) !== null)"""
    )
    assert len(used) > 20
    assert all(used)


def point_of(root):
    return root.evaluate("root => [root.found.values.x, root.found.values.y]")


def middle_of(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def settle(page):
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


@in_browser
def test_the_mouse_drags_the_point_from_anywhere(show):
    page = show(stored("decision"))
    root = awake(page)
    knob, ground = root.locator(".ttfs-knob"), root.locator(".ttfs-ground").bounding_box()
    assert point_of(root) == [0.3, 0.2]
    x, y = middle_of(knob)
    seen = set()
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 31):
        page.mouse.move(x + 2 * step, y - step)
        settle(page)
        seen.add(tuple(point_of(root)))
    page.mouse.up()
    assert len(seen) > 25, "it follows at every step"
    moved = [0.3 + 60 / ground["width"], 0.2 + 30 / ground["height"]]
    assert point_of(root) == pytest.approx(moved, abs=0.004)
    assert middle_of(knob) == pytest.approx((x + 60, y - 30), abs=1)
    page.mouse.move(x, y)
    settle(page)
    assert point_of(root) == pytest.approx(moved, abs=0.004), "the button is up"
    page.mouse.click(ground["x"] + ground["width"] / 2, ground["y"] + ground["height"] / 4)
    settle(page)
    assert point_of(root) == pytest.approx([0.5, 0.75], abs=0.01)
    assert root.locator("output").first.inner_text() == f"{point_of(root)[0]:.3f}"


@in_browser
def test_the_point_stays_in_the_disc(show):
    page = show(stored("decision"))
    root = awake(page)
    ground = root.locator(".ttfs-ground").bounding_box()
    page.mouse.move(*middle_of(root.locator(".ttfs-knob")))
    page.mouse.down()
    page.mouse.move(ground["x"] + ground["width"] + 300, ground["y"] + ground["height"] / 2)
    page.mouse.up()
    settle(page)
    assert point_of(root) == pytest.approx([0.998, 0.5], abs=0.01)


@in_browser
def test_a_finger_drags_the_point_and_scrolls_beside_it(show):
    page = show(
        '<p style="height:20rem"></p>' + stored("decision") + '<p style="height:60rem">', **PHONE
    )
    root = awake(page)
    session = page.context.new_cdp_session(page)

    def swipe(start, end):
        path = np.linspace(start, end, 8).tolist()
        for kind, at in zip(["Start", *["Move"] * 7, "End"], [*path, None], strict=True):
            points = [{"x": at[0], "y": at[1]}] if at else []
            session.send(
                "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
            )
        page.wait_for_timeout(200)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    before, (x, y) = point_of(root), middle_of(root.locator(".ttfs-knob"))
    swipe((x + 12, y + 12), (x + 52, y - 18))
    after = point_of(root)
    assert after[0] > before[0] + 0.15
    assert after[1] > before[1] + 0.1
    assert page.evaluate("scrollY") == 0
    ground = root.locator(".ttfs-ground").bounding_box()
    corner = ground["x"] + 8, ground["y"] + ground["height"] - 8
    swipe(corner, (corner[0], corner[1] - 60))
    assert point_of(root) == after
    assert page.evaluate("scrollY") > 20
    box = root.locator(".ttfs-ground").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 5)
    settle(page)
    assert point_of(root) == pytest.approx([0.5, 0.8], abs=0.02)


@in_browser
def test_the_keyboard_moves_the_point_and_the_sliders(show):
    page = show(stored("decision"))
    root = awake(page)
    handle = root.get_by_role("slider", name="Point of the disc")
    handle.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Shift+ArrowLeft"):
        page.keyboard.press(key)
        settle(page)
    assert point_of(root) == pytest.approx([0.308, 0.22])
    assert handle.get_attribute("aria-valuetext") == root.evaluate("root => root.found.says")
    root.locator("input[name=x]").press("ArrowRight")
    settle(page)
    assert point_of(root) == pytest.approx([0.31, 0.22])
    handle.press("PageUp")
    settle(page)
    assert point_of(root) == pytest.approx([0.36, 0.22])


@in_browser
def test_a_point_that_is_moved_in_one_direction_ends_at_the_rim_and_keeps_the_other(show):
    page = show(stored("decision"))
    root = awake(page)
    handle, y = root.get_by_role("slider", name="Point of the disc"), point_of(root)[1]
    rim = np.sqrt(0.498**2 - (y - 0.5) ** 2)
    for key, side in (("End", 1), ("Home", -1)):
        for control in (handle, root.locator("input[name=x]")):
            control.press(key)
            settle(page)
            assert point_of(root) == pytest.approx([0.5 + side * rim, y], abs=0.003)


@in_browser
def test_what_happens_is_spoken_but_not_all_the_time(show):
    page = show(stored("decision"))
    root = awake(page)
    spoken = root.locator("[aria-live=polite]")
    assert spoken.inner_text() == ""
    page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(() => said.push(document.querySelector(".ttfs-spoken").textContent))
            .observe(document.querySelector(".ttfs-spoken"), {childList: true});
        }"""
    )
    root.get_by_role("slider", name="Point of the disc").focus()
    for _ in range(20):
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(20)
    page.wait_for_function("() => said.at(-1) === document.querySelector('.ttfs-live').found.says")
    assert 1 <= len(page.evaluate("said")) <= 3


@in_browser
@pytest.mark.parametrize("lack", ["scripts", "gzip", "data"])
@pytest.mark.parametrize("kind", ["decision", "crossings"])
def test_where_it_cannot_compute_the_still_picture_stays(browser, tmp_path, kind, lack):
    content = stored(kind)
    if lack == "data":
        content = content.replace('"panels"', '"unknown"')
    path = tmp_path / "page.html"
    path.write_text(content, encoding="utf-8")
    context = browser.new_context(java_script_enabled=lack != "scripts")
    page = context.new_page()
    if lack == "gzip":
        page.add_init_script("delete window.DecompressionStream;")
    page.goto(path.as_uri())
    root = page.locator(".ttfs-live")
    if lack == "data":
        root.locator("xpath=self::*[@data-state='still']").wait_for()
    assert root.locator("img.ttfs-stage").bounding_box()["height"] > 150
    assert root.locator("input, select").count() == 0
    assert root.get_by_text("Shown for").is_visible()
    assert root.get_by_text("need JavaScript").is_visible()
    context.close()


@in_browser
def test_a_figure_wakes_although_the_page_comes_in_parts(show):
    page, one = show("<p></p>"), stored("crossings")
    head, data, rest = one.partition('<script type="application/json"')
    page.evaluate(
        """async (parts) => {
          document.open();
          for (const part of parts) {
            document.write(part);
            await new Promise((resolve) => setTimeout(resolve, 1000));
          }
          document.close();
        }""",
        [one + head, data + rest],
    )
    for index in range(2):
        awake(page, index)


@in_browser
def test_figures_on_one_page_move_apart(show):
    page = show(stored("crossings") + stored("decision") + stored("crossings"))
    roots = [awake(page, index) for index in range(3)]
    before = [root.evaluate("root => root.found.says") for root in roots]
    roots[2].locator("input").press("Home")
    settle(page)
    after = [root.evaluate("root => root.found.says") for root in roots]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


@in_browser
@pytest.mark.parametrize("kind", KINDS)
def test_it_follows_the_dark_mode_and_fits_a_phone(show, kind):
    page = show(stored(kind), **PHONE)
    root = awake(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    inks = """root => [...root.querySelectorAll("svg.ttfs-stage *")].filter(e => e.getBBox)
      .map(e => getComputedStyle(e)).map(look => look.fill + look.stroke)"""
    light = root.evaluate(inks)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = root.evaluate(inks)
    assert len(light) == len(dark)
    assert sum(a != b for a, b in zip(light, dark, strict=True)) > len(light) / 4
    images = root.locator("svg image")
    visible = [image.is_visible() for image in images.all()]
    assert visible == [False, True] * (len(visible) // 2)

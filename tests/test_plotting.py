"""Arrays in, Axes out: what is drawn where, and that nothing else changes."""

from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from ttfslib import plotting
from ttfslib.plotting import CLASS_COLORS, COLORS, STYLE

SILENT = np.inf
TIMES = [0.0, 1.0, 2.0, 3.0]
POTENTIAL = [0.0, 0.8, 1.2, 0.4]
RANDOM = np.random.default_rng(5)

DRAWINGS = {
    "potential": lambda ax: plotting.draw_potential(ax, TIMES, POTENTIAL, spike_time=1.5),
    "inputs": lambda ax: plotting.draw_inputs(ax, [0.5, 1.0, SILENT], [1.0, -0.5, 2.0]),
    "raster": lambda ax: plotting.draw_raster(
        ax, [[0.1, SILENT], [0.5, 0.6, 0.7]], decision_time=0.65
    ),
    "volley": lambda ax: plotting.draw_volley(ax, RANDOM.random(50), bins=10),
    "weights": lambda ax: plotting.draw_weights(ax, RANDOM.normal(size=(30, 20))),
}
each_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


@pytest.fixture
def ax():
    return Figure().subplots()


def segments(ax):
    """Vertical strokes as (x, from, to, color)."""
    return [
        (float(x), float(low), float(high), lines.get_color()[0])
        for lines in ax.collections
        for (x, low), (_, high) in lines.get_segments()
    ]


# Globals -------------------------------------------------------------------------------------


def test_the_import_changes_no_setting_and_opens_no_pyplot():
    code = """
import sys, matplotlib
before = dict(matplotlib.rcParams)
import ttfslib.plotting
assert dict(matplotlib.rcParams) == before
assert "matplotlib.pyplot" not in sys.modules
assert not {"torch", "numba"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@each_drawing
def test_draws_into_the_axes_it_gets_and_nowhere_else(draw, ax):
    before = mpl.rcParams.copy()
    assert draw(ax) is ax
    assert ax.has_data()
    assert ax.figure.axes == [ax]
    assert plt.get_fignums() == []
    assert mpl.rcParams == before


@each_drawing
def test_names_the_axes_unless_they_have_names(draw, ax):
    draw(ax)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    named = Figure().subplots()
    named.set(xlabel="mine", ylabel="mine, too")
    draw(named)
    assert (named.get_xlabel(), named.get_ylabel()) == ("mine", "mine, too")


# Style and colors ----------------------------------------------------------------------------


def test_the_style_is_readable_and_has_one_ground():
    with plt.style.context(STYLE):
        assert same_color(mpl.rcParams["figure.facecolor"], "white")
        assert mpl.rcParams["axes.facecolor"] == "none"
        for key in ("font.size", "axes.labelsize", "xtick.labelsize", "legend.fontsize"):
            assert 10 <= mpl.rcParams[key] <= 11
        assert not mpl.rcParams["axes.spines.top"]
        assert not mpl.rcParams["axes.spines.right"]
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == CLASS_COLORS
    assert "figure.constrained_layout.use" not in STYLE


@each_drawing
def test_one_panel_in_this_style_loses_no_label(draw):
    with plt.style.context(STYLE):
        figure = Figure()
        draw(figure.subplots())
        box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


OKABE_ITO = [
    *("#000000", "#e69f00", "#56b4e9", "#009e73"),
    *("#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
]
# Machado, Oliveira and Fernandes (2009): what a missing kind of cone makes of linear RGB
MISSING_CONE = {
    "none": np.eye(3),
    "long": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "middle": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "short": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear_rgb(color):
    value = np.array(to_rgb(color))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def closest(colors, missing):
    """Smallest distance between two colors (Oklab) to an eye without this kind of cone."""
    seen = [np.clip(MISSING_CONE[missing] @ linear_rgb(color), 0, 1) for color in colors]
    placed = [OKLAB @ np.cbrt(LMS @ rgb) for rgb in seen]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(placed, 2))


def contrast_on_white(color):
    return 1.05 / (linear_rgb(color) @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_ten_classes_differ_for_color_blind_eyes_more_than_the_eight_colors_of_okabe_and_ito():
    assert len(CLASS_COLORS) == 10
    assert min(closest(CLASS_COLORS, eye) for eye in MISSING_CONE) >= 0.13
    assert min(closest(OKABE_ITO, eye) for eye in MISSING_CONE) < 0.08


@pytest.mark.parametrize("eye", MISSING_CONE)
def test_roles_that_meet_in_a_figure_differ(eye):
    solid = [COLORS[role] for role in ("potential", "excitatory", "inhibitory", "spike", "accent")]
    assert closest(solid, eye) > 0.08


@pytest.mark.parametrize("role", sorted(set(COLORS) - {"muted"}))
def test_thin_lines_stand_out_on_white(role):
    assert contrast_on_white(COLORS[role]) >= 3


# Potential -----------------------------------------------------------------------------------


def test_the_potential_fades_after_its_spike(ax):
    plotting.draw_potential(ax, TIMES, POTENTIAL, spike_time=1.5, color="C1", label="V")
    threshold, before, after, dot = ax.lines
    assert_allclose(threshold.get_ydata(), 1.0)
    assert_allclose(before.get_xydata(), [(0, 0), (1, 0.8), (1.5, 1)])
    assert_allclose(after.get_xydata(), [(1.5, 1), (2, 1.2), (3, 0.4)])
    assert after.get_alpha() < 1
    assert before.get_alpha() is None
    assert_allclose(dot.get_xydata(), [(1.5, 1)])
    assert segments(ax)[0][:3] == (1.5, 0.0, 1.0)
    assert ax.get_legend_handles_labels()[1] == ["V"]


@pytest.mark.parametrize("spike_time", [None, SILENT, 3.5, -0.5])
def test_without_a_spike_in_sight_the_potential_is_one_line(ax, spike_time):
    plotting.draw_potential(ax, TIMES, POTENTIAL, spike_time=spike_time, threshold=2.0)
    threshold, line = ax.lines
    assert_allclose(threshold.get_ydata(), 2.0)
    assert_allclose(line.get_xydata(), np.column_stack([TIMES, POTENTIAL]))
    assert line.get_alpha() is None
    assert segments(ax) == []


@pytest.mark.parametrize("spike_time", [0.0, 3.0])
def test_a_spike_at_either_end_is_marked(ax, spike_time):
    plotting.draw_potential(ax, TIMES, POTENTIAL, spike_time=spike_time)
    assert_allclose(ax.lines[-1].get_xydata(), [(spike_time, 1.0)])


def test_without_a_threshold_the_dot_sits_on_the_line(ax):
    plotting.draw_potential(ax, TIMES, POTENTIAL, spike_time=2.5, threshold=None)
    assert len(ax.lines) == 3
    assert_allclose(ax.lines[-1].get_xydata(), [(2.5, 0.8)])


# Inputs --------------------------------------------------------------------------------------


def test_inputs_point_up_or_down_by_their_weight(ax):
    plotting.draw_inputs(ax, [0.5, 1.0, SILENT], [2.0, -0.5, 7.0], base=-1.0, scale=0.1)
    drawn = segments(ax)
    assert_allclose([s[:3] for s in drawn], [(0.5, -1.0, -0.8), (1.0, -1.0, -1.05)])
    assert same_color(drawn[0][3], COLORS["excitatory"])
    assert same_color(drawn[1][3], COLORS["inhibitory"])
    assert_allclose(ax.lines[0].get_ydata(), -1.0)


def test_no_inputs_leave_the_base_line(ax):
    plotting.draw_inputs(ax, [], [])
    assert segments(ax) == []
    assert len(ax.lines) == 1


# Raster --------------------------------------------------------------------------------------


def test_every_neuron_has_its_row(ax):
    layers = [[0.1, SILENT, 0.3], [0.5, 0.4]]
    plotting.draw_raster(ax, layers, names=["input", "output"])
    first, second = (dots.get_offsets() for dots in ax.collections)
    assert_allclose(first, [(0.1, 0.5), (0.3, 2.5)])
    assert_allclose(second[:, 0], [0.5, 0.4])
    assert_allclose(np.diff(second[:, 1]), 1)
    assert second[0, 1] > 3.0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["input", "output"]
    assert ax.get_ylabel() == ""
    assert_allclose(ax.get_yticks(), [1.5, second[:, 1].mean()])
    low, high = ax.get_ylim()
    assert low < 0
    assert high > second[1, 1]


def test_spikes_after_the_decision_are_faded(ax):
    plotting.draw_raster(ax, [[0.1, 0.5, 0.9]], decision_time=0.5)
    alphas = ax.collections[0].get_facecolors()[:, 3]
    assert_allclose(alphas[:2], 1)
    assert alphas[2] < 0.5
    assert_allclose(ax.lines[0].get_xdata(), 0.5)


@pytest.mark.parametrize("decision_time", [None, SILENT])
def test_without_a_decision_nothing_is_faded(ax, decision_time):
    plotting.draw_raster(ax, [[0.1, 0.9]], decision_time=decision_time)
    assert_allclose(ax.collections[0].get_facecolors()[:, 3], 1)
    assert len(ax.lines) == 0


def test_colors_come_by_layer_or_by_neuron(ax):
    plotting.draw_raster(ax, [[0.1, SILENT], [0.2, 0.3]], colors=["C2", CLASS_COLORS[:2]])
    first, second = (dots.get_facecolors() for dots in ax.collections)
    assert same_color(first, ["C2"])
    assert same_color(second, CLASS_COLORS[:2])


def test_a_layer_of_three_takes_an_rgb_color_as_one_color(ax):
    plotting.draw_raster(ax, [[0.1, 0.2, 0.3]], colors=[(1.0, 0.0, 0.5)])
    assert same_color(ax.collections[0].get_facecolors(), [(1.0, 0.0, 0.5)] * 3)


# Volley --------------------------------------------------------------------------------------

spike_times = arrays(
    np.float64,
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    elements=st.one_of(st.just(SILENT), st.floats(-2, 2)),
)


@settings(max_examples=50)
@given(spike_times, st.lists(st.floats(-2, 2), min_size=2, max_size=6, unique=True).map(sorted))
def test_a_volley_counts_the_spikes_in_each_bin(times, edges):
    axes = Figure().subplots()
    plotting.draw_volley(axes, times, bins=edges)
    drawn = axes.patches[0].get_data()
    last = len(edges) - 2
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = [low <= t < high or (i == last and t == high) for t in times.ravel()]
        assert drawn.values[i] == sum(inside)
    assert_allclose(drawn.edges, edges)


def test_a_number_of_bins_spans_all_spikes(ax):
    plotting.draw_volley(ax, [[1.0, 2.0], [SILENT, 3.0]], bins=4, color="C3")
    drawn = ax.patches[0].get_data()
    assert_allclose(drawn.edges, [1, 1.5, 2, 2.5, 3])
    assert drawn.values.tolist() == [1, 0, 1, 1]
    assert same_color(ax.patches[0].get_facecolor(), "C3")


def test_spikes_are_counted_in_integers(ax):
    plotting.draw_volley(ax, [1.0, 1.0, 2.0], bins=2)
    assert_allclose(ax.get_yticks() % 1, 0)
    assert ax.get_ylim()[0] == 0


# Weights -------------------------------------------------------------------------------------


def test_weights_are_shown_around_white(ax):
    weights = np.array([[0.0, 2.0, -1.0], [0.5, -4.0, 4.0]])
    plotting.draw_weights(ax, weights)
    (image,) = ax.images
    assert_allclose(image.get_array(), weights)
    shown = image.to_rgba(weights)
    assert_allclose(shown[0, 0, :3], 1, atol=0.005)
    assert same_color(shown[1, 2], COLORS["excitatory"])
    assert same_color(shown[1, 1], COLORS["inhibitory"])
    assert ax.figure.colorbar(image, ax=ax).vmin == -4


def test_a_limit_makes_matrices_comparable(ax):
    plotting.draw_weights(ax, [[1.0]], limit=2.5)
    assert ax.images[0].get_clim() == (-2.5, 2.5)


def test_all_weights_zero_are_white(ax):
    plotting.draw_weights(ax, np.zeros((2, 2)))
    assert_allclose(ax.images[0].to_rgba(np.zeros(1))[0, :3], 1, atol=0.005)


# Bad input -----------------------------------------------------------------------------------

NAN = float("nan")
BAD = [
    (plotting.draw_potential, (TIMES, [0, 1]), {}, "potential must have the shape of times"),
    (plotting.draw_potential, ([], []), {}, "times must not be empty"),
    (plotting.draw_potential, ([0, 2, 1], [0, 1, 2]), {}, "times must rise, got 2.0, 1.0 at"),
    (plotting.draw_potential, (TIMES, [0, NAN, 1, 1]), {}, "potential must be finite, got nan"),
    (plotting.draw_potential, (TIMES, POTENTIAL), {"spike_time": NAN}, "spike_time must be"),
    (plotting.draw_potential, (TIMES, POTENTIAL), {"threshold": "1"}, "threshold must be a real"),
    (plotting.draw_inputs, ([0, NAN], [1, 1]), {}, "spike_times must be finite or .inf"),
    (plotting.draw_inputs, ([0, 1], [1]), {}, "weights must have the shape of spike_times"),
    (plotting.draw_inputs, ([0], [1]), {"scale": 0.0}, "scale must be positive, got 0.0"),
    (plotting.draw_raster, ([],), {}, "layers must hold at least 1 entries, got 0"),
    (plotting.draw_raster, ([[0, 1], []],), {}, r"layers\[1\] must not be empty"),
    (plotting.draw_raster, ([[[0, 1]]],), {}, r"layers\[0\] must have 1 dimension"),
    (plotting.draw_raster, ([[0], [NAN]],), {}, r"layers\[1\] must be finite or .inf"),
    (plotting.draw_raster, ([[0]],), {"names": ["a", "b"]}, "names must hold 1 entries, got 2"),
    (plotting.draw_raster, ([[0]],), {"colors": []}, "colors must hold 1 entries, got 0"),
    (plotting.draw_raster, ([[0]],), {"colors": ["no"]}, r"colors\[0\] must be a color or colors"),
    (plotting.draw_raster, ([[0, 1]],), {"colors": [["k"]]}, r"colors\[0\] must hold 2 colors"),
    (plotting.draw_raster, ([[0]],), {"decision_time": NAN}, "decision_time must be finite or"),
    (plotting.draw_volley, ([0, NAN],), {"bins": 3}, "spike_times must be finite or .inf"),
    (plotting.draw_volley, ([0],), {"bins": 0}, "bins must be at least 1, got 0"),
    (plotting.draw_volley, ([0],), {"bins": "auto"}, "bins must be an integer, got str 'auto'"),
    (plotting.draw_volley, ([0],), {"bins": [1.0]}, "bins must hold at least 2 edges, got 1"),
    (plotting.draw_volley, ([0],), {"bins": [0, 1, 1]}, "bins must rise, got 1.0, 1.0 at index 1"),
    (plotting.draw_weights, ([1, 2],), {}, "weights must have 2 dimension"),
    (plotting.draw_weights, ([[NAN]],), {}, "weights must be finite, got nan"),
    (plotting.draw_weights, ([[1]],), {"limit": -1}, "limit must be positive, got -1.0"),
]


@pytest.mark.parametrize(("draw", "arguments", "options", "complaint"), BAD)
def test_bad_input_is_one_line_that_names_it(draw, arguments, options, complaint, ax):
    with pytest.raises(ValueError, match=f"^{complaint}") as caught:
        draw(ax, *arguments, **options)
    assert "\n" not in str(caught.value)

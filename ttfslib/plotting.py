r"""Draw potentials, volleys of spikes, rasters and weight matrices.

Each function draws arrays into the Axes that it is given, and returns these Axes. It changes no
global settings of matplotlib. Labels that the Axes already have are kept, so you can set your own
before or after. ``plt.style.use(plotting.STYLE)`` gives the book's look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, is_color_like, to_rgba, to_rgba_array
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ttfslib import _checks, _colors
from ttfslib._checks import FloatArray

#: Colors by role. Those that share a figure differ for color-blind eyes as well.
COLORS: dict[str, str] = _colors.ROLES

#: Ten colors for ten classes, as far apart as we could get them for the three kinds of color
#: blindness at once (distance in Oklab, searched from the palette of Okabe and Ito).
CLASS_COLORS: list[str] = [
    *("#094ace", "#f96a0f", "#00b088", "#6c266f", "#febb0b"),
    *("#5bd4ff", "#af4800", "#a882e3", "#1b1b1b", "#866287"),
]

#: Settings of matplotlib for the book's figures: ``plt.style.use(plotting.STYLE)``.
STYLE: dict[str, Any] = {
    "figure.figsize": (7.0, 3.2),
    "figure.dpi": 120,
    "figure.facecolor": "white",
    # One panel and its labels fill the figure; `layout="constrained"` is there for more.
    "figure.subplot.left": 0.12,
    "figure.subplot.right": 0.98,
    "figure.subplot.bottom": 0.17,
    "figure.subplot.top": 0.93,
    "axes.facecolor": "none",  # one ground for the whole figure, which a page can take away
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "figure.titlesize": 11.0,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 10.0,
    "legend.frameon": False,
    "text.color": _colors.INK,
    "axes.labelcolor": _colors.INK,
    "axes.edgecolor": COLORS["threshold"],
    "xtick.color": COLORS["threshold"],
    "ytick.color": COLORS["threshold"],
    "xtick.labelcolor": _colors.INK,
    "ytick.labelcolor": _colors.INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CLASS_COLORS),
    "lines.linewidth": 1.8,
    "image.interpolation": "nearest",
}

_TIME = r"time $t$ ($\tau_\mathrm{s}$)"
_FADED = 0.3


def draw_potential(
    ax: Axes,
    times: ArrayLike,
    potential: ArrayLike,
    *,
    threshold: float | None = 1.0,
    spike_time: float | None = None,
    color: str | None = None,
    label: str | None = None,
) -> Axes:
    """Draw a membrane potential, its threshold and its spike.

    After the spike the line is faded: it shows how the potential would go on without the spike.

    Parameters
    ----------
    ax : Axes
    times, potential : array_like, shape (n_times,)
        Rising times in units of tau_s, and the potential relative to leak.
    threshold : float, optional
        Drawn as a dashed line; None draws none.
    spike_time : float, optional
        Marked by a dot on the threshold and a line down to the leak; None or ``inf`` for a
        neuron that stays silent.
    color, label : str, optional
        Color of the line, and its name in the legend.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If an array is empty or not finite, shapes differ, `times` do not rise, or a number is NaN.
    """
    ax = _checks.instance("ax", ax, Axes)
    times = _checks.finite_array("times", times, ndim=1)
    _rising("times", times)
    potential = _checks.finite_array("potential", potential, ndim=1)
    _checks.same_shape("potential", potential, "times", times)
    spike = _time("spike_time", spike_time)
    color = COLORS["potential"] if color is None else _color("color", color)
    label = None if label is None else _text("label", label)
    height = float(np.interp(spike, times, potential))
    if threshold is not None:
        height = _checks.real("threshold", threshold)
        ax.axhline(height, color=COLORS["threshold"], linestyle="--", linewidth=1.0, zorder=1)
    if not times[0] <= spike <= times[-1]:
        ax.plot(times, potential, color=color, label=label)
    else:
        split = int(np.searchsorted(times, spike))
        times, potential = np.insert(times, split, spike), np.insert(potential, split, height)
        ax.plot(times[: split + 1], potential[: split + 1], color=color, label=label)
        ax.plot(times[split:], potential[split:], color=color, alpha=_FADED)
        ax.vlines(spike, 0.0, height, color=COLORS["spike"], linewidth=1.0)
        ax.plot(spike, height, "o", color=COLORS["spike"], markersize=6.0, zorder=3)
    return _label(ax, _TIME, "potential $V$")


def draw_inputs(
    ax: Axes,
    spike_times: ArrayLike,
    weights: ArrayLike,
    *,
    base: float = 0.0,
    scale: float = 1.0,
) -> Axes:
    """Draw input spikes as ticks as long as the weight: up if excitatory, down if inhibitory.

    Parameters
    ----------
    ax : Axes
        An Axes for the inputs alone, or the one of the potential; then choose `base` and `scale`.
    spike_times, weights : array_like, shape (n_pre,)
        Input spikes; ``inf`` marks a silent input, which is not drawn.
    base : float, optional
        Height from which the ticks start.
    scale : float, optional
        Length of the tick of a unit weight, > 0.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `spike_times` hold NaN, `weights` are not finite, or shapes differ.
    """
    ax = _checks.instance("ax", ax, Axes)
    spike_times = _checks.spike_times("spike_times", spike_times, ndim=1, allow_empty=True)
    weights = _checks.finite_array("weights", weights, ndim=1, allow_empty=True)
    _checks.same_shape("weights", weights, "spike_times", spike_times)
    base, scale = _checks.real("base", base), _checks.positive("scale", scale)
    spiked = np.isfinite(spike_times)
    for kind, chosen in (("excitatory", weights >= 0), ("inhibitory", weights < 0)):
        drawn = chosen & spiked
        tips = base + scale * weights[drawn]
        ax.vlines(spike_times[drawn], base, tips, color=COLORS[kind], linewidth=2.2)
    ax.axhline(base, color=COLORS["muted"], linewidth=0.8, zorder=1)
    return _label(ax, _TIME, "weight $w$")


def draw_raster(
    ax: Axes,
    layers: Sequence[ArrayLike],
    *,
    decision_time: float | None = None,
    colors: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
) -> Axes:
    """Draw the spikes of a network, one row a neuron, layers stacked from bottom to top.

    Parameters
    ----------
    ax : Axes
    layers : sequence of array_like, each of shape (n_neurons,)
        Spike times of one sample; silent neurons keep their row, but have no mark.
    decision_time : float, optional
        Drawn as a line; later spikes are faded. None or ``inf`` for no decision.
    colors : sequence, optional
        For each layer a color, or a sequence of one color a neuron.
    names : sequence of str, optional
        Of the layers, beside them; by default they are counted from 0.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a layer is empty, not one-dimensional or holds NaN, or if `colors` or `names` do not
        fit the layers.
    """
    ax = _checks.instance("ax", ax, Axes)
    rows = _checks.each("layers", layers, lambda name, row: _checks.spike_times(name, row, ndim=1))
    title = "layer" if names is None else ""
    names = list(map(str, range(len(rows)))) if names is None else _listed("names", names)
    names = _checks.each("names", names, _text)
    paints = [COLORS["potential"]] * len(rows) if colors is None else _listed("colors", colors)
    for argument, given in (("layers", rows), ("names", names), ("colors", paints)):
        if not len(given) or len(given) != len(rows):
            expected = len(rows) or "at least 1"
            raise ValueError(f"{argument} must hold {expected} entries, got {len(given)}")
    end = _time("decision_time", decision_time)
    gap = 0.06 * sum(map(len, rows))
    sizes = np.array([len(row) for row in rows])
    bottoms = np.cumsum(sizes + gap) - sizes - gap
    for i, (row, bottom) in enumerate(zip(rows, bottoms, strict=True)):
        tints = _paint(f"colors[{i}]", paints[i], len(row))
        tints[row > end, 3] *= _FADED
        spiked = np.isfinite(row)
        heights = bottom + np.arange(len(row)) + 0.5
        ax.scatter(row[spiked], heights[spiked], s=5.0, c=tints[spiked], linewidths=0)
    if np.isfinite(end):
        ax.axvline(end, color=COLORS["accent"], linewidth=1.2, zorder=1)
    ax.set_yticks(bottoms + sizes / 2, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-gap / 2, bottoms[-1] + sizes[-1] + gap / 2)
    return _label(ax, _TIME, title)


def draw_volley(
    ax: Axes, spike_times: ArrayLike, *, bins: int | ArrayLike, color: str | None = None
) -> Axes:
    """Draw how many spikes of a volley fall into each bin of time.

    Parameters
    ----------
    ax : Axes
    spike_times : array_like, any shape
        In units of tau_s; silent neurons (``inf``) are not counted.
    bins : int or array_like, shape (n_bins + 1,)
        The number of bins between the first and the last spike, or their edges in rising order.
    color : str, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `spike_times` hold NaN, or `bins` are neither a number nor rising edges.
    """
    ax = _checks.instance("ax", ax, Axes)
    color = COLORS["potential"] if color is None else _color("color", color)
    spike_times = _checks.spike_times("spike_times", spike_times, allow_empty=True)
    counts, edges = np.histogram(spike_times[np.isfinite(spike_times)], bins=_bins(bins))
    ax.stairs(counts, edges, fill=True, color=color)
    _count_in_integers(ax.yaxis)
    return _label(ax, _TIME, "spikes")


def draw_weights(ax: Axes, weights: ArrayLike, *, limit: float | None = None) -> Axes:
    """Draw a weight matrix: excitatory and inhibitory weights in their colors, zero white.

    Add the scale with ``ax.figure.colorbar(ax.images[-1], ax=ax)``.

    Parameters
    ----------
    ax : Axes
    weights : array_like, shape (n_pre, n_post)
    limit : float, optional
        The absolute weight of full color, > 0; by default the largest one.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `weights` are not a finite matrix, or `limit` is not positive.
    """
    ax = _checks.instance("ax", ax, Axes)
    weights = _checks.matrix("weights", weights)
    if limit is None:
        limit = float(abs(weights).max()) or 1.0
    limit = _checks.positive("limit", limit)
    ends = [COLORS["inhibitory"], "white", COLORS["excitatory"]]
    colormap = LinearSegmentedColormap.from_list("weights", ends)
    ax.imshow(weights, cmap=colormap, vmin=-limit, vmax=limit, aspect="auto")
    _count_in_integers(ax.xaxis)
    _count_in_integers(ax.yaxis)
    return _label(ax, "postsynaptic neuron", "presynaptic neuron")


def _color(name: str, color: Any) -> Any:
    """Return what matplotlib takes for a color."""
    if not is_color_like(color):
        raise ValueError(f"{name} must be a color, got {color!r}")
    return color


def _text(name: str, text: Any) -> str:
    return _checks.instance(name, text, str)


def _time(name: str, time: Any) -> float:
    """Return the time of an event; None and ``inf`` stand for none."""
    return math.inf if time is None else float(_checks.spike_times(name, time, ndim=0))


def _label(ax: Axes, x: str, y: str) -> Axes:
    """Name the axes, unless they have names."""
    if not ax.get_xlabel():
        ax.set_xlabel(x)
    if not ax.get_ylabel():
        ax.set_ylabel(y)
    return ax


def _listed(name: str, values: Any) -> list[Any]:
    """Return a list of `values`, which are no text: that is one color or one name, not many."""
    if isinstance(values, str):
        raise ValueError(f"{name} must be a sequence of one for each layer, got {values!r}")
    return _checks.each(name, values, lambda _, value: value)


def _paint(name: str, colors: Any, count: int) -> FloatArray:
    """Return one RGBA row a neuron, from one color or from `count` of them."""
    try:
        rows = to_rgba_array([to_rgba(colors)] * count)
    except (ValueError, TypeError):
        try:
            rows = to_rgba_array(colors)
        except (ValueError, TypeError):
            raise ValueError(f"{name} must be a color or colors, got {colors!r}") from None
    if len(rows) != count:
        raise ValueError(f"{name} must hold {count} colors, got {len(rows)}")
    return rows


def _bins(bins: int | ArrayLike) -> int | FloatArray:
    if _checks.any_array("bins", bins).ndim == 0:
        return _checks.integer("bins", bins)
    edges = _checks.finite_array("bins", bins, ndim=1)
    if len(edges) < 2:
        raise ValueError(f"bins must hold at least 2 edges, got {len(edges)}")
    return _rising("bins", edges)


def _rising(name: str, array: FloatArray) -> FloatArray:
    falls = np.flatnonzero(np.diff(array) <= 0)
    if len(falls):
        first = int(falls[0])
        pair = f"{float(array[first])!r}, {float(array[first + 1])!r} at index {first}"
        raise ValueError(f"{name} must rise, got {pair}")
    return array


def _count_in_integers(axis: Axis) -> None:
    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)

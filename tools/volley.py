"""A volley on its way through a trained network, for the first page: what fires when, and where.

The network is that of a shipped run, and the digits are scikit-learn's, so that no other data set
is needed to build the book.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "data" / "runs" / "mnist-dale-seed1"
N_DIGITS_TRIED, N_TYPICAL, LEAD = 600, 6, 0.2
N_ON_PATH, N_LINES = 10, 18
N_BINS = 56
NEVER = 255
"""How a spike that comes after the end of the film is stored."""
LINGER = 0.12
"""How long the film goes on after the latest decision, in units of tau_s."""
ORDER = (3, 7, 0, 5, 2, 9, 4, 8, 1, 6)

Times = NDArray[np.float64]
Points = NDArray[np.float64]
Line = tuple[int, int, int]


# The volleys


@dataclass(frozen=True)
class Volley:
    """Spike times of all layers for one digit, and the connections that led to the decision."""

    digit: int
    layers: list[Times]
    lines: list[Line]

    @property
    def decision(self) -> float:
        """Time of the first output spike."""
        return float(self.layers[-1].min())


@cache
def volleys() -> list[Volley]:
    """One digit of each class, in `ORDER`: a typical one that the network reads without hesitation.

    Of the `N_TYPICAL` that are most like the mean of their class, the one that is decided first.
    """
    import torch

    import ttfslib
    from ttfslib import book

    run = ttfslib.load_run(RUN)
    shown = book.digits_like_mnist()
    images, labels = shown.features[:N_DIGITS_TRIED], shown.labels[:N_DIGITS_TRIED]
    inputs = torch.from_numpy(ttfslib.latency_encode(images).astype(np.float32))
    with torch.no_grad():
        layers = [times.double().numpy() for times in (inputs, *run.network()(inputs))]
    first, second = np.sort(layers[-1], axis=1)[:, :2].T
    read = (layers[-1].argmin(axis=1) == labels) & (second - first > LEAD)
    chosen = []
    for digit in ORDER:
        strangeness = np.square(images - images[labels == digit].mean(axis=0)).sum(axis=(1, 2))
        candidates = np.flatnonzero(read & (labels == digit))
        typical = candidates[np.argsort(strangeness[candidates])[:N_TYPICAL]]
        chosen.append(typical[first[typical].argmin()])
    weights = run.weights()
    return [
        Volley(int(labels[i]), (kept := [times[i] for times in layers]), causes(kept, weights))
        for i in chosen
    ]


def causes(layers: Sequence[Times], weights: Sequence[NDArray[np.float32]]) -> list[Line]:
    """Find the connections (layer, pre, post) over which most of the decision's effect runs."""
    import ttfslib

    effects = [effect[0] for effect in ttfslib.causal_effects([t[None] for t in layers], weights)]
    effects.append((layers[-1] == layers[-1].min()).astype(float))
    carriers = [np.argsort(-effect)[:N_ON_PATH] for effect in effects[:-1]]
    carriers.append(np.flatnonzero(effects[-1]))
    lines: list[Line] = []
    for layer, (pre, post) in enumerate(pairwise(carriers)):
        earlier = layers[layer][pre][:, None] < layers[layer + 1][post]
        carried = np.where(earlier, weights[layer][np.ix_(pre, post)], 0) * effects[layer + 1][post]
        best = np.argsort(-carried, axis=None)[:N_LINES]
        pairs = zip(*np.unravel_index(best[carried.flat[best] > 0], carried.shape), strict=True)
        lines += [(layer, int(pre[i]), int(post[j])) for i, j in pairs]
    return lines


def horizon(shown: Sequence[Volley]) -> float:
    """When the film ends, in units of tau_s."""
    return max(volley.decision for volley in shown) + LINGER


def pulses(volley: Volley, end: float) -> list[list[int]]:
    """Spikes of each layer until the decision, by moment, in percent of the most at any."""
    bins = np.linspace(0, end, N_BINS + 1)
    bell = np.exp(-0.5 * np.linspace(-2, 2, 7) ** 2)
    counts = [
        np.convolve(np.histogram(times[times <= volley.decision], bins)[0], bell, "same")
        for times in volley.layers[:-1]
    ]
    return [np.rint(100 * count / count.max()).astype(int).tolist() for count in counts]


def film(shown: Sequence[Volley]) -> dict[str, Any]:
    """Pack what the script needs: a byte for each spike time."""
    end = horizon(shown)

    def packed(times: Times) -> str:
        steps = np.rint(np.minimum(times / end, 1) * (NEVER - 1))
        stored = np.where(times > end, NEVER, steps).astype(np.uint8)
        return base64.b64encode(stored.tobytes()).decode()

    return {
        "end": round(end, 4),
        "excitatory": n_excitatory(len(shown[0].layers[1])),
        "volleys": [
            {
                "digit": volley.digit,
                "decision": round(volley.decision, 4),
                "times": [packed(times) for times in volley.layers[:-1]],
                "lines": volley.lines,
                "pulses": pulses(volley, end),
            }
            for volley in shown
        ],
    }


# The stage


@dataclass(frozen=True)
class Sheet:
    """A layer on the stage: neurons in a grid, seen at an angle, and the time axis of its pulse."""

    columns: int
    corner: tuple[float, float]
    step: tuple[float, float]
    tilt: float
    pulse: tuple[float, float, float, float]
    label: str
    label_at: tuple[float, float]

    def places(self, n: int, seed: int | None) -> Points:
        """Where each neuron stands; with a seed, neighbours in the layer are none on the stage."""
        cells = np.arange(n) if seed is None else np.random.default_rng(seed).permutation(n)
        row, column = np.divmod(cells, self.columns)
        x = self.corner[0] + column * self.step[0]
        y = self.corner[1] + row * self.step[1] - column * self.tilt
        return np.stack([x, y], axis=1)


@dataclass(frozen=True)
class Stage:
    """A drawing of the whole network."""

    name: str
    size: tuple[int, int]
    dot: float
    sheets: list[Sheet]
    outputs: Points


def wide() -> Stage:
    """Layers side by side, for a screen."""
    sheets = [Sheet(28, (8, 64), (5.9, 6.9), 1.3, (8, 316, 160, 40), "a digit", (88, 14))]
    sheets += [
        Sheet(20, (x, 66), (5.5, 9.4), 1.7, (x, 316, 105, 40), f"layer {i}", (x + 52, 14))
        for i, x in enumerate((226, 371, 516, 661), start=1)
    ]
    outputs = np.stack([np.full(10, 846.0), 37 + 23.4 * np.arange(10)], axis=1)
    return Stage("wide", (866, 322), 3.5, sheets, outputs)


def tall() -> Stage:
    """Layers below each other, for a phone."""
    sheets = [Sheet(28, (122, 6), (4.3, 4.3), 0, (122, 142, 116, 16), "a digit", (64, 66))]
    sheets += [
        Sheet(40, (8, y), (8.8, 5.8), 0, (8, y + 78, 344, 16), f"layer {i}", (30, y - 10))
        for i, y in enumerate((178, 282, 386, 490), start=1)
    ]
    outputs = np.stack([27 + 34.0 * np.arange(10), np.full(10, 604.0)], axis=1)
    return Stage("tall", (360, 622), 3.6, sheets, outputs)


def places(stage: Stage, volley: Volley) -> list[Points]:
    """Where all neurons of a stage stand, layer by layer; pixels keep their order."""
    hidden = [
        sheet.places(len(times), None if layer == 0 else layer)
        for layer, (sheet, times) in enumerate(zip(stage.sheets, volley.layers, strict=False))
    ]
    return [*hidden, stage.outputs]


def dots(points: Points) -> str:
    """Path of dots: lines of no length with round ends."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)


def strand(start: Points, end: Points, upright: bool) -> str:
    """A smooth curve from neuron to neuron."""
    (x, y), (u, v) = start, end
    bend = f"{x:.1f} {(y + v) / 2:.1f} {u:.1f} {(y + v) / 2:.1f}"
    across = f"{(x + u) / 2:.1f} {y:.1f} {(x + u) / 2:.1f} {v:.1f}"
    return f"M{x:.1f} {y:.1f}C{bend if upright else across} {u:.1f} {v:.1f}"


def ridge(sheet: Sheet, heights: Sequence[int]) -> str:
    """Outline of a pulse over its time axis."""
    x, y, width, height = sheet.pulse
    steps = np.linspace(x, x + width, len(heights))
    tops = zip(steps, heights, strict=True)
    line = "L".join(f"{u:.1f} {y - height * h / 100:.1f}" for u, h in tops)
    return f"M{x} {y}L{line}L{x + width} {y}Z"


def still(stage: Stage, volley: Volley, end: float) -> str:
    """Draw the moment of the decision. What `hero.js` replaces is in the class ``moment``."""
    where = places(stage, volley)
    width, height = stage.size
    axes = escape(json.dumps([sheet.pulse for sheet in stage.sheets]))
    rows = [f'<svg class="fs-stage fs-{stage.name}" viewBox="0 0 {width} {height}" ']
    rows.append(f'aria-hidden="true" data-dot="{stage.dot}" data-pulses="{axes}">')
    for sheet, points in zip(stage.sheets, where, strict=False):
        x, y = sheet.label_at
        rows.append(f'<text class="label" x="{x}" y="{y}">{sheet.label}</text>')
        rows.append(f'<path class="cells" stroke-width="{stage.dot}" d="{dots(points)}"/>')
        left, base, length, _ = sheet.pulse
        rows.append(f'<path class="axis" d="M{left} {base}h{length}"/>')
    rows.append(f'<g class="moment">{"".join(_moment(stage, volley, where, end))}</g>')
    for digit, (x, y) in enumerate(stage.outputs):
        won = " winner" if digit == volley.digit else ""
        rows.append(
            f'<g class="output{won}" data-digit="{digit}" data-x="{x}" data-y="{y}">'
            f'<circle cx="{x}" cy="{y}" r="11.5"/><text x="{x}" y="{y}">{digit}</text></g>'
        )
    return "".join(rows) + "</svg>"


def _moment(stage: Stage, volley: Volley, where: list[Points], end: float) -> Iterator[str]:
    upright = stage.name == "tall"
    ends = ((where[i][pre], where[i + 1][post]) for i, pre, post in volley.lines)
    yield f'<path class="path" d="{"".join(strand(a, b, upright) for a, b in ends)}"/>'
    for layer, times in enumerate(volley.layers[:-1]):
        fired = times <= volley.decision
        for kind, members in kinds(layer, len(times)).items():
            lit = dots(where[layer][fired & members])
            yield f'<path class="{kind}" stroke-width="{stage.dot}" d="{lit}"/>'
    for sheet, heights in zip(stage.sheets, pulses(volley, end), strict=True):
        yield f'<path class="pulse" d="{ridge(sheet, heights)}"/>'


def kinds(layer: int, n: int) -> dict[str, NDArray[np.bool_]]:
    """Say which neurons of a layer are pixels, excite, or inhibit."""
    if layer == 0:
        return {"ink": np.ones(n, bool)}
    excites = np.arange(n) < n_excitatory(n)
    return {"excites": excites, "inhibits": ~excites}


@cache
def n_excitatory(n: int) -> int:
    """How many of the `n` neurons of a layer excite; they come first."""
    import ttfslib

    share = ttfslib.load_run(RUN).config.excitatory_share
    assert share is not None
    return round(share * n)


def sizes(volley: Volley) -> str:
    """Neurons of each layer, as ``784–400–…–10``."""
    return "–".join(str(len(times)) for times in volley.layers)

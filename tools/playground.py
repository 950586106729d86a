"""A situation of the playground: how its address is written, and its still picture.

`playground.js` reads the same notation and keeps what makes sense of it, since anybody may write an
address. Here an author wrote it, who wants to know what is wrong with it.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import ttfslib

Vector = NDArray[np.float64]
NOTATION = "tau=1&in=0.3:2.2,0.6:-0.8&puzzle=1"
RATIOS = {"0.5": 0.5, "1": 1.0, "2": 2.0, "5": 5.0, "inf": math.inf}
LATEST, STRONGEST, MOST, PUZZLES = 4.0, 4.0, 6, 8  # as in `playground.js`
STEPS = 160  # of the curve
_ASKED = re.compile(r"tau=(?P<tau>[^&]*)&in=(?P<inputs>[^&]*)&puzzle=(?P<puzzle>[^&]*)")
_INPUT = re.compile(r"(\d+(?:\.\d{1,2})?):(-?\d+(?:\.\d{1,2})?)", re.ASCII)
_LEFT, _RIGHT, _FOOT, _GROUND = 40, 710, 290, 190  # of the still picture
_UNIT = (_RIGHT - _LEFT) / LATEST


class Situation(NamedTuple):
    """Time constants, inputs and puzzle; the text is the part of the address behind ``#``."""

    tau_m: float
    times: list[float]
    weights: list[float]
    puzzle: int
    text: str


def situation(text: str) -> Situation:
    """Read a situation as the address of the playground has it.

    Raises
    ------
    ValueError
        If the page would not begin with exactly this situation.
    """
    asked = _ASKED.fullmatch(text)
    if asked is None:
        raise ValueError(f"a situation must be written like {NOTATION}, got {text!r}")
    if asked["tau"] not in RATIOS:
        raise ValueError(f"tau must be one of {', '.join(RATIOS)}, got {asked['tau']!r}")
    inputs = [_INPUT.fullmatch(pair) for pair in asked["inputs"].split(",")]
    pairs = [(float(pair[1]), float(pair[2])) for pair in inputs if pair is not None]
    is_within = all(time <= LATEST and abs(weight) <= STRONGEST for time, weight in pairs)
    if len(pairs) < len(inputs) or len(pairs) > MOST or not is_within:
        raise ValueError(
            f"in must hold 1 to {MOST} inputs time:weight, with times from 0 to {LATEST:g} and "
            f"weights from {-STRONGEST:g} to {STRONGEST:g} of two decimals, got {asked['inputs']!r}"
        )
    if asked["puzzle"] not in map(str, range(1, PUZZLES + 1)):
        raise ValueError(f"puzzle must be one of 1 to {PUZZLES}, got {asked['puzzle']!r}")
    times, weights = map(list, zip(*pairs, strict=True))
    return Situation(RATIOS[asked["tau"]], times, weights, int(asked["puzzle"]), text)


def still(begin: Situation) -> str:
    """Draw the potential of a neuron, its spike, if it has one, and its inputs."""
    params = ttfslib.LIFParameters(begin.tau_m)
    spike = ttfslib.first_spike_time(begin.times, begin.weights, params)
    now = np.sort(np.append(np.linspace(0, LATEST, STEPS), min(spike, LATEST)))
    potential = ttfslib.membrane_potential(now, begin.times, begin.weights, params)
    fired = f'<line class="spike" {_upright(spike)} y1="{_y(1)}" y2="15"/>'
    return (
        f'<svg class="al-play" viewBox="0 0 720 350">{_closed(now, potential)}'
        f"{_across('threshold', _y(1))}{_across('axis', _y(0))}{_across('axis', _FOOT)}"
        f"{_curve('potential', now, potential, now <= spike)}"
        f"{_curve('future', now, potential, now >= spike)}"
        f"{fired if spike <= LATEST else ''}{''.join(map(_stem, begin.times, begin.weights))}"
        f'<text x="{_LEFT}" y="{_y(1) - 8}">threshold</text>'
        f'<text x="{_LEFT}" y="345">input spikes</text></svg>'
    )


def _closed(now: Vector, potential: Vector) -> str:
    """Shade the times of no first spike, whatever the gain: the potential has been higher."""
    before = np.maximum.accumulate(np.append(0, potential[:-1]))
    edges = np.diff(np.concatenate([[False], potential <= before, [False]]).astype(int))
    spans = zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0) - 1, strict=True)
    parts = (f"M{_x(now[i]):.1f} 15H{_x(now[j]):.1f}V265H{_x(now[i]):.1f}Z" for i, j in spans)
    return f'<path class="forbidden" d="{"".join(parts)}"/>'


def _curve(kind: str, now: Vector, potential: Vector, where: NDArray[np.bool_]) -> str:
    points = zip(now[where], potential[where], strict=True)
    path = "L".join(f"{_x(time):.1f} {max(_y(value), 8):.1f}" for time, value in points)
    return f'<path class="{kind}" d="M{path}"/>' if path else ""


def _across(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"/>'


def _upright(time: float) -> str:
    return f'x1="{_x(time):.1f}" x2="{_x(time):.1f}"'


def _x(time: float) -> float:
    return _LEFT + _UNIT * time


def _y(value: float) -> float:
    return _GROUND - 115 * value


def _stem(time: float, weight: float) -> str:
    """Draw an input: its time, and a stem as long as its weight."""
    end = f"{_FOOT - 15 * weight:.0f}"
    return (
        f'<g class="{"inhibits" if weight < 0 else "excites"}">'
        f'<line class="stem" {_upright(time)} y1="{_FOOT}" y2="{end}"/>'
        f'<circle class="head" cx="{_x(time):.1f}" cy="{end}" r="8"/></g>'
    )

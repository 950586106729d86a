"""A situation of the playground: how its address is written, and its still picture.

`playground.js` reads the same notation and keeps what makes sense of it, since anybody may write an
address. Here an author wrote it, who wants to know what is wrong with it.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

import ttfslib

NOTATION = "tau=1&in=0.3:2.2,0.6:-0.8&puzzle=1"
RATIOS = {"0.5": 0.5, "1": 1.0, "2": 2.0, "5": 5.0, "inf": math.inf}
LATEST, STRONGEST, MOST, PUZZLES = 4.0, 4.0, 6, 8  # as in `playground.js`
STEPS = 160  # of the curve
_ASKED = re.compile(r"tau=(?P<tau>[^&]*)&in=(?P<inputs>[^&]*)&puzzle=(?P<puzzle>[^&]*)")
_INPUT = re.compile(r"(\d+(?:\.\d{1,2})?):(-?\d+(?:\.\d{1,2})?)")
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
    """Draw the potential of a neuron up to its spike, if it has one, and its inputs."""
    params = ttfslib.LIFParameters(begin.tau_m)
    spike = ttfslib.first_spike_time(begin.times, begin.weights, params)
    now = np.linspace(0, min(spike, LATEST), STEPS)
    potential = ttfslib.membrane_potential(now, begin.times, begin.weights, params)
    curve = "L".join(f"{_x(t):.1f} {_y(v):.1f}" for t, v in zip(now, potential, strict=True))
    fired = (
        f'<line class="spike" x1="{_x(spike):.1f}" x2="{_x(spike):.1f}" y1="{_y(1)}" y2="15"/>'
        if spike <= LATEST
        else ""
    )
    stems = "".join(map(_stem, begin.times, begin.weights))
    return (
        '<svg class="al-play" viewBox="0 0 720 350">'
        f'<line class="threshold" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(1)}" y2="{_y(1)}"/>'
        f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(0)}" y2="{_y(0)}"/>'
        f'<path class="potential" d="M{curve}"/>{fired}'
        f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_FOOT}" y2="{_FOOT}"/>{stems}'
        f'<text x="{_LEFT}" y="{_y(1) - 8}">threshold</text>'
        f'<text x="{_LEFT}" y="345">input spikes</text></svg>'
    )


def _x(time: float) -> float:
    return _LEFT + _UNIT * time


def _y(value: float) -> float:
    return _GROUND - 130 * value


def _stem(time: float, weight: float) -> str:
    """Draw an input: its time, and a stem as long as its weight."""
    x, end = f"{_x(time):.0f}", f"{_FOOT - 15 * weight:.0f}"
    return (
        f'<g class="{"excites" if weight > 0 else "inhibits"}">'
        f'<line class="stem" x1="{x}" x2="{x}" y1="{_FOOT}" y2="{end}"/>'
        f'<circle class="head" cx="{x}" cy="{end}" r="8"/></g>'
    )

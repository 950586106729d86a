"""Sphinx extension: pages that compute in the browser.

``{alive} NAME`` stands for the page's program. What it holds without scripts is a still picture,
computed here, with its explanation; `NAME.js` puts the living page in its place.

A live figure of a chapter carries its program with it. Here all figures of a page share one, and
all pages share its files.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import shutil
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pack_network
import volley
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import ttfslib
from ttfslib.experiment.recipe import encode, load_samples
from ttfslib.explore import live

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "ttfslib" / "explore" / "assets"
DIGITS = ROOT / "data" / "runs" / "digits-dale-seed1"
NEEDS_SCRIPT = (
    "This page computes in your browser. It needs JavaScript, and a browser from 2020 or later; "
    "until then, here is a still picture."
)
LETTERS = "0123456789abcdefg"  # the seventeen levels of ink
LATEST = 3.0
FILES = (
    *("alive.css", "alive.js", "engine.js", "training.js", "raster.js", "weights.js"),
    *("playground.js", "train.js", "draw.js", "controls.js", "live.js"),
    *(f"live/{kind}.js" for kind in live.kinds()),
)
_PROGRAM = re.compile(r'<script class="ttfs-program" data-files="([^"]*)">.*?</script>', re.DOTALL)


class Page(NamedTuple):
    """What a page needs: scripts, in order; its still picture; its data."""

    scripts: tuple[str, ...]
    still: Callable[[], str]
    data: Callable[[], Any]


class Alive(SphinxDirective):
    """The place of a page's program; the content explains the still picture, ``alt`` says it."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the still picture, its caption and the data of the page."""
        name = self.arguments[0]
        still, data = contents(name)
        self.env.metadata[self.env.docname]["alive"] = name
        self.env.note_dependency(__file__)
        label = escape(self.options["alt"], quote=True)
        caption = escape(" ".join(" ".join(self.content).split()))
        text = (
            f'<div class="ttfs-alive" data-page="{name}">'
            f'<div class="al-still"><p class="al-note">{NEEDS_SCRIPT}</p>'
            f'<div role="img" aria-label="{label}">{still}</div>'
            f'<p class="al-note">{caption}</p></div>'
            f'<script type="application/json">{data}</script></div>'
        )
        return [nodes.raw("", text, format="html")]


def _training_data() -> dict[str, Any]:
    """Return config and seed of the shipped run, and the digits with one letter for each pixel."""
    run = ttfslib.load_run(DIGITS)
    config = run.config
    parts = load_samples(config)
    samples = {
        part: {
            "pixels": "".join(
                LETTERS[round(16 * x)] for x in parts[part].features.ravel().tolist()
            ),
            "labels": "".join(map(str, parts[part].labels)),
        }
        for part in ("train", "test")
    }
    settings = {
        key: value
        for key, value in dataclasses.asdict(config).items()
        if not (isinstance(value, float) and math.isinf(value))
    }
    return {
        "config": settings | {"loss": config.loss.parameters},
        "seed": run.seed,
        "samples": samples,
    }


def _volleys() -> tuple[list[Any], list[Any]]:
    """Spike times of one digit in every layer: after the training, and before."""
    run = ttfslib.load_run(DIGITS)
    inputs = encode(run.config, load_samples(run.config)["test"].features[:1])
    found = []
    for epoch in (run.config.epochs, 0):
        layers = run.network(epoch)(inputs)
        found.append([times[0].detach().numpy() for times in (inputs, *layers)])
    return found[0], found[1]


def training_still() -> str:
    """Draw the spikes of one digit in the network before and after its training."""
    return raster_still(*_volleys())


def drawing_still() -> str:
    """Draw the spikes of a digit on its way through the large network."""
    return raster_still(volley.volleys()[0].layers)


def raster_still(trained: list[Any], untrained: list[Any] | None = None) -> str:
    """Draw the spikes of every layer for one digit, and those of an untrained twin below them."""
    width, left, row, gap = 720, 90, 46, 26
    span = width - left - 10
    height = len(trained) * (row + gap) + 30

    def x(time: float) -> float:
        return left + span * time / LATEST

    parts = []
    for i, times in enumerate(trained):
        name = "input" if i == 0 else "output" if i == len(trained) - 1 else f"hidden {i}"
        y = i * (row + gap)
        kind = "ink" if i in {0, len(trained) - 1} else "excites"
        border = round(0.75 * len(times)) if kind == "excites" else len(times)
        parts += [
            f'<rect class="band" x="{left}" y="{y}" width="{span}" height="{row}" rx="4"/>',
            f'<text x="{left - 10}" y="{y + row / 2 + 5}" class="end">{name}</text>',
            _dots(times, range(border), y, row, kind, x),
            _dots(times, range(border, len(times)), y, row, "inhibits", x),
        ]
        if untrained is not None:
            parts.append(_dots(untrained[i], range(len(times)), y + row + 3, 14, "twin", x))
    decision = f"{x(float(trained[-1].min())):.1f}"
    ends = f'x1="{decision}" x2="{decision}" y1="0" y2="{height - 56}"'
    parts.append(f'<line class="decision" {ends}/>')
    parts += [
        f'<text x="{x(time):.0f}" y="{height - 12}" class="middle quiet">{time} τ</text>'
        for time in range(int(LATEST) + 1)
    ]
    return f'<svg class="al-raster" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def _dots(
    times: Any,
    which: Iterable[int],
    y: float,
    height: float,
    kind: str,
    x: Callable[[float], float],
) -> str:
    path = "".join(
        f"M{x(float(times[j])):.1f} {y + (j + 0.5) / len(times) * height:.1f}h0"
        for j in which
        if times[j] <= LATEST
    )
    return f'<path class="dots {kind}" d="{path}"/>'


def playground_still() -> str:
    """Draw the potential of a neuron with three inputs, up to its spike."""
    times, weights = np.array([0.3, 0.6, 0.9]), np.array([2.2, -0.8, 2.2])
    spike = ttfslib.first_spike_time(times, weights)
    until = np.linspace(0, spike, 120)
    potential = ttfslib.membrane_potential(until, times, weights)

    def x(time: float) -> float:
        return 40 + 160 * time

    def y(value: float) -> float:
        return 190 - 130 * value

    curve = "L".join(f"{x(t):.1f} {y(v):.1f}" for t, v in zip(until, potential, strict=True))
    stems = "".join(
        f'<g class="{"excites" if w > 0 else "inhibits"}">'
        f'<line class="stem" x1="{x(t):.0f}" x2="{x(t):.0f}" y1="290" y2="{290 - 30 * w:.0f}"/>'
        f'<circle class="head" cx="{x(t):.0f}" cy="{290 - 30 * w:.0f}" r="8"/></g>'
        for t, w in zip(times, weights, strict=True)
    )
    return (
        '<svg class="al-play" viewBox="0 0 720 350">'
        f'<line class="threshold" x1="40" x2="710" y1="{y(1)}" y2="{y(1)}"/>'
        f'<line class="axis" x1="40" x2="710" y1="{y(0)}" y2="{y(0)}"/>'
        f'<path class="potential" d="M{curve}"/>'
        f'<line class="spike" x1="{x(spike):.1f}" x2="{x(spike):.1f}" y1="{y(1)}" y2="15"/>'
        f'<line class="axis" x1="40" x2="710" y1="290" y2="290"/>{stems}'
        f'<text x="40" y="{y(1) - 8}">threshold</text>'
        '<text x="40" y="345">input spikes</text></svg>'
    )


PAGES = {
    "train": Page(
        ("engine.js", "training.js", "alive.js", "raster.js", "weights.js", "train.js"),
        training_still,
        _training_data,
    ),
    "draw": Page(
        ("engine.js", "alive.js", "raster.js", "draw.js"),
        drawing_still,
        lambda: pack_network.packed(ttfslib.load_run(pack_network.RUN)),
    ),
    "playground": Page(("engine.js", "alive.js", "playground.js"), playground_still, lambda: None),
}


@functools.cache
def contents(name: str) -> tuple[str, str]:
    """Return the still picture of a page, and its data as JSON."""
    page = PAGES[name]
    return page.still(), json.dumps(page.data(), separators=(",", ":")).replace("</", "<\\/")


def _compute(_app: Sphinx) -> None:
    """Compute what the pages hold before autodoc writes into the functions that it documents."""
    for name in PAGES:
        contents(name)


def _place_files(app: Sphinx) -> None:
    """Lay the programs beside the other static files before the first page names them."""
    target = Path(app.outdir, "_static")
    target.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        place = target / file
        place.parent.mkdir(exist_ok=True)
        shutil.copy(ASSETS / file, place)


def _dress(
    app: Sphinx, page: str, _template: str, _context: dict[str, Any], _doctree: object
) -> None:
    """Give a page its program, and no other page."""
    name = app.env.metadata.get(page, {}).get("alive")
    if name is None:
        return
    app.add_css_file("alive.css", priority=900)
    for script in PAGES[name].scripts:
        app.add_js_file(script, loading_method="defer")


def _share_programs(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Load what the live figures of a page need once, instead of with each figure."""
    body = context.get("body", "")
    files = dict.fromkeys(file for names in _PROGRAM.findall(body) for file in names.split())
    for file in files:
        app.add_js_file(file, loading_method="defer")
    if files:
        context["body"] = _PROGRAM.sub("", body)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the files it needs."""
    app.add_directive("alive", Alive)
    app.connect("builder-inited", _compute)
    app.connect("builder-inited", _place_files)
    app.connect("html-page-context", _dress)
    app.connect("html-page-context", _share_programs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx extension: pages that compute in the browser, by themselves and within chapters.

Each program has a page of its own, ``{alive} NAME``, which loads it at once. Within a chapter it is
an admonition with a ``program`` and sleeps: `alive.js` fetches it when the reader asks for it, or
comes near. What is there without scripts is a still picture, computed here, with its explanation;
`NAME.js` puts the living thing in its place.

A live figure of a chapter carries its program with it. Here all figures of a page share one, and
all pages share its files.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pack_network
import playground
import volley
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.parsers.rst.directives import admonitions
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
    "What stands here computes in your browser. It needs JavaScript, and a browser from 2020 or "
    "later; until then, here is a still picture."
)
FIRST_LOOK = "tau=1&in=0.3:2.2,0.6:-0.8,0.9:2.2&puzzle=1"
LETTERS = "0123456789abcdefg"  # the seventeen levels of ink
LATEST = 3.0
FILES = (
    *("alive.css", "alive-page.css", "alive.js", "engine.js", "training.js", "raster.js"),
    *("weights.js", "playground.js", "train.js", "draw.js", "controls.js", "live.js"),
    *(f"live/{kind}.js" for kind in live.kinds()),
)
_PROGRAM = re.compile(r'<script class="ttfs-program" data-files="([^"]*)">.*?</script>', re.DOTALL)


class Program(NamedTuple):
    """What a program needs: scripts, in order; its still picture; its data, if it has any.

    Where it sleeps, ``offer`` is what the reader presses to wake it; None wakes it when it is near.
    """

    scripts: tuple[str, ...]
    still: Callable[[], str]
    data: Callable[[], Any] | None = None
    offer: str | None = None

    def files(self, name: str) -> tuple[str, ...]:
        """The scripts to load, in order: the last one begins, so the data come before it."""
        data = () if self.data is None else (data_file(name),)
        return *self.scripts[:-1], *data, self.scripts[-1]


def data_file(name: str) -> str:
    """The script that hands over the data of a program: from a disk, a page can read no other."""
    return f"{name}-data.js"


class _Place(SphinxDirective):
    """The place of a program; the content is the caption, ``alt`` says what the picture shows."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the still picture and its caption."""
        if "alt" not in self.options:
            raise self.error("alt must say what the still picture shows")
        self.env.note_dependency(__file__)
        caption = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, caption)
        return self._placed(list(caption.children))

    def _placed(self, caption: list[nodes.Node]) -> list[nodes.Node]:
        raise NotImplementedError

    def _known(self, what: str, name: str, key: str) -> Program:
        """Return a program, and note that the page has it."""
        if name not in PROGRAMS:
            raise self.error(f"{what} must be one of {', '.join(PROGRAMS)}, got {name!r}")
        self.env.metadata[self.env.docname].setdefault(key, []).append(name)
        return PROGRAMS[name]

    def _picture(self, drawn: str) -> str:
        label = escape(self.options["alt"], quote=True)
        return (
            f'<p class="al-note al-needs">{NEEDS_SCRIPT}</p>'
            f'<div class="al-picture" role="img" aria-label="{label}">{drawn}</div>'
        )


class Alive(_Place):
    """``{alive} NAME``, on the program's own page: the caption goes with the still picture."""

    def _placed(self, caption: list[nodes.Node]) -> list[nodes.Node]:
        name = self.arguments[0]
        self._known("alive", name, "awake")
        for node in caption:
            node["classes"].append("al-note")  # type: ignore[index]
        before = f'<div class="ttfs-alive" data-page="{name}"><div class="al-still">'
        return [_raw(before + self._picture(_still(name))), *caption, _raw("</div></div>")]


class _Within(_Place):
    """Within a chapter: like a figure, whose caption stays.

    ``begin`` is the situation with which a playground begins, as in the address of its own page.
    """

    option_spec: ClassVar = _Place.option_spec | {
        "program": directives.unchanged_required,
        "begin": directives.unchanged_required,
    }

    def _placed(self, caption: list[nodes.Node]) -> list[nodes.Node]:
        name = self.options["program"]
        program = self._known("program", name, "asleep")
        drawn, about = _still(name), {"page": name, "offer": program.offer}
        if name == "playground":
            begin = self._situation()
            drawn, about["begin"] = playground.still(begin), begin.text
        elif "begin" in self.options:
            raise self.error(f"begin must not be given for {name!r}, which knows no situations")
        about["own"] = self.env.app.builder.get_relative_uri(self.env.docname, home(name))
        about["scripts"] = " ".join(map(_stamped, program.files(name)))
        written = (f' data-{k}="{escape(v, quote=True)}"' for k, v in about.items() if v)
        before = f'<figure class="ttfs-alive"{"".join(written)}><div class="al-still">'
        if caption and isinstance(caption[0], nodes.paragraph):
            caption[0][:0] = [nodes.strong("", f"{self.arguments[0]}."), nodes.Text(" ")]
        return [
            _raw(f"{before}{self._picture(drawn)}</div><figcaption>"),
            *caption,
            _raw("</figcaption></figure>"),
        ]

    def _situation(self) -> playground.Situation:
        try:
            return playground.situation(self.options.get("begin", ""))
        except ValueError as error:
            raise self.error(f"begin: {error}") from None


class Admonition(admonitions.Admonition):
    """An admonition, or a program in its place.

    JupyterLab knows admonitions, and not their ``program``: a notebook shows title and caption.
    """

    option_spec: ClassVar = admonitions.Admonition.option_spec | _Within.option_spec

    def run(self) -> list[nodes.Node]:
        """Return the box, or what stands in its place."""
        has_program = "program" in self.options
        for option in ("class", "name") if has_program else ("alt", "begin"):
            if option in self.options:
                how = "with" if has_program else "without"
                raise self.error(f"{option} must not be given {how} program")
        if not has_program:
            return super().run()
        about = (self.name, self.arguments, self.options, self.content, self.lineno)
        place = (self.content_offset, self.block_text, self.state, self.state_machine)
        return _Within(*about, *place).run()


def home(name: str) -> str:
    """The page of a program."""
    return f"chapters/{name}"


def _raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


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


PROGRAMS = {
    "train": Program(
        ("engine.js", "training.js", "alive.js", "raster.js", "weights.js", "train.js"),
        training_still,
        _training_data,
        "Train it here",
    ),
    "draw": Program(
        ("engine.js", "alive.js", "raster.js", "draw.js"),
        drawing_still,
        lambda: pack_network.packed(ttfslib.load_run(pack_network.RUN)),
        "Draw a digit here",
    ),
    "playground": Program(
        ("engine.js", "alive.js", "playground.js"),
        lambda: playground.still(playground.situation(FIRST_LOOK)),
    ),
}


@functools.cache
def _still(name: str) -> str:
    return PROGRAMS[name].still()


def _data(name: str, data: Any) -> str:
    """What hands over the data of a program."""
    return f"alive.deliver({name!r}, {json.dumps(data, separators=(',', ':'))});\n"


@functools.cache
def _texts() -> dict[str, bytes]:
    """The files of all programs, by name."""
    given = {file: (ASSETS / file).read_bytes() for file in FILES}
    return given | {
        data_file(name): _data(name, p.data()).encode()
        for name, p in PROGRAMS.items()
        if p.data is not None
    }


def _stamped(file: str) -> str:
    """The name of a file, and what changes with its content, as Sphinx writes it."""
    content = _texts()[file].translate(None, b"\r")
    return f"{file}?v={zlib.crc32(content):08x}"


def _compute(_app: Sphinx) -> None:
    """Compute what the pages hold before autodoc writes into the functions that it documents."""
    for name in PROGRAMS:
        _still(name)
    _texts()


def _place_files(app: Sphinx) -> None:
    """Lay the programs beside the other static files before the first page names them."""
    for file, content in _texts().items():
        place = Path(app.outdir, "_static", file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _dress(
    app: Sphinx, page: str, _template: str, _context: dict[str, Any], _doctree: object
) -> None:
    """Give a program to its own page, what wakes it to others, and nothing to pages without one."""
    about = app.env.metadata.get(page, {})
    awake, asleep = about.get("awake", []), about.get("asleep", [])
    scripts = [file for name in awake for file in PROGRAMS[name].files(name)]
    if awake:
        app.add_css_file("alive-page.css", priority=900)
    if awake or asleep:
        app.add_css_file("alive.css", priority=900)
    for script in [*scripts, *(["alive.js"] if asleep else [])]:
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
    """Register the directives, one of which replaces that of Sphinx, and the files they need."""
    app.add_directive("alive", Alive)
    app.add_directive("admonition", Admonition, override=True)
    app.connect("builder-inited", _compute)
    app.connect("builder-inited", _place_files)
    app.connect("html-page-context", _dress)
    app.connect("html-page-context", _share_programs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

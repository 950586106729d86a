"""What interactive and live figures share: checks of what an author gives, and the HTML around."""

from __future__ import annotations

import html
import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import Any

from ttfslib import _checks
from ttfslib.explore import _frames
from ttfslib.explore._controls import Control, Slider, Values, control

MAX_BYTES = 1_000_000


def asset(name: str) -> str:
    """Return the text of a file in `assets`."""
    return importlib.resources.files("ttfslib.explore").joinpath("assets", name).read_text("utf-8")


def sentence(name: str, text: Any) -> str:
    """Return a text that says something."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} must say what the figure shows, got {_checks.shown(text)}")
    return text


def controls_of(plot: Callable[..., Any], sliders: Mapping[str, Slider | Values]) -> list[Control]:
    """Check what an author gave, and return a control for each argument of `plot`."""
    if not callable(plot):
        raise ValueError(f"plot must be callable, got {type(plot).__name__}")
    if not sliders:
        raise ValueError("sliders must not be empty: give the values of an argument of plot")
    return [control(name, slider) for name, slider in sliders.items()]


def assemble(
    still: str,
    controls: Sequence[Control],
    *,
    alt: str,
    label: str,
    css: str,
    attributes: str,
    scripts: str,
    classes: str = "ttfs-interactive",
) -> str:
    """Put still picture, controls and scripts into one piece of HTML."""
    return Template(asset("figure.html")).substitute(
        classes=classes,
        attributes=attributes,
        label=html.escape(label),
        width=f"{_frames.size_in_points(still)[0]:g}",
        alt=html.escape(alt),
        picture=_frames.data_uri(still),
        settings=html.escape(", ".join(c.setting for c in controls)),
        controls="".join(c.html for c in controls),
        css=css,
        scripts=scripts,
    )


def check_size(page: str, figure: str, *, made_of: str = "", advice: str) -> None:
    """Raise if a page would have to carry too much."""
    size = len(page.encode())
    if size > MAX_BYTES:
        raise ValueError(
            f"the {figure} must fit in {MAX_BYTES / 1e6:g} MB, got {size / 1e6:.2f} MB{made_of}: "
            f"{advice}"
        )

"""Controls of `explore`: sliders as authors write them, checked, and as HTML."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ttfslib import _checks
from ttfslib.explore import _markup

Values = Sequence[float] | Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Slider:
    r"""The values that one argument of a plotting function takes, and how they are shown.

    Parameters
    ----------
    values : sequence of float, sequence of str or mapping
        Numbers make a slider; strings make a list to choose from. The keys of a mapping are what
        the reader chooses from, and its values are what the plotting function gets.
    label : str, optional
        What the reader sees, by default the argument's name. Mathematics goes between dollar
        signs: letters, Greek, sub- and superscripts (``"weight $w_1$"``).
    unit : str, optional
        Follows each number, with the same mathematics (``r"$\tau_s$"``).
    initial : float or str, optional
        The one of `values` (or of the keys) where the figure starts, and which a page without
        scripts shows. By default the middle one of numbers and the first one of choices.
    fmt : str, optional
        Format of the numbers, as in `format` (``".2f"``).
    play : float, optional
        With this, a button runs through the numbers in so many seconds.
    """

    values: Values
    label: str = ""
    unit: str = ""
    initial: float | str | None = None
    fmt: str = "g"
    play: float | None = None


@dataclass(frozen=True)
class Control:
    """A checked slider: what the reader sees, and what `plot` gets, option by option."""

    name: str
    title: str  # the label as the author wrote it
    label: _markup.Label
    unit: _markup.Label
    options: list[str]
    arguments: list[Any]
    initial: int
    is_choice: bool
    play: float | None

    @property
    def texts(self) -> list[str]:
        """The options in words, with their unit."""
        return [f"{option} {self.unit.plain}".strip() for option in self.options]

    @property
    def setting(self) -> str:
        """Where the control starts, in words."""
        return f"{self.label.plain} = {self.texts[self.initial]}"

    @property
    def html(self) -> str:
        """Label, control and read-out; the script on the page connects and enables them."""
        body = self._choice() if self.is_choice else self._range()
        return f'<div class="ttfs-control"><label>{self.label.html}</label>{body}</div>'

    @property
    def _common(self) -> str:
        """Attributes; JupyterLab takes the arrow keys for itself unless the focus forbids it."""
        name = html.escape(self.name)
        return f'name="{name}" autocomplete="off" data-lm-suppress-shortcuts="true" disabled'

    def _choice(self) -> str:
        options = "".join(
            f"<option{' selected' * (i == self.initial)}>{html.escape(text)}</option>"
            for i, text in enumerate(self.texts)
        )
        return f"<select {self._common}>{options}</select>"

    def _range(self) -> str:
        width = max(map(len, self.texts))  # so that the slider keeps its length
        unit = f" {self.unit.html}" if self.unit.html else ""
        play = "" if self.play is None else f' data-play="{self.play:g}"'
        return (
            f'<input type="range" {self._common}'
            f' min="0" max="{len(self.options) - 1}" step="1" value="{self.initial}"'
            f' aria-valuetext="{html.escape(self.texts[self.initial])}"'
            f" data-values='{_in_single_quotes(self.options)}'"
            f' data-unit="{html.escape(self.unit.plain)}"{play}>'
            f'<output aria-live="off" style="min-width:{width}ch">'
            f'<span class="ttfs-value">{html.escape(self.options[self.initial])}</span>'
            f"{unit}</output>"
        )


def _in_single_quotes(options: list[str]) -> str:
    """Return JSON as an attribute in single quotes: numbers in double ones stay as they are."""
    text = json.dumps(options, ensure_ascii=False, separators=(",", ":"))
    return html.escape(text).replace("&quot;", '"')


def control(name: str, slider: Slider | Values) -> Control:
    """Check what an author gave for the argument `name` of the plotting function."""
    if not isinstance(slider, Slider):
        slider = Slider(slider)
    values, arguments = _values(name, slider.values)
    is_choice = isinstance(slider.values, Mapping) or isinstance(values[0], str)
    if is_choice:
        options = [_markup.label(f"value of {name}", value).plain for value in values]
    else:
        options = _numbers(name, values, slider.fmt)
    repeated = next((option for option in options if options.count(option) > 1), None)
    if repeated is not None:
        raise ValueError(f"{name} shows {repeated!r} for more than one value: mend values or fmt")
    title, shown = _title(name, slider.label)
    return Control(
        name=name,
        title=title,
        label=shown,
        unit=_markup.label(f"unit of {name}", slider.unit),
        options=options,
        arguments=arguments,
        initial=_initial(name, slider.initial, values, is_choice),
        is_choice=is_choice,
        play=_play(name, slider.play, is_choice),
    )


def _title(name: str, label: str) -> tuple[str, _markup.Label]:
    """Return a control's label, as it was written and as it is shown; by default its name."""
    if label != "":
        return label, _markup.label(f"label of {name}", label)
    title = name.replace("_", " ")
    return title, _markup.Label(html.escape(title), title)  # no mathematics in a name


def _values(name: str, values: Any) -> tuple[list[Any], list[Any]]:
    """Return what the reader chooses from, and what the plotting function gets."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ValueError(f"{name} must be a sequence of values, got {_checks.shown(values)}")
    if isinstance(values, Mapping):
        shown, arguments = list(values), list(values.values())
    else:
        shown = values.tolist() if isinstance(values, np.ndarray) else list(values)
        arguments = shown
    if len(shown) < 2:
        raise ValueError(f"{name} must offer at least 2 values, got {len(shown)}")
    return shown, arguments


def _numbers(name: str, values: list[Any], fmt: str) -> list[str]:
    _checks.finite_array(name, values, ndim=1)
    try:
        options = [format(number, fmt) for number in values]
    except (TypeError, ValueError):
        raise ValueError(
            f"fmt of {name} must be a number format, got {_checks.shown(fmt)}"
        ) from None
    return [option.replace("-", "\N{MINUS SIGN}") for option in options]


def _play(name: str, seconds: float | None, is_choice: bool) -> float | None:
    if seconds is None:
        return None
    if is_choice:
        raise ValueError(f"play of {name} must be left out: there is no order in its choices")
    return _checks.positive(f"play of {name}", seconds)


def _initial(name: str, wanted: float | str | None, values: list[Any], is_choice: bool) -> int:
    """Return the position of the initial value; numbers may be off by rounding."""
    if wanted is None:
        return 0 if is_choice else len(values) // 2
    number = math.nan if is_choice else _checks.real(f"initial of {name}", wanted)
    for i, value in enumerate(values):
        if value == wanted if is_choice else math.isclose(value, number, rel_tol=1e-6):
            return i
    options = ", ".join(map(str, values))
    raise ValueError(f"initial of {name} must be one of {options}, got {_checks.shown(wanted)}")

"""Controls of `explore`: sliders as authors write them, checked, and as HTML."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ttfslib import _checks, _markup

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
        The one of `values` (or of the keys) where the figure starts, and which a printed page
        shows. By default the middle one of numbers and the first one of choices.
    fmt : str, optional
        Format of the numbers, as in `format` (``".2f"``).
    """

    values: Values
    label: str = ""
    unit: str = ""
    initial: float | str | None = None
    fmt: str = "g"


@dataclass(frozen=True)
class Control:
    """A checked slider: what the reader sees, and what `plot` gets, option by option."""

    name: str
    label: _markup.Label
    unit: _markup.Label
    options: list[str]
    arguments: list[Any]
    initial: int
    is_choice: bool

    @property
    def texts(self) -> list[str]:
        """The options in words, with their unit."""
        return [f"{option} {self.unit.plain}".strip() for option in self.options]

    def html(self, figure_id: str) -> str:
        """Return label, control and read-out; the script enables them once it can work."""
        identity = f"{figure_id}-{self.name}"
        label = f'<label for="{identity}">{self.label.html}</label>'
        common = f'id="{identity}" name="{self.name}" autocomplete="off" disabled'
        body = self._choice(common) if self.is_choice else self._range(common, identity)
        return f'<div class="ttfs-control">{label}{body}</div>'

    def _choice(self, common: str) -> str:
        options = "".join(
            f"<option{' selected' * (i == self.initial)}>{html.escape(option)}</option>"
            for i, option in enumerate(self.options)
        )
        return f"<select {common}>{options}</select>"

    def _range(self, common: str, identity: str) -> str:
        width = max(map(len, self.texts))  # so that the slider keeps its length
        unit = f" {self.unit.html}" if self.unit.html else ""
        return (
            f'<input type="range" {common} min="0" max="{len(self.options) - 1}" step="1"'
            f' value="{self.initial}" aria-valuetext="{html.escape(self.texts[self.initial])}"'
            f' data-values="{html.escape(json.dumps(self.options, ensure_ascii=False))}"'
            f' data-unit="{html.escape(self.unit.plain)}">'
            f'<output for="{identity}" aria-live="off" style="min-width:{width}ch">'
            f'<span class="ttfs-value">{html.escape(self.options[self.initial])}</span>'
            f"{unit}</output>"
        )


def control(name: str, slider: Slider | Values) -> Control:
    """Check what an author gave for the argument `name` of the plotting function."""
    if not isinstance(slider, Slider):
        slider = Slider(slider)
    options, arguments, is_choice = _options(name, slider)
    if len(options) < 2:
        raise ValueError(f"{name} must offer at least 2 values, got {len(options)}")
    repeated = next((option for option in options if options.count(option) > 1), None)
    if repeated is not None:
        raise ValueError(f"{name} shows {repeated!r} for more than one value: mend values or fmt")
    return Control(
        name=name,
        label=_markup.label(f"label of {name}", slider.label or name.replace("_", " ")),
        unit=_markup.label(f"unit of {name}", slider.unit),
        options=options,
        arguments=arguments,
        initial=_initial(name, slider.initial, options, arguments, is_choice),
        is_choice=is_choice,
    )


def _options(name: str, slider: Slider) -> tuple[list[str], list[Any], bool]:
    values = slider.values
    if isinstance(values, str):
        raise ValueError(f"{name} must be a sequence of values, got the single string {values!r}")
    if isinstance(values, Mapping):
        keys = [_markup.label(f"key of {name}", key).plain for key in values]
        return keys, list(values.values()), True
    if len(values) and all(isinstance(value, str) for value in values):
        return [_markup.label(f"value of {name}", str(v)).plain for v in values], list(values), True
    _checks.finite_array(name, values, ndim=1)
    numbers = np.asarray(values).tolist()
    try:
        options = [format(number, slider.fmt) for number in numbers]
    except ValueError:
        raise ValueError(f"fmt of {name} must be a number format, got {slider.fmt!r}") from None
    return [option.replace("-", "\N{MINUS SIGN}") for option in options], numbers, False


def _initial(
    name: str, wanted: float | str | None, options: list[str], arguments: list[Any], choice: bool
) -> int:
    """Return the position of the initial value; numbers may be off by rounding."""
    if wanted is None:
        return 0 if choice else len(options) // 2
    for i, (option, argument) in enumerate(zip(options, arguments, strict=True)):
        if option == wanted if choice else _close(argument, wanted):
            return i
    raise ValueError(f"initial of {name} must be one of {', '.join(options)}, got {wanted!r}")


def _close(number: float, wanted: Any) -> bool:
    return isinstance(wanted, (int, float)) and math.isclose(number, wanted, abs_tol=1e-12)

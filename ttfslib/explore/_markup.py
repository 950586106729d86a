r"""Short labels with a little mathematics, as HTML and as words for a screen reader.

Sliders stand outside of what a notebook or MathJax would typeset, so the few things that labels
need ($w_1$, $\tau_s$, $10^{-3}$) are written here as plain HTML.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

# A piece of mathematics: an optional _ or ^, then a group, upright text, a command or a character.
_PIECE = re.compile(
    r"([_^])?(?:\{((?:[^{}]|\{[^{}]*\})*)\}|\\(?:mathrm|text)\{([^{}]*)\}|\\([A-Za-z]+|.)|(.))"
)
_SCRIPTS = {"_": "sub", "^": "sup"}
_SYMBOLS = {
    "times": "×",
    "cdot": "·",
    "infty": "∞",
    "to": "→",
    "pm": "±",
    "le": "≤",
    "ge": "≥",
    "approx": "≈",
    "%": "%",
    ",": "\N{THIN SPACE}",
    "vartheta": "ϑ",
    "varepsilon": "ε",
    "varphi": "φ",
}
_SPELT_OTHERWISE = {"lambda": "lamda"}  # the spelling of the Unicode standard


class Label(NamedTuple):
    """A label as HTML and as plain text."""

    html: str
    plain: str


def label(name: str, text: str) -> Label:
    r"""Return `text`, in which `$...$` may hold letters, Greek, sub- and superscripts.

    Raises
    ------
    ValueError
        If `text` is no string, a `$` is not closed, or a command is unknown; the message names
        the argument `name`.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a string, got {type(text).__name__} {str(text)[:40]!r}")
    parts = text.split("$")
    if len(parts) % 2 == 0:
        raise ValueError(f"{name} must close every $ it opens, got {text!r}")
    written = [
        _mathematics(name, part) if i % 2 else Label(html.escape(part), part)
        for i, part in enumerate(parts)
    ]
    return Label("".join(w.html for w in written), "".join(w.plain for w in written))


def _mathematics(name: str, source: str) -> Label:
    marked = plain = ""
    for shift, group, upright, command, character in _PIECE.findall(source):
        if group:
            inner = _mathematics(name, group)
        elif upright:
            inner = Label(html.escape(upright), upright)
        else:
            symbol = _symbol(name, command) if command else _character(name, character)
            shown = html.escape(symbol)
            inner = Label(f"<i>{shown}</i>" if symbol.isalpha() else shown, symbol)
        tag = _SCRIPTS.get(shift)
        marked += f"<{tag}>{inner.html}</{tag}>" if tag else inner.html
        plain += shift + inner.plain
    return Label(marked, plain)


def _character(name: str, character: str) -> str:
    if character in {"{", "}", "_", "^", "\\", ""}:
        raise ValueError(f"{name} has a misplaced {character!r} inside $...$")
    return "\N{MINUS SIGN}" if character == "-" else character


def _symbol(name: str, command: str) -> str:
    if command in _SYMBOLS:
        return _SYMBOLS[command]
    case = "CAPITAL" if command[0].isupper() else "SMALL"
    letter = _SPELT_OTHERWISE.get(command.lower(), command)
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {letter.upper()}")
    except KeyError:
        raise ValueError(
            f"{name} may use Greek letters and {', '.join(_SYMBOLS)} inside $...$, got \\{command}"
        ) from None

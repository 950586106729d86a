"""Style sheets without the rules for what no page shows.

The theme brings all of Bootstrap and of its own components (450 kB). A rule stays if each class
that it asks for is named somewhere: in a page, or in a script that may add it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinycss2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx

KEPT_WHOLE = ("book.css", "fonts.css")
_PARENTHESES = re.compile(r":(?:not|is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)")
_NAME = re.compile(r"[.#]((?:[\w-]|\\.)+)")
_WORD = re.compile(r"[\w-]+")


def prune(css: str, words: set[str]) -> str:
    """Return `css` without the rules that ask for a class or id that is none of `words`."""
    return _written(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), words)


def _written(rules: Iterable[Any], words: set[str]) -> str:
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [s for s in _selectors(rule) if _can_match(s, words)]
            if selectors:
                body = tinycss2.serialize(rule.content)
                kept.append(f"{','.join(selectors)}{{{body}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, True, True)
            body = _written(inner, words)
            if body:
                prelude = tinycss2.serialize(rule.prelude).strip()
                kept.append(f"@{rule.lower_at_keyword} {prelude}{{{body}}}")
        elif rule.type == "at-rule":
            kept.append(rule.serialize())
    return "\n".join(kept)


def _selectors(rule: Any) -> list[str]:
    """Return the selectors of a rule; commas inside brackets belong to one of them."""
    found, current = [], ""
    for token in rule.prelude:
        if token == ",":
            found.append(current.strip())
            current = ""
        else:
            current += token.serialize()
    return [*found, current.strip()]


def _can_match(selector: str, words: set[str]) -> bool:
    asked = _NAME.findall(_PARENTHESES.sub("", selector))
    return all(name.replace("\\", "") in words for name in asked)


def _prune_all(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    sources = [*output.rglob("*.html"), *output.rglob("*.js")]
    words = set(_WORD.findall(" ".join(p.read_text(encoding="utf-8") for p in sources)))
    for sheet in Path(output, "_static").rglob("*.css"):
        if sheet.name not in KEPT_WHOLE:
            sheet.write_text(prune(sheet.read_text(encoding="utf-8"), words), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the step, before the icons that the style sheets name are counted."""
    app.connect("build-finished", _prune_all, priority=700)

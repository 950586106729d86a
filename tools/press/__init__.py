"""Sphinx extension of the book's pages: each module here is one step, and can be read alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
STEPS = (
    *("equations", "code_bars", "pictures", "finder", "pages", "previews"),
    *("styles", "fonts", "lookups"),
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register every step."""
    for step in STEPS:
        app.setup_extension(f"press.{step}")
    return {"parallel_read_safe": True, "parallel_write_safe": False}

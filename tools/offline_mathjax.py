"""Sphinx extension: put MathJax beside the pages, so that equations need no network.

The PyPI package `sphinx-mathjax-offline` ships all of MathJax 3 (12 MB). One file of it is enough:
`tex-svg.js` holds the TeX reader, the SVG writer and the glyphs, and asks for nothing else.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.fileutil import copy_asset

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BUNDLE = "tex-svg.js"


def mathjax_bundle() -> Path:
    """Return the installed MathJax bundle."""
    package = distribution("sphinx-mathjax-offline")
    for file in package.files or []:
        if file.name == BUNDLE:
            return Path(str(package.locate_file(file)))
    raise FileNotFoundError(f"{BUNDLE} is missing from sphinx-mathjax-offline {package.version}")


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy the bundle to where `mathjax_path` points."""
    if error is None and app.builder.format == "html":
        target = Path(app.outdir, "_static", app.config.mathjax_path).parent
        target.mkdir(parents=True, exist_ok=True)
        copy_asset(mathjax_bundle(), target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the copy step."""
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

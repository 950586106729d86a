"""Sphinx extension: pages that need no network.

- Equations. The PyPI package `sphinx-mathjax-offline` ships all of MathJax 3 (12 MB). One file of
  it is enough: `tex-svg.js` holds the TeX reader, the SVG writer and the glyphs.
- Thebe. Jupyter Book always adds its loader, which can only fetch from elsewhere (and which
  version 1.0.4 declares twice, an error on the console of every page). It is taken out.
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


def drop_thebe(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Take the scripts and styles of thebe off a page."""
    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if not _is_thebe(asset)]


def _is_thebe(asset: Any) -> bool:
    attributes = getattr(asset, "attributes", {})
    return "thebe" in f"{getattr(asset, 'filename', asset)} {attributes.get('body', '')}".lower()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both steps."""
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

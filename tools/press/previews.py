"""What links to other pages lead to, cut out for `previews.js`: one small file for each page.

A page opened from a disk may not read its neighbours, but it may load a script.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from press.equations import glyphs_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

_LINK = re.compile(r'href="([^"#]*\.html)#((?:equation-|fig-|term-)[^"]*|id\d+)"')
_SCRIPT = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL)


def element(page: str, name: str) -> str | None:
    """Return the markup of the element with the id `name`; of a term, its description as well."""
    start = re.search(rf'<(\w+)\b[^>]*\bid="{re.escape(name)}"[^>]*>', page)
    if start is None:
        return None
    end = _end(page, start[1], start.start())
    if start[1] == "dt":
        description = page.find("<dd", end)
        end = _end(page, "dd", description) if description >= 0 else end
    return page[start.start() : end]


def _end(page: str, tag: str, start: int) -> int:
    """Return where the element that begins at `start` ends."""
    depth = 0
    for found in re.finditer(rf"<(/?){tag}\b[^>]*>", page[start:]):
        depth += -1 if found[1] else 1
        if depth == 0:
            return start + found.end()
    raise ValueError(f"the <{tag}> at {start} has no end")


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    wanted: dict[Path, set[str]] = defaultdict(set)
    for page in Path(app.outdir, "chapters").glob("*.html"):
        for address, name in _LINK.findall(page.read_text(encoding="utf-8")):
            wanted[(page.parent / address).resolve()].add(name)
    folder = Path(app.outdir, "_static", "previews")
    folder.mkdir(exist_ok=True)
    for page, names in wanted.items():
        text = _SCRIPT.sub("", page.read_text(encoding="utf-8"))
        cut = {name: element(text, name) for name in sorted(names)}
        fragments = {name: fragment for name, fragment in cut.items() if fragment}
        glyphs = glyphs_of("".join(fragments.values()))
        arguments = ", ".join(
            json.dumps(part, ensure_ascii=False) for part in (page.name, fragments, glyphs)
        )
        script = f"firstSpikesPreviews({arguments});\n"
        (folder / f"{page.stem}.js").write_text(script, encoding="utf-8")


def _configure(_app: Sphinx, config: Config) -> None:
    config.html_js_files.append("previews.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps."""
    app.connect("config-inited", _configure)
    app.connect("build-finished", _write, priority=600)
    return {}

"""Pictures for `explore`: matplotlib figures as small inline SVG, and many of them in one parcel.

Frames of one figure share nearly all they draw (axes, ticks, letters), so a parcel holds each
distinct SVG tag once and writes a frame as a list of indices into that table.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Letters as paths look alike on every machine and cost little, since all frames share them; the
# salt makes the ids that matplotlib invents repeatable; a fixed box keeps frames from jumping.
_RC: dict[Any, object] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "ttfslib",
    "svg.image_inline": True,
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

# The style sheet that matplotlib writes into a picture would, inline, restyle the whole page.
_NOISE = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_OPENING = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
_REFERENCE = re.compile(r'(?:xlink:href="|url\()#([^")]+)')
_ID = re.compile(r' id="([^"]*)"')
_COORDINATES = re.compile(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)')
_EXTRA_DECIMALS = re.compile(r"(\.\d\d)\d+")
_BETWEEN_TAGS = re.compile(r"(?<=>)\s*(?=<)")


def draw(plot: Callable[..., Any], arguments: Mapping[str, Any], prefix: str) -> str:
    """Call `plot(**arguments)` and return its figure as one line of SVG for use inside HTML.

    Every figure that `plot` opened in pyplot is closed again, and rcParams are as before.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    already_open = set(plt.get_fignums())
    try:
        with mpl.rc_context(_RC):
            figure = plot(**arguments)
            if not isinstance(figure, Figure):
                raise ValueError(
                    f"plot must return a matplotlib Figure, got {type(figure).__name__}"
                )
            markup = _svg(figure, prefix)
            plt.close(figure)
            return markup
    except Exception as error:
        values = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        error.add_note(f"while drawing the frame for {values}")
        raise
    finally:
        for number in set(plt.get_fignums()) - already_open:
            plt.close(number)


def _svg(figure: Figure, prefix: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    markup = buffer.getvalue()
    markup = _NOISE.sub("", markup[markup.index("<svg") :])
    markup = _OPENING.sub(_opening_tag, markup, count=1)
    markup = _prefix_ids(markup, prefix)
    markup = _COORDINATES.sub(lambda found: _EXTRA_DECIMALS.sub(r"\1", found[0]), markup)
    return _BETWEEN_TAGS.sub("", " ".join(markup.split()))


def _opening_tag(found: re.Match[str]) -> str:
    """No fixed size: the picture fills its stage."""
    return (
        f'<svg viewBox="{found[1]}" xmlns="http://www.w3.org/2000/svg"'
        ' stroke-linejoin="round" stroke-linecap="butt" aria-hidden="true" focusable="false">'
    )


def _prefix_ids(markup: str, prefix: str) -> str:
    """Keep only ids that something refers to, and make them unlike those of other figures."""
    used = set(_REFERENCE.findall(markup))
    markup = _ID.sub(lambda i: f' id="{prefix}-{i[1]}"' if i[1] in used else "", markup)
    markup = markup.replace('xlink:href="', 'href="')
    return markup.replace('href="#', f'href="#{prefix}-').replace("url(#", f"url(#{prefix}-")


def width_in_points(frame: str) -> float:
    """Return the natural width of a picture, in points."""
    return float(frame.split('viewBox="', 1)[1].split('"', 1)[0].split()[2])


def pack(frames: Iterable[str], **extras: Any) -> str:
    """Return `frames` and JSON-able `extras` as base64 of gzip of JSON, the same bytes each time.

    The JSON object holds `lines`, the distinct tags, and `frames`, a list of indices for each.
    """
    table: dict[str, int] = {}
    rows = [
        [table.setdefault(line, len(table)) for line in frame.replace("><", ">\n<").split("\n")]
        for frame in frames
    ]
    content = {"lines": list(table), "frames": rows, **extras}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def unpack(parcel: str) -> list[str]:
    """Return the frames of a parcel made by `pack`, as the script on the page does."""
    content = json.loads(gzip.decompress(base64.b64decode(parcel)))
    return ["".join(content["lines"][i] for i in row) for row in content["frames"]]

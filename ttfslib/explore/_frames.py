"""Pictures for `explore`: matplotlib figures as small SVG, and many of them in one parcel.

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

from ttfslib.explore import _dark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Letters as paths look alike on every machine and cost little, since all frames share them; the
# salt makes the ids that matplotlib invents repeatable; a fixed box keeps frames from jumping.
_RC: dict[Any, object] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "ttfslib",
    "svg.image_inline": True,
    "savefig.bbox": None,
    "savefig.facecolor": "none",  # the page has a ground, light or dark
    "savefig.transparent": False,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

MOVES = "ttfs-moves"  # the gid of what a live page draws itself, a class in the picture

_NOISE = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_REFERENCE = re.compile(r'(?:xlink:href="|url\()#([^")]+)')
_ID = re.compile(r' id="([^"]*)"')
_COORDINATES = re.compile(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)')
_EXTRA_DECIMALS = re.compile(r"(\.\d\d)\d+")  # finer than an eye or a screen can tell
_BETWEEN_TAGS = re.compile(r"(?<=>)\s*(?=<)")
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')


def draw(plot: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Call `plot(**arguments)` and return its figure as one line of SVG.

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
            return _svg(figure)
    except Exception as error:
        values = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        error.add_note(f"while drawing the frame for {values}")
        raise
    finally:
        for number in set(plt.get_fignums()) - already_open:
            plt.close(number)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return clean(buffer.getvalue())


def clean(markup: str) -> str:
    """Return matplotlib's SVG as one line, without dates, comments and needless digits and ids."""
    markup = _NOISE.sub("", markup[markup.index("<svg") :])
    # Ids that nothing refers to count the artists, so they would differ between like frames.
    used = set(_REFERENCE.findall(markup))
    markup = markup.replace(f' id="{MOVES}"', f' class="{MOVES}"')
    markup = _ID.sub(lambda found: found[0] if found[1] in used else "", markup)
    markup = _COORDINATES.sub(lambda found: _EXTRA_DECIMALS.sub(r"\1", found[0]), markup)
    return _BETWEEN_TAGS.sub("", " ".join(markup.split()))


def size_in_points(frame: str) -> tuple[float, float]:
    """Return the natural width and height of a picture, in points."""
    found = _SIZE.match(frame)
    if found is None:
        raise ValueError(f"frame must be a picture made by `draw`, got {frame[:40]!r}")
    return float(found[1]), float(found[2])


def data_uri(frame: str) -> str:
    """Return a picture as the source of an HTML image."""
    return f"data:image/svg+xml;base64,{base64.b64encode(frame.encode()).decode()}"


def pack(frames: Iterable[str], **extras: Any) -> str:
    """Return `frames` and JSON-able `extras` as base64 of gzip of JSON, the same bytes each time.

    The JSON object holds `lines`, the distinct tags, and `frames`, a list of indices for each; for
    a dark ground `dark` says what becomes of each color, and `rasters` of each line with an image.
    """
    table: dict[str, int] = {}
    rows = [
        [table.setdefault(line, len(table)) for line in frame.replace("><", ">\n<").split("\n")]
        for frame in frames
    ]
    colors = sorted({color for line in table for color in _dark.colors_of(line)})
    content = {
        "lines": list(table),
        "frames": rows,
        "dark": {color: _dark.hex_on_dark(color) for color in colors},
        "rasters": {i: _dark.svg_on_dark(line) for line, i in table.items() if "image/png" in line},
        **extras,
    }
    return squeeze(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def squeeze(text: str) -> str:
    """Return base64 of gzip of `text`, the same bytes each time."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def unpack(parcel: str) -> list[str]:
    """Return the frames of a parcel made by `pack`, as the script on the page does."""
    content = json.loads(gzip.decompress(base64.b64decode(parcel)))
    return ["".join(content["lines"][i] for i in row) for row in content["frames"]]

"""Fonts that come with the book: open ones from packages, cut down to the letters it uses.

Text is set in Source Sans and Source Serif (SIL Open Font License), code in DejaVu Sans Mono, which
matplotlib ships. Their licences reserve the names for the whole fonts, so the parts get names of
their own. Of the icons of the theme, too, only those stay that a page shows.
"""

from __future__ import annotations

import base64
import importlib.util
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fontTools import subset
from fontTools.ttLib import TTFont

if TYPE_CHECKING:
    from sphinx.application import Sphinx


@dataclass(frozen=True)
class Face:
    """One font file: where pip puts it, and how pages call it."""

    family: str
    package: str
    path: str
    weight: str = "400"
    style: str = "normal"

    @property
    def source(self) -> Path:
        """The file of the installed package."""
        found = importlib.util.find_spec(self.package)
        if found is None or found.origin is None:
            raise FileNotFoundError(f"the package {self.package} must be installed")
        return Path(found.origin).parent / self.path

    @property
    def name(self) -> str:
        """The file on the site."""
        return f"{self.family}-{self.weight.split()[0]}-{self.style}.woff2".lower().replace(
            " ", "-"
        )


SANS, SERIF, MONO = "Book Sans", "Book Serif", "Book Mono"
_SANS = ("font_source_sans_pro", "files/SourceSansPro-{}.otf")
_SERIF = ("font_source_serif_pro", "files/SourceSerifPro-{}.otf")
_MONO = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono{}.ttf")
FACES = [
    *(
        Face(SANS, _SANS[0], _SANS[1].format(cut), weight, style)
        for cut, weight, style in [
            ("Regular", "400", "normal"),
            ("It", "400", "italic"),
            ("Semibold", "600 700", "normal"),
            ("SemiboldIt", "600 700", "italic"),
        ]
    ),
    Face(SERIF, _SERIF[0], _SERIF[1].format("Semibold"), "600 700"),
    Face(MONO, _MONO[0], _MONO[1].format("")),
    Face(MONO, _MONO[0], _MONO[1].format("-Bold"), "600 700"),
]
# What the first screen shows comes within the style sheet, so that no text jumps when it arrives
FIRST = [FACES[0], FACES[2], FACES[4]]
FEATURES = ["kern", "liga", "mark", "mkmk", "tnum", "lnum", "pnum", "ccmp", "locl"]

_ICON_FACE = re.compile(r"@font-face\{[^}]*Awesome[^}]*\}")
_SOLID = "fa-solid-900.woff2"

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it reports each table that it cuts


def cut(source: Path, target: Path, text: str, family: str | None = None) -> None:
    """Write the part of a font that sets `text`, under the name `family`."""
    font = TTFont(source)
    options = subset.Options(layout_features=FEATURES, hinting=False, notdef_outline=True)
    options.flavor = "woff2"
    cutter = subset.Subsetter(options)
    cutter.populate(text=text)
    cutter.subset(font)
    if family is not None:
        for record in font["name"].names:
            if record.nameID in (1, 3, 4, 6, 16):
                record.string = family.replace(" ", "") if record.nameID == 6 else family
    subset.save_font(font, str(target), options)


def styles(folder: Path) -> str:
    """Return the rules that declare the fonts in `folder`."""
    return "\n".join(
        f'@font-face {{ font-family: "{face.family}"; font-weight: {face.weight};'
        f" font-style: {face.style}; font-display: swap;"
        f' src: url("{_address(face, folder)}") format("woff2"); }}'
        for face in FACES
    )


def _address(face: Face, folder: Path) -> str:
    if face not in FIRST:
        return f"fonts/{face.name}"
    return f"data:font/woff2;base64,{base64.b64encode((folder / face.name).read_bytes()).decode()}"


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    pages = [page.read_text(encoding="utf-8") for page in output.rglob("*.html")]
    letters = "".join(sorted(set().union(*pages)))
    folder = output / "_static" / "fonts"
    folder.mkdir(exist_ok=True)
    for face in FACES:
        cut(face.source, folder / face.name, letters, face.family)
    for package, _ in (_SANS, _SERIF):
        licence = next(f.source.parent for f in FACES if f.package == package) / "LICENSE.txt"
        shutil.copy(licence, folder / f"{package}-LICENSE.txt")
    (output / "_static" / "fonts.css").write_text(styles(folder) + "\n", encoding="utf-8")
    _keep_used_icons(output / "_static")


def _keep_used_icons(static: Path) -> None:
    """Keep the drawings of the icons that the pruned style sheets name."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css = sheet.read_text(encoding="utf-8")
    kept = _ICON_FACE.sub(lambda face: face[0] if _SOLID in face[0] else "", css)
    kept = re.sub(r",\s*url\([^)]*fa-solid-900\.ttf\"?\) format\(\"truetype\"\)", "", kept)
    kept = kept.replace("font-display:block", "font-display:swap")
    sheet.write_text(re.sub(r"/\*# sourceMappingURL.*?\*/", "", kept), encoding="utf-8")
    sheets = "\n".join(p.read_text(encoding="utf-8") for p in static.rglob("*.css"))
    codes = {int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", sheets)}
    codes |= {ord(letter) for letter in set(sheets) if "\ue000" <= letter <= "\uf8ff"}
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    whole = (fonts / _SOLID).rename(fonts / "whole.woff2")
    cut(whole, fonts / _SOLID, "".join(map(chr, sorted(codes))))
    for file in fonts.iterdir():
        if file.name != _SOLID:
            file.unlink()


def _name_first(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Let the page ask for the fonts of the first screen, as a style sheet names them."""
    context["first_fonts"] = [f'{face.weight.split()[0]} 1em "{face.family}"' for face in FIRST]


def setup(app: Sphinx) -> None:
    """Register the steps."""
    app.add_css_file("fonts.css", priority=200)
    app.connect("html-page-context", _name_first)
    app.connect("build-finished", _write, priority=900)

"""Bind the built site into one PDF, with a table of contents and links that work.

    python tools/make_pdf.py          # writes _build/first-spikes.pdf

All pages become one page, whose links lead to one another, and Chromium prints it. Needs the site
(`make book`) and a Chromium, either on the path or installed by playwright.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import chromium
import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
TIMEOUT_MS = 300_000

_ARTICLE = re.compile(r'<article class="bd-article">(.*?)</article>', re.DOTALL)
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_HEAD = re.compile(r"<head>(.*?)</head>", re.DOTALL)
_SHEET = re.compile(r'<link rel="stylesheet"[^>]*>')
_TITLE = re.compile(r"<h1>(.*?)<a\b[^>]*headerlink", re.DOTALL)
_GLYPH = re.compile(r'<path id="(MJX[^"]+)".*?</path>', re.DOTALL)
_ID = re.compile(r'(<[a-zA-Z][^>]*?\s)id="([^"]+)"')
_LINK = re.compile(r'(<a\b[^>]*?\s)href="([^"]+)"')
_STYLE = """
<style>
  .bound > section.page { break-before: page; }
  .cover { text-align: center; padding-top: 60mm; }
  .cover h1 { font-size: 34pt !important; }
  .chapters { break-before: page; }
  .chapters li { margin: 0.4rem 0; }
</style>
"""
_FOOTER = (
    '<div style="width:100%;text-align:center;font:8pt sans-serif;color:#555">'
    '<span class="pageNumber"></span></div>'
)


def contents() -> list[str]:
    """Return the names of the pages in the order of the book."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [toc["root"], *parts]


def one_page(site: Path, names: Sequence[str]) -> str:
    """Return the pages `names` of the built `site` as one; all lie in one folder.

    Raises
    ------
    FileNotFoundError
        If a page has not been built.
    """
    pages = {Path(name).name: (site / f"{name}.html").read_text(encoding="utf-8") for name in names}
    articles = {name: _article(name, page, set(pages)) for name, page in pages.items()}
    glyphs = {g[1]: g[0] for page in pages.values() for g in _GLYPH.finditer(page)}
    titles = {name: _title(page) for name, page in pages.items()}
    first = next(iter(pages.values()))
    styles = dict.fromkeys(s for page in pages.values() for s in _SHEET.findall(page))
    head = _SHEET.sub("", _SCRIPT.sub("", _found(_HEAD, first))) + "".join(styles)
    entries = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in titles.items())
    body = "".join(
        f'<section class="page" id="{name}">{text}</section>' for name, text in articles.items()
    )
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head>{head}{_STYLE}</head><body>'
        f'<svg class="glyphs" aria-hidden="true"><defs>{"".join(glyphs.values())}</defs></svg>'
        f'<main class="bd-main"><div class="bd-content"><div class="bd-article-container">'
        f'<article class="bd-article bound"><div class="cover"><h1>{config["title"]}</h1>'
        f"<p>{config['author']}</p></div>"
        f'<nav class="chapters"><h2>Contents</h2><ol style="list-style:none">{entries}</ol></nav>'
        f"{body}</article></div></div></main></body></html>"
    )


def _found(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    if found is None:
        raise ValueError(f"page must hold {pattern.pattern}, got {page[:80]!r}")
    return found[1]


def _title(page: str) -> str:
    return re.sub(r"<[^>]+>", "", _found(_TITLE, page)).strip()


def _article(name: str, page: str, bound: set[str]) -> str:
    """Return the text of a page, its ids and links made unique by the page's name."""
    text = _SCRIPT.sub("", _found(_ARTICLE, page)).replace(' loading="lazy"', "")
    text = _ID.sub(rf'\1id="{name}--\2"', text)

    def lead(link: re.Match[str]) -> str:
        url = urlsplit(link[2])
        target = Path(url.path).stem if url.path else name
        if url.scheme:
            return link[0]
        if target not in bound or Path(url.path).suffix not in ("", ".html"):
            return link[1]  # a file beside the site would be missing where the PDF is read
        return f'{link[1]}href="#{target}{"--" + url.fragment if url.fragment else ""}"'

    return _LINK.sub(lead, text)


def bind(site: Path, output: Path, names: Sequence[str]) -> None:
    """Print the pages `names` of the built `site` into the PDF `output`."""
    from playwright.sync_api import sync_playwright

    draft = site / Path(names[0]).parent / "_bound.html"
    draft.write_text(one_page(site, names), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            browser = chromium.launch(playwright)
            page = browser.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(draft.as_uri(), wait_until="load")
            page.evaluate("document.fonts.ready.then(() => true)")
            page.pdf(
                path=output,
                format="A4",
                outline=True,
                tagged=True,
                print_background=True,
                prefer_css_page_size=False,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=_FOOTER,
                margin={"top": "18mm", "bottom": "20mm", "left": "16mm", "right": "16mm"},
            )
            browser.close()
    finally:
        draft.unlink()


def main() -> int:
    """Bind the whole book."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "_build" / "first-spikes.pdf")
    arguments = parser.parse_args()
    if not SITE.is_dir():
        print(f"{SITE} does not exist: run `make book` first", file=sys.stderr)
        return 1
    bind(SITE, arguments.output, contents())
    print(f"The book is bound. Open {arguments.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

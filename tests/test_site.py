"""The site as files: what its pages hold, point to and weigh. `test_site_browser` opens them."""

from __future__ import annotations

import functools
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ttfslib

ROOT = Path(__file__).resolve().parents[1]
BYTES_PER_PAGE = 3_000_000


class Links(HTMLParser):
    """The targets a page points to, the ids it offers, and what it shows without alt text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.mute_images: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.targets += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        if tag == "img" and not (attributes.get("alt") or "").strip():
            self.mute_images.append(attributes.get("src") or "?")


def content_pages(site):
    """Pages of the book: what the table of contents names."""
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"(?:root|file): *(\S+)", contents)
    return [site / f"{name}.html" for name in names]


def all_pages(site):
    return sorted(page for page in site.rglob("*.html") if "_static" not in page.parts)


@functools.cache
def parsed(page):
    return Links(page.read_text(encoding="utf-8"))


def test_processes_share_one_site_and_one_visits_it_for_a_module(site, request, tmp_path_factory):
    if not getattr(request.config.option, "loadgroup", False) or "BOOK_SITE" in os.environ:
        pytest.skip("one process runs all tests, or the site was built before")
    assert request.node.nodeid.endswith("@site-test_site")
    own = tmp_path_factory.getbasetemp()
    assert site.is_relative_to(own.parent)
    assert not site.is_relative_to(own)


def test_every_page_of_the_contents_is_built(site):
    assert [page.name for page in content_pages(site) if not page.is_file()] == []


def test_every_table_that_is_read_from_the_repository_is_there(site):
    """What a page would say in place of a benchmark's table if the copy held no results."""
    assert [p.name for p in all_pages(site) if "This copy holds no" in p.read_text("utf-8")] == []
    text = (site / "chapters" / "peers.html").read_text("utf-8")
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert [("snntorch" in table, "playground" in table) for table in tables] == [
        (True, False),
        (False, True),
    ]


def test_every_public_name_is_in_the_reference(site):
    documented = {name.rsplit(".", 1)[-1] for name in parsed(site / "chapters" / "api.html").ids}
    assert set(ttfslib.__all__) - {"__version__", "analysis", "experiment"} - documented == set()


def loaded_by(page, text, mode):
    """What the browser fetches for a page in one of the modes, styles' own files included."""
    other = "only-dark" if mode == "light" else "only-light"
    text = re.sub(rf'<img [^>]*class="[^"]*{other}[^"]*"[^>]*>', "", text)
    named = r'<(?:script|img)\b[^>]*\ssrc="([^"]+)"|<link\b[^>]*rel="stylesheet"[^>]*href="([^"]+)"'
    targets = ["".join(found) for found in re.findall(named, text)]
    asleep = re.findall(r'data-scripts="([^"]*)"', text)
    targets += [f"../_static/{name}" for names in asleep for name in names.split()]
    files = {
        (page.parent / urlsplit(t).path).resolve() for t in targets if not t.startswith("data:")
    }
    for sheet in [file for file in files if file.suffix == ".css"]:
        css = sheet.read_text(encoding="utf-8")
        urls = re.findall(r"url\(\"?(?!data:)([^)\"]+?)\"?\)", css)
        files |= {(sheet.parent / urlsplit(url).path).resolve() for url in urls}
    return {file for file in files if file.is_file()}


def test_no_page_is_heavy(site):
    """A page with all that it loads, at once or when asked to: scripts, styles, fonts, pictures."""
    for page in all_pages(site):
        text = page.read_text(encoding="utf-8")
        for mode in ("light", "dark"):
            weight = page.stat().st_size + sum(
                f.stat().st_size for f in loaded_by(page, text, mode)
            )
            assert weight <= BYTES_PER_PAGE, f"{page.name} in {mode} mode: {weight} bytes"


def test_every_image_has_alt_text(site):
    mute = {page.name: parsed(page).mute_images for page in content_pages(site)}
    assert {name: images for name, images in mute.items() if images} == {}


def test_no_internal_link_is_broken(site):
    broken = []
    for page in all_pages(site):
        for target in parsed(page).targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            file = (page.parent / unquote(url.path)).resolve() if url.path else page
            file = file / "index.html" if file.is_dir() else file
            missing = not file.is_file()
            anchor = unquote(url.fragment)
            if not missing and anchor and file.suffix == ".html":
                missing = anchor not in parsed(file).ids
            if missing:
                broken.append(f"{page.name} -> {target}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site):
    """In the pages' text, too: what only loads on a click counts."""
    pattern = r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=\"(?:https?:)?//[^\"]+\""
    found = {
        page.name: re.findall(pattern, page.read_text(encoding="utf-8")) for page in all_pages(site)
    }
    assert {name: urls for name, urls in found.items() if urls} == {}


def test_formulas_stand_in_the_page(site):
    """Before any script: a drawing, MathML beside it, and every glyph that the drawing uses."""
    found = 0
    for page in content_pages(site):
        text = page.read_text(encoding="utf-8")
        formulas = len(re.findall(r'class="math notranslate', text))
        assert len(re.findall(r"<mjx-container\b[^>]*><svg\b", text)) >= formulas, page.name
        assert len(re.findall(r"<mjx-assistive-mml\b[^>]*><math\b", text)) >= formulas, page.name
        assert set(re.findall(r'<use href="#([^"]+)"', text)) <= parsed(page).ids, page.name
        assert not re.search(r"data-mjx-error|data-mml-node=\"merror", text), page.name
        found += formulas
    assert found > 500


def test_marks_stay_with_their_formula(site):
    loose = {
        page.name: re.findall(r"</mjx-container></span>[.,;:!?)]", text)
        for page in content_pages(site)
        for text in [re.sub(r'<span class="unbroken">.*?</span>[^<]*</span>', "", read(page))]
    }
    assert {name: marks for name, marks in loose.items() if marks} == {}


@functools.cache
def read(page):
    return page.read_text(encoding="utf-8")


def test_every_page_says_what_it_is(site):
    for page in all_pages(site):
        text = read(page)
        assert re.search(r'<html\b[^>]*\blang="en"', text), page.name
        assert len(re.findall(r'<meta name="viewport"', text)) == 1, page.name
        assert re.search(r"<title>[^<]{5,}</title>", text), page.name
        assert re.search(r'<meta name="description" content="[^"]{20,}"', text), page.name
        assert len(re.findall(r"<h1\b", text)) <= 1, page.name
    for page in content_pages(site):
        card = re.search(r'property="og:image" content="([^"]+)"', read(page))
        assert card, page.name
        assert (page.parent / card[1]).resolve().is_file(), page.name


def test_descriptions_differ(site):
    said = [
        re.search(r'name="description" content="([^"]*)"', read(p))[1] for p in content_pages(site)
    ]
    assert len(set(said)) == len(said)


def test_no_id_stands_twice(site):
    for page in all_pages(site):
        ids = re.findall(
            r'<[a-zA-Z][^>]*?\sid="([^"]+)"',
            re.sub(r"<script.*?</script>", "", read(page), flags=re.DOTALL),
        )
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], page.name


def test_folded_code_has_one_bar_a_figure(site):
    bars = 0
    for page in content_pages(site):
        text = read(page)
        assert "code cell source" not in text, page.name
        labels = re.findall(r"<summary>(Code of [^<]+)</summary>", text)
        figures = [label for label in labels if "Fig." in label]
        assert len(set(figures)) == len(figures), page.name
        assert not re.search(r"</details>\s*</div>\s*<div class=\"cell[^>]*>\s*<details", text), (
            page.name
        )
        bars += len(labels)
    assert bars


def test_pictures_come_in_pairs_of_known_size(site):
    seen = 0
    for page in content_pages(site):
        for tag in re.findall(r"<img [^>]*class=\"[^\"]*only-light[^>]*>", read(page)):
            if "_images/" not in tag:
                continue
            assert re.search(r'width="\d+" height="\d+"', tag), tag
            source = page.parent / re.search(r'src="([^"]+)"', tag)[1]
            assert source.is_file(), tag
            assert source.with_name(f"{source.stem}-dark{source.suffix}").is_file(), tag
            seen += 1
    assert seen


def test_what_no_page_uses_is_not_shipped(site):
    static = site / "_static"
    assert list(static.rglob("*fontawesome*.js")) == []
    assert list(static.rglob("tex-svg.js")) == []
    assert sum(f.stat().st_size for f in static.rglob("*.woff2")) < 120_000


def test_the_search_text_holds_words(site):
    text = (site / "_static" / "finder-sections.js").read_text(encoding="utf-8")
    sections = json.loads(text[text.index("[") : text.rindex("]") + 1])
    assert len(sections) > 80
    assert [s["title"] for s in sections if not s["title"] or not s["anchor"]] == []
    prose = [s for s in sections if not s["page"].endswith("api.html")]  # which shows code
    assert [s["title"] for s in prose if re.search(r"\\[a-z]|\$", s["text"])] == []

"""Terms of the glossary: found as the text says them, and linked where a chapter first does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

addnodes = pytest.importorskip("sphinx.addnodes", reason="the extra `book` is not installed")

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("ch*.ipynb"))


@pytest.fixture(scope="module")
def glossary_links():
    import glossary_links

    return glossary_links


@pytest.fixture(scope="module")
def terms(glossary_links):
    return glossary_links.terms(ROOT / glossary_links.GLOSSARY)


def test_the_glossary_has_terms_in_alphabetical_order(terms):
    assert "Causal set" in terms
    text = (ROOT / "chapters" / "notation.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"(?ms)^```\{glossary\}\n(.*?)^```", text)
    in_page = re.findall(r"(?m)^\S.*$", block)
    assert in_page == sorted(in_page, key=str.lower)
    assert sorted(terms) == sorted(in_page)


@pytest.mark.parametrize("text", ["the causal sets", "Causal set", "(causal set)", "causal\nset,"])
def test_a_term_is_found_as_the_text_says_it(glossary_links, text):
    assert glossary_links.pattern("Causal set").search(text)


@pytest.mark.parametrize("text", ["causal settings", "noncausal set", "causal-set", "causal"])
def test_other_words_are_no_terms(glossary_links, text):
    assert not glossary_links.pattern("Causal set").search(text)


def test_the_first_use_in_running_text_is_linked_and_no_other(glossary_links):
    from docutils.core import publish_doctree

    text = "Causal set\n==========\n\nA ``causal set`` is code. Its Causal sets\nand causal sets.\n"
    doctree = publish_doctree(f"Top\n###\n\n{text}\n")
    glossary_links._link_first(doctree, "Causal set", "page")
    (link,) = doctree.findall(addnodes.pending_xref)
    assert (link["reftarget"], link.astext()) == ("Causal set", "Causal sets")
    assert link.parent.astext().endswith("Its Causal sets\nand causal sets.")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_links_the_terms_it_uses(path, site, terms):
    page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    linked = re.findall(r'href="notation\.html#term-([\w-]+)"', page)
    assert len(set(linked)) >= 3
    assert set(linked) <= {re.sub(r"\W+", "-", term) for term in terms}


def test_links_stay_out_of_titles(site):
    for path in CHAPTERS:
        page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
        for title in re.findall(r"<h[1-6]>.*?</h[1-6]>", page, re.DOTALL):
            assert "notation.html#term-" not in title

"""The map from equations to code and tests: complete, true, and it stops where something lacks."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("ch*.ipynb"))
ROW = re.compile(
    r'<div class="fs-eq[^"]*" id="map-(eq-[\w-]+)">(.*?)(?=<div class="fs-eq |<section)', re.DOTALL
)


@pytest.fixture(scope="module")
def equation_map():
    import equation_map

    return equation_map


def labels():
    """Labels of the numbered equations with their chapter, in the order of the book."""
    found = {}
    for path in CHAPTERS:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        found |= dict.fromkeys(re.findall(r"\$\$[ \t]*\((eq-[\w-]+)\)", text), path.stem)
    return found


@pytest.fixture(scope="module")
def rows(site):
    page = (site / "chapters" / "equations.html").read_text(encoding="utf-8")
    return dict(ROW.findall(page))


def test_every_numbered_equation_has_its_row_in_order(rows):
    assert list(rows) == list(labels())


def test_a_row_names_the_number_that_the_equation_bears(rows, site):
    for label, chapter in labels().items():
        page = (site / "chapters" / f"{chapter}.html").read_text(encoding="utf-8")
        number = re.search(rf'id="equation-{label}">.*?class="eqno">\(([\d.]+)\)', page, re.DOTALL)[
            1
        ]
        link = rf'href="{chapter}\.html#equation-{label}">Eq\. {re.escape(number)}<'
        assert re.search(link, rows[label]), label


def test_an_equation_and_its_row_lead_to_each_other(site):
    for label, chapter in labels().items():
        page = (site / "chapters" / f"{chapter}.html").read_text(encoding="utf-8")
        assert f'href="equations.html#map-{label}"' in page, label


def test_a_row_shows_the_tests_and_the_code_of_its_equation(rows, equation_map):
    tests = equation_map.tests_of(ROOT / "tests")
    cites = equation_map.cited_by(ROOT / "ttfslib")
    assert tests
    for label, row in rows.items():
        for test in tests.get(label, []):
            assert f"<code>{test.name}</code> in tests/{test.module}.py" in row
    shown = "".join(rows.values())
    for name in cites:
        assert f">{name.removeprefix('ttfslib.')}<" in re.sub(
            r'<span class="pre">|</span>', "", shown
        )


def test_citations_are_found_in_every_form(equation_map):
    found = equation_map.citations(
        "As in Eq. 2.2, 2.3 and 3.10; see :eq:`eq-grad-weights` (Eq. 1.1)."
    )
    assert found == {"2.2", "2.3", "3.10", "eq-grad-weights", "1.1"}
    assert equation_map.citations("The seq-to-seq equation of 2.2 nodes") == set()


def test_the_shown_source_is_the_test(equation_map):
    for tests in equation_map.tests_of(ROOT / "tests").values():
        for test in tests:
            (function,) = ast.parse(test.source).body
            assert function.name == test.name


def test_a_test_that_is_missing_is_named(equation_map, tmp_path):
    (tmp_path / "test_equations.py").write_text('EQUATIONS = {"eq-a": ([], [])}\n')
    with pytest.raises(ValueError, match=r"test_equations.py has no test_eq_a\b"):
        equation_map.tests_of(tmp_path)


SMALL_BOOK = {
    "conf.py": "extensions = ['myst_parser', 'equation_map']\nmyst_enable_extensions = "
    "['dollarmath']\nmath_numfig = True\nnumfig = True\nexclude_patterns = ['package', 'tests']\n",
    "index.md": "# Book\n\n```{toctree}\n:numbered:\none\n```\n\n```{toctree}\nmap\n```\n",
    "one.md": "# One\n\n## Start\n\n$$ x $$ (eq-a)\n\n$$ y $$ (eq-b)\n\n"
    "## Use\n\nSee {eq}`eq-a`.\n",
    "map.md": "# Map\n\n```{equation-map}\n```\n",
    "tests/test_equations.py": 'EQUATIONS = {"eq-a": ([], [])}\n\n\ndef test_eq_a():\n    pass\n',
    "package/code.py": 'def twice():\n    """Eq. 1.1."""\n',
}


@pytest.fixture
def build(equation_map, tmp_path, monkeypatch):
    """Build a small book, with some files changed; return its map and what was complained of."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    def build_it(**changed):
        for name, text in (SMALL_BOOK | changed).items():
            path = tmp_path / "book" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        source, out = tmp_path / "book", tmp_path / "out"
        monkeypatch.setattr(equation_map, "PACKAGE", source / "package")
        monkeypatch.setattr(equation_map, "TESTS", source / "tests")
        complaints = io.StringIO()
        with docutils_namespace():
            Sphinx(source, source, out, out, "html", status=None, warning=complaints).build()
        return (out / "map.html").read_text(encoding="utf-8"), complaints.getvalue()

    return build_it


def test_a_small_book_is_mapped_both_ways(build):
    page, complaints = build()
    assert complaints == ""
    rows = dict(ROW.findall(page))
    assert re.search(r'href="one.html#use">1\.2\.? Use<', rows["eq-a"])
    assert "code.twice" in rows["eq-a"]
    assert "test_eq_a" in rows["eq-a"]
    assert "code.twice" not in rows["eq-b"]
    back = page.split('id="map-code"')[1]
    assert re.search(r"code\.twice.*one\.html#equation-eq-a", back, re.DOTALL)


def test_code_that_cites_what_is_not_there_stops_the_build(build):
    _, complaints = build(**{"package/code.py": 'def f():\n    """Eq. 9.9 and eq-z."""\n'})
    assert "package.code.f cites 9.9, which no chapter has" in complaints
    assert "package.code.f cites eq-z, which no chapter has" in complaints


def test_code_that_uses_an_untested_equation_stops_the_build(build):
    _, complaints = build(**{"package/code.py": 'def f():\n    """See eq-b."""\n'})
    assert "package.code.f uses eq-b, which has no test" in complaints


# What a chapter takes


@pytest.fixture(scope="module")
def chapter_facts():
    spec = importlib.util.spec_from_file_location("facts", ROOT / "tools" / "chapter_facts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_seconds_are_those_that_were_measured(chapter_facts, tmp_path):
    assert "runs in" not in chapter_facts.facts(tmp_path, "ch01", "")
    (tmp_path / "chapters").mkdir()
    (tmp_path / chapter_facts.SECONDS).write_text('{"ch01": 31.2, "ch02": 0.4}')
    assert "in about 30 s" in chapter_facts.facts(tmp_path, "ch01", "")
    assert "in about 5 s" in chapter_facts.facts(tmp_path, "ch02", "")
    assert "runs in" not in chapter_facts.facts(tmp_path, "ch03", "")


def test_data_are_those_that_the_cells_load(chapter_facts, tmp_path):
    said = chapter_facts.facts(
        tmp_path, "ch01", "run = book.shipped(\"digits-dale\")\nload_digits('train')"
    )
    assert said == "Data: trained networks that the book ships, the digits of scikit-learn."
    assert "no data" in chapter_facts.facts(tmp_path, "ch01", "x = 1")


def test_every_chapter_says_what_it_takes(site):
    for path in CHAPTERS:
        page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert len(re.findall(r'<p class="fs-facts">', page)) == 1, path.stem

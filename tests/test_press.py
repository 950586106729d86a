"""Steps of the build that can be seen without a build."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".used{a:b}", ".used{a:b}"),
        (".gone{a:b}", ""),
        (".gone,.used p{a:b}", ".used p{a:b}"),
        (".used .gone{a:b}", ""),
        (".used:not(.gone){a:b}", ".used:not(.gone){a:b}"),
        ("p:is(.gone, .used){a:b}", "p:is(.gone, .used){a:b}"),
        ("@media print{.gone{a:b}.used{c:d}}", "@media print{.used{c:d}}"),
        ("@media print{.gone{a:b}}", ""),
    ],
)
def test_rules_without_a_use_go(css, kept):
    from press.styles import prune

    assert prune(css, {"used"}) == kept


def test_an_element_is_cut_out_whole():
    from press.previews import element

    inner = '<div id="a" class="x"><div>one</div>two</div>'
    assert element(f"<p>{inner}</p><div></div>", "a") == inner
    assert element("<p></p>", "a") is None


def test_a_term_comes_with_its_description():
    from press.previews import element

    page = '<dl><dt id="t">term</dt><dd><p>what</p></dd><dt>next</dt></dl>'
    assert element(page, "t") == '<dt id="t">term</dt><dd><p>what</p></dd>'


def test_a_formula_holds_what_it_draws_and_what_is_read():
    from press.equations import typeset

    formula = typeset(r"\tau_m", display=False)
    assert formula.error is None
    assert len(formula.glyphs) == 2
    assert "<math>" in formula.markup
    assert "tabindex" not in formula.markup
    assert typeset(r"\nonsense", display=False).error


@pytest.mark.parametrize(
    ("tex", "parts"),
    [
        (r"W,\ W_0,\ W_{-1}", ["W,", "W_0,", "W_{-1}"]),
        (r"\{a_{i,\ j}\}", [r"\{a_{i,\ j}\}"]),
        ("a = b = c", ["a = b = c"]),
        ("+".join("a" * 20) + " = b = c", ["+".join("a" * 20) + " =", "b =", "c"]),
    ],
)
def test_a_line_may_end_in_a_list_and_in_a_long_formula(tex, parts):
    from press.equations import breakable

    assert breakable(tex) == parts


def test_marks_stay_with_the_formula():
    from press.equations import keep_together

    formula = (
        '<span class="math notranslate nohighlight"><mjx-container><svg></svg>'
        "</mjx-container></span>"
    )
    assert (
        keep_together(f"if {formula}, then") == f'if <span class="unbroken">{formula},</span> then'
    )
    assert keep_together(f"if {formula} then") == f"if {formula} then"


def bundle(n_bytes):
    """A figure as the kernel sends it, as SVG of some length and as PNG."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 4), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "png", dpi=(240, 240))
    line = "M 0 0 " * (n_bytes // 6)
    svg = f'<?xml?><svg width="10pt"><metadata>today</metadata><path d="{line}"/></svg>'
    return {"image/svg+xml": svg, "image/png": base64.b64encode(buffer.getvalue()).decode()}


@pytest.mark.parametrize(("n_bytes", "kind"), [(900, "image/svg+xml"), (200_000, "image/png")])
def test_one_picture_of_a_figure_is_stored(n_bytes, kind):
    import execute

    output = nbformat.v4.new_output("display_data", bundle(n_bytes))
    cell = nbformat.v4.new_code_cell("draw()", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    execute.normalise(notebook)
    stored = nbformat.writes(notebook)
    data = notebook.cells[0].outputs[0].data
    assert set(data) == {kind, "text/plain"}
    assert "today" not in stored
    execute.normalise(notebook)
    assert nbformat.writes(notebook) == stored

"""What chapters share: tables, numbers, shipped runs, digits that stand in for MNIST."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ttfslib import _checkout, book, datasets, load_digits
from ttfslib.experiment.recipe import encode


def test_a_table_is_html_with_heads_and_escapes():
    shown = book.table({"<b>": ["a & b", "c"], "n": [1, None], "x (τ_s)": [-0.0004, math.nan]})
    html = shown._repr_html_()
    assert '<th scope="col">&lt;b&gt;</th>' in html
    assert '<th scope="row">a &amp; b</th>' in html
    assert '<td class="number">1</td>' in html
    assert html.count(f">{book.MISSING}<") == 2
    assert '<td class="number">0.000</td>' in html
    assert html.count("<tr>") == 3
    assert repr(shown).splitlines()[0].split() == ["<b>", "n", "x", "(τ_s)"]


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_a_table_needs_columns_of_one_length(columns):
    with pytest.raises(ValueError, match=r"^columns must "):
        book.table(columns)


@pytest.mark.parametrize(
    ("value", "fmt", "said"),
    [(-0.5, ".1f", "−0.5"), (-0.004, ".2f", "0.00"), (math.inf, ".2f", "inf"), (2, "d", "2")],
)
def test_a_number_has_a_true_minus_and_no_negative_zero(value, fmt, said):
    assert book.number(value, fmt) == said


def test_what_is_glued_is_found_by_what_builds_the_page(monkeypatch):
    """And shown nowhere else."""
    myst_glue = pytest.importorskip("myst_nb.ext.glue")
    import IPython.display
    from nbformat.v4 import new_code_cell, new_output

    shown = []

    def display(data, *, metadata, raw):
        assert raw
        shown.append(new_output("display_data", data, metadata=metadata))

    monkeypatch.setattr(IPython.display, "display", display)
    book.glue("ch0-range", "2–3\xa0%")
    book.glue("ch0-number", 4)
    cell = new_code_cell(outputs=shown)
    found = {name: output.data for name, output in myst_glue.extract_glue_data_cell(cell)}
    assert found == {
        "ch0-range": {"text/plain": repr("2–3\xa0%")},
        "ch0-number": {"text/plain": "'4'"},
    }
    assert cell.outputs == []


def test_a_range_names_both_ends_or_one():
    assert book.between([0.3, 0.1, 0.2], ".1f", "%") == "0.1–0.3\N{NO-BREAK SPACE}%"
    assert book.between([0.31, 0.29], ".1f") == "0.3"
    complaint = r"^values(\[1\])? must be (numbers, at least one|finite)"
    for wrong in ([], [1.0, math.nan]):
        with pytest.raises(ValueError, match=complaint):
            book.between(wrong)


def test_a_span_leaves_out_what_is_not_finite_and_a_table_has_one_for_each_column():
    values = [[0.1, math.nan], [math.inf, 0.3]]
    assert book.span(values, ".1f", "%") == book.between([0.1, 0.3], ".1f", "%")
    assert book.spans(values, ".1f") == ["0.1", "0.3"]
    assert book.span([math.nan]) == book.span([]) == book.MISSING
    for wrong in ([1.0, 2.0], [[[1.0, 2.0]]]):
        with pytest.raises(ValueError, match=r"^table must have 2 dimension\(s\), got shape"):
            book.spans(wrong)


def test_shipped_runs_are_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert book.shipped("digits-dale", 2).seed == 2
    assert list(book.shipped_seeds("digits-dale")) == [1, 2, 3]
    with pytest.raises(OSError, match=r"^the book ships no data/runs/digits-dale-seed99 in "):
        book.shipped("digits-dale", 99)


def test_without_the_book_one_line_says_what_to_clone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_checkout, "__file__", str(tmp_path / "site-packages" / "ttfslib" / "a.py"))
    with pytest.raises(OSError, match=r"clone its repository") as caught:
        book.data_path("runs")
    assert len(str(caught.value).splitlines()) == 1
    (tmp_path / _checkout.MARK).touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert book.data_path() == tmp_path / "data"


def test_without_mnist_the_network_is_shown_other_digits_after_a_warning(monkeypatch):
    def missing(_part):
        raise OSError("MNIST is not here: fetch it")

    monkeypatch.setattr(datasets, "load_mnist", missing)
    book.mnist_stand_in.cache_clear()
    with pytest.warns(UserWarning, match=r"^MNIST is not here: fetch it\. Until then scikit-learn"):
        run = book.shipped("mnist-eight")
    book.mnist_stand_in.cache_clear()
    images, labels = book.digits_like_mnist()
    spikes = run.spikes(n_samples=30)
    assert np.array_equal(spikes.labels, labels[:30])
    assert np.array_equal(spikes.input, encode(run.config, images[:30]))


def test_the_stand_in_has_the_shape_and_the_range_of_mnist():
    images, labels = book.digits_like_mnist()
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 255 / 256
    assert labels.dtype == np.int64
    assert np.bincount(labels).min() > 170


def test_the_ink_of_the_stand_in_is_centered():
    images, _ = book.digits_like_mnist()
    place = np.arange(28)
    for axis in (1, 2):
        ink = images.sum(axis=3 - axis, dtype=float)
        assert np.abs(ink @ place / ink.sum(1) - 13.5).max() < 0.7


def test_the_stand_in_shows_the_digits_in_their_order():
    """Much ink in a source is much ink in its image, and next to none elsewhere."""
    images, labels = book.digits_like_mnist()
    sources, truth = (
        np.concatenate(parts)
        for parts in zip(load_digits("train"), load_digits("test"), strict=True)
    )
    assert np.array_equal(labels, truth)
    ink, expected = (shown.sum(axis=(1, 2)) for shown in (images, sources))
    assert np.corrcoef(ink, expected)[0, 1] > 0.9
    assert np.corrcoef(ink[1:], expected[:-1])[0, 1] < 0.3


def test_a_subscript_in_a_head_is_one_on_the_page_and_nothing_else_is():
    html = book.table({"τ_m (τ_s)": [1.0], "∂t*/∂t_i": [2.0], "test_accuracy": [3.0]})._repr_html_()
    for head in ("τ<sub>m</sub> (τ<sub>s</sub>)", "∂t*/∂t<sub>i</sub>", "test_accuracy"):
        assert f">{head}</th>" in html

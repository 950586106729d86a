"""The table of chapter 8: whole, and what the cells of the chapter measure of a network."""

from __future__ import annotations

import csv
import importlib
import sys
from itertools import groupby
from pathlib import Path

import nbformat
import numpy as np
import pytest
from mnist import need

from ttfslib import book

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield importlib.import_module("pathways")
    sys.modules.pop("pathways", None)


def rows(tool):
    with tool.TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shipped_seeds(name):
    folders = sorted((ROOT / "data" / "runs").glob(f"{name}-seed*"))
    return [int(folder.name.rpartition("seed")[2]) for folder in folders]


def test_every_layer_and_size_of_every_network_that_ships_has_its_row(tool):
    expected = []
    for name, (_, size) in tool.GIVEN.items():
        for seed in shipped_seeds(name):
            group = f"{name}-later" if seed in tool.IN_THE_CHAPTER.get(name, ()) else name
            sizes = size // 4, size // 2, size
            expected += [(group, seed, layer, k) for layer in (1, 2, 3, 4) for k in sizes]
    found = [(r["networks"], *(int(r[n]) for n in ("seed", "layer", "size"))) for r in rows(tool)]
    assert found == expected


def test_shares_are_shares_and_what_must_be_there_is(tool):
    for row in rows(tool):
        values = {key: float(value) for key, value in list(row.items())[4:]}
        percents = [v for key, v in values.items() if key.startswith(("named", "follow", "alone"))]
        assert all(
            np.isnan(v) or 0 <= v <= 100 for v in percents if v != values["named, matched: trials"]
        )
        assert np.isfinite([values["lost: influence"], values["named: influence"]]).all()
        assert (values["matched"] > 0) == np.isfinite(values["lost, matched: bystanders"])


def test_influence_balances_in_every_network_of_the_table(tool):
    sums = [float(row[f"{end} sum"]) for row in rows(tool) for end in ("lowest", "highest")]
    found = np.array(sums)[np.isfinite(sums)]
    assert len(found) == 2 * len(rows(tool)) / 3
    np.testing.assert_allclose(found, 1, atol=0.02)


def test_one_cell_of_the_chapter_gives_way(tool):
    cells = nbformat.read(tool.CHAPTER, as_version=4).cells
    (given,) = [cell for cell in cells if tool.PARAMETERS in cell.metadata.get("tags", [])]
    assert tool.assigned(given.source) >= {"runs", "N_IMAGES", "SIZE"}
    code = tool.sources()
    assert given.source not in code
    assert tool.RESULT in tool.assigned(code[-1])
    assert not any("interactive_figure(\n" in source for source in code)


def test_names_that_a_cell_assigns(tool):
    source = "a = b\nc['d'] = a\nfor e, (f, g) in h:\n    i |= j"
    assert tool.assigned(source) == {"a", "c", "e", "f", "g", "i"}


def holds(tool, name):
    """Whether the first network of a group has the rows that are stored."""
    (subject, *_) = (s for s in tool.subjects() if s.group == name)
    stored = next(
        list(own) for key, own in groupby(rows(tool), lambda r: r["networks"]) if key == name
    )
    for known, found in zip(stored, tool.rows_of(subject), strict=False):
        assert known.keys() == found.keys()
        pair = np.array(
            [[float(r[key]) for key in known if key != "networks"] for r in (known, found)]
        )
        same = np.isclose(
            *pair, rtol=0.02, atol=3, equal_nan=True
        )  # other processors round otherwise
        assert same.mean() > 0.9, [
            key for key, s in zip(list(known)[1:], same, strict=True) if not s
        ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*stand in")
@pytest.mark.parametrize("name", ["digits-dale", "digits-free"])
def test_a_row_is_what_the_chapter_measures_of_a_small_network(tool, monkeypatch, name):
    monkeypatch.setattr(tool, "GIVEN", {name: tool.GIVEN[name]})
    holds(tool, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "group", "data"),
    [
        ("mnist-dale", "mnist-dale-later", "mnist"),
        ("fashion-dale", "fashion-dale", "fashion_mnist"),
    ],
)
def test_a_row_is_what_the_chapter_measures_of_a_large_network(
    tool, monkeypatch, name, group, data
):
    need(data)
    monkeypatch.setattr(tool, "GIVEN", {name: tool.GIVEN[name]})
    holds(tool, group)


@pytest.mark.filterwarnings("ignore:.*stand in")
def test_the_chapter_loads_what_the_tool_leaves_out(tool):
    source = next(
        cell.source
        for cell in nbformat.read(tool.CHAPTER, as_version=4).cells
        if tool.PARAMETERS in cell.metadata.get("tags", [])
    )
    scope = {"book": book}
    exec(source, scope)
    ((name, seeds),) = tool.IN_THE_CHAPTER.items()
    assert [(run.config.name, run.seed) for run in scope["runs"]] == [(name, s) for s in seeds]
    assert (scope["N_IMAGES"], scope["SIZE"]) == tool.GIVEN[name]

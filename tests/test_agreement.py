"""What is made again is held to what is shipped: as printed, or as chance and rounding allow."""

from __future__ import annotations

import csv
import dataclasses
import math
from itertools import product
from pathlib import Path

import agreement
import ensemble
import numpy as np
import pytest

from ttfslib import Run, book

DATA = Path(__file__).resolve().parents[1] / "data"


def altered(run, processor="another", **metrics):
    """A run with other weights, made on another processor, and with other results."""
    tensors = {name: array + np.float16(1) for name, array in run._tensors.items()}
    versions = run.metrics["versions"] | {"processor": processor}
    changed = run.metrics | {"versions": versions} | metrics
    return dataclasses.replace(run, metrics=changed, _tensors=tensors)


def test_the_same_bits_need_no_tolerance(tiny_run):
    worse = dataclasses.replace(tiny_run, metrics=tiny_run.metrics | {"test_accuracy": 0.0})
    assert agreement.differences(worse, tiny_run, [tiny_run]) == []


def test_other_bits_are_refused_where_versions_and_processor_agree(tiny_run):
    same = altered(tiny_run, tiny_run.metrics["versions"]["processor"])
    assert agreement.differences(same, tiny_run, [tiny_run]) == [
        "the weights differ although versions and processor agree"
    ]
    assert agreement.differences(altered(tiny_run), tiny_run, [tiny_run]) == []


def test_accuracy_and_widths_are_held_to_those_of_the_seeds(tiny_run):
    right = tiny_run.metrics["test_accuracy"]
    twins = [altered(tiny_run, test_accuracy=right + d) for d in (-0.01, 0, 0.01)]
    assert (
        agreement.differences(altered(tiny_run, test_accuracy=right + 0.1), tiny_run, twins) == []
    )
    low, high = agreement.accuracy_interval([right - 0.01, right, right + 0.01])
    (said,) = agreement.differences(altered(tiny_run, test_accuracy=right - 0.2), tiny_run, twins)
    assert said == f"accuracy {right - 0.2:.2%} is not between {low:.2%} and {high:.2%}"
    shipped, remade = (
        {"layers": tiny_run.metrics["layers"] | {"shorth": widths}}
        for widths in ([0.2, 0.4, 0.1, None], [0.25, 0.8, 0.05, None])
    )
    twin = dataclasses.replace(tiny_run, metrics=tiny_run.metrics | shipped)
    found = agreement.differences(altered(tiny_run, **remade), twin, [twin])
    assert [line[:20] for line in found] == [
        "width 0.800 of layer",
        "width 0.050 of layer",
    ]


def test_a_further_seed_falls_into_the_interval_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.9, 0.01, (2000, 4))
    inside = [
        low <= new <= high for *known, new in draws for low, high in [agreement._interval(known, 0)]
    ]
    assert np.mean(inside) == pytest.approx(agreement.LEVEL, abs=0.007)


def test_a_table_is_held_to_the_spread_of_its_seeds():
    shipped = [
        {"change": "none", "seed": str(seed), "accuracy": f"{0.9 + seed / 100}"}
        for seed in (1, 2, 3)
    ]
    within = [row | {"accuracy": str(float(row["accuracy"]) + 0.015)} for row in shipped]
    beyond = [shipped[0] | {"accuracy": "0.85"}, *shipped[1:]]
    broken = [shipped[0] | {"accuracy": "nan"}, *shipped[1:]]
    assert (
        agreement.spread_differences(shipped, shipped)
        == agreement.spread_differences(within, shipped)
        == []
    )
    assert agreement.spread_differences(beyond, shipped) == ["none, seed 1: accuracy 0.85"]
    assert agreement.spread_differences(broken, shipped) == ["none, seed 1: accuracy nan"]


SEEDS, N_LAYERS, N_GROUPS = (1, 2, 3), 5, 4
MEASURES = ("accuracy", "width", "needed")


@pytest.fixture
def layers():
    """Layers of four groups of three networks; the last group has no third measure."""
    rng = np.random.default_rng(0)
    rows = []
    for group, seed, layer in product(range(N_GROUPS), SEEDS, range(N_LAYERS)):
        values = rng.normal(1 + group + layer, 0.05, 3)
        values[2] = np.nan if group == N_GROUPS - 1 else values[2]
        named = {"group": f"g{group}", "seed": str(seed), "layer": str(layer)}
        rows.append(named | {m: f"{v:.5g}" for m, v in zip(MEASURES, values, strict=True)})
    return rows


def changed(rows, column, value, where=lambda _: True):
    """A table with another value in some rows of a column."""
    return [row | {column: value(row[column])} if where(row) else row for row in rows]


def test_layers_of_the_same_weights_are_measured_to_the_same_digits(layers):
    everyone = {(row["group"], row["seed"]) for row in layers}
    (first, *_) = layers
    nudged = changed(layers, "width", lambda v: f"{float(v) + 1e-4:.5g}", lambda row: row is first)
    assert agreement.layer_differences(layers, layers, everyone) == []
    (said,) = agreement.layer_differences(nudged, layers, everyone)
    assert said == f"g0 1 0: width {nudged[0]['width']} and not {first['width']}"
    assert agreement.layer_differences(nudged, layers, everyone - {("g0", "1")}) == []


def test_layers_of_other_weights_are_held_to_their_groups(layers):
    rng = np.random.default_rng(1)
    new = changed(layers, "width", lambda v: f"{float(v) + rng.normal(0, 0.05):.5g}")
    assert agreement.layer_differences(new, layers, set()) == []
    few = changed(layers, "width", lambda _: "9", lambda row: row["group"] + row["seed"] == "g01")
    said = agreement.layer_differences(few, layers, set())
    assert said[0] == "g0, seed 1, layer 0: width 9 is far outside"
    often = changed(layers, "width", lambda _: "9", lambda row: row["layer"] == "3")
    assert any(
        said.startswith("width: 12 of 60 entries are outside; g0, seed 1, layer 3: width 9")
        for said in agreement.layer_differences(often, layers, set())
    )
    lost = changed(layers, "accuracy", lambda _: "nan", lambda row: row["seed"] == "2")
    (said,) = agreement.layer_differences(lost, layers, set())
    assert said.startswith("accuracy: 20 of 60")


def test_a_measure_that_a_group_has_not_must_stay_away(layers):
    found = changed(layers, "needed", lambda _: "0.5", lambda row: row["group"] == "g3")
    said = agreement.layer_differences(found, layers, set())
    assert any(line.startswith("needed: 15 of 60 entries") for line in said)


def test_networks_of_the_same_weights_are_known_by_them():
    rows = [{"group": "g", "seed": str(seed), "weights": mark} for seed, mark in enumerate("ab")]
    other = [rows[0], rows[1] | {"weights": "c"}, {"group": "g", "seed": "3", "weights": ""}]
    assert agreement.unchanged(other, rows) == {("g", "0")}
    assert agreement.unchanged([other[2]], [other[2]]) == set()


def table(name, file="layers.csv"):
    """The rows of a table of a shipped sweep."""
    with (DATA / f"ensemble_{name}" / file).open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


def outside(rows, column):
    """Of each entry, whether those of the other seeds do not let expect it."""
    for seed in sorted({row["seed"] for row in rows}):
        known, new = {}, []
        for row in rows:
            group, value = (row["group"], row["layer"]), float(row[column])
            known.setdefault(group, [])
            known[group] += [value] if row["seed"] != seed else []
            new += [(group, value)] if row["seed"] == seed else []
        expected = agreement.Expected(known)
        yield from (expected.score(group, [v]) > 1 for group, v in new if len(known[group]) > 1)


SWEEPS = ("digits", "mnist", "large", "fashion")


@pytest.mark.parametrize("name", SWEEPS)
def test_shipped_networks_lie_where_the_others_of_their_groups_let_expect_them(name):
    rows = table(name)
    for column in [column for column in rows[0] if column not in agreement.OF_LAYER]:
        assert np.mean(list(outside(rows, column))) <= agreement.OUTSIDE, column


@pytest.mark.parametrize("name", SWEEPS)
def test_an_unchanged_sweep_passes(name):
    rows, layers = table(name, "sweep.csv"), table(name)
    assert agreement.sweep_differences(rows, rows) == []
    others = [row | {"weights": "other", "cpu_minutes": "9"} for row in rows]
    assert agreement.sweep_differences(others, rows) == []
    assert agreement.layer_differences(layers, layers, set()) == []


@pytest.mark.parametrize("column", ["test_accuracy", "width_1", "decision_time"])
def test_networks_of_the_same_weights_have_the_very_results(column):
    rows = table("mnist", "sweep.csv")
    said = agreement.sweep_differences(changed(rows, column, lambda _: "0.1"), rows)
    assert len(said) == sum(row[column] != "0.1" for row in rows)
    assert agreement.sweep_differences(changed(rows, "cpu_minutes", lambda _: "9"), rows) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("test_accuracy", "0.1"),
        ("validation_accuracy", "0.1"),
        ("width_1", "9"),
        ("activity_1", "0"),
        ("decision_time", "77"),
        ("decision_time", "inf"),
    ],
)
def test_a_destroyed_group_is_found(column, value):
    rows = table("mnist", "sweep.csv")
    others = [row | {"weights": "other"} for row in rows]
    first = rows[0]["group"]
    group = changed(others, column, lambda _: value, lambda row: row["group"] == first)
    one = [others[0] | {column: value}, *others[1:]]
    assert any(f"{first}, seed" in said for said in agreement.sweep_differences(group, rows))
    if value not in ("0", "inf"):
        assert f"{first}, seed 1: {column} {value} is far outside" in (
            agreement.sweep_differences(one, rows)
        )


@pytest.mark.parametrize(
    ("name", "column", "factor"),
    [
        ("digits", "needed_random", 5),
        ("mnist", "needed_random", 5),
        ("large", "needed_random", 5),
        ("fashion", "needed_random", 5),
        ("digits", "needed", 1.1),
        ("mnist", "needed", 1.1),
        ("digits", "needed_busiest", 1.5),
    ],
)
def test_a_measure_that_is_larger_everywhere_is_found(name, column, factor):
    rows = table(name)
    larger = changed(rows, column, lambda v: f"{factor * float(v):.5g}")
    assert agreement.layer_differences(larger, rows, set())


def test_missing_networks_and_rows_are_told():
    rows = table("fashion", "sweep.csv")
    assert agreement.sweep_differences([], rows) == ["3 of 3 networks are missing"]
    assert agreement.sweep_differences(rows[:1], rows) == ["2 of 3 networks are missing"]
    kept = [{"change": "none", "seed": str(seed), "accuracy": "0.9"} for seed in (1, 2)]
    assert agreement.spread_differences([], kept) == ["the columns are not change, seed, accuracy"]
    foreign = [kept[0] | {"change": "another"}, kept[1]]
    assert agreement.spread_differences(foreign, kept) == ["row another 1 in the place of none 1"]


def test_a_network_that_failed_may_fail_again():
    rows = table("fashion", "sweep.csv")
    empty = {column: "" for column in rows[0] if column.startswith(agreement.RESULTS)}
    failed = [rows[0] | empty | {"weights": "", "error": "broke"}, *rows[1:]]
    assert agreement.sweep_differences(failed, failed) == []
    assert agreement.sweep_differences(failed, rows) == ["dale, seed 1: broke"]
    assert agreement.sweep_differences(rows, failed) == ["dale, seed 1: it did not fail"]


def test_numbers_that_are_not_finite_hide_none_that_are():
    expected = agreement.Expected({"a": [1, 1.1, math.nan], "b": [math.nan] * 2, "c": [1, 1.2]})
    assert expected.is_far("a", 50)
    assert expected.score("a", [math.nan]) == expected.score("b", [math.nan]) == 0
    assert min(expected.score("b", [1.0]), expected.score("c", [math.nan])) > 1


PRINTED = [
    {
        "name": f"n{i}",
        "share": f"{i / 200:.4g}",
        "widths": f"{i / 1000:.4f} {0.2:.4f}",
        "none": "nan",
    }
    for i in range(200)
]


def test_a_table_is_as_printed_where_processor_and_versions_agree():
    nudged = changed(PRINTED, "widths", lambda _: "0.0031 0.2000", lambda r: r["name"] == "n3")
    assert agreement.printed_differences(PRINTED, PRINTED, 1, exact=True) == []
    said = agreement.printed_differences(nudged, PRINTED, 1, exact=True)
    assert said == ["n3: widths 0.0031 0.2000 and not 0.0030 0.2000"]
    assert agreement.printed_differences(nudged, PRINTED, 1, exact=False) == []


def test_rounding_may_move_all_numbers_a_little_and_few_of_them_far():
    def differences(*change):
        return agreement.printed_differences(changed(PRINTED, *change), PRINTED, 1, exact=False)

    assert differences("share", lambda v: f"{float(v) + 0.009:.4g}") == []
    (said,) = differences("share", lambda v: f"{float(v) + 0.011:.4g}")
    assert said == "share: 200 of 200 numbers are off; n0: share 0.011"
    two, three = (("n7", "n8"), ("n7", "n8", "n9"))
    assert differences("share", lambda _: "0.9", lambda r: r["name"] in two) == []
    (said,) = differences("share", lambda _: "0.9", lambda r: r["name"] in three)
    assert said == "share: 3 of 200 numbers are off; n7: share 0.9"
    (said,) = differences("widths", lambda v: v.split()[0], lambda r: r["name"] in three)
    assert said.startswith("widths: 6 of 400 numbers are off")
    (said,) = differences("none", lambda _: "0.1")
    assert said.startswith("none: 200 of 200")


def test_another_rounding_of_the_weights_passes_and_other_weights_do_not(monkeypatch):
    run = book.shipped("digits-dale")
    layers = [row for row in table("digits") if row["group"] == "dale-4x100"]
    shipped = [row for row in layers if row["seed"] == "1"]

    def found(change):
        monkeypatch.setattr(
            Run, "weights", lambda self, epoch=None: list(map(change, load(self, epoch)))
        )
        measured = ensemble.rows_of("dale-4x100", run)
        rows = [{name: str(value) for name, value in row.items()} for row in measured]
        return agreement.printed_differences(rows, shipped, 4, exact=False)

    load, rng = Run.weights, np.random.default_rng(0)
    assert (
        found(
            lambda w: np.nextafter(w, np.copysign(np.inf, rng.normal(size=w.shape)).astype(w.dtype))
        )
        == []
    )
    assert found(lambda w: w * np.float32(1.02))


@pytest.mark.parametrize("change", ["other side", "larger"])
def test_each_measure_is_held_to_its_own_span(change):
    with (DATA / "standard_tests_mnist.csv").open(encoding="utf-8") as file:
        shipped = list(csv.DictReader(file))
    change_of = {"other side": lambda p: 1 - p, "larger": lambda p: 1.1 * p}[change]

    def new(cell):
        return " ".join(f"{change_of(float(v)):.4g}" for v in cell.split())

    p_values = changed(shipped, "values", new, lambda row: row["tool"] == "pairs")
    said = agreement.printed_differences(p_values, shipped, 10, exact=False)
    assert sum(line.startswith("values: ") for line in said) >= 8


def test_rows_and_columns_are_those_that_ship():
    def differences(remade):
        return agreement.printed_differences(remade, PRINTED, 1, exact=False)

    assert differences(PRINTED[:-1]) == ["row none in the place of n199"]
    assert differences([*PRINTED, PRINTED[0]]) == ["row n0 in the place of none"]
    assert differences(PRINTED[1:]) == ["row n1 in the place of n0"]
    without = [{k: v for k, v in row.items() if k != "none"} for row in PRINTED]
    assert (
        differences(without) == differences([]) == ["the columns are not name, share, widths, none"]
    )

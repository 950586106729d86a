"""The table of chapter 9: what it says of a network is what is measured on it."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import ensemble
import halves
import numpy as np
import pytest
import torch

from ttfslib import book
from ttfslib.experiment.recipe import Samples, load_test_samples

ROOT = Path(__file__).resolve().parents[1]
TABLES = sorted((ROOT / "data").glob("ensemble_*/layers.csv"))


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("group", "name"), [("dale-4x100", "digits-dale"), ("free-4x100", "digits-free")]
)
def test_the_table_tells_of_networks_that_ship_what_is_measured_on_them(group, name):
    shipped = rows(book.data_path("ensemble_digits/layers.csv"))
    for seed, run in book.shipped_seeds(name).items():
        known = [row for row in shipped if (row["group"], row["seed"]) == (group, str(seed))]
        found = [{k: str(v) for k, v in row.items()} for row in ensemble.rows_of(group, run)]
        assert found == known


@pytest.fixture(scope="module")
def measured():
    return ensemble.Measured(book.shipped("digits-dale"))


def test_measures_are_those_of_plain_loops(measured):
    decided = measured.decisions
    for layer, activity, separability in zip(
        measured.layers, measured.activities(), measured.separabilities(), strict=True
    ):
        early = [[t <= T for t in times] for times, T in zip(layer, decided, strict=True)]
        assert activity == pytest.approx(np.mean(early))
        responses = np.where(early, np.exp(-layer.astype(float)), 0)
        assert separability == pytest.approx(by_pairs(responses, measured.labels), rel=1e-3)


def by_pairs(responses, labels):
    """Mean squared distance between classes over that within them, pair by pair."""
    squared = ((responses[:, None] - responses[None]) ** 2).sum(axis=2)
    same = labels[:, None] == labels[None]
    within = same & ~np.eye(len(labels), dtype=bool)
    return squared[~same].mean() / squared[within].mean()


def test_few_neurons_of_the_last_layer_carry_their_digit(measured):
    own, busiest, at_random = np.transpose(list(measured.needed()))
    assert own[-1] > 0.8
    assert own[-1] > busiest[-1]
    assert np.all(np.abs(at_random) < 0.2)


def test_a_width_needs_a_tenth_of_the_images():
    widths = np.full((2, 100), np.nan)
    widths[0, :10], widths[1, :9] = 2.0, 2.0
    np.testing.assert_array_equal(ensemble.mean_of(widths), [2.0, np.nan])


def test_a_network_is_its_own_twin(measured):
    before, after = ensemble.paired(measured, measured)
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(after, measured.widths()[""])


def test_halves_hold_all_images_once(measured):
    first, second = (np.arange(len(measured.labels))[half] for half in measured.halves)
    assert [*first, *second] == list(range(len(measured.labels)))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_a_table_has_all_layers_of_all_networks_of_its_sweep(path):
    trained = {(row["group"], row["seed"]): row for row in rows(path.with_name("sweep.csv"))}
    found = rows(path)
    by_network = {}
    for row in found:
        by_network.setdefault((row["group"], row["seed"]), []).append(row)
    assert set(by_network) == {key for key, row in trained.items() if not row["error"]}
    for key, layers in by_network.items():
        assert [int(row["layer"]) for row in layers] == list(range(int(layers[0]["depth"]) + 1))
        assert len({row["accuracy"] for row in layers}) == 1
        if "digits" in path.parent.name:
            assert float(layers[0]["accuracy"]) == pytest.approx(
                float(trained[key]["test_accuracy"]), abs=1e-5
            )


def test_a_network_that_reads_nothing_has_nothing_to_lose():
    run = book.shipped("digits-dale")
    blind = ensemble.Measured(run, 0)
    assert blind.named.shape == blind.labels.shape
    assert blind.is_right().mean() < 0.5
    assert np.isnan(list(blind.needed())).all()


def test_noise_is_on_the_inputs():
    run = book.shipped("digits-dale")
    clean, noisy = ensemble.Measured(run), ensemble.Measured(run, noise=0.1)
    assert np.std(noisy.layers[0] - clean.layers[0]) == pytest.approx(0.1, rel=0.02)
    heard = run.network()(torch.from_numpy(noisy.layers[0]))
    np.testing.assert_allclose(noisy.layers[1], heard[0].detach(), rtol=1e-4)


def test_a_source_is_a_sweep_or_a_name_of_shipped_runs(tmp_path):
    assert [run.seed for _, run in ensemble.networks_of("digits-free")] == [1, 2, 3]
    for source in ("nothing-such", str(tmp_path / "nothing")):
        with pytest.raises(ValueError, match=f"source must be .*got {source}"):
            ensemble.measure(source, tmp_path / "layers.csv")


def test_a_row_of_either_half_is_measured_on_its_images(monkeypatch):
    monkeypatch.setattr(halves, "HALVES", {"first": 0, "second": 200})
    run = book.shipped("digits-dale")
    found = list(halves.rows_of("small", run))
    images, labels = load_test_samples(run.config)
    for half, start in halves.HALVES.items():
        net = ensemble.Measured(run.showing(Samples(images[start:], labels[start:])))
        drawn = net.drawn_widths(net.decisions)
        clean, little, much = (
            [row for row in found if (row["half"], row["state"], row["noise"]) == (half, *wanted)]
            for wanted in product(["trained"], (0.0, halves.LITTLE, run.config.input_noise))
        )
        assert {row["accuracy"] for row in clean} == {f"{net.is_right().mean():.4g}"}
        for row, one, two, widths in zip(clean, little, much, drawn, strict=True):
            assert float(row["width"]) == pytest.approx(np.nanmean(widths), rel=1e-3)
            assert float(row["median"]) == pytest.approx(np.nanmedian(widths), rel=1e-3)
            assert len({row["width"], one["width"], two["width"]}) == 3


def test_the_table_of_both_halves_begins_as_the_other_tables():
    others = [
        rows(book.data_path(f"ensemble_{name}.csv")) for name in ("large/layers", "fashion/shipped")
    ]
    known = {(row["group"], row["seed"], row["layer"]): row for part in others for row in part}
    found = rows(book.data_path("halves.csv"))
    first = [row for row in found if row["half"] == "first" and float(row["noise"]) == 0]
    assert len(first) == 2 * 5 * 13
    for row in first:
        twin = known[row["group"], row["seed"], row["layer"]]
        for cut in ("", "_early", "_fixed"):
            state = "width" if row["state"] == "trained" else "untrained"
            wanted = pytest.approx(float(twin[state + cut]), rel=1e-3, nan_ok=True)
            assert float(row[f"width{cut}"]) == wanted

"""The tables of what electrodes find and of damaged networks: whole, and made by their tools."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from mnist import need_mnist
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]


def tool_named(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


@pytest.fixture
def electrodes(monkeypatch):
    yield from tool_named("electrodes", monkeypatch)


@pytest.fixture
def damage(monkeypatch):
    yield from tool_named("robustness", monkeypatch)


def rows(tool):
    """The rows of its table, without the head."""
    with tool.TABLE.open(encoding="utf-8", newline="") as file:
        head, *found = csv.reader(file)
    assert tuple(head) == tool.COLUMNS
    return found


def p_values(tool):
    """The p-values of each row, by the columns that name it."""
    return {tuple(row[:-2]): np.array(row[-1].split(), int) / 10_000 for row in rows(tool)}


def test_every_experiment_has_its_row(electrodes):
    found = p_values(electrodes)
    assert list(found) == [electrodes.key(e) for e in electrodes.experiments()]
    assert {len(p) for p in found.values()} == {electrodes.N_EXPERIMENTS}
    assert all(((p > 0) & (p <= 1)).all() for p in found.values())


UNTAUGHT = ("untrained", "untrained, excitable", "shuffled labels", "shuffled, unhurried")


@pytest.mark.parametrize("test", ["depth", "digit", "shuffling"])
@pytest.mark.parametrize("nothing", ["null", *(f"null: {network}" for network in UNTAUGHT)])
def test_false_positives_are_as_rare_as_the_level_says(electrodes, test, nothing):
    null = [
        p
        for (network, question, _, _, counts, *_), p in p_values(electrodes).items()
        if (network, question, counts) == (nothing, test, "recorded")
    ]
    wrong = np.concatenate(null) <= 0.05
    assert binomtest(int(wrong.sum()), len(wrong), 0.05, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_trial_ends_with_a_spike_of_a_number(electrodes, n):
    times = np.array([0.4, 0.1, 0.3, 0.2, 0.7, 0.5, 0.6])
    trials = np.array([0, 0, 0, 0, 2, 2, 2])
    labels = {"units": np.zeros(7, int), "layers": np.zeros(1, int)}
    seen = electrodes.Observation(times=times, trials=trials, **labels, n_trials=3, duration=1.0)
    ends = {1: [0.1, np.inf, 0.5], 3: [0.3, np.inf, 0.7], 5: [np.inf] * 3}
    assert electrodes.time_of_spike(n, seen).tolist() == ends[n]


def test_every_damage_has_its_row(damage):
    found = rows(damage)
    assert [tuple(row[:4]) for row in found] == [damage.key(row) for row in damage.rows()]
    assert all(0 <= float(row[5]) <= 1 for row in found)
    assert {len(row[-1].split()) for row in found} == {5}


@pytest.mark.slow
@pytest.mark.parametrize("of", [("digit", "hidden 4"), ("units", "hidden 4", "all", "first 12")])
def test_a_row_is_what_the_tool_makes_of_the_shipped_network(electrodes, monkeypatch, of):
    need_mnist()
    monkeypatch.setattr(electrodes, "NETWORKS", {"trained": [("mnist-dale", 1, None)]})
    experiment = electrodes.Experiment("trained", *of)
    stored = p_values(electrodes)[electrodes.key(experiment)][::5]
    (spikes,) = electrodes.networks(experiment)
    numbers = range(0, electrodes.N_EXPERIMENTS, 5)  # those that were done on the first seed
    found = [electrodes.once(experiment, spikes, k)[0] for k in numbers]
    # Other processors round spike times otherwise, and a few bins may then hold other units.
    assert np.mean(np.abs(found - stored) < 0.05) > 0.8


@pytest.mark.slow
def test_the_excitable_network_fires_as_much_as_the_trained_one(electrodes):
    need_mnist()
    epochs = (electrodes.EXCITABLE, 0, None)
    of = [electrodes.spikes_of("mnist-dale", 1, epoch).layers[:-1] for epoch in epochs]
    scaled, before, trained = np.mean(
        [np.concatenate(layers, axis=1) <= 1.9 for layers in of], (1, 2)
    )
    assert scaled == pytest.approx(trained, rel=0.1)
    assert before < trained / 2


@pytest.mark.slow
def test_a_damage_is_what_the_tool_measures(damage):
    need_mnist()
    row = ("lost", 0.1, "spared", 1)
    (stored,) = [r for r in rows(damage) if tuple(r[:4]) == damage.key(row)]
    images, accuracy, widths = damage.measured(row)
    assert images == stored[4]
    assert float(accuracy) == pytest.approx(float(stored[5]), abs=0.005)
    np.testing.assert_allclose(
        np.array(widths.split(), float), np.array(stored[6].split(), float), rtol=0.05
    )

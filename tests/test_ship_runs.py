"""Networks go into data/ under the name of their configuration, whole or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import ship_runs

from ttfslib import fit, load_run


@pytest.fixture(scope="module")
def trained(tiny_config, tmp_path_factory):
    """A run of two epochs that keeps the first, under a name of its own."""
    config = dataclasses.replace(tiny_config, epochs=2, kept_epochs=(1,))
    return fit(config, 3, tmp_path_factory.mktemp("trained") / "run", progress=False)


@pytest.fixture
def config(trained):
    return dataclasses.replace(trained.config, name="book-network", kept_epochs=())


def test_a_shipped_run_is_the_same_network_under_another_name(trained, config, tmp_path):
    shipped = load_run(ship_runs.ship(config, trained.path, (), tmp_path))
    assert shipped.path.name == "book-network-seed3"
    assert (shipped.config, shipped.seed) == (config, 3)
    assert shipped.epochs == [0, 2]
    for epoch in shipped.epochs:
        assert all(map(np.array_equal, shipped.weights(epoch), trained.weights(epoch)))
    assert shipped.metrics["test_accuracy"] == trained.metrics["test_accuracy"]
    assert shipped.metrics["versions"] == trained.metrics["versions"]


def test_epochs_that_are_asked_for_go_along(trained, config, tmp_path):
    shipped = load_run(ship_runs.ship(config, trained.path, (1,), tmp_path))
    assert shipped.epochs == [0, 1, 2]
    assert all(map(np.array_equal, shipped.weights(1), trained.weights(1)))


def test_other_settings_unkept_epochs_and_old_copies_are_refused(trained, config, tmp_path):
    other = dataclasses.replace(config, learning_rate=0.1)
    with pytest.raises(ValueError, match="not made with the settings of book-network"):
        ship_runs.ship(other, trained.path, (), tmp_path)
    kept = ship_runs.ship(config, trained.path, (), tmp_path)
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    with pytest.raises(OSError, match="exists: delete it first"):
        ship_runs.ship(config, trained.path, (1,), tmp_path)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["book-network-seed3"]


def test_an_epoch_that_was_not_kept_is_refused(trained, config, tmp_path):
    whole = ship_runs.ship(config, trained.path, (), tmp_path)
    with pytest.raises(ValueError, match="has not kept epoch 1"):
        ship_runs.ship(config, whole, (1,), tmp_path / "again")


def test_a_damaged_run_is_refused(trained, config, tmp_path):
    copy = ship_runs.ship(config, trained.path, (), tmp_path)
    (copy / "history.csv").write_text("epoch\n")
    with pytest.raises(OSError, match="damaged"):
        ship_runs.ship(dataclasses.replace(config, name="again"), copy, (), tmp_path)

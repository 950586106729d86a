"""The table of training images shown as they are: which images, which runs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import ttfslib
from ttfslib import book

DATA = Path(__file__).resolve().parents[1] / "data"
N_IMAGES = 200


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(DATA.parent / "tools"))
    import plain_training

    return plain_training


@pytest.fixture(scope="module")
def run():
    return book.shipped("digits-dale")


def test_the_images_are_the_first_of_the_training_set_without_noise(tool, run):
    images, labels = ttfslib.load_digits("train")
    times = torch.from_numpy(ttfslib.latency_encode(images[:N_IMAGES]).astype(np.float32))
    with torch.no_grad():
        decided = ttfslib.decided_class(run.network()(times)[-1].numpy())
    right = np.mean(decided == labels[:N_IMAGES])
    assert tool.plain_accuracy(run, N_IMAGES) == right
    assert right != run.metrics["test_accuracy"]


def test_the_table_has_a_row_for_each_run(tool, run, tmp_path):
    out = tmp_path / "plain.csv"
    tool.write([run], out, N_IMAGES)
    (row,) = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert (row["name"], row["seed"], row["n_images"]) == ("digits-dale", "1", str(N_IMAGES))
    assert float(row["test_accuracy"]) == pytest.approx(run.metrics["test_accuracy"], abs=1e-4)


def test_the_shipped_table_has_every_run_of_its_names(tool):
    with (DATA / "plain_training.csv").open(encoding="utf-8") as file:
        found = {f"{row['name']}-seed{row['seed']}" for row in csv.DictReader(file)}
    runs = DATA / "runs"
    assert found == {path.name for name in tool.NAMES for path in runs.glob(f"{name}-seed*")}

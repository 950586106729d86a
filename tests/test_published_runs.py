"""The runs that the book ships: whole, consistent, made with the configs as they are.

One is made again in `test_wheel`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from mnist import need
from ship_runs import same_training

from ttfslib import TrainingConfig, load_run
from ttfslib._files import load_tensors, sha256
from ttfslib.experiment import _format

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
RUNS = sorted(path for path in (ROOT / "data" / "runs").glob("*") if path.is_dir())
MB = 1e6

each_run = pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name, indirect=True)


@pytest.fixture(scope="module")
def run(request):
    return load_run(request.param)


def test_the_book_ships_networks_for_each_kind_of_images():
    kinds = {run.config.dataset.name for run in map(load_run, RUNS)}
    assert kinds >= {"digits", "mnist", "fashion_mnist"}


def test_all_runs_together_are_light():
    files = [path for path in (ROOT / "data" / "runs").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < 50 * MB


@each_run
def test_a_run_is_named_after_its_config_and_seed_and_holds_nothing_else(run):
    assert run.path.name == f"{run.config.name}-seed{run.seed}"
    assert {path.name for path in run.path.iterdir()} == {
        *(_format.CONFIG, _format.HISTORY, _format.WEIGHTS, _format.METRICS)
    }


@each_run
def test_a_run_was_made_with_its_config_as_it_is_now(run):
    config = TrainingConfig.from_toml(ROOT / "configs" / f"{run.config.name}.toml")
    assert same_training(run.config, config)


@each_run
def test_a_run_went_to_its_end(run):
    assert run.epochs == sorted({0, *run.config.kept_epochs, run.config.epochs})
    assert run.history["epoch"].tolist() == list(range(run.config.epochs + 1))
    assert run.metrics["seconds"] == pytest.approx(run.history["seconds"].sum(), rel=1e-4)


@each_run
def test_dales_law_holds_in_every_kept_state(run):
    share = run.config.excitatory_share
    for epoch in run.epochs:
        matrices = run.weights(epoch)
        assert [matrix.shape[1] for matrix in matrices[:-1]] == list(run.config.hidden)
        for matrix in matrices[1:]:
            signs_of_neuron = (matrix > 0).any(axis=1) & (matrix < 0).any(axis=1)
            if share is None:
                assert signs_of_neuron.any()
                continue
            n_excitatory = round(share * len(matrix))
            assert (matrix[:n_excitatory] >= 0).all()
            assert (matrix[n_excitatory:] <= 0).all()


@each_run
def test_the_metrics_are_those_of_a_new_computation(run):
    """On all test samples; rounding may change the answers to a few that are undecided anyway."""
    need(run.config.dataset.name)
    outcome, metrics = run.evaluate(), run.metrics
    n = len(outcome.labels)
    assert abs(outcome.accuracy - metrics["test_accuracy"]) * n <= 5
    assert abs((outcome.predicted < 0).sum() - metrics["n_undecided"]) <= 5
    assert np.median(outcome.decision_times) == pytest.approx(
        metrics["decision_time_median"], abs=1e-4
    )
    for name, values in outcome.packets.mean().items():
        for found, published in zip(values, metrics["layers"][name], strict=True):
            assert np.isnan(found) == (published is None)
            assert published is None or found == pytest.approx(published, rel=1e-3, abs=1e-3)


@each_run
def test_nothing_of_the_data_set_is_stored(run):
    stored, _ = load_tensors(run.path / _format.WEIGHTS)
    assert stored.keys() == _format.weight_slots(run.config, run.epochs).keys()


@each_run
def test_the_data_page_tells_how_to_make_the_run_and_its_checksum(run):
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert re.search(r"ttfs train configs/\S+\.toml --seed \S+ --out \S+", page)
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{run.path.name}` ")]
    cells = [cell.strip(" `") for cell in row.strip("|").split("|")]
    assert f"{run.config.name}.toml" in cells
    assert str(run.seed) in cells
    assert f"{run.metrics['test_accuracy']:.2%}" in cells
    weights = run.path / "weights.safetensors"
    assert f"{sha256(weights)}  runs/{run.path.name}/weights.safetensors" in page.splitlines()

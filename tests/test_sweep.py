"""Sweeps: what a file asks for, and that it is done whatever happens on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from ttfslib import fit, load_run
from ttfslib.experiment import _folder, sweep
from ttfslib.experiment._workers import run_sweep
from ttfslib.experiment.sweep import Sweep, merge, read_table, status

BASE = """
name = "base"
dataset = "digits"
hidden = [12, 10]
excitatory_share = 0.75
weight_mean = [0.15, 0.3, 0.4]
weight_std = [0.5, 0.4, 0.6]
n_validation = 1037
epochs = 3
batch_size = 50
learning_rate = 0.01
"""
TWO_GROUPS = """
name = "signs"
base = "base.toml"
seeds = [1, 2]
[groups.dale]
[groups.free]
without = ["excitatory_share"]
seeds = [1]
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A finished sweep of two groups: what it asked for, and its folder."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "base.toml").write_text(BASE)
    jobs = described(folder, TWO_GROUPS)
    run_sweep(jobs, folder / "out", n_workers=2, progress=False)
    return jobs, folder / "out"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    return tmp_path


def described(folder, text):
    path = folder / "sweep.toml"
    path.write_text(textwrap.dedent(text))
    return Sweep.from_toml(path)


def test_groups_have_seeds_and_changes_of_their_own(folder):
    jobs = described(folder, TWO_GROUPS).jobs
    assert [(job.group, job.seed) for job in jobs] == [("dale", 1), ("dale", 2), ("free", 1)]
    assert [job.config.excitatory_share for job in jobs] == [0.75, 0.75, None]
    assert len({job.folder for job in jobs}) == 3


def test_a_grid_is_every_combination_and_reaches_into_tables(folder):
    jobs = described(
        folder,
        """
        name = "grid"
        base = "base.toml"
        seeds = [0]
        [grid]
        epochs = [1, 2]
        loss.xi = [0.1, 0.3]
        """,
    ).jobs
    found = [(job.config.epochs, job.config.loss.parameters["xi"]) for job in jobs]
    assert found == [(1, 0.1), (1, 0.3), (2, 0.1), (2, 0.3)]
    assert jobs[0].changes == {"epochs": 1, "loss.xi": 0.1}
    assert len({job.config.name for job in jobs}) == 4


def test_a_loss_of_another_kind_takes_nothing_over(folder):
    (folder / "base.toml").write_text(BASE + '[loss]\nname = "cross_entropy"\nxi = 0.1\n')
    text = 'name = "l"\nbase = "base.toml"\nseeds = [1]\n[groups.mse.loss]\nname = "mse"\n'
    (job,) = described(folder, text).jobs
    assert (job.config.loss.name, "xi" in job.config.loss.parameters) == ("mse", False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nseeds = [1]\n', "sweep lacks the keys base"),
        ('name = "x"\nbase = "base.toml"\nseeds = 1\n', "seeds must be a list of integers"),
        ('name = "x"\nbase = "base.toml"\nseeds = [-1]\n', "seeds.0. must be at least 0"),
        ('name = "x"\nbase = "base.toml"\nseeds = [1]\nseed = 1\n', "got the key 'seed'"),
        (
            'name = "x"\nbase = "base.toml"\nseeds = [1]\n[groups.a]\nepoch = 3\n',
            "group a .*unknown key epoch",
        ),
        (
            'name = "x"\nbase = "base.toml"\nseeds = [1]\n[grid]\nepochs = 3\n',
            "grid.epochs must be a list",
        ),
        ('name = "x"\nbase = 3\nseeds = [1]\n', "base must be the name or the path"),
        ("name = \n", "sweep.toml"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(folder, text, message):
    with pytest.raises(ValueError, match=message):
        described(folder, text)


def test_every_run_is_the_one_that_fit_makes_and_the_table_tells_of_it(swept, folder):
    jobs, out = swept
    rows = read_table(out / sweep.TABLE)
    assert [row["group"] for row in rows] == ["dale", "dale", "free"]
    alone = fit(jobs.jobs[1].config, 2, folder / "alone", progress=False)
    run = load_run(out / jobs.jobs[1].folder)
    for mine, theirs in zip(alone.weights(), run.weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert float(rows[1]["test_accuracy"]) == pytest.approx(alone.metrics["test_accuracy"], 1e-3)
    widths = sweep.equal_count_widths(run, 4)
    assert len(widths) == 3
    assert status(jobs, out)["finished"] == jobs.jobs


def test_what_is_finished_is_not_trained_again(swept):
    jobs, out = swept
    stamps = {p: p.stat().st_mtime_ns for p in out.glob("*/metrics.json")}
    first = (out / sweep.TABLE).read_text()
    run_sweep(jobs, out, progress=False)
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    assert (out / sweep.TABLE).read_text() == first


def test_a_run_that_breaks_down_is_recorded_and_stops_nobody(folder):
    jobs = described(
        folder,
        """
        name = "broken"
        base = "base.toml"
        seeds = [1]
        [groups.good]
        [groups.silent]
        weight_mean = [-1.0, -1.0, -1.0]
        weight_std = [0.0, 0.0, 0.0]
        silent_hidden_share = 1.0
        silent_output_share = 1.0
        """,
    )
    good, silent = read_table(run_sweep(jobs, folder / "out", progress=False))
    assert (good["error"], silent["weights"]) == ("", "")
    assert "no output neuron fired in epoch 1" in silent["error"]
    assert [job.group for job in status(jobs, folder / "out")["failed"]] == ["silent"]


SWEEP_COMMAND = [sys.executable, "-m", "ttfslib", "sweep", "sweep.toml", "--out", "out", "--quiet"]


def trainings_of(pid):
    """Process ids of the trainings that a sweep has started."""
    try:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for file in children for child in file.read_text().split()]
    except OSError:
        return []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_killed_trainings_go_on_and_end_in_the_same_weights(folder):
    jobs = described(folder, TWO_GROUPS.replace("[1, 2]", "[1, 2, 3]"))
    process = subprocess.Popen(SWEEP_COMMAND, cwd=folder)
    rng, kills = random.Random(0), 0
    while process.poll() is None and kills < 4:
        time.sleep(rng.uniform(0.5, 3))
        if children := trainings_of(process.pid):
            os.kill(rng.choice(children), signal.SIGKILL)
            kills += 1
    assert process.wait(300) == 0
    assert kills
    for job in jobs.jobs:
        alone = fit(job.config, job.seed, folder / "alone" / job.folder, progress=False)
        swept = load_run(folder / "out" / job.folder)
        for mine, theirs in zip(alone.weights(), swept.weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_two_sweeps_in_one_folder_share_the_work(folder):
    described(folder, TWO_GROUPS)
    both = [subprocess.Popen(SWEEP_COMMAND, cwd=folder) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    rows = read_table(folder / "out" / sweep.TABLE)
    assert [row["error"] for row in rows] == ["", "", ""]


def test_a_job_waits_for_a_folder_in_use(folder):
    jobs = described(folder, TWO_GROUPS)
    (folder / "out").mkdir()
    with _folder.held(folder / "out" / jobs.jobs[0].folder):
        process = subprocess.Popen(SWEEP_COMMAND, cwd=folder)
        time.sleep(15)
        assert process.poll() is None
    assert process.wait(300) == 0


def test_tables_are_pooled_and_the_same_network_counts_once(swept, folder):
    _, out = swept
    mine = read_table(out / sweep.TABLE)
    text = (out / sweep.TABLE).read_text()
    (folder / "theirs.csv").write_text(text.replace(mine[0]["weights"], "another"))
    pooled = read_table(merge([out, folder / "theirs.csv"], folder / "all.csv"))
    assert [row["weights"] for row in pooled] == [*(row["weights"] for row in mine), "another"]
    with pytest.raises(OSError, match=r"holds no sweep\.csv"):
        merge([folder], folder / "none.csv")
    assert not (folder / "none.csv").exists()


def test_a_full_disk_is_one_line(folder, small_disk):
    jobs = described(folder, TWO_GROUPS)
    (small_disk / "ballast").write_bytes(bytes(250_000))
    with pytest.raises(OSError, match="cannot write"):
        run_sweep(jobs, small_disk / "out", progress=False)


@pytest.fixture
def cluster(tmp_path):
    """Address of a dask scheduler that has one worker, each a process of its own."""
    distributed = pytest.importorskip("distributed")
    options = {"dashboard_address": None, "silence_logs": 50, "local_directory": str(tmp_path)}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, **options) as local:
        yield local.scheduler_address


@pytest.mark.filterwarnings("default")
def test_a_cluster_makes_the_same_runs(swept, folder, cluster):
    here, out = swept
    jobs = described(folder, TWO_GROUPS)
    table = run_sweep(jobs, folder / "out", scheduler=cluster, progress=False)
    weights = [row["weights"] for row in read_table(table)]
    assert weights == [row["weights"] for row in read_table(out / sweep.TABLE)]
    assert [job.folder for job in jobs.jobs] == [job.folder for job in here.jobs]


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_one_line(folder):
    pytest.importorskip("distributed")
    jobs = described(folder, TWO_GROUPS)
    with pytest.raises(OSError, match=r"^scheduler tcp://127\.0\.0\.1:9 cannot be reached"):
        run_sweep(jobs, folder / "out", scheduler="tcp://127.0.0.1:9", progress=False)

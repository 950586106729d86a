"""Sweeps: what a file asks for, and that it is done whatever happens on the way."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from named_pipes import make_pipe

from ttfslib import cli, fit, load_run
from ttfslib.experiment import _folder, _workers
from ttfslib.experiment._jobs import status
from ttfslib.experiment._progress import report
from ttfslib.experiment._workers import run_sweep
from ttfslib.experiment.sweep import Sweep
from ttfslib.experiment.table import TABLE, _csv, equal_count_widths, merge, read_table

BASE = """
name = "base"
dataset = {name = "yin_yang", n_train = 300, n_test = 100}
hidden = [12, 10]
excitatory_share = 0.75
weight_mean = [1.5, 0.8, 0.8]
weight_std = [0.8, 0.4, 0.6]
n_validation = 100
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
MUTE = """
[groups.mute]
seeds = [1]
weight_mean = [-1.0, -1.0, -1.0]
weight_std = [0.0, 0.0, 0.0]
silent_hidden_share = 1.0
silent_output_share = 1.0
"""
"""A network that cannot be trained."""

DATA = Path(__file__).resolve().parents[1] / "data"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sweep")]  # that share a fixture


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """What a sweep asked for, one training of which breaks down, and its folder."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "base.toml").write_text(BASE)
    jobs = described(folder, TWO_GROUPS + MUTE)
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
            "group a: .*unknown key epoch",
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


HEAD = 'name = "x"\nbase = "base.toml"\nseeds = [1]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[groups.a]\nwithout = ['excitatory_shar']", r"without\[0\] .*mean excitatory_share\?"),
        ("[groups.a]\nwithout = 'excitatory_share'", r"groups.a.without must be a list of sett"),
        ("[groups.a]\nwithout = 3", "groups.a.without must be a list of settings, got 3"),
        ("[groups.a]\nwithout = [['epochs']]", r"groups.a.without\[0\] must be a str"),
        ("[groups.a]\nwithout = ['epochs']", "group a: config lacks the keys epochs"),
        ("[groups.a]\ngrid = 3", "groups.a.grid must be a table, got 3"),
        ("[groups.a]\nseeds = 3", "groups.a.seeds must be a list of integers, got 3"),
        ("[groups.a]\nseeds = [true]", r"groups.a.seeds\[0\] must be an integer"),
        ("[groups.a]\nname = 'b'", "group a: name is made of"),
        ("[groups]\na = 3", "groups.a must be a table, got 3"),
        ("groups = 3", "groups must be a table, got 3"),
        ("groups = []", "groups must be a table"),
        ("grid = 3", "grid must be a table, got 3"),
        ("grid = 0", "grid must be a table, got 0"),
        ("without = 3", "sweep must hold name, .* got the key 'without'"),
        ("[grid]\nname = ['a', 'b']", "group x .*: name is made of"),
        ("[grid]\nepochs = []", "grid.epochs must be a list of values"),
        ("[grid]\n'loss.xi' = [0.1]\nloss = ['mse']", "grid.loss.xi must not be varied beside g"),
        ("[grid]\nloss = ['mse']\n'loss.xi' = [0.1]", "grid.loss.xi must not be varied beside g"),
        (f"[groups.a]\nseeds = {[*range(10_001)]}", "must ask for at most 10000 trainings"),
        ("[groups.'\x7f']\nepoch = 1", "sweep.toml: "),
        ('[groups."\\u001B[2J"]\nepoch = 1', r"group \\x1b\[2J: "),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        (".".join("a" * 5000) + " = 1", "sweep must hold"),
    ],
)
def test_a_sweep_is_checked_as_a_configuration_is(folder, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        described(folder, HEAD + text)
    assert str(caught.value).startswith(f"{folder / 'sweep.toml'}: ")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("name = 3", "name must be a str"),
        ("base = 3", "base must be the name or the path of a configuration, got 3"),
        (f"seeds = [{2**200}]", r"seeds\[0\] must be at most 9223372036854775807"),
        ("seeds = []", "seeds must be a list of integers"),
        ("seeds = 'ab'", "seeds must be a list of integers"),
        ("seeds = [1, 2, 1]", "seeds must all be different, got 1 2 times"),
    ],
)
def test_what_every_sweep_says_is_checked(folder, line, message):
    key = line.partition(" ")[0]
    others = "".join(f"{one}\n" for one in HEAD.splitlines() if not one.startswith(key))
    with pytest.raises(ValueError, match=message):
        described(folder, others + line)


def test_signs_within_lists_tell_folders_apart(folder):
    text = HEAD + "[grid]\nweight_mean = [[0.1, 0.1, 0.15], [0.1, 0.1, -0.15], [-0.1, 0.1, 0.15]]"
    folders = [job.folder for job in described(folder, text).jobs]
    assert len(set(folders)) == 3
    assert folders[0] == "x-x-weight_mean-0.1-0.1-0.15-seed1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[groups.'a b']\n[groups.a-b]\nepochs = 2", "group a b and group a-b .* x-a-b-seed1"),
        ("[groups.dale]\n[groups.Dale]", "both be trained in x-Dale-seed1"),  # one on some disks
        ("[groups.'\ud55c']\n[groups.'\u1112\u1161\u11ab']", "both be trained in "),  # one syllable
        ("[groups.'a b']\n[groups.a-b]\nseeds = [2]", "both be trained in x-a-b-seed2"),
        ("[grid]\nepochs = [2, 2]", r"group x \{'epochs': 2\} and group x \{'epochs': 2\} would"),
    ],
)
def test_two_trainings_that_would_share_a_folder_are_refused(folder, text, message):
    with pytest.raises(ValueError, match=message):
        described(folder, HEAD + text)


@pytest.mark.parametrize("file", sorted(DATA.glob("ensemble_*/sweep.toml")), ids=str)
def test_the_folders_of_what_is_shipped_keep_their_names(file):
    """They are named by sweep, group and seed, which stand in the table too."""
    sweep = Sweep.from_toml(file)
    assert [job.folder for job in sweep.jobs] == [
        f"{sweep.name}-{row['group']}-seed{row['seed']}"
        for row in read_table(file.with_name(TABLE))
    ]


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("[groups.a]\n[groups.b]", "group a and group b"),
        ("[groups.a]\nlate = 2.0\n[groups.b]\nseeds = [2, 1]\nlate = 2", "group a .* and group b"),
        ("[grid]\nkept_epochs = [[1], [2]]", r"group x .*\[1\].* and group x .*\[2\]"),
    ],
)
def test_two_trainings_that_are_the_same_are_refused(folder, text, both):
    """A table holds each once, whatever its group."""
    with pytest.raises(ValueError, match=f"{both}.* would be the same training, seed 1$"):
        described(folder, HEAD + text)


def assert_same_networks(jobs, out, swept):
    """All runs of a sweep are bit for bit those that ran undisturbed."""
    for job in jobs.jobs:
        mine, theirs = (load_run(folder / job.folder).weights() for folder in (out, swept[1]))
        assert all(map(np.array_equal, mine, theirs))


def test_every_run_is_the_one_that_fit_makes_and_the_table_tells_of_it(swept, folder):
    jobs, out = swept
    rows = read_table(out / TABLE)
    assert [row["group"] for row in rows] == ["dale", "dale", "free", "mute"]
    assert [row["excitatory_share"] for row in rows] == ["0.75", "0.75", "", "0.75"]
    assert {row["hidden"] for row in rows} == {"[12, 10]"}
    alone = fit(jobs.jobs[1].config, 2, folder / "alone", progress=False)
    run = load_run(out / jobs.jobs[1].folder)
    assert all(map(np.array_equal, alone.weights(), run.weights()))
    told = {
        "test_accuracy": alone.metrics["test_accuracy"],
        "decision_time": alone.metrics["decision_time_median"],
        "cpu_minutes": np.nansum(run.history["cpu_seconds"]) / 60,
    }
    assert {name: float(rows[1][name]) for name in told} == pytest.approx(told, 1e-3)
    widths = [float(rows[1][f"width_{i}"]) for i in range(3)]
    assert widths == pytest.approx(equal_count_widths(run), 1e-3, nan_ok=True)
    assert len(equal_count_widths(run, 4)) == 3


def test_a_sweep_runs_from_a_notebook_and_returns_its_table(swept, capsys):
    jobs, out = swept
    jobs = dataclasses.replace(jobs, jobs=jobs.jobs[:3])
    assert jobs.run(shutil.copytree(out, out.parent / "copy")) == read_table(out / TABLE)[:3]
    assert "9/9" in capsys.readouterr().err


def test_a_run_that_breaks_down_is_recorded_and_stops_nobody(swept):
    jobs, out = swept
    stages = status(jobs.jobs, out)
    assert [job.group for job in stages["failed"]] == ["mute"]
    assert stages["finished"] == jobs.jobs[:3]
    *good, mute = read_table(out / TABLE)
    assert ({row["error"] for row in good}, mute["weights"]) == ({""}, "")
    assert "no output neuron fired in epoch 1" in mute["error"]


def test_what_is_finished_is_not_trained_again(swept, folder, monkeypatch):
    out = shutil.copytree(swept[1], folder / "again")
    jobs = described(folder, TWO_GROUPS)
    before = {p: p.read_bytes() for p in out.glob("*/metrics.json")}
    table = read_table(out / TABLE)
    monkeypatch.setattr(_workers, "train", None)  # to call it would fail
    assert read_table(run_sweep(jobs, out, progress=False)) == table[:3]
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("name", ["weights.safetensors", "history.csv", "metrics.json"])
def test_a_run_that_is_damaged_is_recorded_and_stops_nobody(swept, folder, capsys, name):
    out = shutil.copytree(swept[1], folder / "out")
    jobs = described(folder, TWO_GROUPS)
    harmed = out / jobs.jobs[1].folder / name
    whole = harmed.read_bytes()
    harmed.write_bytes(whole[: len(whole) // 2])
    before = read_table(out / TABLE)
    command = ["sweep", str(folder / "sweep.toml"), "--out", str(out), "--quiet"]
    assert cli.main(command) == 1
    said = capsys.readouterr()
    assert said.err == "ttfs: 1 of 3 trainings failed\n"
    assert f"{jobs.jobs[1].folder}: failed with: " in said.out
    after = read_table(out / TABLE)
    assert [after[0], after[2]] == [before[0], before[2]]
    assert harmed.parent.name in after[1]["error"]
    assert after[1]["weights"] == ""
    harmed.write_bytes(whole)
    assert read_table(run_sweep(jobs, out, progress=False)) == before[:3]
    assert not list((out / "failures").glob("*-dale-*"))


def test_a_run_whose_settings_are_damaged_is_a_failure_too(swept, folder):
    out = shutil.copytree(swept[1], folder / "out")
    jobs = described(folder, TWO_GROUPS)
    (out / jobs.jobs[0].folder / "config.toml").write_bytes(b"epochs = \xff")
    first, *others = read_table(run_sweep(jobs, out, progress=False))
    assert "config.toml is damaged" in first["error"]
    assert all(row["weights"] for row in others)


def test_a_pipe_in_the_place_of_a_checkpoint_is_not_waited_for(folder):
    jobs = described(folder, TWO_GROUPS)
    place = folder / "out" / jobs.jobs[0].folder
    place.mkdir(parents=True)
    make_pipe(place / "checkpoint.safetensors")
    assert report(jobs, folder / "out") == "0 finished, 0 failed, 0 begun, 3 waiting"


@pytest.mark.parametrize("text", ["mine,other\n1,2\n", "mine,other\n"])
def test_a_table_of_somebody_else_is_not_written_over(swept, folder, text):
    table = folder / TABLE
    table.write_text(text)
    said = r"sweep\.csv must be a table that `ttfs sweep` wrote, got the columns \['mine'"
    with pytest.raises(ValueError, match=said):
        run_sweep(described(folder, HEAD), folder, progress=False)
    with pytest.raises(ValueError, match=said):
        merge([swept[1]], folder)
    assert table.read_text() == text


def test_a_table_that_has_grown_during_the_sweep_is_not_written_over(swept, folder, monkeypatch):
    table = folder / "out" / TABLE
    monkeypatch.setattr(_workers, "_run_here", lambda *_: shutil.copy(swept[1] / TABLE, table))
    with pytest.raises(ValueError, match=r"^out holds a table with 1 networks that would be lost"):
        run_sweep(described(folder, FEWER), folder / "out", progress=False)
    assert read_table(table) == read_table(swept[1] / TABLE)


OTHER = TWO_GROUPS.replace("signs", "other")
CHANGED = TWO_GROUPS + "epochs = 4\n"
FEWER = TWO_GROUPS.replace("[1, 2]", "[2]")


@pytest.mark.parametrize(("text", "lost"), [(OTHER, 3), (CHANGED, 1), (FEWER, 1)])
def test_another_sweep_in_the_same_folder_is_refused(swept, folder, text, lost):
    _, out = swept
    before = {name: (out / name).read_bytes() for name in ("sweep.toml", TABLE)}
    with pytest.raises(ValueError, match=rf"^out holds the sweep 'signs', of which {lost} tr"):
        run_sweep(described(folder, text), out, progress=False)
    assert {name: (out / name).read_bytes() for name in before} == before


def test_a_pooled_table_is_not_written_over(swept, folder):
    _, out = swept
    merge([out], folder / "all")
    theirs = table_of(folder / "theirs", read_table(out / TABLE), seed="7", weights="another")
    with pytest.raises(ValueError, match=r"^out holds a table with 2 networks that would be lost"):
        run_sweep(described(folder, OTHER.replace("[1, 2]", "[8]")), folder / "all", progress=False)
    with pytest.raises(ValueError, match=r"^out holds a table with 1 networks that would be lost"):
        merge([theirs], folder / "all")
    assert not (folder / "all" / "configs").exists()


def test_a_sweep_that_grows_goes_on_in_its_folder(swept, folder, monkeypatch):
    """More seeds, more groups; a group that failed may go, and so may seeds that never began."""
    out = shutil.copytree(swept[1], folder / "out")
    monkeypatch.setattr(_workers, "train", lambda *_: "not now")
    grown = TWO_GROUPS.replace("[1, 2]", "[1, 2, 3]") + "[groups.four]\nepochs = 4\n"
    rows = read_table(run_sweep(described(folder, grown), out, progress=False))
    assert [bool(row["weights"]) for row in rows] == [True, True, False, True, False, False, False]
    rows = read_table(run_sweep(described(folder, TWO_GROUPS), out, progress=False))
    assert all(row["weights"] for row in rows)


def test_a_grid_that_grows_goes_on_in_its_folder(folder, monkeypatch):
    monkeypatch.setattr(_workers, "train", lambda *_: "not now")
    for epochs in ([1], [1, 2]):
        jobs = described(folder, HEAD + f"[grid]\nepochs = {epochs}")
        assert len(read_table(run_sweep(jobs, folder / "out", progress=False))) == len(epochs)


def test_a_folder_with_a_null_byte_is_named(folder):
    with pytest.raises(ValueError, match=r"^out must be a path without null bytes, got str 'o"):
        run_sweep(described(folder, HEAD), "o\0")


def test_a_pooled_table_needs_a_folder_and_not_a_file(swept, folder):
    file = folder / "file.csv"
    file.write_text("")
    with pytest.raises(OSError, match=r"^cannot make the folder .*file\.csv: File exists$"):
        merge([swept[1]], file)


@pytest.mark.parametrize("n_workers", [0, -1, 1.5, "two"])
def test_no_workers_are_not_all_of_them(folder, n_workers):
    with pytest.raises(ValueError, match=r"^n_workers must be "):
        run_sweep(described(folder, TWO_GROUPS), folder / "out", n_workers=n_workers)
    assert not (folder / "out").exists()


def test_a_run_of_other_settings_does_not_pass_for_the_one_that_is_asked_for(swept, folder):
    _, out = swept
    changed = described(folder, TWO_GROUPS + "epochs = 4\n")
    assert [job.group for job in status(changed.jobs, out)["finished"]] == ["dale", "dale"]


def test_the_status_tells_what_is_where(swept, folder, capsys):
    _, out = swept
    (folder / "sweep.toml").write_text(TWO_GROUPS.replace("[1, 2]", "[1, 2, 3]") + MUTE)
    assert cli.main(["sweep", str(folder / "sweep.toml"), "--out", str(out), "--status"]) == 0
    first, failed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"3 finished, 1 failed, 0 begun, 1 waiting; about \d+ CPU minutes left", first
    )
    assert failed.startswith("signs-mute-seed1: failed with: ttfs: no output neuron fired")


def test_a_sweep_in_which_trainings_fail_ends_in_one_line(swept, capsys, monkeypatch):
    jobs, out = swept
    jobs.keep(out)
    monkeypatch.setattr(_workers, "train", lambda *_: "it broke")
    assert cli.main(["sweep", "--out", str(out), "--quiet"]) == 1
    assert capsys.readouterr().err == "ttfs: 1 of 4 trainings failed\n"


def trainings_in(folder):
    """Process ids of the trainings whose command names this folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"train" in words and any(word.startswith(bytes(folder)) for word in words):
            found.append(int(command.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_killed_trainings_go_on_and_end_in_the_same_weights(swept, folder):
    """Wherever they are: starting, between two epochs, or writing."""
    jobs = described(folder, TWO_GROUPS.replace("[1, 2]", "[2]"))
    rng, kills = random.Random(0), 0
    sweeping = in_a_thread(run_sweep, jobs, folder / "out", n_workers=2, progress=False)
    while sweeping.is_alive() and kills < 3:
        time.sleep(rng.uniform(0.5, 4))
        if running := trainings_in(folder):
            os.kill(rng.choice(running), signal.SIGKILL)
            kills += 1
    sweeping.join()
    assert kills
    assert_same_networks(jobs, folder / "out", swept)


def in_a_thread(call, *arguments, **options):
    thread = threading.Thread(target=call, args=arguments, kwargs=options)
    thread.start()
    return thread


def test_two_sweeps_in_one_folder_share_the_work(swept, folder):
    """Each training is done once; the second sweep takes what the first is not yet at."""
    jobs = described(folder, TWO_GROUPS.replace("[1, 2]", "[2]"))
    both = [
        in_a_thread(run_sweep, jobs, folder / "out", n_workers=1, progress=False) for _ in range(2)
    ]
    for sweeping in both:
        sweeping.join()
    assert_same_networks(jobs, folder / "out", swept)


def folder_in(command):
    """Name of the folder that a training's command writes."""
    return Path(command[command.index("--out") + 1]).name


def test_a_job_in_use_is_left_alone_until_its_folder_is_free(folder, monkeypatch):
    jobs = described(folder, TWO_GROUPS)
    started = []
    monkeypatch.setattr(_workers, "_stoppable", lambda command: started.append(command) or DONE)
    busy, *others = jobs.jobs
    with _folder.held(folder / "out" / busy.folder):
        sweeping = in_a_thread(_workers._run_here, jobs.jobs, folder / "out", 1)
        while len(started) < len(others):
            time.sleep(0.01)
        assert sweeping.is_alive()
        assert [folder_in(command) for command in started] == [job.folder for job in others]
    sweeping.join()
    assert folder_in(started[-1]) == busy.folder


DONE = subprocess.CompletedProcess([], 0, "", "")


def test_a_training_that_is_always_killed_is_given_up(folder, monkeypatch):
    (job, *_) = described(folder, TWO_GROUPS).jobs
    killed = subprocess.CompletedProcess([], -signal.SIGKILL, "", "")
    monkeypatch.setattr(_workers, "_stoppable", lambda _: killed)
    said = _workers.train(*_workers._arguments(job, folder / "out"))
    assert said == "killed 5 times, last by signal 9"


def table_of(folder, rows, **changes):
    """A table with the rows of another, some values of the first one changed."""
    folder.mkdir()
    (folder / "out.csv").write_text(_csv([rows[0] | changes, *rows[1:]]))
    return folder / "out.csv"


def test_tables_are_pooled_and_the_same_training_counts_once(swept, folder):
    _, out = swept
    mine = read_table(out / TABLE)
    theirs = table_of(folder / "theirs", mine, seed="7", weights="another", group="ours")
    pooled = read_table(merge([out, theirs, out], folder / "all"))
    assert [row["weights"] for row in pooled] == [*(row["weights"] for row in mine), "another"]
    assert pooled[-1]["group"] == "ours"


def test_a_finished_training_stands_for_one_that_is_not(swept, folder):
    _, out = swept
    mine = read_table(out / TABLE)
    unfinished = table_of(folder / "theirs", mine, weights="", test_accuracy="")
    for tables in ([unfinished, out], [out, unfinished]):
        assert read_table(merge(tables, folder / "all")) == mine


def test_settings_that_did_not_exist_when_a_table_was_written_had_their_default(swept, folder):
    _, out = swept
    mine = read_table(out / TABLE)
    older = [{k: v for k, v in row.items() if k != "delays"} for row in mine]
    assert len(read_table(merge([out, table_of(folder / "old", older)], folder / "all"))) == 4
    delayed = table_of(folder / "delayed", mine, delays="True", weights="another")
    assert len(read_table(merge([out, delayed], folder / "all"))) == 5


def test_tables_that_contradict_each_other_are_refused_in_one_line(swept, folder, capsys):
    _, out = swept
    other = table_of(folder / "theirs", read_table(out / TABLE), weights="another")
    command = ["sweep", "--merge", str(out), str(other), "--out", str(folder / "all")]
    assert cli.main(command) == 1
    assert capsys.readouterr().err == (
        f"ttfs: {out / TABLE} and {other} hold different networks for the same settings and seed, "
        "group dale, seed 1: leave one of them out\n"
    )
    assert not (folder / "all").exists()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, OSError, r"holds no sweep\.csv"),
        (b"a,b\n1,2\n", ValueError, "must be a table that `ttfs sweep` wrote"),
        (
            b"a,b\n" + b"x" * 200_000 + b",2\n",
            ValueError,
            "sweep.csv must be a table: field larger",
        ),
        (b"a,b\n1\n", ValueError, "sweep.csv must have an entry for each column, got others in "),
        (b"a,b\n1,2,3\n", ValueError, "sweep.csv must have an entry for each column"),
        (b"\x89PNG\r\n\xff", ValueError, "sweep.csv must be text in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(folder, text, error, message):
    if text:
        (folder / TABLE).write_bytes(text)
    with pytest.raises(error, match=message):
        merge([folder], folder / "all")


def test_a_full_disk_is_one_line_and_the_sweep_goes_on_when_there_is_room(folder, small_disk):
    jobs = described(folder, TWO_GROUPS.replace("[1, 2]", "[1]").partition("[groups.free]")[0])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(250_000))
    with pytest.raises(OSError, match="cannot write"):
        run_sweep(jobs, small_disk / "out", progress=False)
    ballast.unlink()
    run_sweep(jobs, small_disk / "out", progress=False)
    assert status(jobs.jobs, small_disk / "out")["finished"] == jobs.jobs


CLUSTER = """
import sys, time
from distributed import LocalCluster
options = {"dashboard_address": None, "worker_dashboard_address": None, "protocol": "tcp"}
if __name__ == "__main__":
    with LocalCluster(1, 2, processes=False, scheduler_port=int(sys.argv[1]), **options):
        time.sleep(300)
"""


@pytest.fixture
def cluster(tmp_path):
    """Start a dask scheduler with one worker, in a process that may be killed, at one address."""
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = []

    def start():
        command = [sys.executable, "-c", CLUSTER, str(port)]
        started.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL))
        return started[-1]

    yield f"tcp://127.0.0.1:{port}", start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.filterwarnings("default")
def test_a_cluster_makes_the_same_runs_even_if_its_scheduler_dies_and_comes_back(
    swept, folder, cluster
):
    address, start = cluster
    jobs = described(folder, TWO_GROUPS.replace("[1, 2]", "[2]"))
    first = start()
    sweeping = in_a_thread(run_sweep, jobs, folder / "out", scheduler=address, progress=False)
    while not trainings_in(folder):
        assert sweeping.is_alive()
        time.sleep(0.05)
    first.kill()
    first.wait()
    start()
    sweeping.join()
    assert_same_networks(jobs, folder / "out", swept)


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_one_line(folder, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(_workers, "CONNECT_S", 1)
    jobs = described(folder, TWO_GROUPS)
    with pytest.raises(OSError, match=r"^scheduler tcp://127\.0\.0\.1:9 cannot be reached"):
        run_sweep(jobs, folder / "out", scheduler="tcp://127.0.0.1:9", progress=False)

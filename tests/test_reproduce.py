"""What is published can be made again, and what is made again is held to what is published."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ttfslib import _checkout, cli, load_run
from ttfslib.experiment.sweep import KEPT
from ttfslib.experiment.table import TABLE, _csv

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {"dataset.name": "digits", "hidden": "[4]", "weights": "a", "error": ""}


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import reproduce

    return reproduce


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        import reproduce

        return reproduce.entries()


def altered(run, processor="another", **metrics):
    """A run with other weights, made on another processor, and with other results."""
    tensors = {name: array + np.float16(1) for name, array in run._tensors.items()}
    versions = run.metrics["versions"] | {"processor": processor}
    changed = run.metrics | {"versions": versions} | metrics
    return dataclasses.replace(run, metrics=changed, _tensors=tensors)


def test_everything_in_the_book_and_in_data_has_a_row(rows):
    kept = [row.files for row in rows]
    files = [p for p in (ROOT / "data").rglob("*") if p.is_file() and p.name != "README.md"]
    named = {p: any(p.relative_to(ROOT).as_posix().startswith(k) for k in kept) for p in files}
    sources = {KEPT, "base.toml"}  # of the tables beside them
    assert [p for p, known in named.items() if not known and p.name not in sources] == []
    chapters = {path.stem for path in (ROOT / "chapters").glob("ch*.ipynb")}
    assert chapters == {row.name for row in rows if row.kind == "chapter"}
    assert len({row.name for row in rows}) == len(rows)


def test_every_figure_and_every_time_is_told(rows):
    for row in rows:
        if row.kind == "chapter":
            notebook = json.loads((ROOT / "chapters" / f"{row.name}.ipynb").read_text())
            metadata = [cell["metadata"].get("mystnb", {}) for cell in notebook["cells"]]
            named = [m["figure"]["name"] for m in metadata if "figure" in m]
            assert named
            assert f"`{named[0]}` to {{numref}}`{named[-1]}`" in row.shows
        if row.remake:
            assert row.minutes > 0


def test_what_fits_is_what_is_quickest(tool, rows):
    chosen = tool.within(tool.HOUR, rows)
    left = [row for row in rows if row.remake and row not in chosen]
    assert 0 < sum(row.minutes for row in chosen) <= tool.HOUR
    assert max(row.minutes for row in chosen) <= min(row.minutes for row in left)
    assert tool.within(0, rows) == []


@pytest.mark.slow
def test_a_network_is_trained_again_to_the_same_bits(tool, tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "data" / "runs" / "tiny-seed3")
    (row,) = tool.networks(tmp_path)
    assert row.name == "tiny-seed3"
    assert row.remake(tmp_path / "again") == []
    again = load_run(tmp_path / "again")
    assert all(map(np.array_equal, again.weights(), tiny_run.weights()))


def test_the_same_bits_need_no_tolerance(tool, tiny_run):
    worse = dataclasses.replace(tiny_run, metrics=tiny_run.metrics | {"test_accuracy": 0.0})
    assert tool.differences(worse, tiny_run, [tiny_run]) == []


def test_other_bits_are_refused_where_versions_and_processor_agree(tool, tiny_run):
    same = altered(tiny_run, tiny_run.metrics["versions"]["processor"])
    assert tool.differences(same, tiny_run, [tiny_run]) == [
        "the weights differ although versions and processor agree"
    ]
    assert tool.differences(altered(tiny_run), tiny_run, [tiny_run]) == []


def test_accuracy_and_widths_are_held_to_those_of_the_seeds(tool, tiny_run):
    right = tiny_run.metrics["test_accuracy"]
    twins = [altered(tiny_run, test_accuracy=right + d) for d in (-0.01, 0, 0.01)]
    assert tool.differences(altered(tiny_run, test_accuracy=right + 0.1), tiny_run, twins) == []
    low, high = tool.accuracy_interval([right - 0.01, right, right + 0.01])
    (said,) = tool.differences(altered(tiny_run, test_accuracy=right - 0.2), tiny_run, twins)
    assert said == f"accuracy {right - 0.2:.2%} is not between {low:.2%} and {high:.2%}"
    shipped, remade = (
        {"layers": tiny_run.metrics["layers"] | {"shorth": widths}}
        for widths in ([0.2, 0.4, 0.1, None], [0.25, 0.8, 0.05, None])
    )
    twin = dataclasses.replace(tiny_run, metrics=tiny_run.metrics | shipped)
    found = tool.differences(altered(tiny_run, **remade), twin, [twin])
    assert [line[:20] for line in found] == [
        "width 0.800 of layer",
        "width 0.050 of layer",
    ]


def test_a_further_seed_falls_into_the_interval_as_often_as_it_says(tool):
    rng = np.random.default_rng(0)
    draws = rng.normal(0.9, 0.01, (2000, 4))
    inside = [
        low <= new <= high for *known, new in draws for low, high in [tool._interval(known, 0)]
    ]
    assert np.mean(inside) == pytest.approx(tool.LEVEL, abs=0.007)


def test_a_table_is_held_to_the_spread_of_its_seeds(tool):
    shipped = [
        {"change": "none", "seed": str(seed), "accuracy": f"{0.9 + seed / 100}"}
        for seed in (1, 2, 3)
    ]
    within = [row | {"accuracy": str(float(row["accuracy"]) + 0.015)} for row in shipped]
    beyond = [shipped[0] | {"accuracy": "0.85"}, *shipped[1:]]
    broken = [shipped[0] | {"accuracy": "nan"}, *shipped[1:]]
    assert tool.table_differences(shipped, shipped) == tool.table_differences(within, shipped) == []
    assert tool.table_differences(beyond, shipped) == ["none, seed 1: accuracy 0.85"]
    assert tool.table_differences(broken, shipped) == ["none, seed 1: accuracy nan"]


def sweep_row(seed, accuracy, **changes):
    told = {"group": "dale", **SETTINGS, "seed": str(seed), "cpu_minutes": "0.5"}
    return told | {"test_accuracy": str(accuracy)} | changes


def test_a_sweep_is_held_to_its_groups(tool, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    (folder / KEPT).write_text('name = "small"\nbase = "digits-dale"\nseeds = [1, 2, 3]\n')
    shipped = [sweep_row(seed, 0.9 + seed / 100) for seed in (1, 2, 3)]
    (folder / TABLE).write_text(_csv(shipped))
    (row,) = tool.sweeps(tmp_path)
    assert (row.shows, row.minutes) == ("3 networks in 1 groups", 1.5)

    def remade(*new):
        (tmp_path / "new.csv").write_text(_csv(new))
        monkeypatch.setattr(tool, "run_sweep", lambda *_: tmp_path / "new.csv")
        return row.remake(tmp_path / "out")

    assert remade(*shipped) == remade(sweep_row(1, 0.93, weights="b")) == []
    (said,) = remade(sweep_row(1, 0.6, weights="b"))
    assert said.startswith("dale, seed 1: accuracy 0.6 is not 0.8")
    assert remade(sweep_row(1, 0, weights="", error="broke")) == ["dale, seed 1: broke"]
    foreign = sweep_row(1, 0.9, weights="b", hidden="[5]")
    assert remade(foreign) == ["dale, seed 1: it is not in the shipped table"]


def test_what_comes_out_is_told_in_a_line(tool, rows, tmp_path, capsys):
    def unavailable(_):
        raise OSError("MNIST is not here")

    row = dataclasses.replace(rows[0], name="row")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left")

    def broken(_):
        subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)

    ways = (lambda _: [], lambda _: ["worse"], unavailable, None, full, broken)
    rows = [dataclasses.replace(row, remake=way) for way in ways]
    outcomes = [tool.remake(each, tmp_path) for each in rows]
    assert outcomes == [*tool.OUTCOMES, "not compared", "differs", "differs"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("row: as published (")
    assert said[1].startswith("row: differs: worse (")
    assert said[2] == "row: not compared; MNIST is not here"
    assert said[3] == f"row: not compared; {row.shows}"
    assert "No space left" in said[4]
    assert "returned non-zero exit status 3" in said[5]


def test_the_command_lists_remakes_and_refuses(tool, rows, monkeypatch, capsys):
    monkeypatch.setattr(tool, "entries", lambda: rows)
    names = "ch01_one_neuron", "ch02_causal_set", "ch03_gradient"
    outcomes = dict(zip(names, tool.OUTCOMES, strict=True))
    monkeypatch.setattr(tool, "remake", lambda row, _: outcomes[row.name])
    cases = {("--list",): 0, names[2:]: 1, names[::2]: 0, names: 1}
    for words, code in cases.items():
        monkeypatch.setattr("sys.argv", ["reproduce", *words])
        assert tool.main() == code
    listed, *_, none, some, every = capsys.readouterr().out.splitlines()
    assert listed.startswith("ch01_one_neuron")
    assert none == "0 as published; 0 differs; 1 not compared"
    assert some == "1 as published; 0 differs; 1 not compared"
    assert every == "1 as published; 1 differs; 1 not compared"
    monkeypatch.setattr("sys.argv", ["reproduce", "ch99"])
    with pytest.raises(SystemExit):
        tool.main()
    assert "NAME must be one of ch01_one_neuron" in capsys.readouterr().err


def test_ttfs_reproduce_runs_the_tool_of_the_book(monkeypatch):
    called = []

    def run(command, **_):
        called.append(command)
        return type("Done", (), {"returncode": len(called) - 1})

    monkeypatch.setattr(cli.subprocess, "run", run)
    assert cli.main(["reproduce", "ch01_one_neuron", "--list"]) == 0
    assert called[0][1:] == [str(ROOT / "tools" / "reproduce.py"), "ch01_one_neuron", "--list"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["reproduce"])
    assert ended.value.code == 1


def test_without_the_book_nothing_is_remade(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_checkout, "__file__", str(tmp_path / "ttfslib" / "a.py"))
    assert cli.main(["reproduce"]) == 1
    assert capsys.readouterr().err.startswith(
        "ttfs: the book First Spikes is not here: clone its repository"
    )


def test_the_table_of_peers_tells_times_and_errors(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import appendix_tables

    row = {"name": "ours", "version": "1", "batch": 8, "ms": 0.5, "threads": 1}
    row |= {"error_first": 0.0, "error_last": 0.0123, "disagree_last": 0.0625}
    lost = [{"name": "lost", "threads": n, "failed": "no"} for n in (1, 2)]
    rows = [row, row | {"threads": 2, "ms": 0.25}, *lost]
    about = {"sizes": [3, 2], "data": "MNIST", "machine": "a processor", "versions": {"jax": "1"}}
    about["load"] = 0.1
    lines = appendix_tables.peers_table({**about, "rows": rows})
    assert lines[2] == "| ours | 1 | 8 | 0.50 ms | 0.25 ms | none | 0.01 | 6.2 % |"
    assert lines[3].startswith("| lost | – |")
    assert lines[-1] == (
        "Network: 3–2, on MNIST; processor: a processor; jax 1; load of the machine before: 0.1."
    )
    assert appendix_tables._cells(_nothing())[3] == "–"


def test_the_table_of_pages_tells_frames_costs_and_memory(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import appendix_tables

    cost = {"median": 1.04, "p95": 2.0, "p99": 3.0}
    found = [
        {"minute": i, "heap_mb": 4.0 + i, "worker_mb": 1.5, "nodes": 800 + i, "listeners": 9}
        for i in range(4)
    ]
    row = {"moves": 90, "script_ms": cost, "busy_ms": cost, "memory": found}
    row["frame_ms"] = {"median": 16.7, "p95": 16.7, "p99": 33.4}
    about = {"machine": "a processor", "chromium": "1.2", "load": 0.1, "minutes": 3.0}
    lines = appendix_tables.pages_table({**about, "pages": {"draw": row}})
    assert lines[2] == (
        "| draw | 90 | 60 (30) | 1.0 ms (3.0) | 1.0 ms (3.0) | 6.5 → 8.5 MB | 801 → 803 | 9 → 9 |"
    )
    assert lines[-1] == (
        "3 minutes a page; Chromium 1.2; processor: a processor; load of the machine before: 0.1."
    )


def _nothing():
    import reproduce

    return reproduce.Entry("a", "table", "b", "–", "c", math.nan, "–", None)

"""What is published can be made again, and what is made again is held to what is published."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import agreement
import data_readme
import numpy as np
import pytest
import tables
from mnist import need_mnist

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


def test_everything_in_the_book_and_in_data_has_a_row(rows):
    kept = {place: row for row in rows for place in row.files.split("; ")}
    sources = {KEPT, "base.toml"}  # of the tables beside them
    for path in (p for p in (ROOT / "data").rglob("*") if p.is_file() and p.name != "README.md"):
        place = path if "runs" not in path.parts else path.parent
        assert place.relative_to(ROOT).as_posix() in kept or path.name in sources
    chapters = {path.stem for path in (ROOT / "chapters").glob("ch*.ipynb")}
    assert chapters == {row.name for row in rows if row.kind == "chapter"}
    assert len({row.name for row in rows}) == len(rows)


def test_what_is_not_compared_says_why(rows):
    told = {row.name: row.tolerance for row in rows if row.remake is None}
    assert set(told) == {"peers", "pages", "reference/paper_packets", "reference/paper_networks"}
    assert all(said.startswith("not compared: ") and len(said) > 30 for said in told.values())
    assert not any("not compared" in row.tolerance for row in rows if row.remake)


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


def sweep_row(seed, accuracy, **changes):
    told = {"group": "dale", **SETTINGS, "seed": str(seed), "cpu_minutes": "0.5"}
    return told | {"test_accuracy": str(accuracy)} | changes


@pytest.fixture
def small(tmp_path):
    """A shipped sweep of three networks: its folder and its rows."""
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    (folder / KEPT).write_text('name = "small"\nbase = "digits-dale"\nseeds = [1, 2, 3]\n')
    networks = [sweep_row(seed, 0.9 + seed / 100) for seed in (1, 2, 3)]
    (folder / TABLE).write_text(_csv(networks))
    return folder, networks


def test_a_sweep_is_held_to_its_groups(tool, small, tmp_path, monkeypatch):
    _, shipped = small
    (row,) = tool.sweeps(tmp_path)
    assert (row.shows, row.minutes) == ("3 networks in 1 groups", 1.5)

    def remade(*new):
        (tmp_path / "new.csv").write_text(_csv(new))
        monkeypatch.setattr(tool, "run_sweep", lambda *_: tmp_path / "new.csv")
        return row.remake(tmp_path / "out")

    rest = shipped[1:]
    assert remade(*shipped) == remade(sweep_row(1, 0.93, weights="b"), *rest) == []
    assert remade(sweep_row(1, 0.1, weights="b"), *rest) == [
        "dale, seed 1: test_accuracy 0.1 is far outside",
        "test_accuracy: the mean of all networks is off by -0.82",
    ]
    failed = sweep_row(1, 0, weights="", error="broke")
    assert remade(failed, *rest) == ["dale, seed 1: broke"]
    assert remade(sweep_row(1, 0.9, weights="b", hidden="[5]"), *rest) == [
        "1 of 3 networks are missing",
        "dale, seed 1: it is not in the shipped table",
    ]


def test_the_layers_of_a_sweep_are_measured_again(tool, small, tmp_path, monkeypatch):
    folder, networks = small
    layers = [
        {"group": "dale", "seed": str(seed), "layer": str(i), "width": f"{0.2 + seed / 100 + i}"}
        for seed in (1, 2, 3)
        for i in (0, 1)
    ]
    write(folder / tool.LAYERS, layers)
    (row,) = tool.sweeps(tmp_path)
    assert row.files == "data/small/sweep.csv; data/small/layers.csv"
    assert row.command.endswith("; python tools/ensemble.py DIR data/small/layers.csv")
    seen = []

    def remade(layers, networks=networks):
        (tmp_path / "new.csv").write_text(_csv(networks))
        monkeypatch.setattr(tool, "run_sweep", lambda *_: tmp_path / "new.csv")
        monkeypatch.setattr(
            tool.ensemble, "measure", lambda source, out: (seen.append(source), write(out, layers))
        )
        return row.remake(tmp_path)

    last = [*layers[:-1], layers[-1] | {"width": "1.231"}]
    assert remade(layers) == []
    assert seen == [str(tmp_path)]
    assert remade(last) == ["dale 3 1: width 1.231 and not 1.23"]
    others = [network | {"weights": "b"} for network in networks]
    assert remade(last, others) == []
    said = remade([*layers[:-1], layers[-1] | {"width": "1.9"}], others)
    assert said[0] == "dale, seed 3, layer 1: width 1.9 is far outside"


def write(path, rows):
    """A table of these rows."""
    tables.write(path, list(rows[0]), [row.values() for row in rows])


MEASURED = [name for name, made in data_readme.MADE_BY.items() if made.n_names]


@pytest.mark.parametrize("name", MEASURED)
def test_a_table_is_measured_again_in_another_place(tool, rows, tmp_path, monkeypatch, name):
    (row,) = (row for row in rows if row.files == f"data/{name}")
    assert row.tolerance == tool.AS_PRINTED
    shipped = ROOT / "data" / name
    head, first, *rest = shipped.read_text(encoding="utf-8").splitlines(keepends=True)
    commands, remade = [], tmp_path / shipped.name

    def run(command, **_):
        commands.append(command)
        remade.write_text(head + written + "".join(rest), encoding="utf-8")

    monkeypatch.setattr(tool, "fetchers", lambda: dict.fromkeys(data_readme.BOTH, list))
    monkeypatch.setattr(tool.subprocess, "run", run)
    monkeypatch.setattr(tool, "versions", lambda: data_readme.AS_PRINTED_WITH)
    written = first
    assert row.remake(tmp_path) == []
    written = first.rstrip("\n") + "1\n"
    (said,) = row.remake(tmp_path)
    assert said.endswith(f" and not {next(csv.reader([first]))[-1]}")
    written = ""
    assert row.remake(tmp_path)
    assert all(c[0] == sys.executable and (ROOT / c[1]).is_file() for c in commands)
    assert all(c[-1] == str(remade) and f"data/{name}" not in c for c in commands)


def test_a_table_whose_data_are_missing_is_not_compared(tool, rows, tmp_path, monkeypatch, capsys):
    def missing():
        raise OSError("MNIST is not here")

    monkeypatch.setattr(tool, "fetchers", lambda: {"mnist": missing})
    monkeypatch.setattr(tool.subprocess, "run", lambda *_, **__: pytest.fail("it cannot run"))
    (row,) = (row for row in rows if row.name == "robustness_mnist")
    assert tool.remake(row, tmp_path) == tool.NOT_COMPARED
    assert capsys.readouterr().out == "robustness_mnist: not compared; MNIST is not here\n"


@pytest.mark.parametrize(
    ("processor", "accuracy", "is_same"),
    [
        (data_readme.AS_PRINTED_WITH["processor"], "0.9879", False),
        ("another", "0.9879", True),
        ("another", "0.9778", False),
    ],
)
def test_on_another_processor_rounding_is_allowed_for(
    tool, rows, tmp_path, monkeypatch, processor, accuracy, is_same
):
    (row,) = (row for row in rows if row.name == "plain_training")
    text = (ROOT / row.files).read_text(encoding="utf-8")
    assert "0.9878" in text
    found = text.replace("0.9878", accuracy)
    versions = data_readme.AS_PRINTED_WITH | {"processor": processor}
    monkeypatch.setattr(tool, "versions", lambda: versions)
    monkeypatch.setattr(tool, "fetchers", lambda: {"mnist": list})
    monkeypatch.setattr(tool, "_run", lambda *given: given[-1].write_text(found))
    assert (row.remake(tmp_path) == []) == is_same


def test_a_tool_measures_the_rows_that_ship(tool, tmp_path, monkeypatch):
    need_mnist()
    import robustness

    first, *_ = robustness.rows()
    monkeypatch.setattr(robustness, "rows", lambda: [first])
    robustness.main(tmp_path / "again.csv")
    again, shipped = tool._rows(tmp_path / "again.csv"), tool._rows(robustness.TABLE)
    assert agreement.printed_differences(again, shipped[:1], 4, exact=False) == []


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
    estimated = dataclasses.replace(_nothing(), minutes=61.4, is_estimate=True)
    assert (estimated.time, dataclasses.replace(estimated, is_estimate=False).time) == (
        "about 61",
        "61.4",
    )


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

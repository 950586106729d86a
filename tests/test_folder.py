"""The folder of a training: one at a time, whoever dies, and nothing left behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from ttfslib import fit, load_run
from ttfslib.experiment import _folder

HOLDING = """
import sys, time
from pathlib import Path
from ttfslib.experiment._folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def start_holder(path):
    """Hold a folder in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture(scope="module")
def config(tiny_config):
    return dataclasses.replace(tiny_config, epochs=1, n_validation=1337, kept_epochs=())


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(path):
    with pytest.raises(OSError, match=r"^") as caught, _folder.held(path):
        pass
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("resume", [False, True])
def test_the_second_training_is_refused_and_told_who_holds_the_folder(config, tmp_path, resume):
    out = tmp_path / "run"
    with start_holder(out) as process:
        with pytest.raises(OSError, match=r" is in use by process ") as caught:
            fit(config, 1, out, resume=resume, progress=False)
        node = os.uname().nodename
        assert str(caught.value) == (
            f"{out} is in use by process {process.pid} on {node}: wait for it, or choose another "
            "folder"
        )
        assert names_in(out) == [_folder.LOCK], "whoever is refused leaves everything alone"
        process.kill()


def test_the_lock_of_a_killed_process_keeps_nobody_out(config, tmp_path):
    out = tmp_path / "run"
    with start_holder(out) as process:
        os.kill(process.pid, signal.SIGKILL)
    assert names_in(out) == [_folder.LOCK], "the file is still there"
    assert names_in(fit(config, 1, out, progress=False).path) == [
        "config.toml",
        "history.csv",
        "metrics.json",
        "weights.safetensors",
    ]


def test_within_one_process_too_only_one_holds_a_folder(tmp_path):
    with _folder.held(tmp_path):
        assert f" is in use by process {os.getpid()} on " in refusal(tmp_path)
    with _folder.held(tmp_path):
        pass


def test_what_was_not_there_is_not_left(tmp_path):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), _folder.held(tmp_path / "new" / "run"):
            raise error
    assert not (tmp_path / "new" / "run").exists()
    (tmp_path / "old").mkdir()
    with _folder.held(tmp_path / "old"):
        (tmp_path / "old" / "file").touch()
    assert names_in(tmp_path / "old") == ["file"]


def test_a_lock_that_was_removed_meanwhile_counts_for_nothing(tmp_path, monkeypatch):
    """Its holder ends between the moments when the next one opens the file and locks it."""
    lock, path = _folder._lock, tmp_path / _folder.LOCK
    descriptors = []

    def late(descriptor):
        descriptors.append(descriptor)
        if len(descriptors) == 1:
            path.unlink()
        lock(descriptor)

    monkeypatch.setattr(_folder, "_lock", late)
    with _folder.held(tmp_path):
        assert len(descriptors) == 2
        assert path.exists()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_cannot_be_a_lock_is_one_line_and_left_alone(tmp_path, kind):
    path, target = tmp_path / _folder.LOCK, tmp_path / "precious"
    target.write_text("precious")
    path.mkdir() if kind == "folder" else path.symlink_to(target)
    assert refusal(tmp_path).startswith(f"cannot write {path}: ")
    assert target.read_text() == "precious"


def test_a_holder_with_control_characters_is_printed_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder.platform, "node", lambda: "\x1b[31mred\n" * 50)
    with _folder.held(tmp_path):
        said = refusal(tmp_path)
        assert said.isprintable()
        assert len(said) < 1000


def test_a_finished_run_in_a_place_that_cannot_be_written_is_returned(
    tiny_run, tiny_config, monkeypatch
):
    def nobody(_path):
        raise PermissionError("read-only")

    monkeypatch.setattr(_folder, "_acquired", nobody)
    run = fit(tiny_config, 1, tiny_run.path, resume=True, progress=False)
    assert run.metrics == tiny_run.metrics


def test_a_folder_that_cannot_be_written_is_one_line(small_disk, config):
    mount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(mount, check=True)
    with pytest.raises(OSError, match=r"Read-only file system") as caught:
        fit(config, 1, small_disk, progress=False)
    assert len(str(caught.value).splitlines()) == 1


def test_of_two_trainings_at_once_one_makes_the_run_and_the_other_nothing(config, tmp_path):
    """With different seeds, into one folder: what is there is one whole run."""
    out, settings = tmp_path / "run", tmp_path / "settings.toml"
    settings.write_text(dataclasses.replace(config, epochs=20).to_toml())
    code = "from ttfslib.cli import main; raise SystemExit(main())"

    def start(seed):
        command = [sys.executable, "-c", code, "train", str(settings), "--seed", str(seed)]
        return subprocess.Popen(
            [*command, "--out", str(out), "--quiet"], stderr=subprocess.PIPE, text=True
        )

    processes = {seed: start(seed) for seed in (1, 2)}
    said = {seed: process.communicate()[1] for seed, process in processes.items()}
    codes = {seed: process.returncode for seed, process in processes.items()}
    assert sorted(codes.values()) == [0, 75]
    (winner,) = [seed for seed, code in codes.items() if code == 0]
    (loser,) = {1, 2} - {winner}
    assert len(said[loser].splitlines()) == 1
    assert str(out) in said[loser]
    assert load_run(out).seed == winner


def test_resuming_waits_for_nobody_and_takes_over_when_the_other_is_gone(config, tmp_path):
    out = tmp_path / "run"
    _folder.begin(out, config, 1)
    with start_holder(out) as process:
        with pytest.raises(OSError, match=r" is in use by process "):
            fit(config, 1, out, resume=True, progress=False)
        process.kill()
    assert fit(config, 1, out, resume=True, progress=False).seed == 1

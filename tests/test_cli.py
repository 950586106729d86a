"""The command `ttfs`."""

import hashlib
import os
import subprocess
import sys

import pooch
import pytest

import ttfslib
from ttfslib import datasets
from ttfslib.cli import main

NOBODY = "http://127.0.0.1:9/"


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """Four small files whose sums are the expected ones; no mirror, an empty cache."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in datasets.MNIST_SHA256:
        (folder / name).write_bytes(name.encode())
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in datasets.MNIST_SHA256}
    monkeypatch.setattr(datasets, "MNIST_SHA256", sums)
    monkeypatch.setattr(datasets, "MNIST_MIRRORS", (NOBODY,))
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setenv("TTFSLIB_DATA", str(folder.parent))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


def test_fetch_prints_where_the_files_lie(mnist_folder, capsys):
    assert main(["fetch", "mnist"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(mnist_folder / name) for name in datasets.MNIST_SHA256]
    assert err == ""


@pytest.mark.parametrize("spoil", ["corrupt", "missing"])
def test_a_failed_fetch_is_one_line_on_stderr(mnist_folder, capfd, spoil):
    path = mnist_folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(b"something else") if spoil == "corrupt" else path.unlink()
    assert main(["fetch", "mnist"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("ttfs: ")
    assert path.name in err
    assert len(err.splitlines()) == 1


def test_offline_nothing_else_is_written_to_the_terminal(tmp_path):
    code = (
        "from ttfslib import cli, datasets;"
        f"datasets.MNIST_MIRRORS = ({NOBODY!r},);"
        "raise SystemExit(cli.main(['fetch', 'mnist']))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TTFSLIB_DATA"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "could not be downloaded" in done.stderr


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "_mnist_path", interrupt)
    assert main(["fetch", "mnist"]) == 130
    assert capsys.readouterr().err == "ttfs: interrupted\n"


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "COMMAND"),
        (["fetch"], "dataset"),
        (["fetch", "imagenet"], "invalid choice: 'imagenet'"),
        (["fecth", "mnist"], "invalid choice: 'fecth'"),
    ],
)
def test_a_usage_error_exits_with_2(argv, complaint, capsys):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 2
    err = capsys.readouterr().err
    assert "usage: ttfs" in err
    assert complaint in err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--version"], f"ttfs {ttfslib.__version__}"),
        (["--help"], "fetch"),
        (["fetch", "--help"], "TTFSLIB_DATA"),
    ],
)
def test_version_and_help(argv, expected, capsys):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 0
    assert expected in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "ttfslib", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"ttfs {ttfslib.__version__}\n"


def test_the_command_starts_without_the_heavy_libraries():
    code = "import sys, ttfslib.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ttfslib.datasets" in loaded
    assert not loaded & {"torch", "numba", "matplotlib", "sklearn", "pooch", "requests"}

"""The command `ttfs`."""

import dataclasses
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pooch
import pytest

import ttfslib
from ttfslib import _sources, book, datasets
from ttfslib.cli import main
from ttfslib.experiment import configs, training
from ttfslib.experiment.sweep import Sweep, shipped

ROOT = Path(__file__).resolve().parents[1]
NOBODY = "http://127.0.0.1:9/"


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """Four small files whose sums are the expected ones; no mirror, an empty cache."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in _sources.FILES:
        (folder / f"{name}.gz").write_bytes(gzip.compress(name.encode()))
    sums = tuple(hashlib.sha256(name.encode()).hexdigest() for name in _sources.FILES)
    small = dataclasses.replace(datasets.MNIST, sums=sums, mirrors=(NOBODY,))
    monkeypatch.setattr(datasets, "MNIST", small)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setenv("TTFSLIB_DATA", str(folder.parent))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


def test_fetch_prints_where_the_files_lie(mnist_folder, capsys):
    assert main(["fetch", "mnist"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(mnist_folder / f"{name}.gz") for name in _sources.FILES]
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
        "import dataclasses; from ttfslib import cli, datasets;"
        f"datasets.MNIST = dataclasses.replace(datasets.MNIST, mirrors=({NOBODY!r},));"
        "raise SystemExit(cli.main(['fetch', 'mnist']))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TTFSLIB_DATA"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "could not be downloaded" in done.stderr


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_sources.Source, "fetch", interrupt)
    assert main(["fetch", "mnist"]) == 130
    assert capsys.readouterr().err == "ttfs: interrupted\n"


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "COMMAND"),
        (["fetch"], "dataset"),
        (["fetch", "imagenet"], "invalid choice: 'imagenet'"),
        (["fecth", "mnist"], "invalid choice: 'fecth'"),
        (["train"], "CONFIG"),
        (["train", "x.toml", "--out", "x"], "--seed"),
        (["train", "x.toml", "--seed", "1"], "--out"),
        (["train", "x.toml", "--seed", "1.5", "--out", "x"], "invalid int value: '1.5'"),
        (["evaluate"], "RUN"),
        (["show"], "RUN"),
        (["sweep", "x.toml"], "--out"),
        (["sweep", "--status", "x.toml"], "--out"),
        (["sweep", "--merge", "mine", "theirs"], "--out"),
        (["sweep", "x.toml", "--out", "x", "--workers", "two"], "invalid int value: 'two'"),
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
        (["train", "--help"], "--resume"),
        (["train", "--help"], "ttfs configs"),
        (["configs", "--help"], "by name"),
        (["train", "--help"], "--device {cpu,cuda}"),
        (["evaluate", "--help"], "published"),
        (["show", "--help"], "RUN"),
    ],
)
def test_version_and_help(argv, expected, capsys):
    with pytest.raises(SystemExit) as exited:
        main(argv)
    assert exited.value.code == 0
    assert expected in capsys.readouterr().out


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:4] == "    "
    }
    assert {"fetch", "train", "configs", "evaluate", "show"} <= listed


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


# Training and what comes of it


@pytest.fixture
def settings_file(tiny_config, tmp_path):
    """Settings of a training that is over at once."""
    config = dataclasses.replace(tiny_config, epochs=1, n_validation=1237, kept_epochs=())
    path = tmp_path / "settings.toml"
    path.write_text(config.to_toml())
    return path


def train(settings, out, *options, seed=1):
    return main(["train", str(settings), "--seed", str(seed), "--out", str(out), *options])


def test_a_training_keeps_a_run_and_says_what_came_out(settings_file, tmp_path, capsys):
    out = tmp_path / "run"
    assert train(settings_file, out, "--quiet") == 0
    said = capsys.readouterr()
    assert said.err == ""
    run = ttfslib.load_run(out)
    assert said.out.startswith("tiny, seed 1: digits, hidden 16-12, Dale's law\n")
    assert f"test {run.metrics['test_accuracy']:.2%}" in said.out
    assert main(["show", str(out)]) == 0
    assert capsys.readouterr().out == said.out


def test_a_training_shows_its_progress(settings_file, tmp_path, capsys):
    assert train(settings_file, tmp_path / "run") == 0
    said = capsys.readouterr()
    assert "tiny, seed 1" in said.err
    assert "1/1" in said.err
    assert "%" not in said.out.splitlines()[0]


def test_show_has_a_line_for_each_layer(tiny_run, capsys):
    assert main(["show", str(tiny_run.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10].strip() for line in lines[-5:]] == [
        "layer",
        "input",
        "hidden 1",
        "hidden 2",
        "output",
    ]
    layers = tiny_run.metrics["layers"]
    assert lines[-2].split()[2:] == [
        f"{layers['activity'][2]:.3f}",
        f"{layers['shorth'][2]:.3f}",
        f"{tiny_run.metrics['silent'][2]:.3f}",
    ]
    assert lines[-1].split()[1:3] == ["0.100", "-"], "ten outputs, too few for a width"


def test_an_evaluation_agrees_with_what_was_published(tiny_run, capsys):
    assert main(["evaluate", str(tiny_run.path)]) == 0
    published = f"{tiny_run.metrics['test_accuracy']:.2%}"
    assert capsys.readouterr().out == f"test accuracy {published} (published: {published})\n"


def test_an_evaluation_is_of_the_weights_that_are_there(tiny_run, capsys, monkeypatch):
    untrained = tiny_run.evaluate(0).accuracy
    network = tiny_run.network(0)
    monkeypatch.setattr(ttfslib.Run, "network", lambda *_: network)
    assert main(["evaluate", str(tiny_run.path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"test accuracy {untrained:.2%} ")
    assert f"(published: {tiny_run.metrics['test_accuracy']:.2%})" in said


def test_the_settings_of_a_run_make_it_again(tiny_run, tmp_path, capsys):
    assert train(tiny_run.path / "config.toml", tmp_path / "again", "--quiet") == 0
    assert f"test {tiny_run.metrics['test_accuracy']:.2%}" in capsys.readouterr().out
    again = ttfslib.load_run(tmp_path / "again")
    for name in ("config.toml", "weights.safetensors"):
        assert again.metrics["sha256"][name] == tiny_run.metrics["sha256"][name]


def test_a_training_stopped_by_ctrl_c_says_how_to_go_on(
    settings_file, tmp_path, monkeypatch, capsys
):
    def interrupt(*_):
        raise KeyboardInterrupt

    out = tmp_path / "my runs" / "run"
    with monkeypatch.context() as patch:
        patch.setattr(training._Training, "_step", interrupt)
        assert train(settings_file, out, "--quiet") == 130
    assert capsys.readouterr() == (
        "",
        f"ttfs: stopped; go on with: ttfs train {settings_file} --seed 1 --out '{out}' --resume\n",
    )
    assert train(settings_file, out, "--quiet", "--resume") == 0


def complaint(argv, capsys):
    """The one line on stderr of a command that fails."""
    assert main([str(argument) for argument in argv]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ttfs: ")
    assert len(err.splitlines()) == 1
    return err.strip().removeprefix("ttfs: ")


def test_what_a_training_is_told_when_it_cannot_begin(settings_file, tmp_path, capsys):
    out, none, wrong = tmp_path / "run", tmp_path / "none.toml", tmp_path / "wrong.toml"
    wrong.write_text('nonsense = "x"\n' + settings_file.read_text())
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.tex").touch()

    def said(settings, out, seed):
        return complaint(["train", settings, "--seed", seed, "--out", out, "--quiet"], capsys)

    assert said(none, out, 1) == f"cannot read {none}: No such file or directory"
    assert said(tmp_path, out, 1) == f"cannot read {tmp_path}: Is a directory"
    assert said(wrong, out, 1) == f"{wrong}: config has the unknown key nonsense"
    assert said(settings_file, out, -1) == "seed must be at least 0, got -1"
    assert said(settings_file, taken, 1) == f"out must be a new or empty folder, got {taken}"
    assert not out.exists()


# Settings that ship


def test_the_settings_that_ship_are_listed(capsys):
    assert main(["configs"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert dict(lines) == {name: str(configs.find(name)) for name in configs.names()}
    assert "digits-dale" in dict(lines)


def test_settings_that_ship_are_known_by_name_and_a_file_goes_first(tmp_path, monkeypatch):
    assert configs.find("digits-dale") == configs.folder() / "digits-dale.toml"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-dale").touch()
    for path in ("digits-dale", "none.toml", "./digits-free", str(tmp_path)):
        assert configs.find(path) == type(tmp_path)(path)


def test_a_training_takes_a_name(monkeypatch, tmp_path, capsys):
    taken = []

    def fit(config, *_, **__):
        taken.append(config)
        raise OSError("that will do")

    monkeypatch.setattr(training, "fit", fit)
    assert complaint(["train", "digits-dale", "--seed", 1, "--out", tmp_path], capsys)
    assert [config.name for config in taken] == ["digits-dale"]
    said = complaint(["train", "digits-dael", "--seed", 1, "--out", tmp_path], capsys)
    assert said.startswith("config must be a TOML file or one of 'digits-dale', ")
    assert said.endswith(", got 'digits-dael' (did you mean digits-dale?)")


def test_what_a_chapter_trains_is_known_in_every_folder():
    """A terminal of JupyterLab begins beside the chapters, not where `configs` and `data` are."""
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    text = "".join(path.read_text(encoding="utf-8") for path in chapters)
    named = re.findall(r"\bttfs (train|sweep) ([\w./-]+)", text)
    own = {given for _, given in named if given.endswith(".toml") and "/" not in given}
    known = {("train", name) for name in configs.names()} | {("sweep", name) for name in shipped()}
    assert {command for command, _ in known & set(named)} == {"train", "sweep"}
    assert {entry for entry in named if entry[1] not in own | {"--merge", "--status"}} <= known


@pytest.fixture
def sweep_folder(settings_file, tmp_path):
    """A folder that remembers a sweep of which nothing has begun."""
    text = f'name = "two"\nbase = "{settings_file}"\nseeds = [1, 2]\n'
    (tmp_path / "two.toml").write_text(text)
    (tmp_path / "out").mkdir()
    Sweep.from_toml(tmp_path / "two.toml").keep(tmp_path / "out")
    return tmp_path / "out"


def test_the_status_of_a_sweep_needs_its_folder_alone(sweep_folder, capsys):
    for words in ([str(sweep_folder)], ["--out", str(sweep_folder)]):
        assert main(["sweep", "--status", *words]) == 0
        assert capsys.readouterr().out == "0 finished, 0 failed, 0 begun, 2 waiting\n"


def test_no_workers_at_all_are_refused(sweep_folder, capsys):
    assert main(["sweep", "--out", str(sweep_folder), "--workers", "0"]) == 1
    assert capsys.readouterr().err == "ttfs: n_workers must be at least 1, got 0\n"


def test_a_sweep_that_the_book_ships_is_known_by_name_wherever_one_is(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "ensemble_digits", "--status", "--out", "mine"]) == 0
    n_networks = len(Sweep.from_toml(book.data_path("ensemble_digits/sweep.toml")).jobs)
    assert capsys.readouterr().out.endswith(f"0 begun, {n_networks} waiting\n")
    assert main(["sweep", "ensemble_digit", "--out", "mine"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ttfs: SWEEP must be a TOML file or one of 'ensemble_digits', ")
    assert said.endswith("got 'ensemble_digit' (did you mean ensemble_digits?)\n")
    (tmp_path / "ensemble_digits").write_text("name = 3\n")  # a file goes first
    assert main(["sweep", "ensemble_digits", "--out", "mine"]) == 1
    assert capsys.readouterr().err.startswith("ttfs: ensemble_digits: sweep lacks the keys")


def test_a_sweep_that_the_book_ships_may_fill_a_folder_of_its_own_name(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ensemble_digits").mkdir()
    named = ["ensemble_digits", "--out", "ensemble_digits"]
    assert main(["sweep", *named, "--status"]) == 0
    assert " waiting" in capsys.readouterr().out


def test_a_folder_of_a_sweep_that_is_not_there_is_named(tmp_path, capsys):
    nowhere = tmp_path / "nowhere"
    said = complaint(["sweep", "--status", nowhere], capsys)
    assert said == f"SWEEP must be given, as there is no folder {nowhere}"


@pytest.mark.usefixtures("sweep_folder")
def test_a_sweep_needs_a_folder_and_not_a_file(tmp_path, capsys):
    file, sweep = tmp_path / "file.csv", tmp_path / "two.toml"
    file.write_text("")
    said = complaint(["sweep", sweep, "--out", file, "--quiet"], capsys)
    assert said == f"cannot make the folder {file / 'configs'}: Not a directory"


def test_what_is_echoed_is_printable(capsys, tmp_path):
    path = tmp_path / "red\x1b[31m.toml"
    assert complaint(["train", path, "--seed", 1, "--out", tmp_path], capsys).isprintable()


@pytest.mark.parametrize("command", ["evaluate", "show"])
def test_what_is_no_run_is_one_line(tmp_path, command, capsys):
    said = complaint([command, tmp_path], capsys)
    assert said == f"{tmp_path} is not the folder of a run (no metrics.json)"


def test_a_damaged_run_is_one_line(tiny_run, tmp_path, capsys):
    folder = shutil.copytree(tiny_run.path, tmp_path / "copy")
    with (folder / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    for command in ("evaluate", "show"):
        said = complaint([command, folder], capsys)
        assert said == f"{folder} is damaged: weights.safetensors does not match its checksum"

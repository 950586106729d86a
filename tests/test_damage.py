"""Folders that are damaged or hostile: refused in one line before anything is unpacked."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil

import numpy as np
import pytest
from named_pipes import make_pipe

from ttfslib import _files, fit, load_run
from ttfslib.datasets import DATASETS
from ttfslib.experiment import _format
from ttfslib.experiment import training as training_module
from ttfslib.experiment.training import CHECKPOINT

OTHERS = [_format.CONFIG, _format.HISTORY, _format.WEIGHTS]
FILES = [*OTHERS, _format.METRICS]


@pytest.fixture(scope="module")
def config(tiny_config):
    return dataclasses.replace(tiny_config, epochs=2, n_validation=1237, kept_epochs=(1,))


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """A small finished run."""
    return fit(config, 1, tmp_path_factory.mktemp("whole") / "run", progress=False)


@pytest.fixture(scope="module")
def unfinished(config, tmp_path_factory):
    """A training that has only to be finished."""
    path = tmp_path_factory.mktemp("unfinished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_module._Training, "finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fit(config, 1, path, progress=False)
    return path


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole.path, tmp_path / "copy")


def refused(path):
    with pytest.raises(OSError, match=r"^") as caught:
        load_run(path)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert said.isprintable()
    assert str(path) in said
    return said


# What stands in the place of a file


def put(path, kind):
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        make_pipe(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 20 * 10**9)
    elif kind == "brackets":
        path.write_text("[" * 100_000)
    elif kind == "lists":
        path.write_text('{"a":' * 100_000)
    elif kind == "digits":
        path.write_text("9" * 100_000)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "kind", ["folder", "pipe", "device", "loop", "sparse", "brackets", "lists", "digits"]
)
def test_what_is_no_such_file_is_refused(folder, name, kind):
    put(folder / name, kind)
    refused(folder)


# Files that are sealed again


def forge(folder, change=lambda _: None):
    """Change the metrics and write them with checksums that are right."""
    path = folder / _format.METRICS
    metrics = json.loads(path.read_text())
    del metrics["seal"]
    metrics["sha256"] = {name: _files.sha256(folder / name) for name in OTHERS}
    change(metrics)
    path.write_text(json.dumps(metrics | {"seal": _format.seal(metrics)}))


PARTS = (
    *("name", "seed", "test_accuracy", "n_undecided", "decision_time_median", "layers"),
    *("silent", "seconds", "device", "versions", "test_loss", "sha256", "format"),
)
VALUES = ([], {}, "x", True, [[]], {"a": 1}, "\x1b[31m", -1, 1e308 * 10, float("nan"))


@pytest.mark.parametrize("part", PARTS)
def test_metrics_that_lack_a_part_are_refused(folder, part):
    forge(folder, lambda metrics: metrics.pop(part))
    refused(folder)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_metrics_of_another_kind_are_refused(folder, part, value):
    if (part, value) == ("test_loss", -1) or (part, value) == ("versions", {}):
        pytest.skip("that may be")
    forge(folder, lambda metrics: metrics.update({part: value}))
    refused(folder)


def test_a_data_set_of_unknown_size_may_be_read_without_a_mistake(folder, config, monkeypatch):
    unknown = dataclasses.replace(DATASETS.make(config.dataset), n_samples=(0, 0))
    monkeypatch.setitem(DATASETS._makers, config.dataset.name, lambda: unknown)
    forge(folder, lambda metrics: metrics.update(test_accuracy=1.0, n_undecided=0))
    assert load_run(folder).metrics["test_accuracy"] == 1


@pytest.mark.parametrize("measure", _format.LAYER_MEASURES)
@pytest.mark.parametrize("values", [[], [0.5], ["x"] * 4, [0.5] * 5, None])
def test_metrics_of_other_layers_are_refused(folder, measure, values):
    forge(folder, lambda metrics: metrics["layers"].update({measure: values}))
    refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("epoch,", "era,"),
        lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: text.replace(",", ";"),
        lambda text: text.replace("\n0,", "\nnan,"),
        lambda text: "\n".join(line.rpartition(",")[0] for line in text.splitlines()),
        lambda text: "\n".join(line + ",1" for line in text.splitlines()),
        lambda text: text.replace("\n1,0.00", "\n1,-1e999"),
        lambda text: text + '"' * 200_000,
        lambda text: text + "0," * 100_000,
        lambda _: "",
        lambda _: "\x00",
    ],
)
def test_a_history_of_another_shape_is_refused(folder, change):
    path = folder / _format.HISTORY
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    forge(folder)
    assert _format.HISTORY in refused(folder)


def weights_with(change):
    def spoil(folder):
        path = folder / _format.WEIGHTS
        arrays, about = _files.load_tensors(path)
        change(arrays)
        _files.save_tensors(path, arrays, about)

    return spoil


SPOILT_WEIGHTS = {
    "one missing": weights_with(lambda a: a.pop("1/weight_2")),
    "an epoch missing": weights_with(lambda a: [a.pop(f"1/weight_{i}") for i in (1, 2, 3)]),
    "one too many": weights_with(lambda a: a.update({"9/weight_1": a["0/weight_1"]})),
    "another name": weights_with(lambda a: a.update({"x": a.pop("0/weight_1")})),
    "another shape": weights_with(lambda a: a.update({"0/weight_1": a["0/weight_1"].T})),
    "another size": weights_with(lambda a: a.update({"0/weight_1": a["0/weight_1"][1:]})),
    "NaN": weights_with(lambda a: a["2/weight_3"].__setitem__((0, 0), np.nan)),
    "infinity": weights_with(lambda a: a["2/weight_3"].__setitem__((0, 0), np.inf)),
    "against Dale's law": weights_with(lambda a: a["2/weight_2"].__setitem__((0, 0), -1)),
    "much too large": weights_with(lambda a: a.update({"x": np.zeros(2**22, np.float16)})),
}
SPOILT_WEIGHTS["another dtype"] = weights_with(
    lambda a: a.update({"0/weight_1": a["0/weight_1"].astype(np.float32)})
)


@pytest.mark.parametrize("kind", SPOILT_WEIGHTS)
def test_weights_that_are_not_those_of_the_config_are_refused(folder, kind):
    SPOILT_WEIGHTS[kind](folder)
    forge(folder)
    assert _format.WEIGHTS in refused(folder)


# Checkpoints


def about_with(**changes):
    return lambda _, about: about.update(changes)


SPOILT_CHECKPOINTS = {
    "epoch 99 of 3": about_with(epoch=99),
    "epoch 0": about_with(epoch=0),
    "epoch of words": about_with(epoch="two"),
    "no history": about_with(history=[]),
    "history of numbers": about_with(history=3),
    "history of another epoch": lambda _, about: about["history"].pop(),
    "history without a column": lambda _, about: [r.pop("silent_1") for r in about["history"]],
    "history with words": lambda _, about: about["history"][1].update(train_loss="x"),
    "history with huge numbers": lambda _, about: about["history"][1].update(seconds=10**400),
    "history with NaN": lambda _, about: about["history"][1].update(train_loss=float("nan")),
    "remedy of other layers": about_with(times_in_a_row=[0]),
    "remedy of words": about_with(times_in_a_row=["x"] * 3),
    "no weights": lambda arrays, _: arrays.pop("weight/0"),
    "no moments": lambda arrays, _: arrays.pop("exp_avg/1"),
    "nothing kept": lambda arrays, _: arrays.pop("kept/0/weight_1"),
    "no generator": lambda arrays, _: arrays.pop("generator"),
    "short generator": lambda arrays, _: arrays.update(generator=arrays["generator"][:-1]),
    "other generator": lambda arrays, _: arrays.update(generator=arrays["generator"] * 0 + 255),
    "weights of another shape": lambda arrays, _: arrays.update(
        {"weight/0": arrays["weight/0"][1:]}
    ),
    "weights of another dtype": lambda arrays, _: arrays.update(
        {"weight/0": arrays["weight/0"].astype(np.float16)}
    ),
}


@pytest.mark.parametrize("kind", SPOILT_CHECKPOINTS)
def test_a_checkpoint_that_is_not_of_the_training_is_refused(unfinished, config, tmp_path, kind):
    out = shutil.copytree(unfinished, tmp_path / "run")
    arrays, about = _files.load_tensors(out / CHECKPOINT)
    SPOILT_CHECKPOINTS[kind](arrays, about)
    _files.save_tensors(out / CHECKPOINT, arrays, about)
    before = _files.sha256(out / CHECKPOINT)
    with pytest.raises(OSError, match=r"checkpoint\.safetensors is damaged") as caught:
        fit(config, 1, out, resume=True, progress=False)
    assert len(str(caught.value).splitlines()) == 1
    assert _files.sha256(out / CHECKPOINT) == before


# Mutations


def mutated(content, rng):
    """A file with a few bytes changed, removed, doubled or moved."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice([1, 2, 8, 100]))
        how = rng.randrange(4)
        if how == 0:
            data[start:end] = rng.randbytes(end - start)
        elif how == 1:
            del data[start:end]
        elif how == 2:
            data[start:start] = data[start:end]
        else:
            data[start:start] = rng.choice([b"\x00", b"[", b"{", b"nan", b"1e999", b"-", b"\n"])
    return bytes(data)


def test_of_a_thousand_mutations_none_is_read_as_something_else(whole, tmp_path):
    rng, said = random.Random(1), []
    contents = {name: (whole.path / name).read_bytes() for name in FILES}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for _ in range(1000):
        name = rng.choice(FILES)
        (tmp_path / name).write_bytes(mutated(contents[name], rng))
        try:
            run = load_run(tmp_path)
        except OSError as error:
            said.append(str(error))
        else:
            assert (run.config, run.seed, run.metrics) == (whole.config, 1, whole.metrics)
            for found, expected in zip(run.weights(), whole.weights(), strict=True):
                assert np.array_equal(found, expected)
        (tmp_path / name).write_bytes(contents[name])
    assert len(said) > 900
    assert max(len(line.splitlines()) for line in said) == 1

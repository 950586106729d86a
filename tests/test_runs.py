"""A run on disk: what it holds, what it keeps to itself, and what it is refused for."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import (
    Run,
    TrainingConfig,
    TTFSNetwork,
    _files,
    datasets,
    decided_class,
    evaluate,
    fit,
    load_run,
    packet_statistics,
)
from ttfslib.experiment import _folder, _format, _history
from ttfslib.experiment.recipe import Samples, encode, load_samples, make_loss

OTHERS = [_format.CONFIG, _format.HISTORY, _format.WEIGHTS]
FILES = [*OTHERS, _format.METRICS]
FOREIGN = {
    "empty": b"",
    "text": b"something else\n",
    "json": b'{"format": 1, "seed": 1, "sha256": {}}',
    "list": b"[1, 2]",
    "number": b"3",
    "bytes": bytes(range(256)),
}


@pytest.fixture
def copied(tiny_run, tmp_path):
    """A copy of the run's folder, to be spoilt."""
    return shutil.copytree(tiny_run.path, tmp_path / "copy")


@pytest.fixture(scope="module")
def outcome(tiny_run):
    """What the network as it was kept does with all test samples."""
    config = tiny_run.config
    test = load_samples(config)["test"]
    labels = torch.from_numpy(test.labels)
    network, inputs = tiny_run.network(), encode(config, test.features)
    return evaluate(network, inputs, labels, make_loss(config))


def refusal(path):
    with pytest.raises(OSError, match=r"^") as caught:
        load_run(path)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


# What a run holds


def test_a_run_is_its_four_files(tiny_run):
    assert {path.name for path in tiny_run.path.iterdir()} == set(FILES)


def test_a_run_says_what_it_is(tiny_run, tiny_config):
    assert isinstance(tiny_run, Run)
    assert tiny_run.config == tiny_config
    assert tiny_run.seed == tiny_run.metrics["seed"] == 1
    assert tiny_run.metrics["name"] == "tiny"
    assert tiny_run.epochs == [0, 2, 4]
    libraries = {"ttfslib", "python", "numpy", "numba", "torch"}
    assert set(tiny_run.metrics["versions"]) == libraries | {"processor"}
    for name in OTHERS:
        assert tiny_run.metrics["sha256"][name] == _files.sha256(tiny_run.path / name)


def test_weights_are_those_of_each_kept_epoch(tiny_run):
    shapes = [(64, 16), (16, 12), (12, 10)]
    for epoch in (0, 2, 4):
        matrices = tiny_run.weights(epoch)
        assert [matrix.shape for matrix in matrices] == shapes
        for matrix, kept in zip(matrices, tiny_run.network(epoch).weights, strict=True):
            assert matrix.dtype == np.float32
            assert np.array_equal(matrix, matrix.astype(np.float16))
            assert np.array_equal(matrix, kept)
    for last, default in zip(tiny_run.weights(4), tiny_run.weights(), strict=True):
        assert np.array_equal(last, default)
    assert not np.array_equal(tiny_run.weights(2)[0], tiny_run.weights(4)[0])


def test_the_weights_obey_dale(tiny_run):
    """The first three quarters of each hidden layer excite, the others inhibit."""
    for epoch in tiny_run.epochs:
        for matrix, n_excitatory in zip(tiny_run.weights(epoch)[1:], (12, 9), strict=True):
            assert (matrix[:n_excitatory] >= 0).all()
            assert (matrix[n_excitatory:] <= 0).all()
            assert (matrix != 0).any(axis=1).sum() > 1


def test_a_network_built_from_a_run_keeps_its_settings(tiny_run):
    config = dataclasses.replace(
        tiny_run.config, tau_m=2.0, gradient_limit=5.0, excitatory_share=None
    )
    network = _format.network_of(config, tiny_run.weights())
    assert isinstance(network, TTFSNetwork)
    assert network.stack[0].params == config.params
    assert network.stack[0].gradient_limit == 5.0
    assert network.stack[1].is_excitatory is None
    assert tiny_run.network().stack[1].is_excitatory.sum() == 12


def test_spikes_are_what_the_kept_network_fires(tiny_run, outcome):
    """Bit for bit, however often they are asked for, and what is silent stays so."""
    for spikes in (tiny_run.spikes(), tiny_run.spikes(4), load_run(tiny_run.path).spikes()):
        assert len(spikes.layers) == 3
        for times, exact in zip([spikes.input, *spikes.layers], outcome.layers, strict=True):
            assert np.array_equal(times, exact)
    assert any(np.isinf(times).any() for times in outcome.layers)


def test_of_fewer_samples_the_first_are_taken(tiny_run, outcome):
    spikes = tiny_run.spikes(n_samples=100)
    assert np.array_equal(spikes.labels, outcome.labels[:100])
    for times, exact in zip([spikes.input, *spikes.layers], outcome.layers, strict=True):
        assert np.array_equal(times, exact[:100])
    assert len(tiny_run.spikes(n_samples=10**9).labels) == 360


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "all", True])
def test_a_number_of_samples_is_a_positive_integer(tiny_run, n_samples):
    with pytest.raises(ValueError, match=r"^n_samples must be "):
        tiny_run.spikes(n_samples=n_samples)


def test_spikes_of_earlier_epochs_are_those_of_their_networks(tiny_run):
    test = load_samples(tiny_run.config)["test"]
    inputs = encode(tiny_run.config, test.features[:200])
    for epoch in (0, 2):
        spikes = tiny_run.spikes(epoch, 200)
        with torch.no_grad():
            exact = tiny_run.network(epoch)(inputs)
        for times, layer in zip(spikes.layers, exact, strict=True):
            assert np.array_equal(times, layer)
        assert np.array_equal(spikes.labels, test.labels[:200])


def test_spikes_come_with_their_labels(tiny_run):
    test = load_samples(tiny_run.config)["test"]
    assert np.array_equal(tiny_run.spikes().labels, test.labels)
    assert tiny_run.spikes().labels.dtype == np.int64


def test_nothing_of_the_data_set_is_stored(tiny_run):
    """Neither images nor labels nor answers: no array has one entry for each sample."""
    n_weights = sum(a * b for a, b in [(64, 16), (16, 12), (12, 10)])
    stored, _ = _files.load_tensors(tiny_run.path / _format.WEIGHTS)
    assert sum(array.size for array in stored.values()) == 3 * n_weights
    assert 360 not in {n for array in stored.values() for n in array.shape}
    assert all(array.dtype == np.float16 for array in stored.values())


def test_without_the_data_set_its_labels_are_missed_and_the_weights_are_not(copied, monkeypatch):
    def missing(_part):
        raise OSError("the data set is not here")

    monkeypatch.setattr(datasets, "load_digits", missing)
    run = load_run(copied)
    assert len(run.weights()) == 3
    for ask in (run.spikes, run.evaluate, lambda: run.test):
        with pytest.raises(OSError, match=r"^the data set is not here$"):
            ask()


def test_the_network_can_be_shown_other_samples(tiny_run):
    rng = np.random.default_rng(0)
    made_up = Samples(rng.random((30, 8, 8), np.float32), rng.integers(0, 10, 30))
    shown = tiny_run.showing(made_up)
    layers = tiny_run.network()(encode(tiny_run.config, made_up.features))
    assert np.array_equal(shown.spikes().labels, made_up.labels)
    for found, expected in zip(shown.spikes().layers, layers, strict=True):
        assert np.array_equal(found, expected.detach())
    assert {name: len(values) for name, values in shown.test.items()} == dict.fromkeys(
        ("labels", "predicted", "decision_time", "shorth", "activity"), 30
    )
    assert len(tiny_run.test["labels"]) == 360, "the run itself stays what it is"


@pytest.mark.parametrize("read", ["weights", "network", "spikes", "evaluate"])
@pytest.mark.parametrize("epoch", [1, 3, 5, -1, "last", True, [4]])
def test_an_epoch_that_was_not_kept_is_refused(tiny_run, read, epoch):
    with pytest.raises(
        ValueError,
        match=rf"^epoch must be one of the kept \[0, 2, 4\], got {re.escape(repr(epoch))}$",
    ):
        getattr(tiny_run, read)(epoch)


def test_the_metrics_are_those_of_the_kept_network(tiny_run, outcome):
    metrics, test = tiny_run.metrics, tiny_run.test
    assert metrics["test_accuracy"] == outcome.accuracy
    assert metrics["test_loss"] == outcome.loss
    assert np.array_equal(test["predicted"], outcome.predicted)
    assert metrics["test_accuracy"] == np.mean(test["predicted"] == test["labels"])
    assert metrics["n_undecided"] == np.sum(test["predicted"] == -1)
    assert metrics["silent"] == [np.isinf(times).mean() for times in outcome.layers]
    packets = packet_statistics(outcome.layers, outcome.decision_times)
    for name in ("activity", "shorth", "sd", "iqr", "median", "n_spikes"):
        expected = [None if math.isnan(v) else v for v in packets.mean()[name]]
        assert metrics["layers"][name] == expected
    assert metrics["layers"]["n_too_small"] == packets.n_too_small.tolist()
    assert metrics["decision_time_median"] == np.median(outcome.decision_times)
    assert np.array_equal(test["decision_time"], outcome.decision_times)
    assert np.array_equal(test["shorth"], packets.shorth, equal_nan=True)
    assert np.array_equal(test["activity"], packets.activity)
    assert set(metrics["layers"]) == set(_format.LAYER_MEASURES)
    assert test.keys() == {"labels", "predicted", "decision_time", "shorth", "activity"}


def test_the_spikes_decide_as_the_metrics_say(tiny_run):
    spikes = tiny_run.spikes()
    predicted = decided_class(spikes.layers[-1])
    assert np.array_equal(predicted, tiny_run.test["predicted"])
    assert np.mean(predicted == spikes.labels) == tiny_run.metrics["test_accuracy"]


def test_the_history_has_a_row_for_each_epoch(tiny_run):
    history = tiny_run.history
    assert all(column.shape == (5,) for column in history.values())
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(history["train_loss"]).tolist() == [True, False, False, False, False]
    assert (history["validation_accuracy"] <= 1).all()
    assert tiny_run.metrics["seconds"] == pytest.approx(history["seconds"].sum(), rel=1e-4)


def test_every_column_of_the_history_is_documented(tiny_run):
    table = _history.__doc__.split("The columns of ``history.csv``")[1]
    rows = [line for line in table.splitlines() if line.startswith("``")]
    documented = {name for row in rows for name in re.findall(r"``(\w+)``", row.split("  ")[0])}
    of_layers = {name for name in documented if name.endswith("_I")}
    columns = {name.replace("_I", f"_{i}") for name in of_layers for i in range(4)}
    assert columns | documented - of_layers == set(tiny_run.history)
    assert list(tiny_run.history) == _history.columns(tiny_run.config)


# Where a run may lie


def test_a_run_can_be_moved(copied, tiny_run):
    run = load_run(str(copied))
    assert run.metrics == tiny_run.metrics
    assert np.array_equal(run.spikes().layers[-1], tiny_run.spikes().layers[-1])


def test_a_run_is_still_found_when_the_program_moves_on(copied, monkeypatch, tmp_path):
    monkeypatch.chdir(copied.parent)
    run = load_run("copy")
    monkeypatch.chdir("/")
    assert run.spikes().labels.shape == (360,)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_run("~/copy").seed == 1


def test_the_layout_of_the_metrics_is_free(copied):
    path = copied / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert load_run(copied).seed == 1


# Refusals


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_files_are_refused(copied, name, content):
    (copied / name).write_bytes(FOREIGN[content])
    said = refusal(copied)
    assert name in said
    assert str(copied) in said


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(copied, name):
    (copied / name).unlink()
    assert name in refusal(copied)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), truncate=st.booleans())
def test_damage_anywhere_is_refused(tiny_run, tmp_path_factory, name, where, bit, truncate):
    folder = tmp_path_factory.mktemp("damage") / "copy"
    shutil.copytree(tiny_run.path, folder)
    content = bytearray((folder / name).read_bytes())
    position = int(where * len(content))
    if truncate:
        del content[position:]
    else:
        content[position] ^= 1 << bit
    (folder / name).write_bytes(content)
    if name == "metrics.json" and same_json(content, tiny_run.path / name):
        assert load_run(folder).metrics == tiny_run.metrics
    else:
        assert name in refusal(folder)


def same_json(content, path):
    """Whether only the layout of a JSON file was touched, such as its last newline."""
    try:
        return json.loads(content) == json.loads(path.read_text())
    except ValueError:
        return False


def test_an_embellished_accuracy_is_refused(copied):
    path = copied / "metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {"test_accuracy": 0.999}))
    assert refusal(copied) == f"{path} is damaged: it does not match its own checksum"


def forge(folder, **changes):
    """Write metrics whose checksums are right, whatever the files hold."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["seal"]
    metrics |= changes
    metrics["sha256"] = {name: _files.sha256(folder / name) for name in OTHERS}
    path.write_text(json.dumps(metrics | {"seal": _format.seal(metrics)}))


@pytest.mark.parametrize("found", [1, 2])
def test_an_older_format_is_refused_with_what_to_do(copied, found):
    forge(copied, format=found)
    assert refusal(copied) == (
        f"{copied / 'metrics.json'} is of the older format {found}, and this ttfslib reads 3 only: "
        "train the run again with `ttfs train`, or read it with the ttfslib that wrote it"
    )


@pytest.mark.parametrize("found", [4, 0, None, "3", [3], True])
def test_a_format_of_the_future_is_refused(copied, found):
    forge(copied, format=found)
    expected = f"{copied / 'metrics.json'} has format {found!r}, and this ttfslib reads 3 only: "
    if found is not True:  # which is 1 to Python
        assert refusal(copied).startswith(expected)
    else:
        refusal(copied)


NONSENSE = {
    "test_accuracy": [1.1, -0.1, None, "0.9"],
    "n_undecided": [-1, 361, 10**30, 0.5, None],
    "decision_time_median": [-1.0, "soon"],
    "test_loss": ["low"],
    "seconds": [-1.0, 1e9, None],
    "silent": [5, -0.1, None],
    "layers.activity": [77, -1, "all"],
    "layers.n_spikes": [-1, 100],
    "layers.n_too_small": [-1, 361, 0.5, None],
    "layers.shorth": [-0.1],
    "layers.iqr": [-0.1],
    "layers.sd": [-0.1],
    "layers.median": [-0.1],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, vs in NONSENSE.items() for v in vs])
def test_nonsense_is_refused_even_if_the_checksums_are_right(copied, key, value):
    metrics = load_run(copied).metrics
    name = key.removeprefix("layers.")
    if key.startswith("layers."):
        changed = {"layers": metrics["layers"] | {name: [*metrics["layers"][name][:-1], value]}}
    else:
        changed = {key: [*metrics[key][:-1], value] if key == "silent" else value}
    forge(copied, **changed)
    assert name in refusal(copied)


def test_no_more_samples_are_decided_right_and_undecided_than_there_are(copied):
    forge(copied, test_accuracy=0.9, n_undecided=36)
    assert load_run(copied).metrics["n_undecided"] == 36
    forge(copied, test_accuracy=0.9, n_undecided=37)
    assert "n_undecided must be at most 36, got 37" in refusal(copied)


@pytest.mark.parametrize("content", ["", "epoch,seconds\n1,fast\n", "epoch,seconds\n1\n", "\x00"])
def test_a_history_of_words_is_refused_even_if_the_checksums_are_right(copied, content):
    (copied / "history.csv").write_text(content)
    forge(copied)
    assert "history.csv is damaged or not of a run" in refusal(copied)


@pytest.mark.parametrize("seed", ["", "seed = -1\n", 'seed = "one"\n', "seed = true\n"])
def test_settings_without_a_seed_are_refused_even_if_the_checksums_are_right(copied, seed):
    (copied / "config.toml").write_text(seed + load_run(copied).config.to_toml())
    forge(copied)
    assert "config.toml is damaged or not of a run: " in refusal(copied)


def test_what_is_no_run_is_told_from_what_is_not_finished(tmp_path, copied):
    (tmp_path / "plain").touch()
    for name in ("none", "plain"):
        assert refusal(tmp_path / name) == (
            f"{tmp_path / name} is not the folder of a run (no metrics.json)"
        )
    (copied / "metrics.json").unlink()
    assert refusal(copied) == f"{copied} is not finished: resume it (no metrics.json)"


def test_what_is_no_path_is_named():
    for wrong in (None, 3, 1.5, [], b"x"):
        with pytest.raises(ValueError, match=rf"^path must be a path, got {type(wrong).__name__} "):
            load_run(wrong)


# Files of several trainings


@pytest.fixture(scope="module")
def twins(tiny_config, tmp_path_factory):
    """Folders of two finished runs that differ in nothing but their seeds."""
    config = dataclasses.replace(tiny_config, epochs=1, kept_epochs=(), n_validation=1337)
    place = tmp_path_factory.mktemp("twins")
    return [fit(config, seed, place / str(seed), progress=False).path for seed in (1, 2)]


@pytest.mark.parametrize("choice", range(1, 15))
def test_files_of_two_trainings_never_pass_for_one_run(twins, tmp_path, choice):
    """In every combination that is not one of the two runs."""
    for i, name in enumerate(FILES):
        shutil.copy(twins[choice >> i & 1] / name, tmp_path / name)
    assert str(tmp_path) in refusal(tmp_path)


@pytest.mark.parametrize("choice", range(1, 15))
def test_nor_do_they_if_somebody_has_sealed_them_again(twins, tmp_path, choice):
    """Settings, weights and metrics say of which training they are, the history its seconds."""
    for i, name in enumerate(FILES):
        shutil.copy(twins[choice >> i & 1] / name, tmp_path / name)
    forge(tmp_path)
    said = refusal(tmp_path)
    assert said.endswith(
        ("name and seed must be those of config.toml", "is of a training with other settings")
    ) or re.search(r"history.csv is of a training of \S+ seconds, metrics.json of one of", said)


# How weights are stored


@pytest.mark.parametrize(
    ("kind", "weight", "delay"), [("weights", 7e4, 0), ("weights", -1e6, 0), ("delays", 1, 7e4)]
)
def test_what_is_beyond_the_storage_is_refused(kind, weight, delay):
    network = TTFSNetwork.from_weights([[[1.0, weight]]], delays=[[float(delay)]])
    with pytest.raises(ValueError, match=rf"^{kind} must stay below 65504 to be kept, got "):
        _format.weight_arrays(network, 3)


@pytest.mark.slow
def test_a_run_keeps_its_delays(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, delays=True, epochs=1, kept_epochs=())
    run = load_run(fit(config, 1, tmp_path / "run", progress=False).path)
    assert [len(delays) for delays in run.delays()] == config.sizes[:-1]
    assert not any(delays.any() for delays in run.delays(0))
    assert all(delays.any() and (delays >= 0).all() for delays in run.delays())
    assert all(map(np.array_equal, run.delays(), run.network().delays))
    assert run.evaluate().accuracy == run.metrics["test_accuracy"]


def test_settings_and_seed_make_one_file(tiny_config, tmp_path):
    _folder.begin(tmp_path / "a" / "b", tiny_config, 2**63 - 1)
    text = (tmp_path / "a" / "b" / "config.toml").read_text()
    assert text == _format.settings(tiny_config, 2**63 - 1)
    assert _format.read_settings(tmp_path / "a" / "b") == (tiny_config, 2**63 - 1)
    assert TrainingConfig.from_toml(tmp_path / "a" / "b" / "config.toml") == tiny_config

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
from hypothesis.extra import numpy as stnp

from ttfslib import Run, TrainingConfig, TTFSNetwork, _files, _recording, datasets, fit, load_run
from ttfslib.experiment import runs
from ttfslib.experiment.evaluation import evaluate, make_loss
from ttfslib.experiment.recipe import digits_like_mnist, encode, load_samples
from ttfslib.readout import decided_class, packet_statistics

FILES = [*runs.FILES, "metrics.json"]
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


def test_a_run_is_its_five_files(tiny_run):
    assert {path.name for path in tiny_run.path.iterdir()} == set(FILES)


def test_a_run_says_what_it_is(tiny_run, tiny_config):
    assert isinstance(tiny_run, Run)
    assert tiny_run.config == tiny_config
    assert tiny_run.seed == tiny_run.metrics["seed"] == 1
    assert tiny_run.metrics["name"] == "tiny"
    assert tiny_run.epochs == [0, 2, 4]
    assert set(tiny_run.metrics["versions"]) == {"ttfslib", "python", "numpy", "numba", "torch"}
    for name in runs.FILES:
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
    network = runs.network_of(config, tiny_run.weights())
    assert isinstance(network, TTFSNetwork)
    assert network.stack[0].params == config.params
    assert network.stack[0].gradient_limit == 5.0
    assert network.stack[1].is_excitatory is None
    assert tiny_run.network().stack[1].is_excitatory.sum() == 12


def test_spikes_are_what_the_kept_network_fires(tiny_run, outcome):
    """To half a unit of the storage, and what is silent stays so."""
    spikes = tiny_run.spikes()
    assert len(spikes.layers) == 3
    expected = [np.sort(outcome.layers[0], axis=1), *outcome.layers[1:]]
    for times, exact in zip([spikes.input, *spikes.layers], expected, strict=True):
        first = exact[:100].astype(np.float64)
        assert np.array_equal(np.isinf(times), np.isinf(first))
        spiked = np.isfinite(first)
        assert spiked.any()
        assert np.abs(times[spiked] - first[spiked]).max() <= runs.RESOLUTION / 2
    assert any(np.isinf(times).any() for times in spikes.layers)


def test_spikes_of_earlier_epochs_are_those_of_their_networks(tiny_run):
    test = load_samples(tiny_run.config)["test"]
    inputs = encode(tiny_run.config, test.features[: _recording.FEW_SAMPLES])
    for epoch in (0, 2):
        spikes = tiny_run.spikes(epoch)
        with torch.no_grad():
            exact = tiny_run.network(epoch)(inputs)
        for times, layer in zip(spikes.layers, exact, strict=True):
            assert np.allclose(times, layer, rtol=0, atol=runs.RESOLUTION / 2)
        assert np.array_equal(spikes.labels, test.labels[: _recording.FEW_SAMPLES])


def test_spikes_come_with_their_labels(tiny_run):
    test = load_samples(tiny_run.config)["test"]
    assert np.array_equal(tiny_run.spikes().labels, test.labels[:100])
    assert tiny_run.spikes().labels.dtype == np.int64


def test_no_image_can_be_read_from_the_input(tiny_run):
    """The spikes of every sample are sorted, and not even these are stored, nor the labels."""
    for epoch in tiny_run.epochs:
        assert (np.diff(tiny_run.spikes(epoch).input, axis=1) >= 0).all()
    stored = _files.load_arrays(tiny_run.path / "spikes.npz")
    per_sample = {n for n, a in stored.items() if a.ndim == 2 and a.shape[1] >= 64}
    assert per_sample == set()
    assert not {f"{epoch}/layer_0" for epoch in tiny_run.epochs} & stored.keys()
    assert "test/labels" not in stored
    assert "test/predicted" not in stored


@given(data=st.data(), n_classes=st.integers(1, 10))
def test_answers_are_kept_without_the_labels_in_them(data, n_classes):
    shape = data.draw(st.integers(1, 20))
    labels = data.draw(stnp.arrays(np.int64, shape, elements=st.integers(0, n_classes - 1)))
    answers = data.draw(stnp.arrays(np.int8, shape, elements=st.integers(-1, n_classes - 1)))
    kept = runs.mistakes(answers, labels)
    np.testing.assert_array_equal(runs.predicted(kept, labels), answers)
    assert not runs.mistakes(labels, labels).any()
    assert np.array_equal(kept == runs.UNDECIDED, answers == -1)


def test_without_the_data_set_its_labels_are_missed_and_the_weights_are_not(copied, monkeypatch):
    def missing(_part):
        raise OSError("the data set is not here")

    monkeypatch.setattr(datasets, "load_digits", missing)
    run = load_run(copied)
    assert len(run.weights()) == 3
    for ask in (run.spikes, lambda: run.test):
        with pytest.raises(OSError, match=r"^the data set is not here$"):
            ask()


@pytest.fixture
def without_mnist(monkeypatch):
    def missing(_part):
        raise OSError("MNIST is not here: fetch it")

    runs._mnist_or_stand_in.cache_clear()
    monkeypatch.setattr(datasets, "load_mnist", missing)
    yield
    runs._mnist_or_stand_in.cache_clear()


@pytest.fixture(scope="module")
def mnist_run(tmp_path_factory):
    """A network of MNIST's size that was never trained, on made-up images."""
    rng = np.random.default_rng(0)
    made_up = rng.random((60, 28, 28), np.float32), rng.integers(0, 10, 60)
    config = TrainingConfig(
        name="small",
        dataset="mnist",
        hidden=(20,),
        weight_mean=(0.02, 0.2),
        weight_std=(0.1, 0.8),
        epochs=1,
        n_validation=20,
        n_kept_samples=30,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_mnist", lambda _part: made_up)
        return fit(config, 1, tmp_path_factory.mktemp("mnist") / "run", progress=False)


@pytest.mark.usefixtures("without_mnist")
def test_without_mnist_nothing_stands_in_unless_it_may(mnist_run):
    run = load_run(mnist_run.path)
    for ask in (run.spikes, lambda: run.test):
        with pytest.raises(OSError, match=r"^MNIST is not here: fetch it$"):
            ask()


@pytest.mark.usefixtures("without_mnist")
def test_without_mnist_the_network_is_shown_other_digits(mnist_run):
    run = load_run(mnist_run.path, stand_in=True)
    with pytest.warns(
        UserWarning, match=r"^MNIST is not here: fetch it\. Until then scikit-learn's"
    ):
        spikes = run.spikes()
    images, labels = digits_like_mnist()
    inputs = encode(run.config, images[:30])
    layers = [times.detach().numpy() for times in run.network()(inputs)]
    assert np.array_equal(spikes.labels, labels[:30])
    np.testing.assert_allclose(spikes.input, np.sort(inputs), atol=runs.RESOLUTION)
    for found, expected in zip(spikes.layers, layers, strict=True):
        np.testing.assert_allclose(found, expected, atol=runs.RESOLUTION)
    assert not np.array_equal(run.spikes(0).layers[0][:30], spikes.layers[0])
    assert {name: len(values) for name, values in run.test.items()} == dict.fromkeys(
        ("labels", "predicted", "decision_time", "shorth", "activity"), 1797
    )
    np.testing.assert_array_equal(run.test["predicted"][:30], decided_class(spikes.layers[-1]))


def test_where_mnist_is_nothing_stands_in(mnist_run, monkeypatch):
    own = np.zeros((60, 28, 28), np.float32), np.arange(60) % 10
    runs._mnist_or_stand_in.cache_clear()
    monkeypatch.setattr(datasets, "load_mnist", lambda _part: own)
    run = load_run(mnist_run.path, stand_in=True)
    assert np.array_equal(run.spikes().labels, own[1][:30])
    assert np.array_equal(run.spikes().layers[0], mnist_run.spikes().layers[0])
    assert len(run.test["predicted"]) == 60
    runs._mnist_or_stand_in.cache_clear()


@pytest.mark.parametrize("read", ["weights", "network", "spikes"])
@pytest.mark.parametrize("epoch", [1, 3, 5, -1, "last"])
def test_an_epoch_that_was_not_kept_is_refused(tiny_run, read, epoch):
    with pytest.raises(
        ValueError, match=rf"^epoch must be one of the kept \[0, 2, 4\], got {epoch!r}$"
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
    assert np.array_equal(test["decision_time"], outcome.decision_times.astype(np.float32))
    assert np.allclose(test["shorth"], packets.shorth, rtol=1e-3, equal_nan=True)
    assert np.allclose(test["activity"], packets.activity, rtol=1e-3)
    assert test.keys() == {"labels", "predicted", "decision_time", "shorth", "activity"}


def test_the_kept_spikes_decide_as_the_metrics_say(tiny_run):
    spikes = tiny_run.spikes()
    predicted = decided_class(spikes.layers[-1])
    agreeing = predicted == tiny_run.test["predicted"][:100]
    ordered = np.sort(spikes.layers[-1], axis=1)
    too_close = ordered[:, 1] - ordered[:, 0] <= runs.RESOLUTION
    assert (agreeing | too_close).all()
    assert agreeing.mean() > 0.9


def test_the_history_has_a_row_for_each_epoch(tiny_run):
    history = tiny_run.history
    assert all(column.shape == (5,) for column in history.values())
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(history["train_loss"]).tolist() == [True, False, False, False, False]
    assert (history["validation_accuracy"] <= 1).all()
    assert tiny_run.metrics["seconds"] == pytest.approx(history["seconds"].sum(), rel=1e-4)


def test_every_column_of_the_history_is_documented(tiny_run):
    table = runs.__doc__.split("The columns of ``history.csv``")[1]
    rows = [line for line in table.splitlines() if line.startswith("``")]
    documented = {name for row in rows for name in re.findall(r"``(\w+)``", row.split("  ")[0])}
    of_layers = {name for name in documented if name.endswith("_I")}
    columns = {name.replace("_I", f"_{i}") for name in of_layers for i in range(4)}
    assert columns | documented - of_layers == set(tiny_run.history)


# Where a run may lie


def test_a_run_can_be_moved(copied, tiny_run):
    run = load_run(str(copied))
    assert run.metrics == tiny_run.metrics
    assert np.array_equal(run.spikes().input, tiny_run.spikes().input)


def test_a_run_is_still_found_when_the_program_moves_on(copied, monkeypatch, tmp_path):
    monkeypatch.chdir(copied.parent)
    run = load_run("copy")
    monkeypatch.chdir("/")
    assert run.spikes().labels.shape == (100,)
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
    metrics["sha256"] = {name: _files.sha256(folder / name) for name in runs.FILES}
    path.write_text(json.dumps(metrics | {"seal": runs.seal(metrics)}))


def test_a_format_of_the_future_is_refused(copied):
    forge(copied, format=3)
    said = refusal(copied)
    assert said == f"{copied / 'metrics.json'} has format 3, this ttfslib reads 2"


def test_pickled_spikes_are_refused_even_if_the_checksums_are_right(copied):
    np.savez(copied / "spikes.npz", **{"4/layer_0": np.array([{}], dtype=object)})
    forge(copied)
    run = load_run(copied)
    with pytest.raises(OSError, match=r"spikes\.npz is damaged or not a file of ttfslib") as caught:
        run.spikes()
    assert len(str(caught.value).splitlines()) == 1


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


# How spike times and weights are stored


@settings(max_examples=100)
@given(
    times=stnp.arrays(
        np.float64, stnp.array_shapes(max_dims=2), elements=st.floats(0, 100) | st.just(math.inf)
    )
)
def test_stored_times_are_off_by_half_a_unit_at_most(times):
    layer = times.reshape(1, -1)
    stored = _recording.spike_arrays([layer, layer], 3, 1)
    assert stored.keys() == {"3/layer_1"}
    found = runs.unpack(stored["3/layer_1"])
    last = 8 - 2 * runs.RESOLUTION
    assert np.array_equal(np.isinf(found), np.isinf(layer))
    spiked = np.isfinite(layer)
    error = found[spiked] - layer[spiked].clip(max=last)
    assert (np.abs(error) <= runs.RESOLUTION / 2).all()


def test_the_unit_of_time_is_what_the_reference_says():
    assert runs.RESOLUTION == 1 / 8192


@pytest.mark.parametrize("size", [7e4, -1e6])
def test_weights_beyond_the_storage_are_refused(size):
    network = TTFSNetwork.from_weights([torch.tensor([[1.0, size]])])
    with pytest.raises(ValueError, match=r"^weights must stay below 65504 to be kept, got "):
        _recording.weight_arrays(network, 3)


def test_settings_and_seed_make_one_file(tiny_config, tmp_path):
    _recording.begin(tmp_path / "a" / "b", tiny_config, 2**63 - 1)
    text = (tmp_path / "a" / "b" / "config.toml").read_text()
    assert text == _recording.settings(tiny_config, 2**63 - 1)
    assert runs.read_settings(tmp_path / "a" / "b") == (tiny_config, 2**63 - 1)
    assert TrainingConfig.from_toml(tmp_path / "a" / "b" / "config.toml") == tiny_config

"""Training: what the network is shown; repeating, resuming bit for bit, failing in the open."""

from __future__ import annotations

import dataclasses
import math
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
import torch

from ttfslib import _files, datasets, fit, load_digits, load_run
from ttfslib.cli import main
from ttfslib.engines import cpu
from ttfslib.experiment import training as training_module
from ttfslib.experiment.recipe import Samples, encode, load_samples, make_network
from ttfslib.experiment.training import CHECKPOINT

SEED = 7
CLOCKS = {"seconds", "cpu_seconds"}


@pytest.fixture(scope="module")
def config(tiny_config):
    """Three epochs of eight steps."""
    return dataclasses.replace(
        tiny_config, name="quick", epochs=3, n_validation=1237, batch_size=25, kept_epochs=(1,)
    )


@pytest.fixture(scope="module")
def reference(config, tmp_path_factory):
    """The run that nothing interrupted."""
    return fit(config, SEED, tmp_path_factory.mktemp("reference") / "run", progress=False)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same_run(run, other):
    """The same bytes; but for the clocks, and what depends on them."""
    for name in ("config.toml", "weights.safetensors"):
        assert _files.sha256(run.path / name) == _files.sha256(other.path / name), name
    assert run.history.keys() == other.history.keys()
    for name in run.history.keys() - CLOCKS:
        assert np.array_equal(run.history[name], other.history[name], equal_nan=True), name
    timed = CLOCKS | {"sha256"}
    assert {k: v for k, v in run.metrics.items() if k not in timed} == {
        k: v for k, v in other.metrics.items() if k not in timed
    }
    assert names_in(run.path) == names_in(other.path)


def refused(config, out, *, seed=SEED, error=ValueError, resume=False):
    """What `fit` says in one line when it refuses."""
    with pytest.raises(error, match=r"^") as caught:
        fit(config, seed, out, resume=resume, progress=False)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


# What the network is shown and what becomes of it


def of_training(config, samples=None, seed=SEED):
    return training_module._Training(config, seed, samples or load_samples(config))


def test_a_run_begins_with_the_network_that_its_seed_draws(config, reference):
    drawn = make_network(config, torch.Generator().manual_seed(SEED))
    for kept, matrix in zip(reference.weights(0), drawn.weights, strict=True):
        assert np.array_equal(kept, matrix.numpy().astype(np.float16))
    assert not np.array_equal(reference.weights(0)[0], reference.weights()[0])


def test_samples_of_validation_and_test_decide_nothing(config, reference, tmp_path, monkeypatch):
    """With other ones, even empty ones, the same network is trained."""

    def others(config):
        parts = load_samples(config)
        blank = Samples(np.zeros((30, 8, 8), dtype=np.float32), np.arange(30) % 10)
        return {"train": parts["train"], "validation": blank, "test": blank}

    monkeypatch.setattr(training_module, "load_samples", others)
    run = fit(config, SEED, tmp_path / "run", progress=False)
    for found, expected in zip(run.weights(), reference.weights(), strict=True):
        assert np.array_equal(found, expected)
    assert run.history["validation_loss"][-1] != reference.history["validation_loss"][-1]


def test_every_training_sample_is_shown_once_an_epoch(config):
    plain = dataclasses.replace(config, input_noise=0.0, max_shift=0, deformation=0.0)
    samples = load_samples(plain)
    training = of_training(plain, samples)
    expected = encode(plain, samples["train"].features)
    orders = []
    for _ in range(2):
        batches = list(training._batches())
        assert [len(labels) for _, labels in batches] == [25] * 8
        inputs = torch.cat([times for times, _ in batches])
        labels = torch.cat([labels for _, labels in batches])
        places = [int((expected == row).all(dim=1).nonzero()[0, 0]) for row in inputs]
        assert sorted(places) == list(range(200))
        assert np.array_equal(labels, samples["train"].labels[places])
        orders.append(places)
    assert orders[0] != orders[1] != list(range(200))


def test_shuffled_labels_are_the_same_labels_in_another_order(config):
    samples = load_samples(config)
    truth = torch.from_numpy(samples["train"].labels)
    assert torch.equal(of_training(config, samples).labels, truth)
    shuffled_config = dataclasses.replace(config, shuffle_labels=True)
    shuffled = of_training(shuffled_config, samples).labels
    assert torch.equal(shuffled.sort().values, truth.sort().values)
    assert (shuffled == truth).double().mean() < 0.25
    assert torch.equal(of_training(shuffled_config, samples).labels, shuffled)
    assert not torch.equal(of_training(shuffled_config, samples, seed=8).labels, shuffled)


def noise_of(config, n_epochs=1):
    """What is added to the spikes of samples that are all alike, shape (n_epochs, n, 64)."""
    n = 500
    gray = Samples(np.full((n, 8, 8), 0.5, dtype=np.float32), np.arange(n) % 10)
    still = dataclasses.replace(config, max_shift=0, deformation=0.0)
    training = of_training(still, dict.fromkeys(("train", "validation", "test"), gray))
    clean = encode(config, gray.features)
    assert torch.equal(training.evaluation_inputs["test"], clean), "none is added in evaluations"
    found = []
    for epoch in range(1, n_epochs + 1):
        training.epoch = epoch
        found.append(torch.cat([times for times, _ in training._batches()]) - clean)
    return torch.stack(found).double().numpy()


def test_the_input_noise_is_gaussian_independent_and_new_in_every_epoch(config):
    noise = noise_of(dataclasses.replace(config, input_noise=0.3), n_epochs=2)
    n = noise.size
    assert abs(noise.mean()) < 5 * 0.3 / math.sqrt(n)
    assert abs(noise.std() / 0.3 - 1) < 5 / math.sqrt(2 * n)
    within = (np.abs(noise) < 0.3).mean()
    assert abs(within - 0.6827) < 5 * math.sqrt(0.68 * 0.32 / n)
    for one, other in [(noise[0], noise[1]), (noise[:, ::2], noise[:, 1::2])]:
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 5 / math.sqrt(one.size)


def test_the_input_noise_fades_within_and_over_the_epochs(config):
    fading = dataclasses.replace(config, input_noise=0.3, final_noise=0.0, epochs=2)
    noise = noise_of(fading, n_epochs=2)
    stds = noise.reshape(2, 20, -1).std(axis=2).ravel()
    expected = 0.3 * (1 - np.arange(40) / 40)
    assert np.abs(stds / expected - 1).max() < 5 / math.sqrt(2 * 25 * 64)


def test_without_noise_there_is_none(config):
    assert (noise_of(dataclasses.replace(config, input_noise=0.0)) == 0).all()


def test_a_network_learns(tiny_run):
    history = tiny_run.history
    assert history["train_loss"][-1] < history["train_loss"][1]
    assert history["validation_accuracy"][-1] > history["validation_accuracy"][0]
    assert history["learning_rate"].tolist() == pytest.approx(
        [0.01, 0.00853553, 0.005, 0.00146447, 0.0], abs=1e-7
    )


@pytest.mark.parametrize(
    "changes",
    [
        {
            "dataset": "yin_yang",
            "max_shift": 0,
            "deformation": 0,
            "bias_times": (0.9,),
            "weight_mean": (1, 0.5, 0.4),
        },
        {"loss": "mse", "schedule": "step", "decay_every": 1, "excitatory_share": None},
        {"hidden": (12,), "weight_mean": (0.1, 0.3), "weight_std": (0.1, 0.3), "tau_m": math.inf},
        {"kept_epochs": (), "tau_m": 2.0, "gradient_limit": 3.0},
        {
            "dataset": {"name": "yin_yang", "n_train": 1500, "n_test": 70},
            "max_shift": 0,
            "deformation": 0,
            "bias_times": (0.9,),
            "weight_mean": (1, 0.5, 0.4),
        },
    ],
    ids=["yin-yang", "mse", "one layer without leak", "limited gradients", "fewer points"],
)
def test_other_settings_make_runs_too(config, tmp_path, changes):
    run = fit(
        dataclasses.replace(config, epochs=1, **changes), SEED, tmp_path / "run", progress=False
    )
    n_test = run.config.dataset.parameters.get("n_test", 360)
    assert len(run.test["labels"]) == n_test
    assert run.spikes().input.shape == (n_test, run.config.sizes[0])
    assert np.isfinite(run.history["train_loss"][1])
    assert run.epochs == [0, 1]


# The same again


def test_the_same_settings_and_seed_are_the_same_run(config, reference, tmp_path):
    assert_same_run(fit(config, SEED, tmp_path / "run", progress=False), reference)


def test_the_number_of_threads_changes_nothing(config, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "SMALL_WORK", 0)  # so that these small layers use the threads
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this process may use one thread only")
    threads = numba.get_num_threads(), torch.get_num_threads()
    try:
        numba.set_num_threads(1)
        torch.set_num_threads(1)
        one = fit(config, SEED, tmp_path / "one", progress=False)
        numba.set_num_threads(2)
        torch.set_num_threads(2)
        two = fit(config, SEED, tmp_path / "two", progress=False)
    finally:
        numba.set_num_threads(threads[0])
        torch.set_num_threads(threads[1])
    assert_same_run(one, two)
    assert_same_run(one, reference)


def test_another_seed_is_another_run(config, reference, tmp_path):
    other = fit(config, SEED + 1, tmp_path / "run", progress=False)
    assert not np.array_equal(other.weights(0)[0], reference.weights(0)[0])


def test_nothing_global_is_touched(config, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    fit(dataclasses.replace(config, epochs=1, kept_epochs=()), SEED, tmp_path / "a", progress=False)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_default_dtype() == torch.float32


# Resuming


class Killed(BaseException):
    """As if the process were gone: nothing of it is cleaned up."""


def kill_at_write(monkeypatch, number):
    """Die in the middle of that write, with half a draft left behind."""
    n_written = 0
    real_write = _files.write

    def write(path, content):
        nonlocal n_written
        n_written += 1
        if n_written == number:
            data = content.encode() if isinstance(content, str) else content
            draft = path.with_name(f".{path.name}.0a1b2c3d{_files.DRAFT}")
            draft.write_bytes(data[: len(data) // 2])
            raise Killed
        real_write(path, content)

    monkeypatch.setattr(_files, "write", write)


N_WRITES = 1 + 3 + 4  # settings; a checkpoint after each epoch; the files of the finished run


@pytest.mark.parametrize("number", range(1, N_WRITES + 1))
def test_killed_in_any_write_it_resumes_to_the_same_run(
    config, reference, tmp_path, monkeypatch, number
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_at_write(patch, number)
        with pytest.raises(Killed):
            fit(config, SEED, out, progress=False)
    assert len(_files.drafts(out)) == 1
    assert not (out / "metrics.json").exists()
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)


def test_that_was_every_write(config, tmp_path, monkeypatch):
    kill_at_write(monkeypatch, N_WRITES + 1)
    assert fit(config, SEED, tmp_path / "run", progress=False).epochs == [0, 1, 3]


def test_killed_after_the_last_write_it_resumes_to_the_same_run(
    config, reference, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(training_module, "load_run", raise_killed)
        with pytest.raises(Killed):
            fit(config, SEED, out, progress=False)
    assert (out / CHECKPOINT).exists()
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)


def raise_killed(*_):
    raise Killed


def test_killed_between_steps_it_resumes_to_the_same_run(config, reference, tmp_path, monkeypatch):
    """Three times, in the first epoch, the second and the third."""
    out = tmp_path / "run"
    step = training_module._Training._step
    for n_steps in (3, 8 + 5, 2 * 8 - 1):
        taken = 0

        def counted(self, *arguments, last=n_steps):
            nonlocal taken
            taken += 1
            if taken > last:
                raise Killed
            return step(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(training_module._Training, "_step", counted)
            with pytest.raises(Killed):
                fit(config, SEED, out, resume=True, progress=False)
    assert _files.load_tensors(out / CHECKPOINT)[1]["epoch"] == 2
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)


LONG = "from ttfslib.cli import main; raise SystemExit(main())"
# A shell may have made its background jobs deaf to Ctrl-C.
HEARING = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {LONG}"
DYING = (
    "import os, signal, sys; sync, n = os.fsync, []\n"
    "def die(file):\n"
    "    n.append(file)\n"
    "    sync(file)\n"
    "    if len(n) == 4:\n"
    "        print('torch._dynamo' in sys.modules, file=sys.stderr, flush=True)\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n"
    f"os.fsync = die; {LONG}"
)


@pytest.fixture(scope="module")
def long_config(config):
    """Long enough to be met alive."""
    return dataclasses.replace(config, name="long", epochs=40)


@pytest.fixture(scope="module")
def long_reference(long_config, tmp_path_factory):
    return fit(long_config, SEED, tmp_path_factory.mktemp("long") / "run", progress=False)


def start(config, out, code=LONG, *, resume=False):
    """Run `ttfs train` in a process of its own."""
    path = out.parent / "settings.toml"
    path.write_text(config.to_toml())
    command = [sys.executable, "-c", code, "train", str(path), "--seed", str(SEED)]
    command += ["--out", str(out), "--quiet", *(["--resume"] if resume else [])]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def epoch_reached(out):
    """Epoch of the checkpoint, 0 if there is none; it is whole at every moment."""
    path = out / CHECKPOINT
    return _files.load_tensors(path)[1]["epoch"] if path.exists() else 0


def meet(process, out, epoch):
    """Wait until a training has got that far."""
    deadline = time.monotonic() + 120
    while epoch_reached(out) < epoch:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_process_that_is_killed_twice_resumes_to_the_same_run(
    long_config, long_reference, tmp_path
):
    out = tmp_path / "run"
    for epoch, resume in ((3, False), (8, True)):
        with start(long_config, out, resume=resume) as process:
            meet(process, out, epoch)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert epoch <= epoch_reached(out) < long_config.epochs, "too quick to be met alive"
    assert_same_run(fit(long_config, SEED, out, resume=True, progress=False), long_reference)


def test_a_process_that_dies_while_it_writes_resumes_to_the_same_run(config, reference, tmp_path):
    """Its fourth write is the third checkpoint: the second one stays."""
    out = tmp_path / "run"
    with start(config, out, DYING) as process:
        has_loaded_the_compiler = process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    assert has_loaded_the_compiler == "False\n"  # it would have taken longer than the training
    assert len(_files.drafts(out)) == 1
    assert epoch_reached(out) == 2
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)


def test_ctrl_c_says_how_to_go_on_and_the_run_does(long_config, long_reference, tmp_path, capsys):
    out = tmp_path / "a folder" / "run"
    out.parent.mkdir()
    with start(long_config, out, HEARING) as process:
        meet(process, out, 2)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert len(said.splitlines()) == 1
    assert said.startswith("ttfs: stopped; go on with: ttfs train ")
    assert not _files.drafts(out)
    assert 2 <= epoch_reached(out) < long_config.epochs
    command = shlex.split(said.split("go on with: ")[1])
    assert main([*command[1:], "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert_same_run(load_run(out), long_reference)


def test_a_finished_run_is_returned_as_it_is(config, reference, tmp_path, monkeypatch):
    out = shutil.copytree(reference.path, tmp_path / "run")
    monkeypatch.delattr(training_module, "_Training")
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_steps_are_those_of_torchs_adam():
    """Bit for bit, also where the rate changes and a gradient is zero."""
    mine, theirs = ([torch.linspace(-1, 1, n).requires_grad_() for n in (5, 3)] for _ in range(2))
    adam, reference = training_module.Adam(mine), torch.optim.Adam(theirs)
    random = torch.Generator().manual_seed(1)
    for rate in (0.1, 0.01, 0.02):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=random)
            one.grad[0] = 0
            other.grad = one.grad.clone()
        adam.step(rate)
        reference.param_groups[0]["lr"] = rate
        reference.step()
    assert all(map(torch.equal, mine, theirs))
    for one, other in zip(mine, theirs, strict=True):
        moments = reference.state[other]
        assert adam.state[one].keys() == moments.keys()
        assert all(torch.equal(adam.state[one][name], moments[name]) for name in moments)


# Folders that are taken


def test_a_run_is_not_begun_twice(config, reference, tmp_path):
    out = shutil.copytree(reference.path, tmp_path / "run")
    said = refused(config, out)
    assert said == f"out holds a run already, got {out}: resume it or choose another"
    assert_same_run(load_run(out), reference)


@pytest.mark.parametrize("state", ["finished", "begun"])
def test_only_the_same_settings_and_seed_resume(config, reference, tmp_path, state):
    out = shutil.copytree(reference.path, tmp_path / "run")
    if state == "begun":
        for name in ("metrics.json", "weights.safetensors", "history.csv"):
            (out / name).unlink()
    before = names_in(out)
    other = dataclasses.replace(config, learning_rate=0.02)
    for settings, seed in ((other, SEED), (config, SEED + 1)):
        said = refused(settings, out, seed=seed, resume=True)
        assert said == f"out holds a run of other settings or another seed, got {out}"
    assert names_in(out) == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("held", ["file", ".hidden", "metrics.json", CHECKPOINT, "folder/file"])
def test_a_folder_of_something_else_is_left_alone(config, tmp_path, held, resume):
    path = tmp_path / "out" / held
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    said = refused(config, tmp_path / "out", resume=resume)
    assert said == f"out must be a new or empty folder, got {tmp_path / 'out'}"
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [path]
    assert path.read_text() == "precious"


def test_a_file_is_no_folder(config, tmp_path):
    (tmp_path / "out").write_text("precious")
    assert "new or empty folder" in refused(config, tmp_path / "out")
    said = refused(config, tmp_path / "out" / "run", error=OSError)
    assert str(tmp_path / "out") in said
    assert (tmp_path / "out").read_text() == "precious"


def test_another_config_toml_is_not_mistaken_for_a_run(config, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.toml").write_text("[server]\nport = 80\n")
    assert "config.toml is damaged or not of a run" in refused(
        config, out, error=OSError, resume=True
    )
    assert "out holds a run already" in refused(config, out)
    assert names_in(out) == ["config.toml"]


def test_an_empty_folder_a_relative_path_and_a_home_will_do(config, tmp_path, monkeypatch):
    short = dataclasses.replace(config, epochs=1, kept_epochs=())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "empty").mkdir()
    for out, place in [("empty", "empty"), ("new/run", "new/run"), ("~/run", "home/run")]:
        run = fit(short, SEED, out, progress=False)
        assert run.path == tmp_path / place
    monkeypatch.chdir("/")
    assert run.spikes().labels.shape == (360,)


# Faults


def checkpoint_of(config, out):
    """Leave a training behind that has only to be finished."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_module._Training, "finish", raise_killed)
        with pytest.raises(Killed):
            fit(config, SEED, out, progress=False)
    assert epoch_reached(out) == config.epochs


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda _: b"",
        lambda _: b"something else",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    ],
    ids=["truncated", "empty", "foreign", "flipped"],
)
def test_a_damaged_checkpoint_is_refused_and_kept(config, tmp_path, spoil):
    out = tmp_path / "run"
    checkpoint_of(config, out)
    path = out / CHECKPOINT
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    said = refused(config, out, error=OSError, resume=True)
    assert said.startswith(f"{path} is damaged")
    assert path.read_bytes() == spoilt


def test_the_checkpoint_of_another_training_is_refused(config, tmp_path):
    for name, settings in {
        "run": config,
        "other": dataclasses.replace(config, input_noise=0.06),
    }.items():
        checkpoint_of(settings, tmp_path / name)
    path = tmp_path / "run" / CHECKPOINT
    shutil.copy(tmp_path / "other" / CHECKPOINT, path)
    said = refused(config, tmp_path / "run", error=OSError, resume=True)
    assert said == f"{path} is not of this training: it has other settings"


def test_data_that_are_no_numbers_leave_no_trace(config, tmp_path, monkeypatch):
    def spoilt(split):
        images, labels = load_digits(split)
        images[3, 4, 5] = np.nan
        return images, labels

    monkeypatch.setattr(datasets, "load_digits", spoilt)
    said = refused(config, tmp_path / "run")
    assert said == "digits must lie in [0, 1], got nan to nan in its train samples"
    assert names_in(tmp_path) == []


def test_data_that_cannot_be_had_leave_no_trace(config, tmp_path, monkeypatch):
    def missing(split):
        raise OSError(f"MNIST's {split} is missing")

    monkeypatch.setattr(datasets, "load_mnist", missing)
    said = refused(dataclasses.replace(config, dataset="mnist"), tmp_path / "run", error=OSError)
    assert said == "MNIST's train is missing"
    assert names_in(tmp_path) == []


SILENT = {"weight_mean": (0.0, 0.0, 0.0), "weight_std": (0.001, 0.001, 0.001), "input_noise": 0.0}


def test_a_network_that_is_silent_at_first_is_brought_back(config, tmp_path):
    """All layers begin silent; the remedy wakes them one after the other."""
    silent = dataclasses.replace(config, **SILENT, silent_step=0.01)
    history = fit(silent, SEED, tmp_path / "run", progress=False).history
    for i in (1, 2, 3):
        assert history[f"silent_{i}"][0] == 1
        assert history[f"silent_{i}"][-1] < 0.5
    assert math.isinf(history["decision_time"][0])
    assert math.isfinite(history["decision_time"][-1])
    assert history["validation_accuracy"][0] == 0 < history["validation_accuracy"][-1]


def test_a_network_that_stays_silent_is_an_error(config, tmp_path):
    silent = dataclasses.replace(config, **SILENT, silent_step=1e-9)
    expected = (
        "no output neuron fired in epoch 1: weights too small to train "
        "(raise weight_mean, weight_std or silent_step)"
    )
    assert refused(silent, tmp_path / "run") == expected
    assert refused(silent, tmp_path / "run", resume=True) == expected
    assert names_in(tmp_path / "run") == ["config.toml"]


EXPLOSIVE = {"name": "cross_entropy", "alpha": 1e38, "beta": 20.0}


def test_a_loss_that_explodes_is_an_error(config, tmp_path):
    said = refused(dataclasses.replace(config, loss=EXPLOSIVE), tmp_path / "run")
    assert said == (
        "training broke down in epoch 1: the loss became inf (lower learning_rate or "
        "gradient_limit)"
    )


@pytest.mark.parametrize("bad_step", [8 + 3, 8 + 8])
def test_a_training_that_breaks_down_keeps_its_checkpoint(
    config, reference, tmp_path, monkeypatch, bad_step
):
    """A gradient without value spoils a weight within the second epoch, or in its last step."""
    out, n_taken = tmp_path / "run", 0

    class Adam(training_module.Adam):
        def step(self, rate):
            nonlocal n_taken
            n_taken += 1
            if n_taken == bad_step:
                list(self.state)[1].grad[3, 4] = math.nan
            super().step(rate)

    with monkeypatch.context() as patch:
        patch.setattr(training_module, "Adam", Adam)
        assert refused(config, out) == (
            "training broke down in epoch 2: weights must be finite, got NaN or an infinity "
            "(lower learning_rate or gradient_limit)"
        )
    assert names_in(out) == [CHECKPOINT, "config.toml"]
    assert epoch_reached(out) == 1
    assert_same_run(fit(config, SEED, out, resume=True, progress=False), reference)


@pytest.mark.parametrize(
    ("free", "held"),
    [(0, []), (8, ["config.toml"]), (48, [CHECKPOINT, "config.toml"])],
    ids=["settings", "first checkpoint", "second checkpoint beside the first"],
)
def test_a_full_disk_is_one_line_and_the_run_resumes(
    config, reference, small_disk, tmp_path, capsys, free, held
):
    """So many kB are free, and what does not fit is not there."""
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 1024 * (256 - free))
    settings, out = tmp_path / "settings.toml", small_disk / "run"
    settings.write_text(config.to_toml())
    command = ["train", str(settings), "--seed", str(SEED), "--out", str(out), "--quiet"]
    assert main(command) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"ttfs: cannot write {out}/")
    assert said.err.endswith(": No space left on device\n")
    assert (names_in(out) if out.exists() else []) == held
    assert epoch_reached(out) == (1 if CHECKPOINT in held else 0)
    filler.unlink()
    assert main([*command, "--resume"]) == 0
    assert_same_run(load_run(out), reference)


# Arguments


@pytest.mark.parametrize(
    ("seed", "complaint"),
    [
        (-1, "seed must be at least 0, got -1"),
        (2**63, f"seed must be at most {2**63 - 1}, got {2**63}"),
        (1.0, "seed must be an integer, got float '1.0'"),
        (True, "seed must be an integer, got bool 'True'"),
        (None, "seed must be an integer, got NoneType 'None'"),
    ],
)
def test_a_bad_seed_is_refused(config, tmp_path, seed, complaint):
    assert refused(config, tmp_path / "run", seed=seed) == complaint
    assert names_in(tmp_path) == []


def test_the_largest_seed_is_taken(config, tmp_path):
    short = dataclasses.replace(config, epochs=1, kept_epochs=())
    assert fit(short, 2**63 - 1, tmp_path / "run", progress=False).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "device must be one of 'cpu', 'cuda', got 'gpu'"),
        ("cuda", "device must be cpu, as torch finds no CUDA device here, got cuda"),
    ],
)
def test_a_device_that_is_not_there_is_refused(config, tmp_path, monkeypatch, device, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"^device") as caught:
        fit(config, SEED, tmp_path / "run", progress=False, device=device)
    assert str(caught.value) == said
    assert names_in(tmp_path) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_a_training_repeats_resumes_and_says_where_it_was(config, tmp_path):
    runs = [
        fit(config, SEED, tmp_path / name, progress=False, device="cuda") for name in ("a", "b")
    ]
    assert_same_run(*runs)
    assert runs[0].metrics["device"] == "cuda"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_module._Training, "finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fit(config, SEED, tmp_path / "c", progress=False, device="cuda")
    assert_same_run(
        fit(config, SEED, tmp_path / "c", resume=True, progress=False, device="cuda"), runs[0]
    )


@pytest.mark.parametrize("config", ["configs/digits-dale.toml", {"name": "x"}, None])
def test_a_config_must_be_one(tmp_path, config):
    said = refused(config, tmp_path / "run")
    assert said == f"config must be a TrainingConfig, got {type(config).__name__}"


def test_progress_is_a_bar_on_stderr_or_nothing(config, tmp_path, capsys):
    short = dataclasses.replace(config, epochs=1, kept_epochs=())
    fit(short, SEED, tmp_path / "a", progress=False)
    assert capsys.readouterr() == ("", "")
    fit(short, SEED, tmp_path / "b")
    out, err = capsys.readouterr()
    assert out == ""
    assert "quick, seed 7" in err
    assert "1/1" in err

"""Recordings and networks in the formats of the field, read back by the libraries of the field."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys

import numpy as np
import pytest

import ttfslib
from ttfslib.cli import main
from ttfslib.export import record
from ttfslib.export.recording import PAUSE, cell_types

TAU_S = 0.01
"""Of a recording, in seconds."""


def needs(*libraries, command="pip install 'ttfslib[export]'"):
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}: {command}")


needs_nwb, needs_neo, needs_nir = needs("pynwb"), needs("neo"), needs("nir")


@pytest.fixture(scope="module")
def spikes(tiny_run):
    return tiny_run.spikes(n_samples=20)


@pytest.fixture(scope="module")
def recording(tiny_run):
    return record(tiny_run, samples=range(20))


# --- what is recorded ---------------------------------------------------------------------------


def test_a_recording_holds_every_spike_in_seconds(spikes, recording):
    everything = np.hstack([spikes.input, *spikes.layers]).astype(float)
    np.testing.assert_array_equal(np.isfinite(recording.times), np.isfinite(everything))
    np.testing.assert_allclose(recording.times, TAU_S * everything)


def test_trials_follow_each_other_and_end_after_the_last_spike(recording):
    last = recording.times[np.isfinite(recording.times)].max()
    assert recording.duration == pytest.approx(last + PAUSE * TAU_S)
    np.testing.assert_allclose(np.diff(recording.start), recording.duration)
    trains = recording.trains()
    assert sum(map(len, trains)) == np.isfinite(recording.times).sum()
    assert all((np.diff(train) > 0).all() for train in trains)
    np.testing.assert_allclose(trains[3], recording.start + recording.times[:, 3])


def test_units_say_where_they_are_and_what_they_do(tiny_run, recording):
    sizes = {"input": 64, "hidden 1": 16, "hidden 2": 12, "output": 10}
    assert recording.layer.tolist() == [name for name, n in sizes.items() for _ in range(n)]
    assert recording.neuron.tolist() == [i for n in sizes.values() for i in range(n)]
    weights = tiny_run.weights()[1]
    kinds = recording.cell_type[recording.layer == "hidden 1"]
    assert (kinds == "excitatory").sum() == 12
    assert (weights[kinds == "excitatory"] >= 0).all()
    assert (weights[kinds == "inhibitory"] <= 0).all()
    assert set(recording.cell_type[recording.layer == "input"]) == {"mixed"}
    assert set(cell_types(tiny_run, 3)) == {"mixed"}


def test_trials_say_what_was_shown_and_decided(tiny_run, recording):
    test = {name: values[:20] for name, values in tiny_run.test.items()}
    np.testing.assert_array_equal(recording.label, test["labels"])
    np.testing.assert_array_equal(recording.decision, test["predicted"])
    np.testing.assert_array_equal(recording.correct, test["labels"] == test["predicted"])
    np.testing.assert_allclose(recording.decision_time, TAU_S * test["decision_time"])


def test_layers_samples_epoch_and_time_can_be_chosen(tiny_run):
    chosen = record(tiny_run, layers=[2, 1], samples=[7, 3], epoch=0, tau_s_ms=5)
    assert chosen.layer.tolist() == ["hidden 2"] * 12 + ["hidden 1"] * 16
    untrained = tiny_run.spikes(0, 8)
    expected = np.hstack([untrained.layers[1], untrained.layers[0]])[[7, 3]]
    np.testing.assert_allclose(chosen.times, 0.005 * expected.astype(float))
    np.testing.assert_array_equal(chosen.sample, [7, 3])
    np.testing.assert_array_equal(chosen.label, untrained.labels[[7, 3]])
    assert chosen.epoch == 0


def test_a_recording_shows_a_hundred_samples_or_as_many_as_there_are(tiny_run):
    from ttfslib.experiment.recipe import Samples

    assert len(record(tiny_run).label) == 100
    few = Samples(*(part[:30] for part in tiny_run._samples))
    assert len(record(tiny_run.showing(few)).label) == 30


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"layers": [4]}, "layers must be below 4, got 4"),
        ({"layers": []}, "layers must be different numbers, at least one, got []"),
        ({"layers": [1, 1]}, "layers must be different numbers, at least one, got [1, 1]"),
        ({"samples": [360]}, "samples must be below 360, got 360"),
        ({"samples": []}, "samples must be different numbers, at least one, got []"),
        ({"epoch": 3}, "epoch must be one of the kept [0, 2, 4], got 3"),
        ({"tau_s_ms": 0}, "tau_s_ms must lie in [1e-06, 1e+06], got 0.0"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(tiny_run, options, complaint):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        record(tiny_run, **options)
    assert str(caught.value) == complaint


# --- files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nwb_path(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("nwb") / "tiny.nwb"
    return ttfslib.export_run(tiny_run, path, "nwb", samples=range(20))


@needs_nwb
def test_pynwb_reads_units_and_trials_back(nwb_path, recording):
    import pynwb

    assert pynwb.validate(path=nwb_path) == []
    with pynwb.NWBHDF5IO(nwb_path, "r") as io:
        file = io.read()
        units, trials = file.units.to_dataframe(), file.trials.to_dataframe()
        assert "tau_s = 10 ms" in file.session_description
    assert len(units) == len(recording.layer)
    for read, train in zip(units["spike_times"], recording.trains(), strict=True):
        np.testing.assert_array_equal(read, train)
    for name in ("layer", "neuron", "cell_type"):
        assert units[name].tolist() == getattr(recording, name).tolist()
    np.testing.assert_array_equal(trials["start_time"], recording.start)
    np.testing.assert_allclose(trials["stop_time"] - trials["start_time"], recording.duration)
    for name in ("sample", "label", "decision", "correct"):
        assert trials[name].tolist() == getattr(recording, name).tolist()
    np.testing.assert_array_equal(
        trials["decision_time"], recording.start + recording.decision_time
    )


@needs_nwb
def test_a_trial_without_a_decision_has_no_time_of_it(recording):
    none = dataclasses.replace(recording, decision_time=np.full(20, np.inf))
    trials = ttfslib.nwb_file(none).trials.to_dataframe()
    assert trials["decision_time"].isna().all()


@pytest.mark.slow
@needs_nwb
@needs("nwbinspector", command="pip install nwbinspector")
@pytest.mark.filterwarnings("ignore")
def test_the_inspector_finds_nothing_critical(nwb_path):
    from nwbinspector import Importance, inspect_nwbfile

    found = list(inspect_nwbfile(nwbfile_path=nwb_path))
    critical = (Importance.ERROR, Importance.CRITICAL, Importance.PYNWB_VALIDATION)
    assert [message.message for message in found if message.importance in critical] == []


@needs_neo
def test_neo_reads_a_block_back(tiny_run, recording, tmp_path):
    import neo

    path = ttfslib.export_run(tiny_run, tmp_path / "tiny.pkl", "neo", samples=range(20))
    block = neo.io.PickleIO(str(path)).read_block()
    assert len(block.segments) == 20
    for i, segment in enumerate(block.segments):
        units, times = segment.spiketrains.multiplexed
        expected = np.full(len(recording.layer), np.inf)
        expected[units] = times.rescale("s").magnitude
        np.testing.assert_allclose(expected, recording.times[i])
        assert segment.annotations["label"] == recording.label[i]
        assert segment.annotations["decision"] == recording.decision[i]
        assert segment.annotations["correct"] == recording.correct[i]


@needs_neo
def test_a_train_of_a_block_knows_its_neuron(recording):
    train = ttfslib.neo_block(recording).segments[0].spiketrains[70]
    assert train.annotations["layer"] == "hidden 1"
    assert train.annotations["neuron"] == 6
    assert train.annotations["cell_type"] == "excitatory"
    assert float(train.t_stop.rescale("s")) == pytest.approx(recording.duration)


@needs_neo
def test_the_trains_of_an_observation_go_on_from_trial_to_trial():
    times = np.array([[0.2, 0.5, np.inf], [0.1, np.inf, 1.5]])
    seen = ttfslib.observe([times], [np.arange(3)], np.random.default_rng(0), duration=2.0)
    trains = ttfslib.neo_trains(seen)
    in_milliseconds = [train.rescale("ms").magnitude.tolist() for train in trains]
    assert in_milliseconds == [pytest.approx(t) for t in ([2, 21], [5], [35])]
    assert {float(train.t_stop.rescale("ms")) for train in trains} == {40}
    assert [train.annotations["layer"] for train in trains] == [0, 0, 0]
    slower = ttfslib.neo_trains(seen, tau_s_ms=20.0)
    assert float(slower[2][0]) == pytest.approx(70)


# --- networks -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nir_path(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("nir") / "tiny.nir"
    return ttfslib.export_run(tiny_run, path, "nir")


def layers_of(graph):
    """The pairs of weights and neurons of a graph, in order."""
    n_layers = sum(name.startswith("layer_") for name in graph.nodes)
    return [
        (graph.nodes[f"weights_{i}"], graph.nodes[f"layer_{i}"]) for i in range(1, n_layers + 1)
    ]


@needs_nir
def test_nir_reads_weights_and_constants_back(tiny_run, nir_path):
    import nir

    graph = nir.read(nir_path)
    pairs = layers_of(graph)
    for (linear, _), matrix in zip(pairs, tiny_run.weights(), strict=True):
        np.testing.assert_array_equal(linear.weight, matrix.T)
    chain = [name for i in (1, 2, 3) for name in (f"weights_{i}", f"layer_{i}")]
    assert graph.edges == list(zip(["input", *chain], [*chain, "output"], strict=True))


@needs_nir
def test_constants_of_a_graph_are_in_seconds():
    params = ttfslib.LIFParameters(tau_m=4.0, tau_s=2.0, threshold=0.5)
    [(_, neurons)] = layers_of(ttfslib.nir_graph([np.ones((3, 2))], params, tau_s_ms=5))
    expected = {"tau_syn": 0.005, "tau_mem": 0.01, "r": 2.0, "v_leak": 0.0, "w_in": 0.005}
    for name, value in {**expected, "v_threshold": 0.5}.items():
        np.testing.assert_allclose(getattr(neurons, name), [value] * 2)


def simulate(graph, inputs, dt):
    """First spikes of every layer by NIR's own equations, on a grid of time: (times, counts)."""
    volleys, last = [inputs], np.max(inputs, initial=0, where=np.isfinite(inputs))
    counts = []
    for linear, neurons in layers_of(graph):
        n_steps = round((last + 4 * neurons.tau_mem[0]) / dt)
        shape = (len(inputs), len(neurons.r))
        current, potential, count = np.zeros((3, *shape))
        first = np.full(shape, np.inf)
        arrivals = np.ceil(volleys[-1] / dt)
        for step in range(n_steps):
            pulses = (arrivals == step) @ linear.weight.T
            current += neurons.w_in * pulses / neurons.tau_syn - dt * current / neurons.tau_syn
            potential += dt * (neurons.v_leak - potential + neurons.r * current) / neurons.tau_mem
            fires = potential > neurons.v_threshold
            potential = np.where(fires, neurons.v_reset, potential)
            first = np.where(fires, np.minimum(first, step * dt), first)
            count += fires
        volleys.append(first)
        counts.append(count)
    return volleys[1:], counts


@needs_nir
@pytest.mark.parametrize("tau_m", [1.0, 2.0])
def test_the_equations_of_a_file_give_the_spike_times_of_the_network(tau_m):
    rng = np.random.default_rng(1)
    weights = [rng.normal(0.6, 0.4, (12, 8)), rng.normal(0.8, 0.4, (8, 5))]
    params = ttfslib.LIFParameters(tau_m=tau_m)
    network = ttfslib.TTFSNetwork.from_weights(weights, params)
    inputs = rng.uniform(0, 2, (6, 12))
    expected = [times.detach().numpy() for times in network(to_tensor(inputs))]
    dt = TAU_S / 200
    found, counts = simulate(ttfslib.nir_graph(weights, params), TAU_S * inputs, dt)
    for exact, times, count in zip(expected, found, counts, strict=True):
        assert count.max() == 1
        np.testing.assert_array_equal(np.isfinite(times), np.isfinite(exact))
        fired = np.isfinite(exact)
        assert fired.mean() > 0.5
        assert np.abs(times[fired] - TAU_S * exact[fired]).max() < 8 * dt


def to_tensor(values):
    import torch

    return torch.as_tensor(values)


@needs_nir
@pytest.mark.parametrize(
    ("weights", "tau_m", "complaint"),
    [
        ([], 1.0, "weights must be matrices that chain, got []"),
        ([np.ones((3, 2)), np.ones((3, 2))], 1.0, "weights must be matrices that chain"),
        ([np.ones((3, 2))], np.inf, "params must have a finite tau_m"),
    ],
)
def test_what_no_graph_can_hold_is_one_line(weights, tau_m, complaint):
    with pytest.raises(ValueError, match=f"^{complaint.replace('[', '.').replace(']', '.')}"):
        ttfslib.nir_graph(weights, ttfslib.LIFParameters(tau_m=tau_m))


def test_delays_are_not_left_out_in_silence(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, delays=True, epochs=1, kept_epochs=())
    run = ttfslib.fit(config, 1, tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match=r"^run must be of a network without delays"):
        ttfslib.export_run(run, tmp_path / "delayed.nir", "nir")
    assert not (tmp_path / "delayed.nir").exists()


# --- other simulators ---------------------------------------------------------------------------


@pytest.mark.slow
@needs("nir", "jaxsnn", command="pip install 'jaxsnn[nir]'")
@pytest.mark.filterwarnings("ignore")
def test_jaxsnn_finds_the_same_spikes(nir_path, spikes):
    """Its reader takes milliseconds, and forgets a resistance and a transpose."""
    import jax
    import nir
    from jaxsnn.event.types import Spike
    from jaxsnn.event.utils.from_nir import ConversionConfig, from_nir

    jax.config.update("jax_enable_x64", True)
    graph, n_steps, n_before = nir.read(nir_path), {}, 64
    for i, (linear, neurons) in enumerate(layers_of(graph), start=1):
        linear.weight = (linear.weight * neurons.r[:, None]).T
        neurons.tau_syn, neurons.tau_mem = 1000 * neurons.tau_syn, 1000 * neurons.tau_mem
        n_steps[f"layer_{i}"] = n_before = n_before + len(neurons.r) + 1
    init, apply = from_nir(graph, ConversionConfig(20 * TAU_S, n_steps)).done()
    weights, apply = init(jax.random.PRNGKey(0)), jax.jit(apply)
    order = np.argsort(spikes.input, axis=1, kind="stable")
    times = TAU_S * np.take_along_axis(spikes.input, order, axis=1).astype(float)
    for i in range(5):
        shape = times[i : i + 1].shape
        given = Spike(
            *(times[i : i + 1], order[i : i + 1], np.zeros(shape)),
            *(np.full(shape, -1), np.ones(shape, dtype=bool)),
        )
        told = apply({"input": jax.tree_util.tree_map(jax.numpy.asarray, given)}, weights)
        for name, expected in zip(n_steps, spikes.layers, strict=True):
            own = np.asarray(told[name].internal[0]) & (np.asarray(told[name].idx[0]) >= 0)
            found = np.full(expected.shape[1], np.inf)
            np.minimum.at(found, told[name].idx[0][own], told[name].time[0][own] / TAU_S)
            assert own.sum() == np.isfinite(expected[i]).sum()
            np.testing.assert_allclose(found, expected[i], atol=1e-5)


@pytest.mark.slow
@needs("nir", "norse", command="pip install --no-deps norse nirtorch")
@pytest.mark.filterwarnings("ignore")
def test_norse_finds_the_same_spikes_within_a_few_of_its_steps(nir_path, spikes):
    """Its spike counts 1 a step, where NIR's has area one; its reader forgets the reset."""
    import nir
    import torch
    from norse.torch.utils.import_nir import from_nir

    dt, n_samples = TAU_S / 500, 5
    graph = nir.read(nir_path)
    for _, neurons in layers_of(graph):
        neurons.w_in = neurons.w_in / dt
    network = dict(from_nir(graph, dt=dt).named_children())
    names = [f"layer_{i}" for i in range(1, 4)]
    for name in names:
        lif = network[name].lif
        lif.p = lif.p._replace(v_reset=torch.as_tensor(graph.nodes[name].v_reset).float())
    arrivals = np.rint(TAU_S * spikes.input[:n_samples] / dt)
    first = {name: np.full((n_samples, len(graph.nodes[name].r)), np.inf) for name in names}
    states = dict.fromkeys(names, (None, None))
    for step in range(round(8 * TAU_S / dt)):
        volley = torch.from_numpy((arrivals == step).astype(np.float32))
        for i, name in enumerate(names, start=1):
            with torch.no_grad():
                volley, states[name] = network[name](network[f"weights_{i}"](volley), states[name])
            fires = volley.numpy() > 0
            assert np.isinf(first[name][fires]).all(), "no neuron fires twice"
            first[name][fires] = step * dt
    for name, expected in zip(names, spikes.layers, strict=True):
        exact = TAU_S * expected[:n_samples].astype(float)
        np.testing.assert_array_equal(np.isfinite(first[name]), np.isfinite(exact))
        fired = np.isfinite(exact)
        assert np.abs(first[name][fired] - exact[fired]).max() < 12 * dt


# --- what can go wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "library"), [("nwb", "pynwb"), ("neo", "neo"), ("nir", "nir")])
def test_a_missing_library_is_one_line_that_says_what_to_install(
    tiny_run, tmp_path, monkeypatch, kind, library
):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        ttfslib.export_run(tiny_run, tmp_path / "out", kind)
    assert str(caught.value) == f"export needs {library}: pip install 'ttfslib[export]'"
    assert list(tmp_path.iterdir()) == []


def test_the_package_loads_no_library_of_the_formats():
    import subprocess

    code = "import sys, ttfslib.export; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pynwb", "h5py", "neo", "nir", "elephant", "torch"} & set(done.stdout.split())


@needs_nir
def test_a_file_that_cannot_be_written_leaves_the_old_one(tiny_run, tmp_path):
    with pytest.raises(OSError, match=r"^cannot write .*nowhere"):
        ttfslib.export_run(tiny_run, tmp_path / "nowhere" / "out.nir", "nir")
    path = tmp_path / "out.nir"
    path.mkdir()
    with pytest.raises(OSError, match=r"^cannot write .*out\.nir: "):
        ttfslib.export_run(tiny_run, path, "nir")
    assert [*tmp_path.iterdir()] == [path]


@needs_nwb
def test_the_command_writes_what_it_is_asked_for(tiny_run, tmp_path, capsys):
    import pynwb

    path = tmp_path / "out.nwb"
    options = ["--epoch", "0", "--layers", "1", "2", "--samples", "5", "--tau-s-ms", "20"]
    assert main(["export", str(tiny_run.path), str(path), "--format", "nwb", *options]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        assert (len(file.units), len(file.trials)) == (28, 5)
        assert "after 0 epochs" in file.session_description
        assert "tau_s = 20 ms" in file.session_description


def test_the_command_says_in_one_line_what_does_not_go_together(tiny_run, tmp_path, capsys):
    argv = ["export", str(tiny_run.path), str(tmp_path / "out"), "--format", "nir", "--layers", "1"]
    assert main(argv) == 1
    complaint = "layers must be left out, because nir holds the network, got [1]"
    assert capsys.readouterr().err == f"ttfs: {complaint}\n"

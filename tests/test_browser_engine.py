"""The engine of the pages, `engine.js`, finds in a browser what `ttfslib` finds in Python."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ttfslib
from ttfslib.experiment.recipe import learning_rate, load_samples
from ttfslib.experiment.training import _Training

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "ttfslib" / "explore" / "assets"
GOLDEN = json.loads((ROOT / "tests" / "golden.json").read_text(encoding="utf-8"))
SOLVE = """
cases => cases.map(({params: [tau_m, tau_s, threshold], spike_times, weights}) => {
  const times = spike_times.map(t => t ?? Infinity);
  const params = {tau_m: tau_m ?? Infinity, tau_s, threshold};
  return {
    spike: ttfslib.first_spike_time(times, weights, params),
    causal_set: ttfslib.causal_set(times, weights, params),
    ...ttfslib.spike_time_gradient(times, weights, params),
  };
})
"""
RUN = """
([cases, name]) => cases.map(each => {
  const Floats = globalThis[name], [tau_m, tau_s, threshold] = each.params;
  const params = {tau_m: tau_m ?? Infinity, tau_s, threshold};
  const weights = each.weights.map(matrix => new Floats(matrix));
  const {sizes, excitatory_share} = each;
  const network = new ttfslib.TTFSNetwork(sizes, weights, {params, excitatory_share});
  const layers = network.forward(Floats.from(each.inputs, time => time ?? Infinity));
  const {loss, d_times} = ttfslib.first_spike_cross_entropy(layers.at(-1), each.labels);
  const gradients = network.backward(d_times);
  new ttfslib.Adam(network.weights).step(gradients.d_weights, each.learning_rate);
  const helped = new ttfslib.SilentNeuronRemedy(network).help(layers);
  network.obey_dale();
  const plain = arrays => arrays.map(array => Array.from(array));
  return {
    layers: plain(layers), loss, helped, d_weights: plain(gradients.d_weights),
    d_times: Array.from(gradients.d_times[0]), weights_after: plain(network.weights),
  };
})
"""
DRAW = """
seeds => seeds.map(seed => {
  const generator = new ttfslib.Generator(seed);
  return {
    randn: [16, 40].map(n => Array.from(generator.randn(n))),
    randperm: Array.from(generator.randperm(50)),
  };
})
"""
TRAIN = """
([config, seed, parts, n_steps]) => {
  const samples = Object.fromEntries(Object.entries(parts).map(([part, [features, labels]]) =>
    [part, {features: Float32Array.from(features), labels}]));
  const training = new ttfslib.Training(config, seed, samples);
  const untrained = training.evaluate("validation");
  const losses = Array.from({length: n_steps}, () => training.step().loss);
  return {untrained, losses, weights: training.network.weights.map(w => Array.from(w))};
}
"""


@pytest.fixture(scope="module")
def golden():
    import golden

    return golden


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    for name in ("engine.js", "training.js"):
        page.add_script_tag(content=(ASSETS / name).read_text(encoding="utf-8"))
    yield page
    page.close()


def ask(page, function, argument):
    """What a function of the page returns; as text, for Playwright takes long for many numbers."""
    call = f"""text => JSON.stringify(({function.strip()})(JSON.parse(text)),
      (_, value) => Number.isNaN(value) ? "nan" : value)"""
    return json.loads(page.evaluate(call, json.dumps(argument)))


def numbers(values):
    return np.array([math.inf if value is None else value for value in values], dtype=float)


def assert_near(found, expected, tolerance, what):
    found, expected = numbers(found), numbers(expected)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected), what)
    finite = np.isfinite(expected)
    error = np.abs(found[finite] - expected[finite]) / np.maximum(1, np.abs(expected[finite]))
    assert error.max(initial=0) <= tolerance, what


def test_the_file_holds_what_ttfslib_finds(golden):
    assert golden.differs(GOLDEN, json.loads(json.dumps(golden.golden()))) is None


def test_a_wrong_number_in_the_file_is_found(golden):
    spoilt = json.loads(json.dumps(GOLDEN))
    spoilt["networks"][1]["d_weights"][0][3] += 1e-6
    assert "networks[1].d_weights[0][3]" in golden.differs(GOLDEN, spoilt)


def test_the_cases_are_of_every_kind(golden):
    cases = GOLDEN["neurons"]
    for kind in golden.KINDS:
        fired = {case["spike"] is not None for case in cases if case["kind"] == kind}
        assert fired == {True, False}, kind
    ratios = {case["params"][0] and case["params"][0] / case["params"][1] for case in cases}
    assert len({ratio and round(ratio, 6) for ratio in ratios}) == len(golden.RATIOS)
    assert all(any(map(any, case["d_weights"])) for case in GOLDEN["networks"])
    assert any(case["helped"] for case in GOLDEN["networks"])


def check_neurons(page, cases):
    for case, found in zip(cases, ask(page, SOLVE, cases), strict=True):
        assert_near([found["spike"]], [case["spike"]], 1e-9, str(case))
        assert found["causal_set"] == case["causal_set"], case
        assert_near(found["d_weights"], case["d_weights"], 1e-7, str(case))
        assert_near(found["d_spike_times"], case["d_spike_times"], 1e-7, str(case))


def test_neurons_of_the_file(page):
    check_neurons(page, GOLDEN["neurons"])


def test_ten_thousand_neurons(page, golden):
    check_neurons(page, golden.neurons(10_000, seed=1))


def test_networks_and_a_step_of_training(page):
    found = ask(page, RUN, [GOLDEN["networks"], "Float64Array"])
    compare_networks(found, 1e-9)


def test_networks_in_single_precision(page):
    found = ask(page, RUN, [GOLDEN["networks"], "Float32Array"])
    compare_networks(found, 1e-4)


def compare_networks(networks, tolerance):
    for case, found in zip(GOLDEN["networks"], networks, strict=True):
        for key in ("layers", "d_weights", "weights_after"):
            for a, b in zip(found[key], case[key], strict=True):
                assert_near(a, b, tolerance, key)
        assert_near(found["d_times"], case["d_times"], tolerance, "d_times")
        assert_near([found["loss"]], [case["loss"]], tolerance, "loss")
        assert found["helped"] == case["helped"]


def test_a_larger_layer_is_that_of_the_compiled_engine(page):
    """Hundreds of inputs, many at one time, at a ratio that needs the iteration."""
    generator = torch.Generator().manual_seed(3)
    times = 2 * torch.rand((4, 300), generator=generator, dtype=torch.float64)
    times[:, ::3] = times[:, ::3].round(decimals=1)
    weights = 0.3 * torch.randn((300, 40), generator=generator, dtype=torch.float64)
    weights.requires_grad_()
    for tau_m in (1.0, 0.5, 3.0):
        spikes = ttfslib.first_spike_times(times, weights, ttfslib.LIFParameters(tau_m))
        fired = torch.isfinite(spikes)
        assert 0.1 < fired.double().mean() < 0.9, tau_m
        (expected,) = torch.autograd.grad(spikes[fired].sum(), weights)
        found = ask(
            page,
            """([times, weights, tau_m]) => {
              const params = {tau_m, tau_s: 1, threshold: 1};
              const pass = ttfslib.first_spikes(
                Float64Array.from(times), Float64Array.from(weights), 300, params);
              const d_spikes = pass.spikes.map(spike => spike < Infinity ? 1 : 0);
              const {d_weights} = ttfslib.first_spikes_backward(pass, d_spikes);
              return [pass.spikes, d_weights].map(array => Array.from(array));
            }""",
            [times.flatten().tolist(), weights.flatten().tolist(), tau_m],
        )
        assert_near(found[0], spikes.flatten().tolist(), 1e-9, "spikes")
        assert_near(found[1], expected.flatten().tolist(), 1e-7, "gradient")


def test_influence_is_the_derivative_of_the_decision(page):
    """By every spike of every layer but the last; in each layer it adds up to 1."""
    case = GOLDEN["networks"][0]
    weights = [
        torch.tensor(matrix, dtype=torch.float64).reshape(n_pre, n_post)
        for matrix, n_pre, n_post in zip(
            case["weights"], case["sizes"][:-1], case["sizes"][1:], strict=True
        )
    ]
    volley = torch.tensor(numbers(case["inputs"])[None, : case["sizes"][0]], requires_grad=True)
    layers = [volley, *ttfslib.TTFSNetwork.from_weights(weights)(volley)]
    expected = torch.autograd.grad(layers[-1].min(), layers[:-1])
    found = page.evaluate(
        """([{sizes, weights}, times]) => {
          const matrices = weights.map(matrix => Float64Array.from(matrix));
          const network = new ttfslib.TTFSNetwork(sizes, matrices);
          network.forward(Float64Array.from(times, time => time ?? Infinity));
          return ttfslib.influence(network).map(values => Array.from(values));
        }""",
        [case, case["inputs"][: case["sizes"][0]]],
    )
    for a, b in zip(found, expected, strict=True):
        assert_near(a, b[0].tolist(), 1e-9, "influence")
        assert sum(a) == pytest.approx(1)


def test_silenced_neurons_have_no_spikes_and_no_successors(page):
    found = page.evaluate(
        """() => {
          const weights = [[4, 4], [4, 0, 0, 4]].map(matrix => Float64Array.from(matrix));
          const network = new ttfslib.TTFSNetwork([1, 2, 2], weights);
          const layers = network.forward(Float64Array.of(0, 0.5), [[1]]);
          return layers.map(times => Array.from(times, time => time < Infinity));
        }"""
    )
    assert found == [[True, False] * 2] * 2


def test_measures_are_those_of_ttfslib(page):
    times = [[0.2, 0.5, 0.55, 0.9, 3.0, math.inf], [1.0, 1.0, 1.0, math.inf, math.inf, math.inf]]
    packets = ttfslib.pulse_packet(times, np.array([1.5, 1.5]))
    shorths = """([rows, share]) =>
      rows.map(times => ttfslib.shorth(ttfslib.pulse_packet(times, 1.5), share))"""
    for share in (0.2, 0.5, 0.7, 1.0):
        found = page.evaluate(shorths, [times, share])
        np.testing.assert_allclose(found, ttfslib.shorth(packets, share=share), rtol=1e-14)
    outputs = [[2.0, 1.0, 1.0], [math.inf] * 3]
    found = page.evaluate("rows => rows.map(ttfslib.decided_class)", outputs)
    assert found == ttfslib.decided_class(outputs).tolist()


def test_the_generator_is_that_of_torch(page):
    seeds = [case["seed"] for case in GOLDEN["draws"]]
    for case, found in zip(GOLDEN["draws"], page.evaluate(DRAW, seeds), strict=True):
        assert found["randperm"] == case["randperm"]
        for a, b in zip(found["randn"], case["randn"], strict=True):
            assert_near(a, b, 1e-6, str(case["seed"]))


def test_one_seed_is_one_training_here_and_there(page):
    """To what rounding in float32 makes of it, which is little in the first steps."""
    config = ttfslib.TrainingConfig.from_toml(ROOT / "configs" / "digits-dale.toml")
    training = _Training(config, 2, load_samples(config))
    training.epoch = 1
    untrained = training._evaluate("validation")
    n_steps, expected = 8, []
    for step, (inputs, labels) in enumerate(training._batches()):
        if step == n_steps:
            break
        rate = learning_rate(config, step, training.steps_per_epoch)
        expected.append(training._step(inputs, labels, rate)[0])
    parts = {
        part: [samples.features.ravel().tolist(), samples.labels.tolist()]
        for part, samples in training.samples.items()
    }
    settings = dataclasses.asdict(config) | {"loss": config.loss.parameters}
    del settings["gradient_limit"]
    found = ask(page, TRAIN, [settings, 2, parts, n_steps])
    assert found["untrained"]["accuracy"] == pytest.approx(untrained.accuracy, abs=1e-9)
    assert found["untrained"]["loss"] == pytest.approx(untrained.loss, rel=1e-5)
    widths = untrained.packets.mean()["shorth"]
    assert_near(found["untrained"]["shorth"][:5], widths[:5].tolist(), 1e-5, "widths")
    assert_near(found["losses"], expected, 1e-4, "losses")
    for a, b in zip(found["weights"], training.network.weights, strict=True):
        near = np.isclose(a, b.flatten().numpy(), atol=1e-3)
        assert near.mean() > 0.995

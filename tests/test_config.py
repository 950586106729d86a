"""Settings: what a TOML file may say, and what it is told when it says something else."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import tomllib
import types
import typing
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from named_pipes import make_pipe

from ttfslib import LIFParameters, TrainingConfig
from ttfslib._registry import Choice
from ttfslib.datasets import DATASETS
from ttfslib.encoding import MAX_GAIN
from ttfslib.experiment.config import (
    LATEST,
    MAX_DROPOUT,
    MAX_INITIAL,
    MAX_PRESSURE,
    MAX_SPIKES,
    SCHEDULES,
)
from ttfslib.experiment.recipe import make_loss
from ttfslib.losses import LOSSES

ROOT = Path(__file__).resolve().parents[1]
HINTS = typing.get_type_hints(TrainingConfig)
REQUIRED = {
    "name": "xor",
    "dataset": "digits",
    "hidden": [30, 20],
    "weight_mean": [0.1, 0.2, 0.3],
    "weight_std": [0.5, 0.4, 0.3],
    "epochs": 10,
}
DATE = datetime.date(2026, 11, 24)
CHOICES = [3, 2.5, True, ["a"], {"a": 1}, {"name": 3}, DATE]
WRONG_TYPES = {
    Choice: CHOICES,
    str: [3, 2.5, True, ["a"], {"a": 1}, DATE],
    int: ["3", 2.5, 3.0, True, [3], {"a": 1}, DATE],
    float: ["1.5", True, [1.5], {"a": 1}, DATE],
    bool: ["true", 1, 0.0, [True], {"a": 1}, DATE],
    tuple: ["12", 3, 1.5, True, {"a": 1}, DATE],
}
BESIDE = {"hidden": [30, 20], "weight_mean": [0.1] * 3, "weight_std": [0.1] * 3}
BOTH = {"dataset": DATASETS, "loss": LOSSES}
SHIPPED = ("mnist", "fashion_mnist", "digits", "yin_yang", "cross_entropy", "mse")
"""What a reader registers beside them needs no range here."""


def one_of(registry):
    return f"must be one of {', '.join(map(repr, registry.names))}, got"


# (key, values out of range, what the message expects)
OUT_OF_RANGE = [
    ("name", ["", "two words", "a/b", "a\nb", "é\u2028"], "letters, digits"),
    ("dataset", ["MNIST", "", "fashion"], one_of(DATASETS)),
    ("hidden", [[]], "at least one layer"),
    ("hidden", [[0, 20], [-3, 20]], "must be at least 1"),
    ("hidden", [[10**9 + 1, 20]], "must be at most 1000000000"),
    ("hidden", [[10**9, 10**9], [10**8, 2], [2, 10**9]], "must leave at most 100000000 weights"),
    ("hidden", [[5] * 101], "at most 100 layers, got 101"),
    ("weight_mean", [[0.1], [0.1] * 4, []], "one entry a layer (3)"),
    ("weight_mean", [[math.inf, 0, 0], [0, -math.inf, 0], [0, 0, math.nan]], "must be finite"),
    ("weight_std", [[0.1], [0.1] * 4, []], "one entry a layer (3)"),
    ("weight_mean", [[1e300, 0, 0], [0, -1001, 0]], "must lie in [-1000, 1000]"),
    ("weight_std", [[0.1, -0.1, 0.1], [1e300, 1e300, 1e300]], "must lie in [0, 1000]"),
    ("weight_std", [[math.inf, 0, 0], [math.nan, 0, 0]], "must be finite"),
    ("epochs", [0, -1], "must be at least 1"),
    ("excitatory_share", [-0.1, 1.1], "must lie in [0, 1]"),
    ("excitatory_share", [0, 0.02], "leave every hidden layer an excitatory neuron"),
    ("excitatory_share", [math.nan, math.inf], "must be finite"),
    ("tau_m", [0, -1, -math.inf], "must be positive"),
    ("tau_m", [math.nan], "must be finite"),
    ("tau_s", [0, -1], "must be positive"),
    ("tau_s", [math.inf, math.nan], "must be finite"),
    ("threshold", [0, -1], "must be positive"),
    ("threshold", [math.inf, math.nan], "must be finite"),
    ("early", [-0.1], "must lie in [0, inf]"),
    ("early", [math.nan, math.inf], "must be finite"),
    ("late", [0.15, 0.1, -1, 8, 100], "must lie between early = 0.15 and 8"),
    ("late", [math.nan, math.inf], "must be finite"),
    ("contrast", [-0.1, 1001], "must lie in [0, 1000]"),
    ("contrast", [math.inf, math.nan], "must be finite"),
    ("bias_times", [[-0.1], [0.5, 8]], "must lie in [0, 8)"),
    ("bias_times", [[math.inf], [math.nan]], "must be finite"),
    ("n_validation", [0, -1], "must be at least 1"),
    ("batch_size", [0, -1], "must be at least 1"),
    ("batch_size", [10**30], "must be at most 1000000000"),
    ("learning_rate", [0, -0.1], "must be positive"),
    ("learning_rate", [1.1], "must lie in [0, 1]"),
    ("learning_rate", [math.inf, math.nan, 10**400], "must be finite"),
    ("schedule", ["linear", ""], "must be one of 'cosine', 'step'"),
    ("decay", [0, -1], "must be positive"),
    ("decay", [1.1], "must lie in [0, 1]"),
    ("decay", [math.inf, math.nan], "must be finite"),
    ("decay_every", [0, -1], "must be at least 1"),
    ("loss", ["l2", ""], one_of(LOSSES)),
    ("input_noise", [-0.1, 8.1, 1e300], "must lie in [0, 8]"),
    ("input_noise", [math.inf, math.nan], "must be finite"),
    ("final_noise", [-0.1, 8.1], "must lie in [0, 8]"),
    ("final_noise", [math.inf, math.nan], "must be finite"),
    ("input_dropout", [-0.1, 0.91], "must lie in [0, 0.9]"),
    ("input_dropout", [math.nan, math.inf], "must be finite"),
    ("dropout", [-0.1, 0.91], "must lie in [0, 0.9]"),
    ("dropout", [math.nan, math.inf], "must be finite"),
    ("max_shift", [-1], "must be at least 0"),
    ("max_shift", [8, 10**9], "must be below the 8 pixels of digits"),
    ("deformation", [-0.1], "must lie in"),
    ("deformation", [8, 1e300], "must be below the 8 pixels of digits"),
    ("deformation", [math.inf, math.nan], "must be finite"),
    ("gradient_limit", [0, -1, -math.inf], "must be positive"),
    ("gradient_limit", [math.nan], "must be finite"),
    ("silent_hidden_share", [-0.1, 1.1], "must lie in [0, 1]"),
    ("silent_hidden_share", [math.nan, math.inf], "must be finite"),
    ("silent_output_share", [-0.1, 1.1], "must lie in [0, 1]"),
    ("silent_output_share", [math.nan, math.inf], "must be finite"),
    ("synchrony_pressure", [-1e4, 1e4], "must lie in"),
    ("synchrony_pressure", [math.inf, math.nan], "must be finite"),
    ("silent_step", [0, -1], "must be positive"),
    ("silent_step", [math.inf, math.nan], "must be finite"),
    ("kept_epochs", [[0], [-1]], "must be at least 1"),
    ("kept_epochs", [[11], [3, 99]], "must lie in [1, 10]"),
]
# (loss or data set, values of its parameters, what the message expects)
PARAMETERS_OUT_OF_RANGE = [
    ("loss", "cross_entropy", "xi", [0, -1], "must be positive"),
    ("loss", "cross_entropy", "xi", [math.inf, math.nan, 10**400], "must be finite"),
    ("loss", "cross_entropy", "alpha", [-0.1], "must lie in [0, inf]"),
    ("loss", "cross_entropy", "alpha", [math.inf, math.nan], "must be finite"),
    ("loss", "cross_entropy", "beta", [math.inf, -math.inf, math.nan], "must be finite"),
    ("loss", "cross_entropy", "silent_time", [0, -1], "must be positive"),
    ("loss", "mse", "correct", [math.inf, math.nan], "must be finite"),
    ("loss", "mse", "wrong", [math.inf, math.nan], "must be finite"),
    ("loss", "mse", "silent_time", [0], "must be positive"),
    ("dataset", "yin_yang", "n_train", [0, -1], "must be at least 1"),
    ("dataset", "yin_yang", "n_test", [0], "must be at least 1"),
    ("dataset", "yin_yang", "n_train", [10**12], "must be at most 10000000"),
]


def kind(name):
    """The plain type of a field: str, int, float, bool or tuple."""
    hint = HINTS[name]
    if isinstance(hint, types.UnionType):
        hint = typing.get_args(hint)[0]
    return typing.get_origin(hint) or hint


def complaint_about(tmp_path, **changes):
    """What reading a file with these values says, which has to be one line about the file."""
    path = tmp_path / "settings.toml"
    path.write_text(tomli_w.dumps(REQUIRED | changes), encoding="utf-8")
    with pytest.raises(ValueError, match=r"settings\.toml") as caught:
        TrainingConfig.from_toml(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert len(said.splitlines()) == 1
    return said.removeprefix(f"{path}: ")


# Reading and writing


def finite(low=-1e6, high=1e6, **options):
    return st.floats(low, high, allow_subnormal=False, **options)


@st.composite
def configs(draw):
    """Any config that is valid."""
    hidden = draw(st.lists(st.integers(4, 500), min_size=1, max_size=4))
    n_layers = len(hidden) + 1
    epochs = draw(st.integers(1, 1000))
    dataset = draw(st.sampled_from(DATASETS.names))
    data = DATASETS.make(DATASETS.choice(dataset))
    largest = min(data.shape) - 1 if data.are_images else 0
    early = draw(finite(0, 3))
    positive = finite(1e-6, exclude_min=True)
    means, stds = finite(-MAX_INITIAL, MAX_INITIAL), finite(0, MAX_INITIAL)
    counts, shares = st.integers(1, 10**9), finite(0, 1)
    values = {
        "name": draw(st.from_regex(r"[A-Za-z0-9_.-]{1,100}", fullmatch=True)),
        "dataset": dataset,
        "hidden": hidden,
        "weight_mean": draw(st.lists(means, min_size=n_layers, max_size=n_layers)),
        "weight_std": draw(st.lists(stds, min_size=n_layers, max_size=n_layers)),
        "epochs": epochs,
        "early": early,
    }
    optional = {
        "excitatory_share": finite(0.2, 1),
        "tau_m": positive | st.just(math.inf),
        "tau_s": positive,
        "threshold": positive,
        "late": finite(early, 8, exclude_min=True, exclude_max=True).filter(lambda t: t > early),
        "bias_times": st.lists(finite(0, 8, exclude_max=True), max_size=3),
        "n_validation": counts if any(data.n_samples) else st.integers(1, 10_000),
        "contrast": finite(0, MAX_GAIN if largest else 0),
        "shuffle_labels": st.booleans(),
        "delays": st.booleans(),
        "batch_size": counts,
        "learning_rate": finite(1e-6, 1),
        "schedule": st.sampled_from(SCHEDULES),
        "decay": finite(1e-6, 1),
        "decay_every": counts,
        "loss": st.sampled_from(LOSSES.names)
        | st.fixed_dictionaries(
            {"name": st.just("cross_entropy")}, optional={"xi": positive, "alpha": finite(0)}
        ),
        "synchrony_pressure": finite(-MAX_PRESSURE, MAX_PRESSURE),
        "input_noise": finite(0, LATEST),
        "final_noise": finite(0, LATEST),
        "input_dropout": finite(0, MAX_DROPOUT),
        "dropout": finite(0, MAX_DROPOUT),
        "max_shift": st.integers(0, largest),
        "mirror": st.booleans() if largest else st.just(False),
        "deformation": finite(0, largest),
        "gradient_limit": positive | st.just(math.inf),
        "silent_hidden_share": shares,
        "silent_output_share": shares,
        "silent_step": positive,
        "kept_epochs": st.lists(st.integers(1, epochs), max_size=4),
    }
    assert values.keys() | optional.keys() == HINTS.keys()
    chosen = draw(st.sets(st.sampled_from(sorted(optional))))
    if early >= 2:
        chosen |= {"late"}
    return TrainingConfig(**values, **{name: draw(optional[name]) for name in sorted(chosen)})


@settings(max_examples=60)
@given(config=configs())
def test_what_is_written_reads_back_as_the_same(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("toml") / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    again = TrainingConfig.from_toml(path)
    assert again == config
    assert again.to_toml() == config.to_toml()
    assert hash(again) == hash(config)


def test_every_value_is_written_but_those_that_are_not_there():
    config = TrainingConfig(**REQUIRED)
    written = tomllib.loads(config.to_toml())
    assert written.keys() == HINTS.keys() - {"excitatory_share", "final_noise"}
    assert written["loss"] == {
        "name": "cross_entropy", "xi": 0.2, "alpha": 0.005, "beta": 1.0, "silent_time": 10.0
    }  # fmt: skip
    assert written["dataset"] == {"name": "digits"}
    assert config.excitatory_share is config.final_noise is None
    assert "excitatory_share = 0.75" in dataclasses.replace(config, excitatory_share=0.75).to_toml()


def test_lists_become_tuples_and_whole_numbers_floats():
    config = TrainingConfig(**REQUIRED | {"tau_m": 2, "weight_mean": [0, 1, 0], "kept_epochs": [3]})
    assert config.hidden == (30, 20)
    assert config.kept_epochs == (3,)
    assert isinstance(config.tau_m, float)
    assert all(isinstance(mean, float) for mean in config.weight_mean)
    assert config.params == LIFParameters(tau_m=2.0)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_the_published_settings_are_valid_and_named_after_their_file(path):
    assert TrainingConfig.from_toml(path).name == path.stem


def test_a_run_s_own_settings_can_be_read_again(tiny_run):
    assert "seed = 1" in (tiny_run.path / "config.toml").read_text()
    assert TrainingConfig.from_toml(tiny_run.path / "config.toml") == tiny_run.config


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_files_of_any_editor_are_read(tmp_path, ending, mark):
    path = tmp_path / "settings.toml"
    path.write_bytes(mark + tomli_w.dumps(REQUIRED).replace("\n", ending).encode())
    assert TrainingConfig.from_toml(path) == TrainingConfig(**REQUIRED)


# Refusals


@pytest.mark.parametrize("name", HINTS)
def test_every_wrong_type_is_named(tmp_path, name):
    for value in WRONG_TYPES[kind(name)]:
        said = complaint_about(tmp_path, **{name: value})
        assert said.startswith(f"{name} must be ")
        assert type(value).__name__ in said


@pytest.mark.parametrize("name", [name for name in HINTS if kind(name) is tuple])
def test_every_wrong_entry_of_a_list_is_named(tmp_path, name):
    item = typing.get_args(HINTS[name])[0]
    for wrong in WRONG_TYPES[item]:
        said = complaint_about(tmp_path, **{name: [1, wrong, 1]})
        assert said.startswith(f"{name}[1] must be ")
        assert type(wrong).__name__ in said


@pytest.mark.parametrize(("name", "values", "expected"), OUT_OF_RANGE)
def test_every_value_out_of_range_is_named(tmp_path, name, values, expected):
    for value in values:
        said = complaint_about(tmp_path, **{name: value})
        assert said.startswith(name)
        assert expected in said
        assert "got" in said


@pytest.mark.parametrize(
    ("kind_of", "name", "parameter", "values", "expected"), PARAMETERS_OUT_OF_RANGE
)
def test_every_parameter_out_of_range_is_named(kind_of, name, parameter, values, expected):
    for value in values:
        with pytest.raises(ValueError, match=rf"^{kind_of}\.{parameter} ") as caught:
            TrainingConfig(**REQUIRED | {kind_of: {"name": name, parameter: value}})
        assert expected in str(caught.value)


def test_every_parameter_of_what_ships_has_its_range_tested():
    shipped = {
        (kind_of, name, parameter)
        for kind_of, registry in BOTH.items()
        for name in registry.names
        if name in SHIPPED
        for parameter in registry.choice(name).parameters
    }
    assert {(kind_of, name, what) for kind_of, name, what, *_ in PARAMETERS_OUT_OF_RANGE} == shipped


@pytest.mark.parametrize("kind_of", BOTH)
def test_every_parameter_refuses_what_is_no_number(kind_of):
    choices = map(BOTH[kind_of].choice, BOTH[kind_of].names)
    found = [(choice.name, parameter) for choice in choices for parameter in choice.parameters]
    assert found
    for name, parameter in found:
        for wrong in ("low", True, math.nan, [1.0]):
            with pytest.raises(ValueError, match=rf"^{kind_of}\.{parameter} "):
                TrainingConfig(**REQUIRED | {kind_of: {"name": name, parameter: wrong}})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "mse", "xi": 1.0}, "loss parameter of mse must be one of 'correct', 'wrong', "),
        ({"name": "cross_entropy", "alhpa": 1}, "got 'alhpa' (did you mean alpha?)"),
        ({"xi": 1.0}, "loss must be a name or a table with a name, got dict"),
        ({"name": "cross_entropy", "xi": "low"}, "loss.xi must be a real number"),
        ("mes", f"loss {one_of(LOSSES)} 'mes' (did you mean mse?)"),
    ],
)
def test_a_parameter_that_is_not_there_is_named(tmp_path, value, said):
    assert said in complaint_about(tmp_path, loss=value)


def test_the_loss_is_the_one_of_the_settings():
    config = TrainingConfig(**REQUIRED | {"loss": {"name": "cross_entropy", "xi": 1, "beta": 2.0}})
    assert config.loss.parameters == {"xi": 1.0, "alpha": 0.005, "beta": 2.0, "silent_time": 10.0}
    assert (make_loss(config).xi, make_loss(config).beta) == (1.0, 2.0)
    mse = dataclasses.replace(config, loss="mse")
    assert (make_loss(mse).correct, make_loss(mse).wrong) == (1.5, 2.0)
    assert dataclasses.replace(config, loss=config.loss) == config


def test_every_field_has_its_range_tested():
    anything = {name for name in HINTS if kind(name) is bool}
    assert {name for name, *_ in OUT_OF_RANGE} == HINTS.keys() - anything


@pytest.mark.parametrize(
    "values",
    [
        {"tau_m": math.inf, "gradient_limit": math.inf},
        {"early": 0, "late": 7.999, "bias_times": [0, 7.999]},
        {"excitatory_share": 1},
        {"excitatory_share": 1 / 20},
        {"loss": {"name": "cross_entropy", "alpha": 0, "beta": -3}, "input_noise": 0},
        {"weight_std": [0, 0, 0], "weight_mean": [1000, -1000, 0], "final_noise": 8},
        {"silent_hidden_share": 0, "silent_output_share": 1},
        {"kept_epochs": [1, 10]},
        {"max_shift": 3, "deformation": 7.999},
    ],
)
def test_the_ends_of_the_ranges_belong_to_them(values):
    assert TrainingConfig(**REQUIRED | values)


@pytest.mark.parametrize(
    ("dataset", "batch_size", "n_validation", "held"),
    [
        ("mnist", 1, 1, 10_000),
        ("mnist", 1, 20_000, 20_000),
        ("mnist", 30_000, 20_000, 30_000),
        ("mnist", 10**9, 1, 60_000),
        ("digits", 10**9, 10**9, 1437),
        ({"name": "yin_yang", "n_train": 10**5, "n_test": 10**6}, 10**9, 10, 10**6),
    ],
)
def test_as_many_spike_times_are_held_as_fit_into_memory(dataset, batch_size, n_validation, held):
    values = REQUIRED | {"dataset": dataset, "batch_size": batch_size, "hidden": [1, 1]}
    values["n_validation"] = n_validation
    n_others = sum(TrainingConfig(**values).sizes)
    most = MAX_SPIKES // held - n_others
    TrainingConfig(**values, bias_times=[0.5] * most)
    with pytest.raises(ValueError, match=rf"^bias_times .*, got {held} samples of "):
        TrainingConfig(**values, bias_times=[0.5] * (most + 1))


@pytest.mark.parametrize("name", ["contrast", "max_shift", "deformation"])
def test_points_in_a_plane_are_not_changed_as_images_are(tmp_path, name):
    said = complaint_about(tmp_path, dataset="yin_yang", **{name: 1})
    assert said.startswith(f"{name} must be 0 for yin_yang, which has no images, got 1")


def test_points_in_a_plane_are_not_mirrored(tmp_path):
    said = complaint_about(tmp_path, dataset="yin_yang", mirror=True)
    assert said == "mirror must be false for yin_yang, which has no images, got True"


def test_contrast_adds_two_inputs_for_each_pixel():
    config = TrainingConfig(**REQUIRED, bias_times=[0.5])
    assert dataclasses.replace(config, contrast=2.0).sizes[0] == 3 * 64 + 1
    assert dataclasses.replace(config, contrast=0.0).sizes == config.sizes


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_key_is_named(tmp_path, name):
    path = tmp_path / "settings.toml"
    path.write_text(tomli_w.dumps({k: v for k, v in REQUIRED.items() if k != name}))
    with pytest.raises(ValueError, match=rf"settings\.toml: config lacks the keys {name}$"):
        TrainingConfig.from_toml(path)


def test_all_missing_keys_are_named_at_once(tmp_path):
    path = tmp_path / "empty.toml"
    path.touch()
    with pytest.raises(ValueError, match=rf"lacks the keys {', '.join(REQUIRED)}$"):
        TrainingConfig.from_toml(path)


def test_an_unknown_key_is_named_and_its_likely_meaning_suggested(tmp_path):
    said = complaint_about(tmp_path, lerning_rate=0.1)
    assert said == "config has the unknown key lerning_rate (did you mean learning_rate?)"
    assert complaint_about(tmp_path, zzz=1) == "config has the unknown key zzz"
    assert complaint_about(tmp_path, training={"epochs": 3}).startswith("config has the unknown")


@pytest.mark.parametrize(
    "content", [b"epochs = ", b"[a\n", b"epochs = 1\nepochs = 2\n", b"\xff\xfe", b"\x00", b"PK\x03"]
)
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"settings\.toml: ") as caught:
        TrainingConfig.from_toml(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        "hidden = " + "[" * 5000 + "]" * 5000,
        "x = " + "{a = " * 5000 + "1" + "}" * 5000,
        f"hidden = {'[' * 400}{']' * 400}",
        f"epochs = {'9' * 10_000}",
        f'name = "{"x" * 100_000}"',
        f"{'x' * 100_000} = 1",
        f'dataset = "{"x" * 100_000}"',
        f"hidden = [{'1, ' * 100_000}]",
        f"weight_std = [{'0.5, ' * 100_000}]",
        f"bias_times = [{'0.5, ' * 100_000}]\nhidden = [3000, 20]",
        f"dataset = {{name = 'digits', '{'y' * 100_000}' = 1}}",
        f"kept_epochs = {list(range(1, 3000))}\nepochs = 3000\nhidden = [5000, 20]",
    ],
)
def test_a_file_that_asks_too_much_is_one_short_line(tmp_path, content):
    path = tmp_path / "settings.toml"
    others = {name: value for name, value in REQUIRED.items() if f"{name} = " not in content}
    path.write_text(tomli_w.dumps(others) + content)
    with pytest.raises(ValueError, match=r"settings\.toml: ") as caught:
        TrainingConfig.from_toml(path)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 600


@pytest.mark.parametrize(
    "line",
    [
        '"a\\u001B[31mred" = 1',
        'name = "a\\u001B]0;title\\u0007"',
        'dataset = "\\u009B2J"',
        'dataset = {name = "digits", "\\u001B[2J" = 1}',
        'loss = {name = "\\u001B[2J"}',
        'schedule = "\\u0007\\u0007"',
        'hidden = "\\u202Eabc"',
        "name = \x1b",
    ],
)
def test_what_is_echoed_is_printable(tmp_path, line):
    path = tmp_path / "settings.toml"
    others = {name: value for name, value in REQUIRED.items() if not line.startswith(name)}
    path.write_text(line + "\n" + tomli_w.dumps(others))
    with pytest.raises(ValueError, match=r"settings\.toml: ") as caught:
        TrainingConfig.from_toml(path)
    assert str(caught.value).isprintable()


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "settings.toml"
    path.touch()
    os.truncate(path, 2**30)
    with pytest.raises(OSError, match=r"^cannot read .* at most 1048576 bytes, got 1073741824$"):
        TrainingConfig.from_toml(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    make_pipe(tmp_path / "pipe.toml")
    with pytest.raises(OSError, match=r"^cannot read .*pipe\.toml: it is not a regular file$"):
        TrainingConfig.from_toml(tmp_path / "pipe.toml")


@pytest.mark.parametrize("wrong", [None, 3, ["a"]])
def test_what_is_no_path_or_no_mapping_is_named(wrong):
    with pytest.raises(ValueError, match=r"^path must be a path, got "):
        TrainingConfig.from_toml(wrong)
    with pytest.raises(ValueError, match=r"^values must be a mapping, got "):
        TrainingConfig.from_mapping(wrong)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^cannot read .*none\.toml: No such file"):
        TrainingConfig.from_toml(tmp_path / "none.toml")
    with pytest.raises(IsADirectoryError, match=r"^cannot read .*: Is a directory$"):
        TrainingConfig.from_toml(tmp_path)


plain = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.text(max_size=5)
    | st.dates()
    | st.sampled_from([*DATASETS.names, *LOSSES.names, *SCHEDULES])
)
anything = plain | st.lists(plain, max_size=4) | st.dictionaries(st.text(), plain, max_size=2)


@settings(max_examples=300)
@given(changes=st.dictionaries(st.sampled_from(list(HINTS)), anything, min_size=1, max_size=4))
def test_whatever_is_said_is_taken_or_refused_in_one_line(changes):
    config, said = None, ""
    try:
        config = TrainingConfig.from_mapping(REQUIRED | changes)
    except ValueError as error:
        said = str(error)
    if config is None:
        assert len(said.splitlines()) == 1
        assert said.startswith(tuple(HINTS))
    else:
        for name, value in changes.items():
            found = getattr(config, name)
            found = found.name if isinstance(found, Choice) else found
            assert (list(found) if isinstance(found, tuple) else found) == value

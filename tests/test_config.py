"""Settings: what a TOML file may say, and what it is told when it says something else."""

from __future__ import annotations

import dataclasses
import datetime
import math
import types
import typing
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from ttfslib import LIFParameters, TrainingConfig
from ttfslib.experiment.config import DATASETS, LOSSES, SCHEDULES

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
WRONG_TYPES = {
    str: [3, 2.5, True, ["a"], {"a": 1}, DATE],
    int: ["3", 2.5, 3.0, True, [3], {"a": 1}, DATE],
    float: ["1.5", True, [1.5], {"a": 1}, DATE],
    bool: ["true", 1, 0.0, [True], {"a": 1}, DATE],
    tuple: ["12", 3, 1.5, True, {"a": 1}, DATE],
}
BESIDE = {"hidden": [30, 20], "weight_mean": [0.1] * 3, "weight_std": [0.1] * 3}
# (key, values out of range, what the message expects)
OUT_OF_RANGE = [
    ("name", ["", "two words", "a/b", "a\nb", "é\u2028"], "letters, digits"),
    ("dataset", ["MNIST", "", "fashion"], "must be one of 'mnist', 'digits', 'yin_yang'"),
    ("hidden", [[]], "at least one layer"),
    ("hidden", [[0, 20], [-3, 20]], "must be at least 1"),
    ("hidden", [[10**9 + 1, 20]], "must be at most 1000000000"),
    ("weight_mean", [[0.1], [0.1] * 4, []], "one entry a layer (3)"),
    ("weight_mean", [[math.inf, 0, 0], [0, -math.inf, 0], [0, 0, math.nan]], "must be finite"),
    ("weight_std", [[0.1], [0.1] * 4, []], "one entry a layer (3)"),
    ("weight_std", [[0.1, -0.1, 0.1]], "must lie in [0, inf]"),
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
    ("loss", ["l2", ""], "must be one of 'cross_entropy', 'mse'"),
    ("xi", [0, -1], "must be positive"),
    ("xi", [math.inf, math.nan], "must be finite"),
    ("alpha", [-0.1], "must lie in [0, inf]"),
    ("alpha", [math.inf, math.nan], "must be finite"),
    ("beta", [math.inf, -math.inf, math.nan], "must be finite"),
    ("correct_time", [0, -1], "must be positive"),
    ("correct_time", [math.inf, math.nan], "must be finite"),
    ("wrong_time", [0, -1], "must be positive"),
    ("wrong_time", [math.inf, math.nan], "must be finite"),
    ("input_noise", [-0.1], "must lie in [0, inf]"),
    ("input_noise", [math.inf, math.nan], "must be finite"),
    ("final_noise", [-0.1], "must lie in [0, inf]"),
    ("final_noise", [math.inf, math.nan], "must be finite"),
    ("max_shift", [-1], "must be at least 0"),
    ("gradient_limit", [0, -1, -math.inf], "must be positive"),
    ("gradient_limit", [math.nan], "must be finite"),
    ("silent_hidden_share", [-0.1, 1.1], "must lie in [0, 1]"),
    ("silent_hidden_share", [math.nan, math.inf], "must be finite"),
    ("silent_output_share", [-0.1, 1.1], "must lie in [0, 1]"),
    ("silent_output_share", [math.nan, math.inf], "must be finite"),
    ("silent_step", [0, -1], "must be positive"),
    ("silent_step", [math.inf, math.nan], "must be finite"),
    ("kept_epochs", [[0], [-1]], "must be at least 1"),
    ("kept_epochs", [[11], [3, 99]], "must lie in [1, 10]"),
    ("n_kept_samples", [0, -1], "must be at least 1"),
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
    dataset = draw(st.sampled_from(DATASETS))
    early = draw(finite(0, 3))
    positive = finite(1e-6, exclude_min=True)
    counts, shares = st.integers(1, 10**9), finite(0, 1)
    values = {
        "name": draw(st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)),
        "dataset": dataset,
        "hidden": hidden,
        "weight_mean": draw(st.lists(finite(), min_size=n_layers, max_size=n_layers)),
        "weight_std": draw(st.lists(finite(0), min_size=n_layers, max_size=n_layers)),
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
        "n_validation": counts,
        "shuffle_labels": st.booleans(),
        "batch_size": counts,
        "learning_rate": finite(1e-6, 1),
        "schedule": st.sampled_from(SCHEDULES),
        "decay": finite(1e-6, 1),
        "decay_every": counts,
        "loss": st.sampled_from(LOSSES),
        "xi": positive,
        "alpha": finite(0),
        "beta": finite(),
        "correct_time": positive,
        "wrong_time": positive,
        "input_noise": finite(0),
        "final_noise": finite(0),
        "max_shift": st.just(0) if dataset == "yin_yang" else st.integers(0, 9),
        "gradient_limit": positive | st.just(math.inf),
        "silent_hidden_share": shares,
        "silent_output_share": shares,
        "silent_step": positive,
        "kept_epochs": st.lists(st.integers(1, epochs), max_size=4),
        "n_kept_samples": counts,
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
    written = {line.split(" = ")[0] for line in config.to_toml().splitlines() if " = " in line}
    assert written == HINTS.keys() - {"excitatory_share", "final_noise"}
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


def test_every_field_has_its_range_tested():
    anything = {"shuffle_labels"}
    assert {name for name, *_ in OUT_OF_RANGE} == HINTS.keys() - anything


@pytest.mark.parametrize(
    "values",
    [
        {"tau_m": math.inf, "gradient_limit": math.inf},
        {"early": 0, "late": 7.999, "bias_times": [0, 7.999]},
        {"excitatory_share": 1},
        {"excitatory_share": 1 / 20},
        {"alpha": 0, "beta": -3, "input_noise": 0, "weight_std": [0, 0, 0]},
        {"silent_hidden_share": 0, "silent_output_share": 1},
        {"kept_epochs": [1, 10]},
        {"max_shift": 3},
    ],
)
def test_the_ends_of_the_ranges_belong_to_them(values):
    assert TrainingConfig(**REQUIRED | values)


def test_points_in_a_plane_are_not_shifted(tmp_path):
    said = complaint_about(tmp_path, dataset="yin_yang", max_shift=1)
    assert said == "max_shift must be 0 for points in a plane, got 1"


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
            assert (list(found) if isinstance(found, tuple) else found) == value

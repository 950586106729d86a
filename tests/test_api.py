"""Every public function, argument by argument, with values that are wrong.

`RIGHT` holds one good call of each public function and class; `KINDS` says of each argument what
kind of thing it is, and so which values are wrong for it. Whatever is wrong has to be refused by a
ValueError or TypeError of one line that names the argument. None is right wherever it is the
default; what else is right against the rule stands in `ALLOWED`.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from test_config import HINTS, OUT_OF_RANGE, kind

import ttfslib
from ttfslib import book, explore, plotting

NAN, INF = math.nan, math.inf
Wrong = dict[str, Callable[[Any], Any]]
"""By the name of what is wrong, how to make it of the right value."""


# --- what is wrong, by kind ---------------------------------------------------------------------


def constant(**values: Any) -> Wrong:
    return {name: lambda _, value=value: value for name, value in values.items()}


def spoiled(value: Any) -> Callable[[Any], Any]:
    """Put `value` in the place of the first entry of the right array or tensor."""

    def spoil(right: Any) -> Any:
        if isinstance(right, torch.Tensor):
            wrong = right.detach().clone()
            wrong.view(-1)[0] = value
        else:
            wrong = np.array(right, dtype=float)
            wrong.flat[0] = value
        return wrong

    return spoil


def as_tensor(right: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(right))


def masked(right: Any) -> Any:
    """The same numbers, of which one is said to be none."""
    wrong = np.ma.masked_array(right)
    wrong[(0,) * wrong.ndim] = np.ma.masked
    return wrong


MANY_LINES = torch.arange(12.0).reshape(4, 3)
HUGE = 10**400
NOTHING: Wrong = constant(none=None, text="soon", mapping={}, escape="\x1b[31m")
FOREIGN: Wrong = NOTHING | {
    "ragged": lambda _: [[1.0], [1.0, 2.0]],
    "complex": lambda right: np.asarray(right) + 1j,
    "requires_grad": lambda right: as_tensor(right).double().requires_grad_(),
    "sparse": lambda right: torch.atleast_1d(as_tensor(right)).to_sparse(),
    "meta": lambda right: as_tensor(right).to("meta"),
    "masked": masked,
    "masked_row": lambda right: [masked(np.atleast_1d(right)), *np.atleast_1d(right)[1:]],
    "bfloat16": lambda right: as_tensor(right).bfloat16(),
}


def array(*, silent: bool = False, ndim: int | None = None, empty: bool = False) -> Wrong:
    """Floats; with `silent` they may be inf, with `ndim` they have so many dimensions."""
    wrong = FOREIGN | {"nan": spoiled(NAN), "minus_inf": spoiled(-INF)}
    if not silent:
        wrong["inf"] = spoiled(INF)
    if ndim is not None:
        wrong["ndim"] = lambda right: np.asarray(right)[None]
        wrong["number"] = lambda _: 1.0
    if not empty:
        wrong["empty"] = lambda right: np.empty((0,) * np.ndim(right)) if np.ndim(right) else []
    return wrong


def arrays_of(entry: Wrong) -> Wrong:
    """Sequences of arrays, each of the kind `entry`."""
    first = {
        f"first_{name}": lambda right, make=make: [make(right[0]), *right[1:]]
        for name, make in entry.items()
    }
    return NOTHING | constant(number=1.0, empty=[]) | first


def number(*, inf: bool = False, low: float | None = None) -> Wrong:
    wrong = NOTHING | constant(nan=NAN, minus_inf=-INF, complex=1j, array=[1.0, 2.0], bool=True)
    wrong |= constant(tensor=MANY_LINES, masked=np.ma.masked)
    if not inf:
        wrong |= constant(inf=INF, huge=HUGE, minus_huge=-HUGE)
    if low is not None:
        wrong |= constant(below=low)
    return wrong


def integer(low: int) -> Wrong:
    return number() | constant(float=1.5, below=low - 1)


def tensor(*, inf: bool = False) -> Wrong:
    """Two-dimensional float tensors."""
    wrong = NOTHING | {
        "number": lambda _: 1.0,
        "list": lambda right: right.tolist(),
        "array": lambda right: right.detach().numpy(),
        "nan": spoiled(NAN),
        "minus_inf": spoiled(-INF),
        "ndim": lambda right: right.detach()[None],
        "empty": lambda right: right.detach()[:0],
        "integers": lambda right: torch.ones_like(right, dtype=torch.int64),
        "complex": lambda right: right.detach() + 1j,
        "half": lambda right: right.detach().half(),
        "bfloat16": lambda right: right.detach().bfloat16(),
        "sparse": lambda right: right.detach().to_sparse(),
        "meta": lambda right: right.detach().to("meta"),
        "masked": masked,
    }
    return wrong if inf else wrong | {"inf": spoiled(INF)}


LABELS: Wrong = FOREIGN | {
    "number": lambda _: 1,
    "floats": lambda right: np.asarray(right, dtype=float),
    "negative": lambda right: np.asarray(right) - 1,
    "gap": lambda right: 2 * np.asarray(right),
    "short": lambda right: np.asarray(right)[1:],
    "ndim": lambda right: np.asarray(right)[None],
    "empty": lambda _: [],
}
ANY_LABELS = {name: make for name, make in LABELS.items() if name not in ("negative", "gap")}
"""Classes that need not all occur."""
TENSOR_LABELS: Wrong = NOTHING | {
    "number": lambda _: 1,
    "list": lambda right: right.tolist(),
    "array": lambda right: right.numpy(),
    "floats": lambda right: right.double(),
    "negative": lambda right: right - 1,
    "short": lambda right: right[1:],
    "ndim": lambda right: right[None],
    "empty": lambda right: right[:0],
    "sparse": lambda right: right.to_sparse(),
    "meta": lambda right: right.to("meta"),
}
FLAGS: Wrong = FOREIGN | {
    "number": lambda _: 1,
    "integers": lambda right: np.asarray(right, dtype=int),
    "ndim": lambda right: np.asarray(right)[None],
    "empty": lambda right: np.empty((0,) * np.ndim(right), dtype=bool),
}
AXIS = integer(-2) | constant(beyond=2)
SHARE = number(low=-0.1) | constant(above=1.1)
POSITIVE = number(low=0.0)
MAYBE_INFINITE = number(inf=True, low=0.0)
NOT_NEGATIVE = number(low=-0.1)
TIME = {name: make for name, make in number(inf=True).items() if name != "bool"}
LATE = {
    name: make
    for name, make in arrays_of(array(ndim=1) | {"below": spoiled(-0.1)}).items()
    if name not in ("empty", "mapping")
}
"""Delays; an empty sequence is none."""
PER_LAYER = NOTHING | constant(empty=[], first_nan=[NAN, 1.0], length=[0.1, 0.1, 0.1])
TEXT = constant(none=None, number=1.0, array=[1.0], tensor=MANY_LINES)
CHOICE = TEXT | constant(unknown="soon", escape="\x1b[31m")
OBJECT = NOTHING | constant(number=1.0, array=[1.0, 2.0], tensor=MANY_LINES, huge=HUGE)
RNG = OBJECT | {"legacy": lambda _: np.random.RandomState(0), "torch": lambda _: torch.Generator()}
TORCH_RNG = OBJECT | {"numpy": lambda _: np.random.default_rng(0)}
NUMBERS = NOTHING | constant(number=1.0, empty=[], first_nan=[NAN, 1.0])
SIZES = constant(
    none=None, text="soon", number=3, empty=[], floats=[2.5, 1.0], zero=[2, 0], nan=[NAN, 1]
)
NUMBERED = NUMBERS | constant(negative=[-1], float=[0.5], twice=[0, 0], beyond=[10**6], huge=[HUGE])
"""Integers from 0, each once."""
COUNTS = SIZES | constant(negative=[-1])
COLOR = constant(number=1.0, unknown="soon", mapping={})
SWITCH = constant(none=None, text="soon", number=1.0, array=[1.0], tensor=MANY_LINES)
TRUTH = constant(array=np.ones(2), tensor=MANY_LINES)
"""Right is whatever Python takes for true or false."""
ANYTHING: Wrong = {}


# --- one right call of everything public --------------------------------------------------------


class Right(NamedTuple):
    call: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]
    """Made anew for each call."""
    kinds: dict[str, Wrong]
    """Of the arguments that mean something else here than elsewhere."""


PARAMS = ttfslib.LIFParameters(tau_m=2.0)
TIMES = np.array([[0.1, 0.5, INF], [0.2, 0.3, 0.4], [0.0, 0.6, 0.9], [0.3, 0.1, 0.2]])
OUTPUT = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, INF], [1.5, 1.0]])
MATRICES = [np.array([[1.0, 0.5], [0.2, 1.0], [-0.5, 0.3]]), np.array([[1.0, 0.1], [0.2, 1.0]])]
DELAYS = [np.zeros(len(matrix)) for matrix in MATRICES]
CLASSES = np.array([0, 1, 0, 1])
SETS = np.array([[True, False, False], [False, True, False]])
WIDTH = {"times": array(silent=True), "axis": AXIS}
ONE_NEURON = {"spike_times": array(silent=True, ndim=1), "weights": array(ndim=1)}


def one_neuron(**more: Any) -> dict[str, Any]:
    return {"spike_times": [0.0, 0.5], "weights": [2.0, 2.0], "params": PARAMS, **more}


def network() -> ttfslib.TTFSNetwork:
    return ttfslib.TTFSNetwork.from_weights([torch.tensor(m) for m in MATRICES], PARAMS)


def heard() -> dict[str, Any]:
    return {"output_times": torch.tensor(OUTPUT), "labels": torch.tensor(CLASSES)}


def responses() -> dict[str, Any]:
    return {"responses": np.exp(-TIMES), "labels": CLASSES}


def settings() -> dict[str, Any]:
    """Every setting of a training that is over in a second."""
    given = {
        "name": "tiny",
        "dataset": {"name": "yin_yang", "n_train": 60, "n_test": 20},
        "hidden": (6,),
        "weight_mean": (1.5, 2.0),
        "weight_std": (0.5, 0.5),
        "epochs": 1,
        "n_validation": 20,
        "excitatory_share": 0.5,
        "final_noise": 0.1,
        "kept_epochs": (1,),
        "bias_times": (0.5,),
    }
    defaults = ttfslib.TrainingConfig(**given)
    return {f.name: getattr(defaults, f.name) for f in dataclasses.fields(defaults)} | given


@cache
def tiny_digits() -> ttfslib.Run:
    return ttfslib.load_run(book.data_path("runs/digits-dale-seed1"))


def recorded() -> ttfslib.Recording:
    return ttfslib.record(tiny_digits(), layers=[5], samples=[0])


def observed() -> ttfslib.Observation:
    return ttfslib.observe([TIMES, OUTPUT], [[0, 2], [1]], np.random.default_rng(0))


def axes() -> dict[str, Any]:
    return {"ax": Figure().subplots()}


def drawing(x: float) -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, x])
    return figure


def shown(**slider: Any) -> explore.InteractiveFigure:
    """A slider is checked when its figure is made, because only then its argument has a name."""
    return explore.interactive_figure(drawing, alt="A line.", x=explore.Slider(**slider))


RIGHT: dict[str, Right] = {
    "LIFParameters": Right(
        ttfslib.LIFParameters,
        lambda: {"tau_m": 1.0, "tau_s": 1.0, "threshold": 1.0},
        {"tau_m": MAYBE_INFINITE, "threshold": POSITIVE},
    ),
    "psp": Right(ttfslib.psp, lambda: {"delay": [0.0, 1.0], "params": PARAMS}, {}),
    "psp_slope": Right(ttfslib.psp_slope, lambda: {"delay": [0.0, 1.0], "params": PARAMS}, {}),
    "membrane_potential": Right(
        ttfslib.membrane_potential,
        lambda: one_neuron(times=[0.0, 1.0]),
        ONE_NEURON | {"times": array()},
    ),
    "first_spike_time": Right(ttfslib.first_spike_time, one_neuron, ONE_NEURON),
    "causal_set": Right(ttfslib.causal_set, one_neuron, ONE_NEURON),
    "spike_time_gradient": Right(ttfslib.spike_time_gradient, one_neuron, ONE_NEURON),
    "crossing_delay": Right(
        ttfslib.crossing_delay, lambda: {"potential": 0.1, "current": 3.0, "params": PARAMS}, {}
    ),
    "peak_delay": Right(
        ttfslib.peak_delay,
        lambda: {"potential": 0.1, "current": 3.0, "params": PARAMS},
        {"current": POSITIVE},
    ),
    "first_spike_times": Right(
        ttfslib.first_spike_times,
        lambda: {
            "spike_times": torch.tensor(TIMES),
            "weights": torch.tensor(MATRICES[0]),
            "params": PARAMS,
            "gradient_limit": 10.0,
        },
        {"spike_times": tensor(inf=True), "weights": tensor()},
    ),
    "TTFSLayer": Right(
        ttfslib.TTFSLayer,
        lambda: {
            "n_pre": 3,
            "n_post": 2,
            "params": PARAMS,
            "mean": 0.1,
            "std": 0.1,
            "is_excitatory": [True, True, False],
            "delays": True,
            "gradient_limit": 10.0,
            "generator": torch.Generator(),
            "dtype": torch.float64,
        },
        {"is_excitatory": FLAGS},
    ),
    "TTFSLayer.forward": Right(
        network().stack[0].forward,
        lambda: {"spike_times": torch.tensor(TIMES)},
        {"spike_times": tensor(inf=True)},
    ),
    "TTFSNetwork": Right(
        ttfslib.TTFSNetwork,
        lambda: {
            "sizes": [3, 2, 2],
            "params": PARAMS,
            "mean": [0.1, 0.1],
            "std": [0.1, 0.1],
            "excitatory_share": 0.5,
            "delays": True,
            "gradient_limit": 10.0,
            "generator": torch.Generator(),
            "dtype": torch.float64,
        },
        {
            "mean": PER_LAYER,
            "std": PER_LAYER | constant(below=[-0.1, 0.1]),
        },
    ),
    "TTFSNetwork.from_weights": Right(
        ttfslib.TTFSNetwork.from_weights,
        lambda: {
            "weights": MATRICES,
            "params": PARAMS,
            "delays": DELAYS,
            "excitatory_share": 0.5,
            "gradient_limit": 10.0,
        },
        {
            "weights": arrays_of(array(ndim=2)),
            "delays": LATE | constant(empty=[], mapping={}),
        },
    ),
    "TTFSNetwork.forward": Right(
        network().forward,
        lambda: {"spike_times": torch.tensor(TIMES)},
        {"spike_times": tensor(inf=True)},
    ),
    "SilentNeuronRemedy": Right(
        ttfslib.SilentNeuronRemedy,
        lambda: {
            "network": network(),
            "hidden_share": 0.5,
            "output_share": 0.5,
            "step": 0.1,
            "largest_step": 0.1,
        },
        {},
    ),
    "SilentNeuronRemedy.__call__": Right(
        ttfslib.SilentNeuronRemedy(network()).__call__,
        lambda: {"layers": [torch.tensor(OUTPUT), torch.tensor(OUTPUT)]},
        {"layers": arrays_of(tensor(inf=True))},
    ),
    "FirstSpikeCrossEntropy": Right(
        ttfslib.FirstSpikeCrossEntropy,
        lambda: {"xi": 0.2, "alpha": 0.1, "beta": 1.0, "silent_time": 10.0},
        {},
    ),
    "FirstSpikeCrossEntropy.forward": Right(
        ttfslib.FirstSpikeCrossEntropy().forward,
        heard,
        {"output_times": tensor(inf=True), "labels": TENSOR_LABELS},
    ),
    "SpikeTimeMSE": Right(
        ttfslib.SpikeTimeMSE, lambda: {"correct": 1.0, "wrong": 2.0, "silent_time": 10.0}, {}
    ),
    "SpikeTimeMSE.forward": Right(
        ttfslib.SpikeTimeMSE().forward,
        heard,
        {"output_times": tensor(inf=True), "labels": TENSOR_LABELS},
    ),
    "log_packet_width": Right(
        ttfslib.log_packet_width,
        lambda: {"layers": [torch.tensor(OUTPUT), torch.tensor(OUTPUT)]},
        {"layers": arrays_of(tensor(inf=True))},
    ),
    "decision_time": Right(ttfslib.decision_time, lambda: {"output_times": OUTPUT}, {}),
    "decided_class": Right(ttfslib.decided_class, lambda: {"output_times": OUTPUT}, {}),
    "load_digits": Right(ttfslib.load_digits, lambda: {"split": "test"}, {}),
    "load_fashion_mnist": Right(ttfslib.load_fashion_mnist, lambda: {"split": "test"}, {}),
    "load_mnist": Right(ttfslib.load_mnist, lambda: {"split": "test"}, {}),
    "load_yin_yang": Right(ttfslib.load_yin_yang, lambda: {"n_samples": 5, "seed": 0}, {}),
    "yin_yang_label": Right(ttfslib.yin_yang_label, lambda: {"x": [0.5], "y": [0.2]}, {}),
    "latency_encode": Right(
        ttfslib.latency_encode,
        lambda: {"images": np.full((2, 3), 0.5), "early": 0.1, "late": 2.0},
        {"images": array() | {"integers": lambda _: [[1, 0]], "above": spoiled(1.1)}},
    ),
    "on_off_contrast": Right(
        ttfslib.on_off_contrast,
        lambda: {"images": np.full((2, 3, 3), 0.5), "gain": 2.0},
        {"images": array() | {"integers": lambda _: [[[1, 0]]], "above": spoiled(1.1)}},
    ),
    "latency_decode": Right(
        ttfslib.latency_decode,
        lambda: {"spike_times": TIMES, "early": 0.1, "late": 2.0},
        {"spike_times": array(silent=True) | {"integers": lambda _: [[1, 0]]}},
    ),
    "jitter": Right(
        ttfslib.jitter,
        lambda: {"spike_times": TIMES, "scale": 0.1, "rng": np.random.default_rng(0)},
        {"spike_times": array(silent=True) | {"integers": lambda _: [[1, 0]]}},
    ),
    "pulse_packet": Right(
        ttfslib.pulse_packet, lambda: {"spike_times": TIMES, "decision_time": 0.5}, {}
    ),
    "activity": Right(
        ttfslib.activity,
        lambda: {"spike_times": TIMES, "axis": 1},
        {"spike_times": array(silent=True), "axis": AXIS},
    ),
    "shorth": Right(
        ttfslib.shorth,
        lambda: {"times": TIMES, "axis": 0, "share": 0.5},
        WIDTH | {"share": SHARE | constant(zero=0.0)},
    ),
    "iqr": Right(ttfslib.iqr, lambda: {"times": TIMES, "axis": 0}, WIDTH),
    "standard_deviation": Right(
        ttfslib.standard_deviation, lambda: {"times": TIMES, "axis": 0}, WIDTH
    ),
    "packet_statistics": Right(
        ttfslib.packet_statistics, lambda: {"layers": [TIMES, OUTPUT], "decision_time": 0.5}, {}
    ),
    "response": Right(ttfslib.response, lambda: {"spike_times": TIMES, "decision_time": 0.5}, {}),
    "class_means": Right(ttfslib.class_means, responses, {}),
    "selectivity": Right(
        ttfslib.selectivity, responses, {"responses": array(ndim=2) | {"negative": spoiled(-1.0)}}
    ),
    "mutual_information": Right(
        ttfslib.mutual_information,
        lambda: {"packet": TIMES, "labels": CLASSES, "n_bins": 2},
        {"packet": array(silent=True, ndim=2)},
    ),
    "separability": Right(ttfslib.separability, responses, {}),
    "representational_similarity": Right(
        ttfslib.representational_similarity,
        lambda: {"layers": [np.exp(-TIMES), np.exp(-OUTPUT)]},
        {"layers": arrays_of(array(ndim=2))},
    ),
    "decode": Right(
        ttfslib.decode,
        lambda: responses() | {"n_splits": 2, "seed": 0, "decoder": None, "baseline": True},
        {"n_splits": integer(2), "seed": integer(0) | constant(beyond=2**32), "baseline": TRUTH},
    ),
    "decode_until": Right(
        ttfslib.decode_until,
        lambda: {
            "spike_times": TIMES,
            "labels": CLASSES,
            "times": [0.2, 0.5],
            "decision_time": 0.5,
            "options": {"n_splits": 2},
        },
        {"times": NUMBERS, "options": constant(unknown={"n_split": 2})},
    ),
    "excitatory_effects": Right(ttfslib.excitatory_effects, lambda: {"weights": MATRICES}, {}),
    "causal_effects": Right(
        ttfslib.causal_effects,
        lambda: {"layers": [TIMES, OUTPUT, OUTPUT], "weights": MATRICES, "delays": DELAYS},
        {"delays": LATE},
    ),
    "n_carriers": Right(
        ttfslib.n_carriers,
        lambda: {"effects": np.eye(2), "share": 0.5},
        {"effects": array(ndim=2) | {"negative": spoiled(-1.0)}, "share": SHARE},
    ),
    "class_pathways": Right(
        ttfslib.class_pathways,
        lambda: {"effects": [np.eye(2), np.eye(3)[:2]], "share": 0.5},
        {"effects": arrays_of(array(ndim=2)), "share": SHARE},
    ),
    "strongest": Right(ttfslib.strongest, lambda: {"scores": np.eye(2), "n_neurons": 1}, {}),
    "overlap": Right(ttfslib.overlap, lambda: {"pathways": SETS}, {}),
    "mean_overlap": Right(ttfslib.mean_overlap, lambda: {"pathways": SETS}, {}),
    "random_sets": Right(
        ttfslib.random_sets,
        lambda: {"pathways": SETS, "rng": np.random.default_rng(0), "candidates": [True] * 3},
        {},
    ),
    "chance_overlap": Right(
        ttfslib.chance_overlap,
        lambda: {
            "pathways": SETS,
            "rng": np.random.default_rng(0),
            "candidates": [True] * 3,
            "n_draws": 2,
        },
        {},
    ),
    "influence": Right(
        ttfslib.influence,
        lambda: {
            "spike_times": TIMES,
            "weights": MATRICES,
            "params": PARAMS,
            "delays": DELAYS,
        },
        {"delays": LATE},
    ),
    "synapse_influence": Right(
        ttfslib.synapse_influence,
        lambda: {
            "pre_times": TIMES,
            "post_times": OUTPUT,
            "weights": MATRICES[0],
            "post_influence": np.ones((4, 2)),
            "params": PARAMS,
        },
        {
            "pre_times": array(silent=True, ndim=2),
            "post_times": array(silent=True, ndim=2),
            "weights": array(ndim=2),
            "post_influence": array(ndim=2),
        },
    ),
    "presence": Right(
        ttfslib.presence,
        lambda: {"packet": TIMES, "labels": CLASSES, "sets": SETS, "candidates": [True] * 3},
        {},
    ),
    "matched_bystanders": Right(
        ttfslib.matched_bystanders,
        lambda: {
            "packet": TIMES,
            "labels": CLASSES,
            "sets": SETS,
            "candidates": [True] * 3,
            "rate": 0.2,
            "time": 0.1,
        },
        {},
    ),
    "transplant": Right(
        ttfslib.transplant,
        lambda: {"hosts": TIMES, "donors": TIMES, "neurons": SETS[0]},
        {"hosts": array(silent=True, ndim=2), "donors": array(silent=True, ndim=2)},
    ),
    "patch_path": Right(
        ttfslib.patch_path,
        lambda: {
            "layer": 0,
            "volley": TIMES,
            "hosts": [TIMES],
            "paths": [SETS[0]],
            "forward": lambda layer, times: [times + layer],
        },
        {"hosts": arrays_of(array(silent=True, ndim=2)), "paths": arrays_of(FLAGS)},
    ),
    "rest_of": Right(ttfslib.rest_of, lambda: {"network": network()}, {}),
    "silence": Right(ttfslib.silence, lambda: {"spike_times": TIMES, "neurons": SETS[0]}, {}),
    "dose_response": Right(
        ttfslib.dose_response,
        lambda: {
            "layer": 0,
            "spike_times": TIMES,
            "labels": CLASSES,
            "scores": np.eye(3)[:2],
            "sizes": [1, 2],
            "forward": lambda layer, times: [times + layer],
            "targets": CLASSES[::-1].copy(),
            "intact": CLASSES,
        },
        {"sizes": SIZES, "targets": LABELS, "intact": ANY_LABELS},
    ),
    "another_class": Right(
        ttfslib.another_class,
        lambda: {"labels": CLASSES, "rng": np.random.default_rng(0)},
        {"labels": {name: make for name, make in LABELS.items() if name != "short"}},
    ),
    "lesion": Right(
        ttfslib.lesion,
        lambda: {
            "layer": 0,
            "spike_times": TIMES,
            "labels": CLASSES,
            "sets": SETS,
            "forward": lambda layer, times: [times + layer],
        },
        {},
    ),
    "draw_spikes": Right(
        ttfslib.draw_spikes,
        lambda: {"packet": TIMES, "n_spikes": 1, "rng": np.random.default_rng(0)},
        {"packet": array(silent=True, ndim=2)},
    ),
    "blind_array": Right(
        ttfslib.blind_array,
        lambda: {"sizes": [3, 2], "n_units": 4, "rng": np.random.default_rng(0)},
        {"sizes": COUNTS, "n_units": integer(1) | constant(beyond=6)},
    ),
    "laminar_probe": Right(
        ttfslib.laminar_probe,
        lambda: {"sizes": [3, 2], "n_units": 2, "rng": np.random.default_rng(0)},
        {"sizes": COUNTS, "n_units": integer(1) | constant(beyond=3)},
    ),
    "observe": Right(
        ttfslib.observe,
        lambda: {
            "layers": [TIMES, OUTPUT],
            "sites": [[0, 2], [1]],
            "rng": np.random.default_rng(0),
            "jitter": 0.1,
            "lost": 0.1,
            "background": 0.1,
            "mistaken": 0.1,
            "duration": 3.0,
        },
        {"duration": POSITIVE | constant(short=0.1)},
    ),
    "dithered": Right(
        ttfslib.dithered,
        lambda: {"observation": observed(), "width": 0.1, "rng": np.random.default_rng(0)},
        {"width": POSITIVE | constant(beyond=1e308)},
    ),
    "trials_shuffled": Right(
        ttfslib.trials_shuffled,
        lambda: {"observation": observed(), "rng": np.random.default_rng(0)},
        {},
    ),
    "coincidences": Right(
        ttfslib.coincidences, lambda: {"observation": observed(), "width": 0.1}, {}
    ),
    "surrogate_p_value": Right(
        ttfslib.surrogate_p_value,
        lambda: {
            "observation": observed(),
            "statistic": lambda seen: seen.n_units,
            "surrogate": ttfslib.trials_shuffled,
            "rng": np.random.default_rng(0),
            "n_surrogates": 3,
        },
        {},
    ),
    "width_p_value": Right(
        ttfslib.width_p_value,
        lambda: {
            "observation": observed(),
            "wide": 0,
            "narrow": 1,
            "n_spikes": 4,
            "rng": np.random.default_rng(0),
            "n_permutations": 3,
        },
        {
            "wide": integer(0) | constant(beyond=2),
            "narrow": integer(0) | constant(beyond=2),
            "n_spikes": integer(4),
        },
    ),
    "label_p_value": Right(
        ttfslib.label_p_value,
        lambda: {
            "observation": observed(),
            "labels": CLASSES,
            "width": 0.1,
            "rng": np.random.default_rng(0),
            "n_permutations": 3,
        },
        {"labels": ANY_LABELS},
    ),
    "rejection_rate": Right(
        ttfslib.rejection_rate,
        lambda: {"p_values": [0.1, 0.01], "level": 0.05},
        {"p_values": array(ndim=1) | constant(above=[1.1], below=[-0.1]), "level": SHARE},
    ),
    "Damage": Right(
        ttfslib.Damage,
        lambda: {
            "jitter": 0.1,
            "lost": 0.1,
            "weight_noise": 0.1,
            "n_bits": 4,
            "threshold_spread": 0.1,
            "tau_spread": 0.1,
        },
        {},
    ),
    "quantized": Right(
        ttfslib.quantized,
        lambda: {"weights": MATRICES[0], "n_bits": 4},
        {"weights": array(ndim=2)},
    ),
    "perturbed_layers": Right(
        ttfslib.perturbed_layers,
        lambda: {
            "network": network(),
            "inputs": torch.tensor(TIMES),
            "damage": ttfslib.Damage(),
            "rng": np.random.default_rng(0),
            "spare_output": True,
        },
        {},
    ),
    "robustness": Right(
        ttfslib.robustness,
        lambda: {
            "network": network(),
            "inputs": torch.tensor(TIMES),
            "labels": CLASSES,
            "damage": ttfslib.Damage(),
            "n_spikes": 4,
            "rng": np.random.default_rng(0),
            "spare_output": True,
        },
        {
            "labels": ANY_LABELS,
            "n_spikes": integer(4),
        },
    ),
    "hierarchical_interval": Right(
        ttfslib.hierarchical_interval,
        lambda: {
            "statistic": np.mean,
            "networks": [np.arange(9.0), np.arange(4.0)],
            "rng": np.random.default_rng(0),
            "n_resamples": 10,
            "level": 0.9,
        },
        {"networks": arrays_of({"empty": lambda _: [], "number": lambda _: 1.0})},
    ),
    "bootstrap_interval": Right(
        ttfslib.bootstrap_interval,
        lambda: {
            "statistic": np.mean,
            "arrays": (np.arange(9.0),),
            "rng": np.random.default_rng(0),
            "n_resamples": 10,
            "level": 0.9,
        },
        {
            "arrays": {
                name: lambda right, make=make: (make(right[0]),)
                for name, make in array(ndim=1).items()
            },
            "level": SHARE,
        },
    ),
    "TrainingConfig": Right(
        ttfslib.TrainingConfig,
        settings,
        {
            "name": TEXT | constant(empty="", space="a b", escape="a\x1b"),
            "dataset": CHOICE,
            "loss": CHOICE,
            "hidden": SIZES | constant(negative=[-1]),
            "weight_mean": NUMBERS | constant(inf=[INF, 1.0]),
            "weight_std": NUMBERS | constant(inf=[INF, 1.0], below=[-1.0, 1.0]),
            "bias_times": NOTHING
            | constant(first_nan=[NAN], inf=[INF], below=[-1.0], beyond=[8.0]),
            "kept_epochs": OBJECT | constant(first_nan=[NAN], beyond=[2], zero=[0]),
            "shuffle_labels": SWITCH,
            "learning_rate": POSITIVE | constant(above=1.1),
            "decay": POSITIVE | constant(above=1.1),
            "late": NOT_NEGATIVE | constant(above=8.0),
        },
    ),
    "evaluate": Right(
        ttfslib.evaluate,
        lambda: {
            "network": network(),
            "inputs": torch.tensor(TIMES),
            "labels": torch.tensor(CLASSES),
            "loss": ttfslib.SpikeTimeMSE(),
        },
        {"labels": TENSOR_LABELS, "loss": OBJECT},
    ),
    "fit": Right(
        ttfslib.fit,
        lambda: {
            "config": ttfslib.TrainingConfig(**settings()),
            "seed": 1,
            "out": "run",
            "resume": False,
            "progress": False,
            "device": "cpu",
        },
        {"seed": integer(0) | constant(beyond=2**63)},
    ),
    "load_run": Right(
        ttfslib.load_run, lambda: {"path": book.data_path("runs/digits-dale-seed1")}, {}
    ),
    "record": Right(
        ttfslib.record,
        lambda: {
            "run": tiny_digits(),
            "layers": [1, 0],
            "samples": [0, 1],
            "epoch": 0,
            "tau_s_ms": 10.0,
        },
        {"layers": NUMBERED, "samples": NUMBERED},
    ),
    "export_run": Right(
        ttfslib.export_run,
        lambda: {
            "run": tiny_digits(),
            "out": "out.nwb",
            "format": "nwb",
            "layers": [1, 0],
            "samples": [0, 1],
            "epoch": 0,
            "tau_s_ms": 10.0,
        },
        {"layers": NUMBERED, "samples": NUMBERED, "format": CHOICE},
    ),
    "nwb_file": Right(ttfslib.nwb_file, lambda: {"recording": recorded()}, {}),
    "neo_block": Right(ttfslib.neo_block, lambda: {"recording": recorded()}, {}),
    "neo_trains": Right(
        ttfslib.neo_trains, lambda: {"observation": observed(), "tau_s_ms": 10.0}, {}
    ),
    "nir_graph": Right(
        ttfslib.nir_graph,
        lambda: {"weights": MATRICES, "params": PARAMS, "tau_s_ms": 10.0},
        {},
    ),
    "plotting.draw_potential": Right(
        plotting.draw_potential,
        lambda: (
            axes()
            | {
                "times": [0.0, 1.0],
                "potential": [0.0, 2.0],
                "threshold": 1.0,
                "spike_time": 0.5,
                "color": "red",
                "label": "V",
            }
        ),
        {
            "times": array(ndim=1) | {"falling": lambda right: right[::-1]},
            "potential": array(ndim=1),
            "threshold": number(),
        },
    ),
    "plotting.draw_inputs": Right(
        plotting.draw_inputs,
        lambda: (
            axes() | {"spike_times": [0.0, 1.0], "weights": [1.0, -1.0], "base": 0.0, "scale": 1.0}
        ),
        {
            "spike_times": array(silent=True, ndim=1, empty=True),
            "weights": array(ndim=1, empty=True),
            "scale": POSITIVE,
        },
    ),
    "plotting.draw_raster": Right(
        plotting.draw_raster,
        lambda: (
            axes()
            | {
                "layers": [TIMES[0], OUTPUT[0]],
                "decision_time": 0.5,
                "colors": ["red", ["red", "blue"]],
                "names": ["in", "out"],
            }
        ),
        {
            "layers": arrays_of(array(silent=True, ndim=1)),
            "decision_time": TIME,
            "colors": OBJECT | constant(first_unknown=["soon", "red"], first_none=[None, "red"]),
        },
    ),
    "plotting.draw_volley": Right(
        plotting.draw_volley,
        lambda: axes() | {"spike_times": TIMES, "bins": [0.0, 0.5, 1.0], "color": "red"},
        {"spike_times": array(silent=True, empty=True)},
    ),
    "plotting.draw_weights": Right(
        plotting.draw_weights,
        lambda: axes() | {"weights": MATRICES[0], "limit": 1.0},
        {"weights": array(ndim=2)},
    ),
    "explore.Slider": Right(
        shown,
        lambda: {
            "values": [1.0, 2.0],
            "label": "x",
            "unit": "m",
            "initial": 1.0,
            "fmt": ".1f",
            "play": 4.0,
        },
        {
            "values": NUMBERS | constant(one=[1.0], first_inf=[INF, 1.0]),
            "label": TEXT | constant(open="$x"),
            "unit": TEXT | constant(open="$x"),
            "initial": number() | constant(other=7.0),
            "fmt": TEXT | constant(unknown="soon"),
            "play": POSITIVE,
        },
    ),
    "explore.interactive_figure": Right(
        explore.interactive_figure,
        lambda: {
            "plot": drawing,
            "alt": "A line.",
            "label": "A figure",
            "sliders": {"x": [1.0, 2.0]},
        },
        {
            "label": TEXT | constant(empty=""),
            "sliders": constant(empty={}, none={"x": None}, text={"x": "soon"}, number={"x": 1.0}),
        },
    ),
    "explore.live_figure": Right(
        explore.live_figure,
        lambda: {
            "plot": drawing,
            "kind": "crossings",
            "data": {"times": np.array([0.0, 1.0]), "names": ["A", "B"], "limit": INF},
            "alt": "A line.",
            "label": "A figure",
            "sliders": {"x": [1.0, 2.0]},
        },
        {
            "kind": CHOICE,
            "data": constant(number=1.0, array=[1.0], generator={"a": iter([1.0])}),
            "label": TEXT | constant(empty=""),
            "sliders": constant(
                empty={}, none={"x": None}, text={"x": "soon"}, objects={"x": {"a": object()}}
            ),
        },
    ),
    "book.use_style": Right(book.use_style, dict, {}),
    "book.shades": Right(book.shades, lambda: {"n_colors": 3}, {"n_colors": integer(1)}),
    "book.glue": Right(book.glue, lambda: {"name": "a-name", "text": "text"}, {"text": ANYTHING}),
    "book.between": Right(
        book.between,
        lambda: {"values": [1.0, 2.0], "fmt": ".1f", "unit": "%"},
        {"values": NUMBERS},
    ),
    "book.span": Right(
        book.span,
        lambda: {"values": [1.0, 2.0], "fmt": ".1f", "unit": "%"},
        {"values": constant(none=None, text="soon", ragged=[[1.0], [1.0, 2.0]])},
    ),
    "book.spans": Right(
        book.spans,
        lambda: {"table": [[1.0, 2.0]], "fmt": ".1f"},
        {"table": constant(none=None, text="soon", row=[1.0], ragged=[[1.0], [1.0, 2.0]])},
    ),
    "book.number": Right(
        book.number,
        lambda: {"value": 1.0, "fmt": ".1f"},
        {"value": NOTHING | constant(array=[1.0])},
    ),
    "book.table": Right(
        book.table,
        lambda: {"columns": {"a": [1.0, 2.0], "b": ["x", "y"]}, "fmt": ".1f"},
        {
            "columns": constant(
                none=None,
                text="soon",
                number=1.0,
                array=[1.0],
                empty={},
                lengths={"a": [1.0], "b": [1.0, 2.0]},
                scalar={"a": 1.0},
            )
        },
    ),
    "book.data_path": Right(book.data_path, lambda: {"name": "runs"}, {"name": TEXT}),
    "book.shipped": Right(book.shipped, lambda: {"name": "digits-dale", "seed": 1}, {}),
    "book.shipped_seeds": Right(book.shipped_seeds, lambda: {"name": "digits-dale"}, {}),
    "book.mnist_stand_in": Right(book.mnist_stand_in, dict, {}),
    "book.digits_like_mnist": Right(book.digits_like_mnist, dict, {}),
}

KINDS: dict[str, Wrong] = {
    "alpha": NOT_NEGATIVE,
    "alt": TEXT | constant(empty=""),
    "ax": OBJECT,
    "background": NOT_NEGATIVE,
    "base": number(),
    "batch_size": integer(1),
    "beta": number(),
    "bins": NOTHING | constant(number=1.5, zero=0, nan=NAN, one=[1.0], falling=[1.0, 0.0]),
    "candidates": FLAGS,
    "color": COLOR,
    "config": OBJECT,
    "contrast": number(low=-0.1) | constant(above=1001.0, no_images=1.0),
    "correct": number(),
    "current": number(),
    "damage": OBJECT,
    "decay_every": integer(1),
    "decision_time": array(silent=True),
    "decoder": POSITIVE,
    "deformation": number(low=-0.1) | constant(no_images=1.0),
    "delay": array(empty=True),
    "delays": SWITCH,
    "device": CHOICE,
    "dropout": SHARE,
    "dtype": OBJECT | {"integers": lambda _: torch.int64, "half": lambda _: torch.float16},
    "duration": POSITIVE,
    "early": NOT_NEGATIVE,
    "epoch": integer(0) | constant(not_kept=1),
    "epochs": integer(1),
    "excitatory_share": SHARE,
    "final_noise": NOT_NEGATIVE,
    "fmt": TEXT | constant(unknown="soon"),
    "forward": OBJECT,
    "gain": number(low=-0.1) | constant(above=1001.0),
    "generator": TORCH_RNG,
    "gradient_limit": MAYBE_INFINITE,
    "hidden_share": SHARE,
    "images": array(),
    "input_noise": NOT_NEGATIVE,
    "input_dropout": SHARE,
    "inputs": tensor(inf=True),
    "jitter": NOT_NEGATIVE,
    "label": TEXT,
    "labels": LABELS,
    "largest_step": POSITIVE,
    "late": number(low=0.0),
    "layer": integer(0),
    "layers": arrays_of(array(silent=True, ndim=2)),
    "level": SHARE,
    "limit": POSITIVE,
    "lost": SHARE,
    "max_shift": integer(0) | constant(no_images=1),
    "mirror": SWITCH | constant(no_images=True),
    "mean": number(),
    "mistaken": SHARE,
    "n_bins": integer(1),
    "n_draws": integer(1),
    "n_neurons": integer(1),
    "n_bits": integer(2),
    "n_permutations": integer(1),
    "n_post": integer(1),
    "n_pre": integer(1),
    "n_resamples": integer(1),
    "n_samples": integer(1),
    "n_spikes": integer(1),
    "n_surrogates": integer(1),
    "n_units": integer(1),
    "n_validation": integer(1),
    "name": TEXT,
    "names": OBJECT | constant(first_number=[1.0, "out"]),
    "network": OBJECT,
    "neurons": FLAGS | {"short": lambda right: np.asarray(right)[1:]},
    "observation": OBJECT,
    "out": constant(none=None, number=1.0, array=[1.0]),
    "output_share": SHARE,
    "output_times": array(silent=True, ndim=2),
    "packet": array(silent=True, ndim=2),
    "params": OBJECT,
    "path": constant(none=None, number=1.0, array=[1.0]),
    "pathways": FLAGS,
    "plot": OBJECT,
    "potential": number(),
    "progress": TRUTH,
    "rate": POSITIVE,
    "responses": array(ndim=2),
    "recording": OBJECT,
    "resume": TRUTH,
    "rng": RNG,
    "run": OBJECT,
    "scale": NOT_NEGATIVE,
    "scores": array(ndim=2),
    "schedule": CHOICE,
    "seed": integer(0),
    "sets": FLAGS,
    "silent_hidden_share": SHARE,
    "silent_output_share": SHARE,
    "silent_step": POSITIVE,
    "silent_time": POSITIVE,
    "sites": OBJECT
    | constant(empty=[], floats=[[0.5], [1]], twice=[[0, 0], [1]], beyond=[[9], [1]]),
    "sizes": SIZES,
    "spare_output": TRUTH,
    "spike_time": TIME,
    "spike_times": array(silent=True, ndim=2),
    "split": CHOICE,
    "statistic": OBJECT,
    "std": NOT_NEGATIVE,
    "step": POSITIVE,
    "surrogate": OBJECT,
    "tau_m": MAYBE_INFINITE,
    "tau_s": POSITIVE,
    "tau_s_ms": POSITIVE,
    "synchrony_pressure": number() | constant(beyond=1e4),
    "tau_spread": SHARE,
    "threshold": POSITIVE,
    "time": POSITIVE,
    "unit": TEXT,
    "volley": array(silent=True, ndim=2),
    "threshold_spread": SHARE,
    "weight_noise": NOT_NEGATIVE,
    "weights": arrays_of(array(ndim=2)),
    "width": POSITIVE,
    "wrong": number(),
    "x": array(),
    "xi": POSITIVE,
    "y": array(),
}

KINDS = {
    **{
        name: constant(**{f"wrong_{i}": v for i, v in enumerate(values)})
        for name, values, _ in OUT_OF_RANGE
    },
    **{name: SWITCH for name in HINTS if kind(name) is bool},
    **KINDS,
}
"""Settings that nothing else takes are wrong where `test_config` says it."""

RESULTS = {
    *("Bystanders", "Decoding", "Evaluation", "Lesions", "PacketStatistics"),
    *("Presence", "Run"),
    *("Decoding", "Evaluation", "Lesions", "Observation", "PacketStatistics", "Recording"),
    *("Robustness", "Run"),
    *("InteractiveFigure", "LiveFigure", "Table"),
}
"""Classes that functions return and nobody else makes."""

ALLOWED = {
    # What the arrays hold is the business of the statistic.
    *(("bootstrap_interval", "arrays", w) for w in ("nan", "inf", "minus_inf", "complex", "ndim")),
    ("plotting.draw_potential", "threshold", "none"),  # draws no threshold
    # Both take tensors of any kind that has values.
    ("TTFSNetwork.from_weights", "weights", "first_requires_grad"),
    ("TTFSNetwork.from_weights", "delays", "first_requires_grad"),
    ("decided_class", "output_times", "requires_grad"),
    ("decided_class", "output_times", "bfloat16"),
}
"""Calls that are right although a rule says otherwise."""

ALSO_NAMED = {"sliders": "x", "values": "x", "options": "n_split"}
"""What a caller typed instead of the name in the signature."""

# --- the walk -----------------------------------------------------------------------------------


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    call = explore.Slider if name == "explore.Slider" else RIGHT[name].call
    return dict(inspect.signature(call).parameters)


def called(name: str, arguments: dict[str, Any]) -> Any:
    """Call the function with every argument where its signature wants it."""
    positional, named = [], {}
    for parameter in parameters_of(name).values():
        value = arguments[parameter.name]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= value
        elif any(p.kind is p.VAR_POSITIONAL for p in parameters_of(name).values()) and (
            parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ):
            positional.append(value)
        else:
            named[parameter.name] = value
    return RIGHT[name].call(*positional, **named)


def kinds_of(name: str, argument: str) -> dict[str, Callable[[Any], Any]]:
    """For each kind of wrong value, what makes it of the right one."""
    return RIGHT[name].kinds.get(argument, KINDS.get(argument, {}))


def wrong_kinds() -> Iterator[Any]:
    """Each argument, and the kinds of wrong values that it must not take."""
    for name in RIGHT:
        for argument, parameter in parameters_of(name).items():
            kinds = [
                wrong
                for wrong in kinds_of(name, argument)
                if not (wrong == "none" and parameter.default is None)
                and (name, argument, wrong) not in ALLOWED
            ]
            if kinds:
                yield pytest.param(name, argument, kinds, id=f"{name}-{argument}")


def public_names() -> set[str]:
    top = {name for name in ttfslib.__all__ if callable(getattr(ttfslib, name))}
    rooms = {
        f"{module.__name__.split('.')[-1]}.{name}"
        for module in (plotting, explore, book)
        for name, thing in vars(module).items()
        if not name.startswith("_") and callable(thing) and belongs_to(thing, module.__name__)
    }
    return {name for name in top | rooms if name.split(".")[-1] not in RESULTS}


def belongs_to(thing: Any, module: str) -> bool:
    return getattr(thing, "__module__", "").startswith(module)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def test_every_public_function_is_walked():
    assert public_names() - set(RIGHT) == set()


@pytest.mark.parametrize("name", RIGHT)
def test_every_argument_has_a_kind(name):
    right = RIGHT[name]
    arguments = set(parameters_of(name))
    assert arguments == set(right.arguments())
    assert arguments - {*right.kinds, *KINDS} == set()
    assert set(right.kinds) <= arguments


@pytest.mark.filterwarnings("ignore:.*stand in")
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_call_succeeds(name):
    try:
        called(name, RIGHT[name].arguments())
    except OSError as error:
        if name in ("load_mnist", "load_fashion_mnist"):
            pytest.skip("needs MNIST: run `ttfs fetch mnist`")
        if "ttfslib[export]" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(("name", "argument", "kinds"), list(wrong_kinds()))
def test_a_wrong_argument_is_named_in_one_line(name, argument, kinds):
    spelt = f"{argument}|{ALSO_NAMED.get(argument, argument)}"
    said = {wrong: said_of(name, argument, wrong) for wrong in kinds}
    assert {
        wrong: message
        for wrong, message in said.items()
        if not (re.search(rf"\b({spelt})\b", message) and message.isprintable())
    } == {}


def said_of(name: str, argument: str, wrong: str) -> str:
    """The message with which a wrong value is refused."""
    arguments = RIGHT[name].arguments()
    arguments[argument] = kinds_of(name, argument)[wrong](arguments[argument])
    with noted(wrong):
        try:
            called(name, arguments)
        except (ValueError, TypeError) as error:
            return str(error)
    return ""


@contextmanager
def noted(case: Any) -> Iterator[None]:
    """Whatever fails inside says in which case."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"case: {case}")
        raise


def numerical_arguments() -> Iterator[Any]:
    for name in RIGHT:
        for argument in parameters_of(name):
            if "tensor" in (kinds := kinds_of(name, argument)) and (
                kinds.keys() & {"minus_inf", "bool"}
            ):
                yield name, argument


@pytest.mark.parametrize(("name", "argument"), list(numerical_arguments()))
def test_an_extreme_number_is_taken_or_named_in_one_line(name, argument):
    for value in (5e-324, 1e-300, 1e300):
        arguments = RIGHT[name].arguments() | {argument: value}
        with noted(value):
            try:
                called(name, arguments)
            except (ValueError, TypeError) as error:
                message = str(error)
                assert re.search(rf"\b{argument}\b", message), message
                assert message.isprintable()


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "reversed": lambda right: np.flip(np.flip(right).copy()),
    "swapped": lambda right: right.astype(right.dtype.newbyteorder()),
    "fortran": lambda right: np.array(right, order="F"),
}


def laid_out(value: Any, layout: Callable[[Any], Any]) -> Any:
    if isinstance(value, (list, tuple)) and not all(np.ndim(entry) == 0 for entry in value):
        return type(value)(laid_out(entry, layout) for entry in value)
    return layout(np.array(value))


def array_arguments() -> Iterator[Any]:
    for name in RIGHT:
        for argument in parameters_of(name):
            if any(wrong.endswith("masked_row") for wrong in kinds_of(name, argument)):
                yield name, argument


def plain(result: Any) -> Any:
    """What can be compared of a result."""
    if isinstance(result, (list, tuple)):
        return [plain(entry) for entry in result]
    if isinstance(result, ttfslib.TTFSNetwork):
        return [plain(weight) for weight in result.weights]
    if isinstance(result, torch.Tensor):
        result = result.detach().numpy()
    if isinstance(result, float) or (isinstance(result, np.ndarray) and result.dtype.kind == "f"):
        return np.round(result, 10)  # sums may come in another order
    return result if isinstance(result, (np.ndarray, int)) else None


@pytest.mark.parametrize(("name", "argument"), list(array_arguments()))
def test_how_an_array_lies_in_memory_does_not_matter(name, argument):
    expected = plain(called(name, RIGHT[name].arguments()))
    for layout, lay_out in LAYOUTS.items():
        arguments = RIGHT[name].arguments()
        arguments[argument] = laid_out(arguments[argument], lay_out)
        with noted(layout):
            np.testing.assert_equal(plain(called(name, arguments)), expected)

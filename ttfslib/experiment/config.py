"""What a training is: every setting that decides its result, in one TOML file."""

from __future__ import annotations

import math
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ttfslib import _checks, _files
from ttfslib._registry import Choice, Registry, did_you_mean
from ttfslib.datasets import DATASETS
from ttfslib.encoding import EARLY, LATE, MAX_GAIN
from ttfslib.lif import DEFAULT, LIFParameters
from ttfslib.losses import LOSSES
from ttfslib.remedy import SILENT_HIDDEN_SHARE, SILENT_OUTPUT_SHARE, SILENT_STEP

SCHEDULES = ("cosine", "step")
LATEST = 8.0
"""All input comes earlier than this, in units of tau_s."""
MAX_COUNT = 10**9
MAX_NAME = 100
"""Characters of a name."""
MAX_LAYERS = 100
MAX_WEIGHTS = 10**8
"""Of a network in all; with what Adam keeps of each, more than a gigabyte."""
MAX_KEPT = 10**9
"""Weights of a network, times the states of it that are kept."""
MAX_SPIKES = 2 * 10**8
"""Spike times of all neurons, inputs too, for as many samples as are held at a time."""
MAX_INITIAL = 1000.0
"""Largest mean and standard deviation of initial weights: all of them fit into a float16."""
MAX_PRESSURE = 1000.0
"""Largest weight of a term of the loss."""
MAX_DROPOUT = 0.9
INPUTS_PER_PIXEL = 3
"""With `contrast`: the pixel itself, ON and OFF."""
_DEFAULT_LOSS = LOSSES.choice("cross_entropy")
_REGISTRIES: dict[str, Registry[Any]] = {"dataset": DATASETS, "loss": LOSSES}
_MAY_BE_INFINITE = ("tau_m", "gradient_limit")


@dataclass(frozen=True)
class TrainingConfig:
    r"""Settings of a training; a TOML file holds the same names, flat.

    Times are in units of tau_s, weights in units of the threshold.

    Parameters
    ----------
    name : str
        What the run is called: letters, digits, ``.``, ``_`` and ``-``.
    dataset : str or mapping
        The name of an entry of `ttfslib.datasets.DATASETS`, or a table of its name and its
        parameters.
    hidden : tuple of int
        Neurons of each hidden layer.
    weight_mean, weight_std : tuple of float
        Normal distribution of the initial weights, one entry for each layer of weights.
    epochs : int
    excitatory_share : float, optional
        Dale's law: this share of each hidden layer is excitatory, at least one neuron; the rest
        is inhibitory. Left out, every weight may take either sign.
    delays : bool
        Whether every neuron below the output has a delay that is trained, see `TTFSLayer`.
    tau_m, tau_s, threshold : float
        Of every neuron.
    early, late : float
        Spike times of full and of no ink, ``0 <= early < late < 8``.
    contrast : float
        Above zero, each pixel has two more inputs, ON and OFF, see `on_off_contrast`; this is
        their gain.
    bias_times : tuple of float
        Additional inputs that spike at these times, in [0, 8), in every sample.
    n_validation : int
        This many samples, the last ones of the training set, are for choosing.
    shuffle_labels : bool
        A control: train on labels that say nothing.
    batch_size : int
    learning_rate : float
        At the start; Adam. At most 1: a step changes a weight by about that much.
    schedule : {"cosine", "step"}
        "cosine" falls to zero over the training; "step" multiplies by `decay` every
        `decay_every` epochs.
    decay, decay_every : float, int
    loss : str or mapping
        The name of an entry of `ttfslib.losses.LOSSES`, or a table of its name and its parameters:
        ``{name = "cross_entropy", xi = 0.1}``.
    synchrony_pressure : float
        This times `log_packet_width` is added to the loss: above zero, training is rewarded for
        narrow pulse packets, below zero for wide ones.
    input_noise : float
        Standard deviation of the noise on every input spike, in training.
    final_noise : float, optional
        Where the noise has come to, on a line, at the end of the training; as at the start if
        left out.
    input_dropout, dropout : float
        In training, this share of the input spikes, and of those of hidden layers, does not
        arrive, and the others count for as much more; from 0 to 0.9.
    max_shift : int
        In training, images are shifted by up to this many pixels, at random in both directions.
    mirror : bool
        In training, half of the images, drawn at random, are seen in a mirror.
    deformation : float
        In training, images are bent by a smooth random field; the standard deviation of its
        displacements in pixels.
    gradient_limit : float
        See `first_spike_times`; ``inf`` lets every gradient pass.
    silent_hidden_share, silent_output_share, silent_step : float
        See `SilentNeuronRemedy`.
    kept_epochs : tuple of int
        Epochs after which weights are kept, besides the first state and the last.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range.
    """

    name: str
    dataset: Choice
    hidden: tuple[int, ...]
    weight_mean: tuple[float, ...]
    weight_std: tuple[float, ...]
    epochs: int
    excitatory_share: float | None = None
    delays: bool = False
    tau_m: float = DEFAULT.tau_m
    tau_s: float = DEFAULT.tau_s
    threshold: float = DEFAULT.threshold
    early: float = EARLY
    late: float = LATE
    contrast: float = 0.0
    bias_times: tuple[float, ...] = ()
    n_validation: int = 10_000
    shuffle_labels: bool = False
    batch_size: int = 80
    learning_rate: float = 0.005
    schedule: str = "cosine"
    decay: float = 0.9
    decay_every: int = 15
    loss: Choice = _DEFAULT_LOSS
    synchrony_pressure: float = 0.0
    input_noise: float = 0.0
    final_noise: float | None = None
    input_dropout: float = 0.0
    dropout: float = 0.0
    max_shift: int = 0
    mirror: bool = False
    deformation: float = 0.0
    gradient_limit: float = math.inf
    silent_hidden_share: float = SILENT_HIDDEN_SHARE
    silent_output_share: float = SILENT_OUTPUT_SHARE
    silent_step: float = SILENT_STEP
    kept_epochs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Validate every value, and store lists as tuples and whole floats as floats."""
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _typed(name, getattr(self, name), hint))
        if not re.fullmatch(rf"[\w.-]{{1,{MAX_NAME}}}", self.name):
            raise ValueError(
                f"name must be letters, digits, '.', '_' or '-', at most {MAX_NAME}, "
                f"got {_checks.shown(self.name)}"
            )
        if self.schedule not in SCHEDULES:
            allowed = ", ".join(map(repr, SCHEDULES))
            got = _checks.shown(self.schedule)
            raise ValueError(f"schedule must be one of {allowed}, got {got}")
        self._check_layers()
        self._check_times()
        self._check_training()
        self._check_size()

    def _check_layers(self) -> None:
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, got none")
        if len(self.hidden) > MAX_LAYERS:
            raise ValueError(
                f"hidden must name at most {MAX_LAYERS} layers, got {len(self.hidden)}"
            )
        n_layers = len(self.hidden) + 1
        for name in ("weight_mean", "weight_std"):
            found = len(getattr(self, name))
            if found != n_layers:
                raise ValueError(f"{name} must have one entry a layer ({n_layers}), got {found}")
        for i, (mean, std) in enumerate(zip(self.weight_mean, self.weight_std, strict=True)):
            _checks.within(f"weight_mean[{i}]", mean, -MAX_INITIAL, MAX_INITIAL)
            _checks.within(f"weight_std[{i}]", std, 0, MAX_INITIAL)
        if self.excitatory_share is not None:
            share = _checks.within("excitatory_share", self.excitatory_share, 0, 1)
            if round(share * min(self.hidden)) < 1:
                raise ValueError(
                    "excitatory_share must leave every hidden layer an excitatory neuron, "
                    f"got {share!r} of {min(self.hidden)}"
                )

    def _check_times(self) -> None:
        _ = self.params
        _checks.within("early", self.early, 0, math.inf)
        if not self.early < self.late < LATEST:
            raise ValueError(
                f"late must lie between early = {self.early!r} and {LATEST:g}, got {self.late!r}"
            )
        for i, time in enumerate(self.bias_times):
            if not 0 <= time < LATEST:
                raise ValueError(f"bias_times[{i}] must lie in [0, {LATEST:g}), got {time!r}")

    def _check_training(self) -> None:
        for name in ("learning_rate", "decay", "silent_step"):
            _checks.positive(name, getattr(self, name))
        for name in ("learning_rate", "decay"):
            _checks.within(name, getattr(self, name), 0, 1)
        _checks.within("synchrony_pressure", self.synchrony_pressure, -MAX_PRESSURE, MAX_PRESSURE)
        _checks.positive("gradient_limit", self.gradient_limit, allow_inf=True)
        if self.final_noise is not None:
            _checks.within("final_noise", self.final_noise, 0, LATEST)
        _checks.within("input_noise", self.input_noise, 0, LATEST)
        for name in ("input_dropout", "dropout"):
            _checks.within(name, getattr(self, name), 0, MAX_DROPOUT)
        for name in ("silent_hidden_share", "silent_output_share"):
            _checks.within(name, getattr(self, name), 0, 1)
        for i, epoch in enumerate(self.kept_epochs):
            if epoch > self.epochs:
                raise ValueError(f"kept_epochs[{i}] must lie in [1, {self.epochs}], got {epoch}")
        self._check_augmentation()

    def _check_augmentation(self) -> None:
        data = DATASETS.make(self.dataset)
        _checks.within("contrast", self.contrast, 0, MAX_GAIN)
        _checks.within("deformation", self.deformation, 0, math.inf)
        for name in ("contrast", "max_shift", "mirror", "deformation"):
            value = getattr(self, name)
            if value and not data.are_images:
                none = "false" if value is True else 0
                raise ValueError(
                    f"{name} must be {none} for {self.dataset.name}, which has no images, "
                    f"got {value}"
                )
            if name in ("max_shift", "deformation") and value >= min(data.shape):
                raise ValueError(
                    f"{name} must be below the {min(data.shape)} pixels of {self.dataset.name}, "
                    f"got {value}"
                )

    def _check_size(self) -> None:
        n_weights = sum(a * b for a, b in pairwise(self.sizes))
        if n_weights > MAX_WEIGHTS:
            raise ValueError(
                f"hidden must leave at most {MAX_WEIGHTS} weights, got {n_weights} with "
                f"{_checks.shown(list(self.hidden))}"
            )
        n_states = len({0, *self.kept_epochs, self.epochs})
        if n_states * n_weights > MAX_KEPT:
            raise ValueError(
                f"kept_epochs must leave at most {MAX_KEPT} weights to keep, got {n_states} states "
                f"of {n_weights}"
            )
        n_train, n_test = DATASETS.make(self.dataset).n_samples
        of_training = min(max(self.n_validation, self.batch_size), n_train)
        n_held = max(of_training, n_test) or self.n_validation
        if n_held * sum(self.sizes) > MAX_SPIKES:
            raise ValueError(
                f"bias_times and hidden must leave at most {MAX_SPIKES} spike times at once, "
                f"got {n_held} samples of {sum(self.sizes)} neurons"
            )

    @property
    def sizes(self) -> list[int]:
        """Neurons of every layer, from the input to the output."""
        data = DATASETS.make(self.dataset)
        n_features = math.prod(data.shape) * (INPUTS_PER_PIXEL if self.contrast else 1)
        return [n_features + len(self.bias_times), *self.hidden, data.n_classes]

    @property
    def params(self) -> LIFParameters:
        """The neurons' constants."""
        return LIFParameters(self.tau_m, self.tau_s, self.threshold)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Make a config of named values; unknown or missing names raise ValueError."""
        if not isinstance(values, Mapping):
            raise ValueError(f"values must be a mapping, got {type(values).__name__}")
        known = {f.name: f for f in fields(cls)}
        for name in map(str, values):
            if name not in known:
                said = _checks.printable(name[:MAX_NAME])
                raise ValueError(f"config has the unknown key {said}{did_you_mean(name, known)}")
        missing = [n for n, f in known.items() if f.default is MISSING and n not in values]
        if missing:
            raise ValueError(f"config lacks the keys {', '.join(missing)}")
        return cls(**values)

    @classmethod
    def from_toml(cls, path: str | Path) -> TrainingConfig:
        """Read a config from a TOML file, which may be the ``config.toml`` of a run.

        The `seed` that stands in the file of a run is no part of the config and is passed over.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no TOML, or a key or a value is wrong; the message names the file.
        """
        path = _checks.path("path", path)
        try:
            values = parsed(_files.read_bytes(path, _files.SMALL))
            values.pop("seed", None)
            return cls.from_mapping(values)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def to_toml(self) -> str:
        """Return the text of a TOML file with every value, defaults included."""
        import tomli_w

        values = {name: getattr(self, name) for name in get_type_hints(type(self))}
        values |= {name: values[name].as_mapping() for name in _REGISTRIES}
        tables = {name: values.pop(name) for name in _REGISTRIES}
        return tomli_w.dumps({n: v for n, v in values.items() if v is not None} | tables)


def parsed(content: bytes) -> dict[str, Any]:
    """Values of a TOML file; ValueError in one line if it is none."""
    try:
        return tomllib.loads(_files.decoded(content))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(_files.one_line(error)) from None


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type that `hint` asks for, or say what is wrong with it."""
    if hint is Choice:
        return _REGISTRIES[name].choice(value)
    if isinstance(hint, types.UnionType):  # a type or None
        return None if value is None else _typed(name, value, get_args(hint)[0])
    if get_args(hint):  # tuple[item, ...]
        if not isinstance(value, (list, tuple)):
            raise ValueError(
                f"{name} must be a list, got {type(value).__name__} {_checks.shown(value)}"
            )
        item = get_args(hint)[0]
        return tuple(_typed(f"{name}[{i}]", entry, item) for i, entry in enumerate(value))
    if hint is float:
        return _checks.real(name, value, allow_inf=name in _MAY_BE_INFINITE)
    if hint is int:
        least = 0 if name == "max_shift" else 1
        return _checks.integer(name, value, minimum=least, maximum=MAX_COUNT)
    if not isinstance(value, hint):
        raise ValueError(
            f"{name} must be a {hint.__name__}, got {type(value).__name__} {_checks.shown(value)}"
        )
    return value

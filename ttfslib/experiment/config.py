"""What a training is: every setting that decides its result, in one TOML file."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ttfslib import _checks, _files
from ttfslib._registry import Choice, Registry
from ttfslib.datasets import DATASETS
from ttfslib.encoding import EARLY, LATE
from ttfslib.lif import DEFAULT, LIFParameters
from ttfslib.losses import LOSSES
from ttfslib.remedy import SILENT_HIDDEN_SHARE, SILENT_OUTPUT_SHARE, SILENT_STEP

SCHEDULES = ("cosine", "step")
LATEST = 8.0
"""All input comes earlier than this, in units of tau_s."""
MAX_COUNT = 10**9
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
    tau_m, tau_s, threshold : float
        Of every neuron.
    early, late : float
        Spike times of full and of no ink, ``0 <= early < late < 8``.
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
    input_noise : float
        Standard deviation of the noise on every input spike, in training.
    final_noise : float, optional
        Where the noise has come to, on a line, at the end of the training; as at the start if
        left out.
    max_shift : int
        In training, images are shifted by up to this many pixels, at random in both directions.
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
    tau_m: float = DEFAULT.tau_m
    tau_s: float = DEFAULT.tau_s
    threshold: float = DEFAULT.threshold
    early: float = EARLY
    late: float = LATE
    bias_times: tuple[float, ...] = ()
    n_validation: int = 10_000
    shuffle_labels: bool = False
    batch_size: int = 80
    learning_rate: float = 0.005
    schedule: str = "cosine"
    decay: float = 0.9
    decay_every: int = 15
    loss: Choice = _DEFAULT_LOSS
    input_noise: float = 0.0
    final_noise: float | None = None
    max_shift: int = 0
    gradient_limit: float = math.inf
    silent_hidden_share: float = SILENT_HIDDEN_SHARE
    silent_output_share: float = SILENT_OUTPUT_SHARE
    silent_step: float = SILENT_STEP
    kept_epochs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Validate every value, and store lists as tuples and whole floats as floats."""
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _typed(name, getattr(self, name), hint))
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"name must be letters, digits, '.', '_' or '-', got {self.name!r}")
        _checks.one_of("schedule", self.schedule, SCHEDULES)
        self._check_layers()
        self._check_times()
        self._check_training()

    def _check_layers(self) -> None:
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, got none")
        n_layers = len(self.hidden) + 1
        for name in ("weight_mean", "weight_std"):
            found = len(getattr(self, name))
            if found != n_layers:
                raise ValueError(f"{name} must have one entry a layer ({n_layers}), got {found}")
        for i, std in enumerate(self.weight_std):
            _checks.within(f"weight_std[{i}]", std, 0, math.inf)
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
        _checks.positive("gradient_limit", self.gradient_limit, allow_inf=True)
        if self.final_noise is not None:
            _checks.within("final_noise", self.final_noise, 0, math.inf)
        _checks.within("input_noise", self.input_noise, 0, math.inf)
        for name in ("silent_hidden_share", "silent_output_share"):
            _checks.within(name, getattr(self, name), 0, 1)
        for i, epoch in enumerate(self.kept_epochs):
            if epoch > self.epochs:
                raise ValueError(f"kept_epochs[{i}] must lie in [1, {self.epochs}], got {epoch}")
        if self.max_shift and not DATASETS.make(self.dataset).are_images:
            raise ValueError(
                f"max_shift must be 0 for {self.dataset.name}, which has no images, "
                f"got {self.max_shift}"
            )

    @property
    def params(self) -> LIFParameters:
        """The neurons' constants."""
        return LIFParameters(self.tau_m, self.tau_s, self.threshold)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Make a config of named values; unknown or missing names raise ValueError."""
        known = {f.name: f for f in fields(cls)}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ValueError(f"config has the unknown key {name}{hint}")
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
        path = Path(path)
        try:
            values = tomllib.loads(_files.read_text(path))
            values.pop("seed", None)
            return cls.from_mapping(values)
        except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
            raise ValueError(f"{path}: {error}") from None

    def to_toml(self) -> str:
        """Return the text of a TOML file with every value, defaults included."""
        import tomli_w

        values = {name: getattr(self, name) for name in get_type_hints(type(self))}
        values |= {name: values[name].as_mapping() for name in _REGISTRIES}
        tables = {name: values.pop(name) for name in _REGISTRIES}
        return tomli_w.dumps({n: v for n, v in values.items() if v is not None} | tables)


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type that `hint` asks for, or say what is wrong with it."""
    if hint is Choice:
        return _REGISTRIES[name].choice(value)
    if isinstance(hint, types.UnionType):  # a type or None
        return None if value is None else _typed(name, value, get_args(hint)[0])
    if get_args(hint):  # tuple[item, ...]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name} must be a list, got {type(value).__name__} {value!r}")
        item = get_args(hint)[0]
        return tuple(_typed(f"{name}[{i}]", entry, item) for i, entry in enumerate(value))
    if hint is float:
        return _checks.real(name, value, allow_inf=name in _MAY_BE_INFINITE)
    if hint is int:
        number = _checks.integer(name, value, minimum=0 if name == "max_shift" else 1)
        if number > MAX_COUNT:
            raise ValueError(f"{name} must be at most {MAX_COUNT}, got {number}")
        return number
    if not isinstance(value, hint):
        raise ValueError(f"{name} must be a {hint.__name__}, got {type(value).__name__} {value!r}")
    return value

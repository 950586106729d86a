"""What a training is: every setting that decides its result, in one TOML file."""

from __future__ import annotations

import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ttfslib import _checks
from ttfslib.lif import LIFParameters

DATASETS = ("mnist", "digits", "yin_yang")
LOSSES = ("cross_entropy", "mse")
SCHEDULES = ("cosine", "step")


@dataclass(frozen=True)
class TrainingConfig:
    r"""Settings of a training; a TOML file holds the same names, flat.

    Times are in units of tau_s, weights in units of the threshold.

    Parameters
    ----------
    name : str
        What the run is called.
    dataset : {"mnist", "digits", "yin_yang"}
    hidden : tuple of int
        Neurons of each hidden layer.
    weight_mean, weight_std : tuple of float
        Normal distribution of the initial weights, one entry for each layer of weights.
    epochs : int
    excitatory_share : float, optional
        Dale's law: this share of each hidden layer is excitatory, the rest inhibitory. Left out,
        every weight may take either sign.
    tau_m, tau_s, threshold : float
        Of every neuron.
    early, late : float
        Spike times of full and of no ink.
    bias_times : tuple of float
        Additional inputs that spike at these times in every sample.
    n_validation : int
        This many samples, the last ones of the training set, are for choosing.
    shuffle_labels : bool
        A control: train on labels that say nothing.
    batch_size : int
    learning_rate : float
        At the start; Adam.
    schedule : {"cosine", "step"}
        "cosine" falls to zero over the training; "step" multiplies by `decay` every
        `decay_every` epochs.
    decay, decay_every : float, int
    loss : {"cross_entropy", "mse"}
        `FirstSpikeCrossEntropy` with `xi`, `alpha`, `beta`, or `SpikeTimeMSE` with
        `correct_time` and `wrong_time`.
    xi, alpha, beta, correct_time, wrong_time : float
    input_noise : float
        Standard deviation of the noise on every input spike, in training.
    max_shift : int
        In training, images are shifted by up to this many pixels, at random in both directions.
    gradient_limit : float
        See `first_spike_times`; ``inf`` lets every gradient pass.
    silent_hidden_share, silent_output_share, silent_step : float
        See `SilentNeuronRemedy`.
    kept_epochs : tuple of int
        Epochs after which weights and spikes are kept, besides the first state and the last.
    n_kept_samples : int
        The first so many test samples whose spikes are kept.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range.
    """

    name: str
    dataset: str
    hidden: tuple[int, ...]
    weight_mean: tuple[float, ...]
    weight_std: tuple[float, ...]
    epochs: int
    excitatory_share: float | None = None
    tau_m: float = 1.0
    tau_s: float = 1.0
    threshold: float = 1.0
    early: float = 0.15
    late: float = 2.0
    bias_times: tuple[float, ...] = ()
    n_validation: int = 10_000
    shuffle_labels: bool = False
    batch_size: int = 80
    learning_rate: float = 0.005
    schedule: str = "cosine"
    decay: float = 0.9
    decay_every: int = 15
    loss: str = "cross_entropy"
    xi: float = 0.2
    alpha: float = 0.005
    beta: float = 1.0
    correct_time: float = 1.5
    wrong_time: float = 2.0
    input_noise: float = 0.0
    max_shift: int = 0
    gradient_limit: float = math.inf
    silent_hidden_share: float = 0.15
    silent_output_share: float = 0.05
    silent_step: float = 0.0005
    kept_epochs: tuple[int, ...] = ()
    n_kept_samples: int = 500

    def __post_init__(self) -> None:
        """Validate every value, and store lists as tuples and whole floats as floats."""
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _typed(name, getattr(self, name), hint))
        _checks.one_of("dataset", self.dataset, DATASETS)
        _checks.one_of("loss", self.loss, LOSSES)
        _checks.one_of("schedule", self.schedule, SCHEDULES)
        self._check_sizes()
        self._check_ranges()

    def _check_sizes(self) -> None:
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, got none")
        n_layers = len(self.hidden) + 1
        for name in ("weight_mean", "weight_std"):
            found = len(getattr(self, name))
            if found != n_layers:
                raise ValueError(f"{name} must have one entry a layer ({n_layers}), got {found}")
        for size in self.hidden:
            _checks.integer("hidden", size)
        for std in self.weight_std:
            _checks.within("weight_std", std, 0, math.inf)
        for epoch in self.kept_epochs:
            if not 1 <= epoch <= self.epochs:
                raise ValueError(f"kept_epochs must lie in [1, {self.epochs}], got {epoch}")
        for name in ("epochs", "batch_size", "n_validation", "decay_every", "n_kept_samples"):
            _checks.integer(name, getattr(self, name))
        _checks.integer("max_shift", self.max_shift, minimum=0)
        if self.max_shift and self.dataset == "yin_yang":
            raise ValueError(f"max_shift must be 0 for points in a plane, got {self.max_shift}")

    def _check_ranges(self) -> None:
        _ = self.params
        for name in ("learning_rate", "xi", "decay", "silent_step"):
            _checks.positive(name, getattr(self, name))
        _checks.positive("gradient_limit", self.gradient_limit, allow_inf=True)
        for name in ("alpha", "input_noise", "early"):
            _checks.within(name, getattr(self, name), 0, math.inf)
        for name in ("silent_hidden_share", "silent_output_share"):
            _checks.within(name, getattr(self, name), 0, 1)
        if self.excitatory_share is not None:
            _checks.within("excitatory_share", self.excitatory_share, 0, 1)
        if self.late <= self.early:
            raise ValueError(f"late must be greater than early = {self.early!r}, got {self.late!r}")

    @property
    def params(self) -> LIFParameters:
        """The neurons' constants."""
        return LIFParameters(self.tau_m, self.tau_s, self.threshold)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Make a config of named values; unknown or missing names raise ValueError."""
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"config has unknown keys: {', '.join(unknown)}")
        missing = [n for n, f in known.items() if f.default is MISSING and n not in values]
        if missing:
            raise ValueError(f"config lacks the keys {', '.join(missing)}")
        return cls(**values)

    @classmethod
    def from_toml(cls, path: str | Path) -> TrainingConfig:
        """Read a config from a TOML file.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no TOML, or a key or a value is wrong; the message names the file.
        """
        path = Path(path)
        try:
            return cls.from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
            raise ValueError(f"{path}: {error}") from None

    def to_toml(self) -> str:
        """Return the text of a TOML file with every value, defaults included."""
        import tomli_w

        values = {name: value for name, value in asdict(self).items() if value is not None}
        return tomli_w.dumps(values)


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type that `hint` asks for, or say what is wrong with it."""
    if isinstance(hint, types.UnionType):  # a type or None
        return None if value is None else _typed(name, value, get_args(hint)[0])
    if get_args(hint):  # tuple[item, ...]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name} must be a list, got {type(value).__name__} {value!r}")
        return tuple(_typed(name, entry, get_args(hint)[0]) for entry in value)
    if hint is float:
        return _checks.real(name, value, allow_inf=True)
    if hint is int:
        return _checks.integer(name, value, minimum=-(10**9))
    if not isinstance(value, hint):
        raise ValueError(f"{name} must be a {hint.__name__}, got {type(value).__name__} {value!r}")
    return value

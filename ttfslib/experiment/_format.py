"""The files of a run, for the writer and the reader alike.

=======================  ==========================================================================
``config.toml``          the settings and the seed: all that is needed to make the run again
``history.csv``          a row for each epoch, the untrained network first
``weights.safetensors``  float16 weights (and delays) of the kept epochs, 0 being the untrained
                         network
``metrics.json``         results on the whole test set, versions, checksums of the other files
=======================  ==========================================================================

What is published is the network whose weights were rounded to float16: all metrics are its own.
``metrics.json`` is written last and names the checksum of every other file as it was written by
the same training, so that files of two trainings never pass for one run. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks, _files
from ttfslib._files import Arrays
from ttfslib.datasets import DATASETS
from ttfslib.experiment import _history
from ttfslib.experiment.config import TrainingConfig, parsed

if TYPE_CHECKING:
    from ttfslib.experiment.evaluation import Evaluation
    from ttfslib.nn import TTFSNetwork

FORMAT = 3
CONFIG, HISTORY, WEIGHTS = "config.toml", "history.csv", "weights.safetensors"
METRICS = "metrics.json"
CHECKPOINT = "checkpoint.safetensors"
WEIGHT, DELAY = "weight", "delay"
LAYER_MEASURES = ("n_spikes", "activity", "median", "shorth", "iqr", "sd", "n_too_small")
DEVICES = ("cpu", "cuda")


def settings(config: TrainingConfig, seed: int) -> str:
    """Text of ``config.toml``."""
    return f"seed = {seed}\n{config.to_toml()}"


def describes(text: Any, config: TrainingConfig, seed: int) -> bool:
    """Whether `settings` may have written this text, before there were as many options as now."""
    try:
        return _settings_in(Path(CONFIG), str(text).encode()) == (config, seed)
    except OSError:
        return False


def read_settings(path: Path) -> tuple[TrainingConfig, int]:
    """Config and seed of a run's folder; OSError if there are none."""
    return _settings_in(path / CONFIG, _files.read_bytes(path / CONFIG, _files.SMALL))


def _settings_in(file: Path, content: bytes) -> tuple[TrainingConfig, int]:
    try:
        values = parsed(content)
        if "seed" not in values:
            raise ValueError("it has no seed")
        seed = _checks.integer("seed", values.pop("seed"), minimum=0)
        return TrainingConfig.from_mapping(values), seed
    except ValueError as error:
        raise OSError(f"{file} is damaged or not of a run: {_files.one_line(error)}") from None


def kept_epochs(config: TrainingConfig) -> list[int]:
    """Epochs whose weights a run of this config keeps, in rising order."""
    return sorted({0, *config.kept_epochs, config.epochs})


def weight_slots(config: TrainingConfig, epochs: Sequence[int]) -> dict[str, Any]:
    """What `weight_arrays` returns for these epochs of a config: names, dtypes and shapes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (n_pre, n_post) in enumerate(pairwise(config.sizes), start=1):
        shapes[f"{WEIGHT}_{i}"] = (n_pre, n_post)
        if config.delays:
            shapes[f"{DELAY}_{i}"] = (n_pre,)
    return {
        f"{epoch}/{name}": ("float16", shape) for epoch in epochs for name, shape in shapes.items()
    }


def weight_arrays(network: TTFSNetwork, epoch: int) -> Arrays:
    """Weights and delays as float16 arrays named ``EPOCH/weight_LAYER``, ``EPOCH/delay_LAYER``.

    Raises
    ------
    ValueError
        If one is too large for a float16.
    """
    limit, arrays = float(np.finfo(np.float16).max), {}
    for kind, values in {WEIGHT: network.weights, DELAY: network.delays}.items():
        for i, tensor in enumerate(values, start=1):
            if (largest := float(tensor.abs().max())) > limit:
                raise ValueError(f"{kind}s must stay below {limit:g} to be kept, got {largest:g}")
            arrays[f"{epoch}/{kind}_{i}"] = tensor.cpu().numpy().astype(np.float16)
    return arrays


def weights_at(arrays: Arrays, epoch: int, kind: str = WEIGHT) -> list[NDArray[np.float32]]:
    """Weights, or delays, that `weight_arrays` has stored for an epoch, from input to output."""
    n_layers = sum(name.startswith(f"{epoch}/{kind}_") for name in arrays)
    return [arrays[f"{epoch}/{kind}_{i}"].astype(np.float32) for i in range(1, n_layers + 1)]


def network_of(
    config: TrainingConfig,
    weights: Sequence[NDArray[np.float32]],
    delays: Sequence[NDArray[np.float32]] = (),
) -> TTFSNetwork:
    """Network of a config with given weights, and delays if it has any."""
    import torch

    from ttfslib.nn import TTFSNetwork

    return TTFSNetwork.from_weights(
        [torch.from_numpy(matrix) for matrix in weights],
        config.params,
        delays=[torch.from_numpy(vector) for vector in delays] if config.delays else None,
        excitatory_share=config.excitatory_share,
        gradient_limit=config.gradient_limit,
    )


def write(
    path: Path,
    config: TrainingConfig,
    seed: int,
    history: Sequence[Mapping[str, float]],
    weights: Arrays,
    outcome: Evaluation,
    device: str,
) -> None:
    """Write all files of a finished run, ``metrics.json`` last.

    Parameters
    ----------
    path : Path
        An existing folder.
    history : sequence of mappings
        One row for each epoch.
    weights : dict of arrays
        What `weight_arrays` returned, for all kept epochs.
    outcome : Evaluation
        Of the last kept weights on the test samples.
    device : str
        On which the network was trained.
    """
    parts = {
        CONFIG: settings(config, seed).encode(),
        HISTORY: _history.as_csv(history).encode(),
        WEIGHTS: _files.pack_tensors(weights, {"settings": settings(config, seed)}),
    }
    about = {"device": device, "versions": _versions()}
    write_sealed(path, parts, _results(config, seed, history, outcome) | about)


def write_sealed(path: Path, parts: Mapping[str, bytes], metrics: Mapping[str, Any]) -> None:
    """Write the files of a run and, last, its metrics with their checksums and its own."""
    for name, content in parts.items():
        _files.write(path / name, content)
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    metrics = {**metrics, "sha256": checksums}
    sealed = metrics | {"seal": seal(metrics)}
    _files.write(path / METRICS, json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def read(path: Path) -> tuple[TrainingConfig, int, _history.History, dict[str, Any], Arrays]:
    """Config, seed, history, metrics and weights of a finished run, if it is whole.

    The metrics say what the config is, and the config what all else has to look like, before it
    is unpacked.

    Raises
    ------
    OSError
        If the folder is not that of a finished run, or a file is missing, damaged, or not of the
        same training as the others.
    """
    metrics = _read_metrics(path)
    content = _checked(path, CONFIG, _files.SMALL, metrics)
    config, seed = _settings_in(path / CONFIG, content)
    try:
        _check_metrics(metrics, config, seed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = _files.one_line(error)
        raise OSError(f"{path / METRICS} is damaged or not of this run: {said}") from None
    rows = _checked(path, HISTORY, _history.largest(config), metrics)
    history = _history.read(path / HISTORY, rows, config)
    slots = weight_slots(config, kept_epochs(config))
    packed = _checked(path, WEIGHTS, _files.largest_packed(slots, len(content)), metrics)
    weights, about = _files.unpack_tensors(packed, path / WEIGHTS, slots)
    if not describes(about.get("settings"), config, seed):
        raise OSError(f"{path} is damaged: {WEIGHTS} is of a training with other settings")
    _check_weights(path / WEIGHTS, config, weights)
    if not math.isclose(history["seconds"].sum(), metrics["seconds"], rel_tol=1e-5, abs_tol=1e-5):
        raise OSError(
            f"{path} is damaged: {HISTORY} is of a training of {history['seconds'].sum():g} "
            f"seconds, {METRICS} of one of {metrics['seconds']:g}"
        )
    return config, seed, history, metrics, weights


def _checked(path: Path, name: str, limit: int, metrics: Mapping[str, Any]) -> bytes:
    """Content of a file of a run that the metrics know."""
    if not (path / name).exists():
        raise OSError(f"{path} is damaged: {name} is missing")
    content = _files.read_bytes(path / name, limit)
    if hashlib.sha256(content).hexdigest() != metrics["sha256"][name]:
        raise OSError(f"{path} is damaged: {name} does not match its checksum")
    return content


def seal(metrics: Mapping[str, Any]) -> str:
    """Checksum of the metrics themselves, whatever their layout in the file."""
    return hashlib.sha256(json.dumps(metrics, sort_keys=True).encode()).hexdigest()


def _results(
    config: TrainingConfig, seed: int, history: Sequence[Mapping[str, float]], outcome: Evaluation
) -> dict[str, Any]:
    packets = outcome.packets
    means = {k: [_number(v) for v in values] for k, values in packets.mean().items()}
    return {
        "format": FORMAT,
        "name": config.name,
        "seed": seed,
        "test_accuracy": outcome.accuracy,
        "test_loss": _number(outcome.loss),
        "n_undecided": int((outcome.predicted < 0).sum()),
        "decision_time_median": _number(np.median(outcome.decision_times)),
        "layers": means | {"n_too_small": packets.n_too_small.tolist()},
        "silent": [float(np.isinf(times).mean()) for times in outcome.layers],
        "seconds": sum(row["seconds"] for row in history),
    }


def _read_metrics(path: Path) -> dict[str, Any]:
    file = path / METRICS
    if not file.exists():
        unfinished = (path / CONFIG).exists()
        what = "is not finished: resume it" if unfinished else "is not the folder of a run"
        raise OSError(f"{path} {what} (no {METRICS})")
    try:
        content = _files.read_bytes(file, _files.SMALL)
        metrics = json.loads(_files.decoded(content), parse_constant=_no_number)
        if not isinstance(metrics, dict):
            raise ValueError(f"it must be a mapping, got {type(metrics).__name__}")
        _check_format(file, metrics.get("format"))
        found, named = metrics.pop("seal", None), metrics.get("sha256")
        if found != seal(metrics):
            raise OSError(f"{file} is damaged: it does not match its own checksum")
        if not isinstance(named, dict) or named.keys() != {CONFIG, HISTORY, WEIGHTS}:
            raise ValueError(f"sha256 must name {CONFIG}, {HISTORY} and {WEIGHTS}")
    except (ValueError, RecursionError) as error:
        said = _files.one_line(error)
        raise OSError(f"{file} is damaged or not of a run: {said}") from None
    return metrics


def _check_format(file: Path, found: Any) -> None:
    if found in (1, 2):
        raise OSError(
            f"{file} is of the older format {found}, and this ttfslib reads {FORMAT} only: train "
            "the run again with `ttfs train`, or read it with the ttfslib that wrote it"
        )
    if found != FORMAT:
        raise OSError(
            f"{file} has format {_checks.shown(found)}, and this ttfslib reads {FORMAT} only: "
            "install a newer ttfslib, if this is the file of a run"
        )


def _no_number(constant: str) -> None:
    raise ValueError(f"it must hold finite numbers, got {constant}")


def _check_metrics(metrics: Mapping[str, Any], config: TrainingConfig, seed: int) -> None:
    """Raise an error of whatever kind unless metrics are of a config and have all their parts."""
    if (metrics["name"], metrics["seed"]) != (config.name, seed):
        raise ValueError(f"name and seed must be those of {CONFIG}")
    _checks.integer("seed", metrics["seed"], minimum=0)
    known = DATASETS.make(config.dataset).n_samples[1]
    n_test = known or _checks.MAX_INTEGER
    accuracy = _checks.within("test_accuracy", metrics["test_accuracy"], 0, 1)
    most = n_test - round(accuracy * known)
    _checks.integer("n_undecided", metrics["n_undecided"], minimum=0, maximum=most)
    _checks.within("seconds", metrics["seconds"], 0, math.inf)
    _checks.one_of("device", metrics["device"], DEVICES)
    if metrics["test_loss"] is not None:
        _checks.real("test_loss", metrics["test_loss"])
    if metrics["decision_time_median"] is not None:
        _checks.within("decision_time_median", metrics["decision_time_median"], 0, math.inf)
    _check_layers(metrics, config, n_test)
    for library, version in metrics["versions"].items():
        if not isinstance(version, str):
            raise ValueError(f"versions.{library} must be a text")


def _check_layers(metrics: Mapping[str, Any], config: TrainingConfig, n_test: int) -> None:
    if set(metrics["layers"]) != set(LAYER_MEASURES):
        raise ValueError(f"layers must have {', '.join(LAYER_MEASURES)}")
    for name, values in {**metrics["layers"], "silent": metrics["silent"]}.items():
        if not isinstance(values, list) or len(values) != len(config.sizes):
            raise ValueError(f"{name} must have {len(config.sizes)} entries, one for each layer")
        for i, (value, size) in enumerate(zip(values, config.sizes, strict=True)):
            if name == "n_too_small":
                _checks.integer(f"{name}[{i}]", value, minimum=0, maximum=n_test)
            elif value is not None or name == "silent":
                most = {"n_spikes": size, "activity": 1, "silent": 1}.get(name, math.inf)
                _checks.within(f"{name}[{i}]", value, 0, most)


def _check_weights(file: Path, config: TrainingConfig, weights: Arrays) -> None:
    for name, matrix in weights.items():
        if not np.isfinite(matrix).all():
            raise OSError(f"{file} is damaged: {name} holds NaN or an infinity")
        if DELAY in name:
            if (matrix < 0).any():
                raise OSError(f"{file} is damaged: {name} holds a negative delay")
            continue
        if config.excitatory_share is not None and not name.endswith("/weight_1"):
            n_excitatory = round(config.excitatory_share * len(matrix))
            if (matrix[:n_excitatory] < 0).any() or (matrix[n_excitatory:] > 0).any():
                raise OSError(f"{file} is damaged: {name} breaks the Dale's law of its config")


def _number(value: Any) -> float | None:
    """A float that JSON knows: None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None


def _versions() -> dict[str, str]:
    """Of what decides the bits of a result; the processor is what numba compiles for."""
    import numba
    import torch
    from llvmlite.binding import get_host_cpu_name

    import ttfslib

    return {
        "ttfslib": ttfslib.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "torch": str(torch.__version__),
        "processor": str(get_host_cpu_name()),
    }

"""Exact first spikes: the engine and the analyses behind the book *First Spikes*.

Names are loaded when first used, so that ``import ttfslib`` stays quick and works without torch,
numba or matplotlib loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME_OF = {
    name: module
    for module, names in {
        "lif": (
            "LIFParameters",
            "psp",
            "psp_slope",
            "membrane_potential",
            "causal_set",
            "first_spike_time",
            "spike_time_gradient",
            "crossing_delay",
            "peak_delay",
        ),
        "encoding": ("latency_encode", "latency_decode", "jitter"),
        "datasets": ("load_digits", "load_yin_yang", "load_mnist", "yin_yang_label"),
        "functional": ("first_spike_times",),
        "nn": (
            "TTFSLayer",
            "TTFSNetwork",
            "SilentNeuronRemedy",
        ),
        "losses": ("FirstSpikeCrossEntropy", "SpikeTimeMSE", "first_spike_class"),
        "config": ("TrainingConfig",),
        "training": ("fit",),
        "evaluation": ("evaluate", "Evaluation"),
        "runs": ("load_run", "Run"),
        "synchrony": (
            "decision_time",
            "decided_class",
            "pulse_packet",
            "activity",
            "shorth",
            "iqr",
            "standard_deviation",
            "PacketStatistics",
            "packet_statistics",
        ),
        "semantics": (
            "response",
            "class_means",
            "selectivity",
            "mutual_information",
            "separability",
            "representational_similarity",
        ),
        "decoding": ("Decoding", "decode", "decode_until"),
        "pathways": (
            "excitatory_effects",
            "causal_effects",
            "n_carriers",
            "class_pathways",
            "overlap",
            "mean_overlap",
            "random_sets",
        ),
        "lesions": ("silence", "Lesions", "lesion"),
        "resampling": ("bootstrap_interval",),
    }.items()
    for name in names
}
_MODULES = (
    "walk",
    "cuda_kernels",
    "book",
    "plotting",
    "explore",
    "kernels",
    "functional",
    "nn",
    "losses",
    "lif",
    "encoding",
    "datasets",
    "config",
    "samples",
    "schedules",
    "evaluation",
    "training",
    "runs",
    "synchrony",
    "semantics",
    "decoding",
    "pathways",
    "lesions",
    "resampling",
)

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"ttfslib.{_HOME_OF[name]}"), name)
    if name in _MODULES:
        return import_module(f"ttfslib.{name}")
    raise AttributeError(f"module 'ttfslib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})

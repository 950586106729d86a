"""A run as a recording: units, and trials in which one image after the other is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import _checks
from ttfslib._checks import FloatArray
from ttfslib.readout import decided_class, decision_time

if TYPE_CHECKING:
    from ttfslib.experiment.runs import Run

TAU_S_MS = 10.0
"""What a synaptic time constant lasts in a file, unless said otherwise."""
TAU_S_MS_RANGE = (1e-6, 1e6)
"""Nanoseconds are for chips; outside of it numbers overflow, or vanish, in some format."""
N_SAMPLES = 100
"""Test samples in a file, unless said otherwise."""
PAUSE = 1.0
"""From the last spike of any trial to the end of each, in units of tau_s."""

StrArray = NDArray[np.str_]


@dataclass(frozen=True)
class Recording:
    """Spikes of chosen layers while samples are shown one after the other; times in seconds.

    Attributes
    ----------
    name : str
        Of the run: ``mnist-dale-seed1``.
    epoch : int
        State of the network.
    tau_s : float
        The synaptic time constant in seconds.
    times : float array, shape (n_trials, n_units)
        Spike times since the beginning of the trial; ``inf`` where a unit stays silent.
    layer, cell_type : str arrays, shape (n_units,)
        ``input``, ``hidden 1``, ..., ``output``; ``excitatory``, ``inhibitory`` or, where Dale's
        law does not hold, ``mixed``.
    neuron : int array, shape (n_units,)
        Number of the unit in its layer.
    duration : float
        Of every trial.
    sample, label, decision : int arrays, shape (n_trials,)
        Number among the test samples, true class, and decided class (-1 for none).
    decision_time : float array, shape (n_trials,)
        Since the beginning of the trial; ``inf`` where nothing was decided.
    """

    name: str
    epoch: int
    tau_s: float
    times: FloatArray
    layer: StrArray
    cell_type: StrArray
    neuron: NDArray[np.int64]
    duration: float
    sample: NDArray[np.int64]
    label: NDArray[np.int64]
    decision: NDArray[np.int64]
    decision_time: FloatArray

    @property
    def start(self) -> FloatArray:
        """When each trial begins, shape (n_trials,)."""
        return self.duration * np.arange(len(self.label), dtype=np.float64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each trial was decided for its class, shape (n_trials,)."""
        return self.decision == self.label

    def trains(self) -> list[FloatArray]:
        """Spike times of each unit over the whole session, in rising order."""
        session = self.times + self.start[:, None]
        return [unit[np.isfinite(unit)] for unit in session.T]


def record(
    run: Run,
    *,
    layers: Sequence[int] | None = None,
    samples: Sequence[int] | None = None,
    epoch: int | None = None,
    tau_s_ms: float = TAU_S_MS,
) -> Recording:
    """Show samples to the network of a run and keep the spikes as a recording.

    Parameters
    ----------
    run : Run
    layers : sequence of int, optional
        Which layers, 0 for the input; all by default.
    samples : sequence of int, optional
        Numbers of the test samples, in the order in which they are shown; by default the first
        100, or as many as there are.
    epoch : int, optional
        State of the network, among ``run.epochs``; the last by default.
    tau_s_ms : float
        How long a synaptic time constant is, in milliseconds.

    Returns
    -------
    Recording

    Raises
    ------
    ValueError
        If there is no such layer, sample or epoch, or `tau_s_ms` lies outside of [1e-6, 1e6].
    OSError
        If the data set cannot be had.
    """
    from ttfslib.experiment.runs import Run

    run = _checks.instance("run", run, Run)
    unit = _checks.within("tau_s_ms", tau_s_ms, *TAU_S_MS_RANGE) / 1000 / run.config.params.tau_s
    wanted = None if samples is None else _numbers("samples", samples)
    spikes = run.spikes(epoch, N_SAMPLES if wanted is None else 1 + max(wanted))
    everything = [spikes.input, *spikes.layers]
    shown = np.asarray(range(len(spikes.labels)) if wanted is None else wanted)
    if shown.max() >= len(spikes.labels):
        raise ValueError(f"samples must be below {len(spikes.labels)}, got {shown.max()}")
    chosen = _numbers("layers", range(len(everything)) if layers is None else layers)
    if max(chosen) >= len(everything):
        raise ValueError(f"layers must be below {len(everything)}, got {max(chosen)}")
    times = unit * np.hstack([everything[i][shown] for i in chosen]).astype(np.float64)
    output = everything[-1][shown]
    decided_at = unit * decision_time(output)
    ends = np.concatenate([times.ravel(), decided_at])
    last = ends[np.isfinite(ends)].max(initial=0)
    sizes = run.config.sizes
    return Recording(
        name=f"{run.config.name}-seed{run.seed}",
        epoch=run.epochs[-1] if epoch is None else epoch,
        tau_s=unit * run.config.params.tau_s,
        times=times,
        layer=np.repeat([_layer_name(i, len(sizes)) for i in chosen], [sizes[i] for i in chosen]),
        cell_type=np.concatenate([cell_types(run, i) for i in chosen]),
        neuron=np.concatenate([np.arange(sizes[i]) for i in chosen]),
        duration=float(last + PAUSE * unit * run.config.params.tau_s),
        sample=shown,
        label=spikes.labels[shown],
        decision=decided_class(output),
        decision_time=decided_at,
    )


def cell_types(run: Run, layer: int) -> StrArray:
    """Tell of each neuron of a layer whether it excites, inhibits or may do both."""
    n_neurons = run.config.sizes[layer]
    weights = run.network().stack
    signs = weights[layer].is_excitatory if layer < len(weights) else None
    if signs is None:
        return np.repeat("mixed", n_neurons)
    return np.where(signs.numpy(), "excitatory", "inhibitory")


def _layer_name(layer: int, n_layers: int) -> str:
    return {0: "input", n_layers - 1: "output"}.get(layer, f"hidden {layer}")


def _numbers(name: str, values: Any) -> list[int]:
    """Different integers >= 0, at least one."""
    found = _checks.each(name, values, partial(_checks.integer, minimum=0))
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"{name} must be different numbers, at least one, got {_checks.shown(found)}"
        )
    return found

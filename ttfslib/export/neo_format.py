"""Recordings as neo Blocks: a segment for each trial, all its spike trains in two arrays.

What electrodes see of a network becomes one long train for each unit (:func:`neo_trains`), as the
tests of elephant take it.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ttfslib import _checks
from ttfslib.analysis.electrodes import Observation
from ttfslib.export._library import library
from ttfslib.export.recording import TAU_S_MS, TAU_S_MS_RANGE, Recording


def neo_block(recording: Recording) -> Any:
    """Make a neo Block of a recording, for elephant and its relatives.

    A segment's spike trains are one array of times and one of units. A train becomes an object of
    its own when somebody asks for it, which takes minutes for all of a full network.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    neo.Block
        A segment for each trial, its times from the beginning of the trial in milliseconds. Trains
        are annotated with ``layer``, ``neuron`` and ``cell_type``, segments with ``sample``,
        ``label``, ``decision``, ``correct`` and ``decision_time_ms`` (``inf`` for none).

    Raises
    ------
    ValueError
        If `recording` is none.
    OSError
        If neo is not installed.
    """
    recording = _checks.instance("recording", recording, Recording)
    neo = library("neo")
    block = neo.Block(name=recording.name, epoch=recording.epoch, tau_s_ms=1000 * recording.tau_s)
    for i in range(len(recording.label)):
        segment = neo.Segment(
            name=f"sample {recording.sample[i]}",
            sample=int(recording.sample[i]),
            label=int(recording.label[i]),
            decision=int(recording.decision[i]),
            correct=bool(recording.correct[i]),
            decision_time_ms=1000 * float(recording.decision_time[i]),
        )
        segment.spiketrains = _trains(recording, i, neo)
        block.segments.append(segment)
    return block


def neo_bytes(recording: Recording) -> bytes:
    """The content of a file that ``neo.io.PickleIO`` of the same version of neo reads."""
    return pickle.dumps(neo_block(recording))


def neo_trains(observation: Observation, *, tau_s_ms: float = TAU_S_MS) -> list[Any]:
    """Make a neo SpikeTrain of each observed unit, for elephant: one trial follows the other.

    Parameters
    ----------
    observation : Observation
        Its times are in units of the synaptic time constant.
    tau_s_ms : float
        How long that is, in milliseconds.

    Returns
    -------
    list of neo.SpikeTrain
        In milliseconds; trial ``k`` begins at ``k * tau_s_ms * observation.duration``. Each train
        is annotated with the ``layer`` of its unit.

    Raises
    ------
    ValueError
        If an argument is of another kind or out of range.
    OSError
        If neo is not installed.
    """
    observation = _checks.instance("observation", observation, Observation)
    unit = _checks.within("tau_s_ms", tau_s_ms, *TAU_S_MS_RANGE)
    neo = library("neo")
    start = observation.duration * np.arange(observation.n_trials)
    session = unit * (observation.times + start[observation.trials])
    order = np.argsort(session, kind="stable")
    times, units = session[order], observation.units[order]
    given = {"units": "ms", "t_stop": unit * (observation.duration + start[-1])}
    return [
        neo.SpikeTrain(times[units == i], **given, layer=int(layer))
        for i, layer in enumerate(observation.layers)
    ]


def _trains(recording: Recording, trial: int, neo: Any) -> Any:
    milliseconds = library("quantities").ms
    times = 1000 * recording.times[trial]
    units = np.flatnonzero(np.isfinite(times))
    return neo.spiketrainlist.SpikeTrainList.from_spike_time_array(
        times[units] * milliseconds,
        units,
        all_channel_ids=np.arange(len(times)),
        t_stop=1000 * recording.duration * milliseconds,
        t_start=0 * milliseconds,
        layer=recording.layer,
        neuron=recording.neuron,
        cell_type=recording.cell_type,
    )

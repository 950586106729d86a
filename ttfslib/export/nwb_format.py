"""Recordings as NWB files: a table of units and one of trials, all times in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np

from ttfslib import _checks
from ttfslib.export._library import library
from ttfslib.export.recording import Recording

UNIT_COLUMNS = {
    "layer": "layer of the network: input, hidden 1, ..., output",
    "neuron": "number of the neuron in its layer, from 0",
    "cell_type": "excitatory or inhibitory; mixed where a neuron's weights may have either sign",
}
TRIAL_COLUMNS = {
    "sample": "number of the image among the test images of the data set, from 0",
    "label": "true class of the image",
    "decision": "class whose output unit fired first; -1 if none fired",
    "correct": "whether the decision is the label",
    "decision_time": "first output spike, in seconds of the session; NaN if there was none",
}
LATENCY_CODE = (
    "A simulated network whose units fire at most once in a trial. At the start of each trial one "
    "image is shown: bright pixels fire early, dark ones late."
)

NO_ANIMAL = {
    "description": "a simulated network, no animal; archives ask for an age and a sex",
    "age": "P0D",
    "sex": "U",
}


def nwb_file(recording: Recording) -> Any:
    """Make an NWB file in memory; ``pynwb.NWBHDF5IO`` writes it.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    pynwb.NWBFile
        With a table of units (columns ``layer``, ``neuron``, ``cell_type``) and one of trials
        (``sample``, ``label``, ``decision``, ``correct``, ``decision_time``).

    Raises
    ------
    ValueError
        If `recording` is none.
    OSError
        If pynwb is not installed.
    """
    recording = _checks.instance("recording", recording, Recording)
    pynwb = library("pynwb")
    file = pynwb.NWBFile(
        session_description=f"{recording.name} after {recording.epoch} epochs of training, "
        f"tau_s = {1000 * recording.tau_s:g} ms",
        identifier=f"{recording.name}-epoch{recording.epoch}",
        session_start_time=datetime.now(UTC),
        experiment_description=LATENCY_CODE,
        keywords=["simulation", "spiking neural network", "time to first spike"],
        subject=pynwb.file.Subject(subject_id=recording.name, **NO_ANIMAL),
    )
    file.units = _units(recording, pynwb)
    _add_trials(file, recording)
    return file


def nwb_bytes(recording: Recording) -> bytes:
    """The content of an NWB file of a recording."""
    buffer = BytesIO()
    pynwb, h5py = library("pynwb"), library("h5py")
    with h5py.File(buffer, "w") as h5, pynwb.NWBHDF5IO(file=h5, mode="w") as io:
        io.write(nwb_file(recording))
    return buffer.getvalue()


def _units(recording: Recording, pynwb: Any) -> Any:
    """All units at once, column by column: row by row they would take seconds."""
    column, index = pynwb.core.VectorData, pynwb.core.VectorIndex
    trains = recording.trains()
    spike_times = column(
        name="spike_times",
        description="spike times of the unit in seconds of the session",
        data=np.concatenate(trains),
    )
    ends = index(name="spike_times_index", target=spike_times, data=np.cumsum([*map(len, trains)]))
    described = [
        column(name=name, description=text, data=getattr(recording, name).tolist())
        for name, text in UNIT_COLUMNS.items()
    ]
    return pynwb.misc.Units(
        name="units",
        description="one unit for each neuron, silent ones included",
        id=np.arange(len(trains)),
        columns=[spike_times, ends, *described],
        resolution=float(np.spacing(np.float32(recording.duration))),
    )


def _add_trials(file: Any, recording: Recording) -> None:
    for name, text in TRIAL_COLUMNS.items():
        file.add_trial_column(name=name, description=text)
    decided_at = recording.start + recording.decision_time
    for i, start in enumerate(recording.start):
        file.add_trial(
            start_time=float(start),
            stop_time=float(start + recording.duration),
            sample=int(recording.sample[i]),
            label=int(recording.label[i]),
            decision=int(recording.decision[i]),
            correct=bool(recording.correct[i]),
            decision_time=float(decided_at[i]) if np.isfinite(decided_at[i]) else np.nan,
        )

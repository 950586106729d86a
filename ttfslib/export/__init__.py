"""Recordings and networks in the formats of the field: NWB, neo and NIR.

A recording is what an experimenter would keep of a run: its units, and trials in which one image
after the other is shown (:mod:`ttfslib.export.recording`). Each format is a function of a run or
of a recording that returns the bytes of a file. The libraries of the formats are loaded when they
are needed: ``pip install 'ttfslib[export]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ttfslib import _checks, _files
from ttfslib.export.neo_format import neo_block, neo_bytes, neo_trains
from ttfslib.export.nir_format import nir_bytes, nir_graph
from ttfslib.export.nwb_format import nwb_bytes, nwb_file
from ttfslib.export.recording import TAU_S_MS, Recording, record

if TYPE_CHECKING:
    from ttfslib.experiment.runs import Run

__all__ = [
    "NETWORKS",
    "RECORDINGS",
    "TAU_S_MS",
    "Recording",
    "export_run",
    "neo_block",
    "neo_trains",
    "nir_graph",
    "nwb_file",
    "record",
]

RECORDINGS: dict[str, Callable[[Recording], bytes]] = {"nwb": nwb_bytes, "neo": neo_bytes}
"""By its name, what makes the bytes of a file of a recording."""
NETWORKS: dict[str, Callable[..., bytes]] = {"nir": nir_bytes}
"""By its name, what makes the bytes of a file of the network of a run."""


def export_run(
    run: Run,
    out: str | Path,
    format: str,  # noqa: A002
    *,
    layers: Sequence[int] | None = None,
    samples: Sequence[int] | None = None,
    epoch: int | None = None,
    tau_s_ms: float = TAU_S_MS,
) -> Path:
    """Write a run into a file that the tools of the field read.

    Parameters
    ----------
    run : Run
    out : path
        The file. It is written beside its place and then renamed, so that it is whole or not there.
    format : str
        ``"nwb"`` (units and trials) and ``"neo"`` (a pickled Block, for the same version of neo)
        hold spikes; ``"nir"`` holds the network.
    layers, samples
        Of a recording, see :func:`~ttfslib.export.recording.record`.
    epoch, tau_s_ms
        As for a recording.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        If an argument is out of range, or `layers` or `samples` are given for a network.
    OSError
        If the library of the format is not installed, the data set cannot be had, or the file
        cannot be written.
    """
    from ttfslib.experiment.runs import Run

    run = _checks.instance("run", run, Run)
    out = _checks.path("out", out)
    _checks.one_of("format", format, [*RECORDINGS, *NETWORKS])
    if format in RECORDINGS:
        recording = record(run, layers=layers, samples=samples, epoch=epoch, tau_s_ms=tau_s_ms)
        content = RECORDINGS[format](recording)
    else:
        for name, value in {"layers": layers, "samples": samples}.items():
            if value is not None:
                raise ValueError(
                    f"{name} must be left out, because {format} holds the network, "
                    f"got {_checks.shown(value)}"
                )
        content = NETWORKS[format](run, epoch=epoch, tau_s_ms=tau_s_ms)
    _files.write(out, content)
    return out

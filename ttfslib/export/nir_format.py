r"""Networks as NIR graphs, with time in seconds.

NIR's ``CubaLIF`` is :math:`\tau_\text{syn}\dot I = -I + w_\text{in}S` and
:math:`\tau_\text{mem}\dot v = v_\text{leak} - v + RI`, where a spike is a pulse of area one in
:math:`S`. With :math:`w_\text{in} = \tau_s` a spike of weight :math:`w` lets the current jump by
:math:`w`, and with :math:`R = \tau_m/\tau_s` this is the neuron of this book. It fires once: its
spike resets it to a potential that is so low that it never comes back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib.export._library import library
from ttfslib.export.recording import TAU_S_MS, TAU_S_MS_RANGE
from ttfslib.lif import LIFParameters

if TYPE_CHECKING:
    from ttfslib.experiment.runs import Run

NEVER_AGAIN = -1e9
"""Potential after a spike, in units of the threshold: 20 tau_m later it is still below zero."""


def nir_graph(
    weights: Sequence[ArrayLike], params: LIFParameters, *, tau_s_ms: float = TAU_S_MS
) -> Any:
    """Make a NIR graph of a network: pairs of ``Linear`` and ``CubaLIF``, one for each layer.

    Parameters
    ----------
    weights : sequence of array_like, shapes (n_pre, n_post)
        From input to output.
    params : LIFParameters
        Of every neuron; `tau_m` must be finite.
    tau_s_ms : float
        How long a synaptic time constant is, in milliseconds. The graph counts in seconds.

    Returns
    -------
    nir.NIRGraph
        With the nodes ``input``, ``weights_1``, ``layer_1``, ``weights_2``, ..., ``output``. NIR's
        matrices have the shape (n_post, n_pre).

    Raises
    ------
    ValueError
        If the weights are not finite matrices whose shapes chain, or a parameter is out of range.
    OSError
        If nir is not installed.
    """
    matrices = _checks.each("weights", weights, _checks.matrix)
    params = _checks.instance("params", params, LIFParameters)
    tau_s = _checks.within("tau_s_ms", tau_s_ms, *TAU_S_MS_RANGE) / 1000
    sizes = [len(matrix) for matrix in matrices]
    if not sizes or [matrix.shape[1] for matrix in matrices[:-1]] != sizes[1:]:
        raise ValueError(f"weights must be matrices that chain, got {[m.shape for m in matrices]}")
    if math.isinf(params.tau_m):
        raise ValueError("params must have a finite tau_m, because NIR's CubaLIF leaks, got inf")
    nir = library("nir")
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([sizes[0]])})}
    for i, matrix in enumerate(matrices, start=1):
        nodes[f"weights_{i}"] = nir.Linear(weight=matrix.T.copy())
        nodes[f"layer_{i}"] = _layer(matrix.shape[1], params, tau_s, nir)
    nodes["output"] = nir.Output({"output": np.array([matrices[-1].shape[1]])})
    names = list(nodes)
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)))


def nir_bytes(run: Run, *, epoch: int | None = None, tau_s_ms: float = TAU_S_MS) -> bytes:
    """The content of a NIR file of the network of a run."""
    if run.config.delays:
        raise ValueError("run must be of a network without delays, to be a NIR graph")
    buffer = BytesIO()
    graph = nir_graph(run.weights(epoch), run.config.params, tau_s_ms=tau_s_ms)
    library("nir").write(buffer, graph)
    return buffer.getvalue()


def _layer(n_neurons: int, params: LIFParameters, tau_s: float, nir: Any) -> Any:
    def everywhere(value: float) -> NDArray[np.float64]:
        return np.full(n_neurons, value)

    ratio = params.tau_m / params.tau_s
    return nir.CubaLIF(
        tau_syn=everywhere(tau_s),
        tau_mem=everywhere(ratio * tau_s),
        r=everywhere(ratio),
        v_leak=everywhere(0.0),
        v_threshold=everywhere(params.threshold),
        v_reset=everywhere(NEVER_AGAIN * params.threshold),
        w_in=everywhere(tau_s),
    )

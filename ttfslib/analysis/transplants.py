r"""Transplants: put spikes of one sample into the volley of another, and ask what is decided.

A lesion shows what is missed. A transplant shows what acts: if the neurons of a set carry a class,
then their spikes, taken from a sample of that class (the donor), should turn the decision on
another sample (the host) towards it (:func:`transplant`). Where the effect runs is asked layer by
layer: behind the transplant, only the neurons of a path may follow it, and all others keep the
spikes that they had in the host (:func:`patch_path`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib.analysis.lesions import Forward


def transplant(
    hosts: ArrayLike, donors: ArrayLike, neurons: ArrayLike
) -> NDArray[np.floating[Any]]:
    """Let some neurons of a layer fire as in the donor, the others as in the host.

    Parameters
    ----------
    hosts, donors : array_like, shape (n_samples, n_neurons)
        All spikes of the layer, row by row in a host and in its donor; ``inf`` where silent.
    neurons : array_like of bool, shape (n_neurons,) or (n_samples, n_neurons)
        True for those that fire as in the donor: ``pathway[donor_labels]``. If one of them is
        silent there, it is silent now.

    Returns
    -------
    volley : array, shape (n_samples, n_neurons)
        Of the float type of `hosts`.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a time is NaN or ``-inf``.

    Examples
    --------
    >>> transplant([[0.1, 0.2, 0.3]], [[0.7, 0.8, np.inf]], [False, True, True])
    array([[0.1, 0.8, inf]])
    """
    times = _checks.spike_times("hosts", hosts, ndim=2)
    given = _checks.spike_times("donors", donors, ndim=2)
    _checks.same_shape("donors", given, "hosts", times)
    moved = _checks.each_or_all("neurons", neurons, times.shape)
    return _checks.in_precision_of(hosts, np.where(moved, given, times))


def patch_path(
    layer: int,
    volley: ArrayLike,
    hosts: Sequence[ArrayLike],
    paths: Sequence[ArrayLike],
    forward: Forward,
) -> NDArray[np.floating[Any]]:
    """Let a volley act through the neurons of a path alone.

    The next layer answers to the volley. Of these answers only those of the path's neurons count;
    all other neurons keep the spikes that they had in the host. What results is the volley for the
    layer after that, and so on; all output neurons answer to the last.

    Parameters
    ----------
    layer : int
        Number of the layer of the volley, handed to `forward`.
    volley : array_like, shape (n_samples, n_neurons)
        For example a :func:`transplant`.
    hosts : sequence of array_like, shapes (n_samples, n_neurons)
        Spikes of the hosts in each later hidden layer.
    paths : sequence of array_like of bool, shapes (n_neurons,) or (n_samples, n_neurons)
        Neurons that may follow, one entry for each of `hosts`.
    forward : callable
        ``forward(layer, spike_times)`` returns the spike times of all later layers, computed from
        those of this one, as for :func:`~ttfslib.analysis.lesions.lesion`.

    Returns
    -------
    output_times : array, shape (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a time is NaN or ``-inf``.
    """
    layer = _checks.integer("layer", layer, minimum=0)
    times = _checks.spike_times("volley", volley, ndim=2)
    given = _checks.each("hosts", hosts, _checks.layer_times)
    members = _checks.each("paths", paths, _checks.any_array)
    if len(members) != len(given):
        raise ValueError(f"paths must be {len(given)}, one for each of hosts, got {len(members)}")
    respond = _checks.function("forward", forward)
    current = _checks.in_precision_of(volley, times)
    for step, (host, path) in enumerate(zip(given, members, strict=True), start=layer):
        answer = np.asarray(respond(step, current)[0])
        _checks.same_shape("hosts", host, "the answers", answer)
        follow = _checks.each_or_all("paths", path, host.shape)
        current = _checks.in_precision_of(answer, np.where(follow, answer, host))
    return np.asarray(respond(layer + len(given), current)[-1])

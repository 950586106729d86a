"""Time one step of training in other libraries, and ask how exact their spike times are.

The untrained network of arXiv 2508.12975 and latency-coded digits, as in `layer.py`, with the same
weights everywhere; the forward pass up to a loss, and the backward pass to the gradient of all
weights. Neurons spike once: on a time grid, further spikes are masked. What a library computes is
compared with the closed form in float64, layer by layer, after the common shift of a layer is taken
off, which says nothing. Each row is measured in a process of its own, bound to so many processors.

    python -m venv peers && peers/bin/pip install -e .[bench]
    peers/bin/python benchmarks/peers.py --out data/peers.json     # a quarter of an hour, idle
    peers/bin/python benchmarks/peers.py --quick                   # a small network: two minutes
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from layer import DATA, digits, paper_network
from numpy.typing import NDArray
from torch import Tensor, nn

import ttfslib
from ttfslib import FirstSpikeCrossEntropy, TTFSNetwork

Layers = list[NDArray[np.float64]]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
SPAN = 5.0
"""Of the time grids, in units of tau_s."""
IDLE = 0.3
"""Load of a machine that has nothing else to do."""
LONG_S = 60.0
"""A row that has taken so long is not repeated any more."""
SETTLED = 1e-5
"""Of a spike time in float32, in units of tau_s: an error below is none."""


@dataclass(frozen=True)
class Problem:
    """The network, and how many samples a step takes; event by event in JAX takes fewer."""

    sizes: tuple[int, ...] = (784, 400, 400, 400, 400, 10)
    batch: int = 80
    event_batch: int = 2
    repeats: int = 7

    def inputs(self, n_samples: int) -> tuple[Tensor, Tensor]:
        """Spike times of digits, the earliest at zero, where others begin, and labels."""
        times, labels = digits(n_samples)
        return times - times.min(), labels

    def network(self) -> TTFSNetwork:
        """Build the untrained network; a narrow one has stronger weights, so that it fires.

        Its gradient is the whole one: the other libraries have no guard to compare with.
        """
        network = paper_network(self.sizes, gradient_limit=math.inf)
        with torch.no_grad():
            for layer in network.stack[1:]:
                layer.weight.mul_(max(1.0, 400 / layer.weight.shape[0]))
        return network


QUICK = Problem((784, 60, 40, 10), batch=8, repeats=2)


class Peer(NamedTuple):
    """A library at work: how many samples it takes, a step, and the first spikes of each layer."""

    n_samples: int
    step: Callable[[], Any]
    spikes: Callable[[], Layers]


class Case(NamedTuple):
    """A row of the table."""

    package: str
    make: Callable[[Problem], Peer]
    n_steps: int | None
    """Of the time grid; None for spike times that are computed."""
    how: str


def exact(problem: Problem) -> Peer:
    """Set up ttfslib."""
    times, labels = problem.inputs(problem.batch)
    network, loss = problem.network(), FirstSpikeCrossEntropy()
    weights = [layer.weight for layer in network.stack]

    def step() -> None:
        torch.autograd.grad(loss(network(times)[-1], labels), weights)

    return Peer(len(times), step, lambda: [layer.detach().numpy() for layer in network(times)])


def on_grid(problem: Problem, n_steps: int, cells: Callable[[float, list[int]], Any]) -> Peer:
    """Set up a loop over time steps in torch: linear synapses, neurons that a library provides."""
    times, labels = problem.inputs(problem.batch)
    dt = SPAN / n_steps
    at_step = (times.clamp(max=0.999 * SPAN) / dt).long()
    gain, neurons = cells(dt, list(problem.sizes[1:]))
    synapses = [nn.Linear(*shape, bias=False) for shape in pairwise(problem.sizes)]
    with torch.no_grad():
        for linear, weights in zip(synapses, problem.network().weights, strict=True):
            linear.weight.copy_(gain * weights.T)

    def run() -> tuple[Tensor, list[Tensor]]:
        states: list[Any] = [None] * len(neurons)
        first = [torch.full((len(times), n), math.inf) for n in problem.sizes[1:]]
        highest = torch.full((len(times), problem.sizes[-1]), -math.inf)
        for k in range(n_steps):
            spikes = (at_step == k).float()
            for i, (linear, neuron) in enumerate(zip(synapses, neurons, strict=True)):
                spikes, potential, states[i] = neuron(linear(spikes), states[i])
                spikes = spikes * torch.isinf(first[i])
                first[i][spikes.detach() > 0] = k * dt
            highest = torch.maximum(highest, potential)
        return nn.functional.cross_entropy(highest, labels), first

    weights = [linear.weight for linear in synapses]
    return Peer(
        len(times),
        lambda: torch.autograd.grad(run()[0], weights),
        lambda: [layer.numpy() for layer in run()[1]],
    )


def snntorch_cells(dt: float, sizes: list[int]) -> tuple[float, list[Any]]:
    """Synapses and membranes that decay exactly; an input counts for a step of time."""
    import snntorch

    decay = math.exp(-dt)
    options = {"alpha": decay, "beta": decay, "reset_mechanism": "none"}
    neurons = [snntorch.Synaptic(**options) for _ in sizes]

    def one_of(neuron: Any) -> Callable[[Tensor, Any], Any]:
        def advance(current: Tensor, state: Any) -> Any:
            state = neuron.reset_mem() if state is None else state
            spikes, synapse, potential = neuron(current, *state)
            return spikes, potential, (synapse, potential)

        return advance

    return dt, [one_of(neuron) for neuron in neurons]


def norse_cells(dt: float, sizes: list[int]) -> tuple[float, list[Any]]:
    """Steps of Euler's method."""
    from norse.torch import LIFCell
    from norse.torch.functional.lif import LIFParameters

    one = torch.tensor(1.0)
    cell = LIFCell(LIFParameters(tau_syn_inv=one, tau_mem_inv=one, v_th=one), dt=dt)

    def advance(current: Tensor, state: Any) -> Any:
        spikes, state = cell(current, state)
        return spikes, state.v, state

    return 1.0, [advance] * len(sizes)


def spyx_scan(problem: Problem, n_steps: int) -> Peer:
    """Set up spyx: its neurons in a loop that XLA compiles as a whole."""
    import jax
    import jax.numpy as jnp
    import spyx.nn
    from flax import nnx

    times, labels = (tensor.numpy() for tensor in problem.inputs(problem.batch))
    dt, sizes = SPAN / n_steps, problem.sizes[1:]
    decay = {"alpha": math.exp(-dt), "beta": math.exp(-dt), "rngs": nnx.Rngs(0)}
    neurons = [spyx.nn.CuBaLIF((n,), **decay) for n in sizes]
    at_step = jnp.asarray((times.clip(max=0.999 * SPAN) / dt).astype(np.int32))
    given = [jnp.asarray(dt * weights.numpy()) for weights in problem.network().weights]

    def loss(weights: list[Any]) -> Any:
        def step(carry: Any, k: Any) -> Any:
            states, first, highest = carry
            spikes, after, found = (at_step == k).astype(jnp.float32), [], []
            for neuron, matrix, state, before in zip(neurons, weights, states, first, strict=True):
                spikes, state = neuron(spikes @ matrix, state)  # noqa: PLW2901
                spikes = spikes * jnp.isinf(before)
                after.append(state)
                found.append(jnp.where(jax.lax.stop_gradient(spikes) > 0, k * dt, before))
            return (after, found, jnp.maximum(highest, after[-1][:, : sizes[-1]])), None

        n = len(times)
        begin = (
            [neuron.initial_state(n) for neuron in neurons],
            [jnp.full((n, size), jnp.inf) for size in sizes],
            jnp.full((n, sizes[-1]), -jnp.inf),
        )
        (_, first, highest), _ = jax.lax.scan(step, begin, jnp.arange(n_steps))
        chosen = jnp.take_along_axis(jax.nn.log_softmax(highest), labels[:, None], 1)
        return -chosen.mean(), first

    both = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return Peer(
        len(times),
        lambda: jax.block_until_ready(both(given)),
        lambda: [np.asarray(layer) for layer in both(given)[0][1]],
    )


def jaxsnn_events(problem: Problem) -> Peer:
    """Set up jaxsnn: from event to event of a layer, with the closed form in every step."""
    import jax
    import jax.numpy as jnp
    from jaxsnn.event.modules import LIF, LIFParameters, Linear, Source
    from jaxsnn.event.topology import Topology
    from jaxsnn.event.types import Spike

    times, sizes = problem.inputs(problem.event_batch)[0].numpy(), problem.sizes
    once = LIFParameters(v_reset=-1000.0, v_th=1.0, tau_syn=1.0, tau_mem=1.0)
    network = Topology(t_max=2 * SPAN)
    modules, edges = {"layer0": Source(sizes[0])}, []
    for i, weights in enumerate(problem.network().weights, start=1):
        modules[f"layer{i}"] = LIF(sizes[i], sizes[i - 1] + sizes[i], once)
        modules[f"synapses{i}"] = Linear(pre_weights=jnp.asarray(weights.numpy()))
        edges += [(f"layer{i - 1}", f"synapses{i}"), (f"synapses{i}", f"layer{i}")]
    network.add(modules)
    network.connect(edges)
    draw, apply = network.done()
    given = draw(jax.random.PRNGKey(0))
    order = times.argsort(axis=1)
    ordered = jnp.asarray(np.take_along_axis(times, order, axis=1))
    inputs = Spike(
        time=ordered,
        idx=jnp.asarray(order),
        current=jnp.zeros_like(ordered),
        layer_idx=jnp.zeros(order.shape, dtype=int),
        internal=jnp.ones(order.shape, dtype=bool),
    )

    def first(events: Any, n: int) -> Any:
        own = events.internal & (events.idx >= 0)
        found, places = jnp.where(own, events.time, jnp.inf), jnp.where(own, events.idx, n)
        return jax.ops.segment_min(found, places, n + 1)[:n]

    def loss(weights: Any) -> Any:
        events = apply({"layer0": inputs}, weights)
        each = jax.vmap(first, in_axes=(0, None))
        layers = [each(events[f"layer{i}"], n) for i, n in enumerate(sizes[1:], start=1)]
        return jnp.minimum(layers[-1], 2 * SPAN).mean(), layers

    both = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return Peer(
        len(times),
        lambda: jax.block_until_ready(both(given)),
        lambda: [np.asarray(layer) for layer in both(given)[0][1]],
    )


def cases() -> dict[str, Case]:
    """Every row by its name."""
    rows = {"ttfslib": Case("ttfslib", exact, None, "exact, compiled by numba")}
    on = {
        "snntorch": (partial(on_grid, cells=snntorch_cells), "surrogate gradient, torch"),
        "norse": (partial(on_grid, cells=norse_cells), "surrogate gradient, torch"),
        "spyx": (spyx_scan, "surrogate gradient, compiled by XLA"),
    }
    for package, (make, how) in on.items():
        for n_steps in (25, 100, 400):
            grid = partial(make, n_steps=n_steps)
            rows[f"{package}, {n_steps} steps"] = Case(package, grid, n_steps, how)
    return rows | {"jaxsnn": Case("jaxsnn", jaxsnn_events, None, "exact, compiled by XLA")}


def errors(layers: Layers, problem: Problem) -> dict[str, float]:
    """Median error of the first hidden layer and of the last, and spikes too many or too few."""
    times, _ = problem.inputs(len(layers[0]))
    network = problem.network().double()
    with torch.no_grad():
        truth = [layer.numpy() for layer in network(times.double())]
    found: dict[str, float] = {}
    for name, i in {"first": 0, "last": len(truth) - 2}.items():
        mine, theirs = truth[i], np.asarray(layers[i], dtype=float)
        fires, fired = mine < SPAN, theirs < SPAN
        late = theirs[fires & fired] - mine[fires & fired]
        off = float(np.median(np.abs(late - np.median(late)))) if late.size else math.nan
        found[f"error_{name}"] = 0.0 if off < SETTLED else off
        found[f"disagree_{name}"] = float((fires != fired).mean())
    return found


def measured(name: str, problem: Problem) -> dict[str, Any]:
    """A row: milliseconds per sample, best and median after one run to warm up, and errors."""
    case = cases()[name]
    peer = case.make(problem)
    runs = []
    began = perf_counter()
    while len(runs) < 2 or (len(runs) <= problem.repeats and perf_counter() - began < LONG_S):
        start = perf_counter()
        peer.step()
        runs.append(1e3 * (perf_counter() - start) / peer.n_samples)
    return {
        "name": name,
        "version": known(case.package),
        "how": case.how,
        "steps": case.n_steps,
        "batch": peer.n_samples,
        "ms": min(runs[1:]),
        "ms_median": median(runs[1:]),
        **errors(peer.spikes(), problem),
    }


def in_a_process(name: str, n_threads: int, quick: bool, limit_s: float) -> dict[str, Any]:
    """The same in a fresh process on so many processors; what went wrong, if it did."""
    command = [sys.executable, __file__, "--row", name, "--threads", str(n_threads)]
    settings = os.environ | dict.fromkeys(THREADS, str(n_threads))
    settings |= {"OMP_WAIT_POLICY": "PASSIVE", "JAX_PLATFORMS": "cpu"}
    try:
        done = subprocess.run(
            [*command, *["--quick"] * quick],
            env=settings,
            capture_output=True,
            text=True,
            check=True,
            timeout=limit_s,
        )
    except subprocess.CalledProcessError as error:
        return {"name": name, "threads": n_threads, "failed": error.stderr.splitlines()[-1]}
    except subprocess.TimeoutExpired:
        return {"name": name, "threads": n_threads, "failed": f"not done in {limit_s:.0f} s"}
    return {"threads": n_threads, **json.loads(done.stdout.splitlines()[-1])}


def line(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    head = f"{row['name']:22}{row['threads']:8}"
    if "failed" in row:
        return f"{head}  {row['failed']}"
    return (
        f"{head}{row['batch']:6}{row['ms']:11.3f}{row['error_first']:14.1e}"
        f"{row['error_last']:11.1e}{row['disagree_last']:11.2%}"
    )


def machine() -> str:
    """Name of the processor."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((row.split(": ")[1] for row in told if row.startswith("model name")), "unknown")


def main() -> None:
    """Print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small network, few repeats")
    parser.add_argument("--out", type=Path, help="JSON file for the table")
    parser.add_argument("--only", action="append", help="measure this package alone; repeatable")
    parser.add_argument("--limit", type=float, default=600, help="seconds that a row may take")
    parser.add_argument("--row", choices=list(cases()), help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    problem = QUICK if options.quick else Problem()
    if options.row:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
        torch.set_num_threads(options.threads)
        print(json.dumps(measured(options.row, problem)))
        return
    wanted = [n for n, case in cases().items() if not options.only or case.package in options.only]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > IDLE:
        print(f"This machine has other work (load {load:.1f}): times will be too long.")
    print(f"{'-'.join(map(str, problem.sizes))} on {DATA}, {machine()}")
    print(f"{'':22}{'threads':>8}{'batch':>6}{'ms/sample':>11}{'error first':>14}{'last':>11}")
    rows = []
    for name in wanted:
        for n_threads in (1, 2):
            rows.append(in_a_process(name, n_threads, options.quick, options.limit))
            print(line(rows[-1]), flush=True)
    if options.out:
        about = {"machine": machine(), "data": DATA, "span": SPAN, "load": load, **asdict(problem)}
        about["versions"] = {p: known(p) for p in ("torch", "jax", "numba", "numpy")}
        text = json.dumps({**about, "rows": rows}, indent=1)
        options.out.write_text(text + "\n", encoding="utf-8")


def known(package: str) -> str | None:
    """Its version, if it is installed."""
    if package == "ttfslib":  # which need not be installed to be found
        return ttfslib.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()

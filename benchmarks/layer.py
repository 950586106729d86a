"""Time the exact first-spike network beside two other ways to train a spiking network.

Noisy latency-coded digits (MNIST where TTFSLIB_DATA names it, otherwise made-up images of the same
statistics) run through the untrained network of arXiv 2508.12975: by the compiled walk of ttfslib;
by the same mathematics as one would first write it in torch, on arrays of samples x inputs x
neurons; and, if snnTorch is installed, on a time grid with a surrogate gradient.

Run: python benchmarks/layer.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import pairwise
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from ttfslib import FirstSpikeCrossEntropy, TTFSLayer, TTFSNetwork, datasets, encoding

NOISE, GUARD = 0.3, {"gradient_limit": 0.2}
PAPER_WEIGHTS = (0.01, 0.15), (0.1, 0.8)  # mean and deviation: hidden layers, output
DATA = "MNIST" if os.environ.get("TTFSLIB_DATA") else "made-up digits"
SPAN = 4.0  # of the time grid, in units of tau_s


@dataclass(frozen=True)
class Settings:
    """Size of a run; the plain torch version needs too much memory for large batches."""

    sizes: tuple[int, ...] = (784, 400, 400, 400, 400, 10)
    batch: int = 80
    dense_batch: int = 8
    repeats: int = 7


QUICK = Settings((784, 50, 50, 10), batch=8, dense_batch=2, repeats=2)
# Parameters, number of samples, and the forward pass up to the loss
Case = tuple[list[Tensor], int, Callable[[], Tensor]]


def digits(n_samples: int) -> tuple[Tensor, Tensor]:
    """Noisy spike times of digits, and labels."""
    rng = np.random.default_rng(0)
    if DATA == "MNIST":
        images, labels = (part[:n_samples] for part in datasets.load_mnist("train"))
    else:  # a fifth of the pixels is ink, most of it strong
        shape = (n_samples, 784)
        images = (rng.random(shape) < 0.19) * rng.beta(0.9, 0.5, shape).astype(np.float32)
        labels = rng.integers(0, 10, n_samples)
    times = encoding.jitter(encoding.latency_encode(images), NOISE, rng)
    return torch.from_numpy(times), torch.from_numpy(labels)


def paper_network(sizes: tuple[int, ...], **changes: Any) -> TTFSNetwork:
    """Build the untrained network, with the same weights every time and options of one's own."""
    mean, std = ([hidden] * (len(sizes) - 2) + [last] for hidden, last in PAPER_WEIGHTS)
    options = {"generator": torch.Generator().manual_seed(1), **GUARD, **changes}
    return TTFSNetwork(sizes, mean=mean, std=std, **options)


def compiled(settings: Settings, dtype: torch.dtype) -> Case:
    """Set up ttfslib."""
    network, (times, labels) = paper_network(settings.sizes, dtype=dtype), digits(settings.batch)
    loss, times = FirstSpikeCrossEntropy(), times.to(dtype)
    return list(network.parameters()), len(times), lambda: loss(network(times)[-1], labels)


def dense(settings: Settings) -> Case:
    """Set up the plain torch version."""
    weights = [matrix.clone().requires_grad_() for matrix in paper_network(settings.sizes).weights]
    (times, labels), loss = digits(settings.dense_batch), FirstSpikeCrossEntropy()
    return weights, len(times), lambda: loss(reduce(dense_layer, weights, times), labels)


def stepped(settings: Settings, n_steps: int) -> Case:
    """Set up snnTorch: synapses and membranes with the same time constants, on a grid."""
    import snntorch

    times, labels = digits(settings.batch)
    at_step = (times.clamp(0, 0.999 * SPAN) * n_steps / SPAN).long()
    decay = math.exp(-SPAN / n_steps)
    linear = [nn.Linear(n_pre, n_post, bias=False) for n_pre, n_post in pairwise(settings.sizes)]
    neurons = [snntorch.Synaptic(alpha=decay, beta=decay) for _ in linear]

    def forward() -> Tensor:
        states = [neuron.reset_mem() for neuron in neurons]
        potentials = []
        for step in range(n_steps):
            spikes = (at_step == step).float()
            for i, (synapses, neuron) in enumerate(zip(linear, neurons, strict=True)):
                spikes, *states[i] = neuron(synapses(spikes), *states[i])
            potentials.append(states[-1][1])
        return nn.functional.cross_entropy(torch.stack(potentials).amax(0), labels)

    return [synapses.weight for synapses in linear], len(times), forward


def lambert_w(z: Tensor) -> Tensor:
    """Principal branch of Lambert's W by Halley's method; NaN left of -1/e."""
    with torch.no_grad():
        w = (2 * (math.e * z + 1)).sqrt() - 1
        for _ in range(6):
            miss = w - z * torch.exp(-w)
            w = w - miss / (w + 1 - (w + 2) * miss / (2 * w + 2))
    return w + (z * torch.exp(-w) - w) / (w + 1)  # a last step, which carries the gradient


def closed_form(a: Tensor, b: Tensor) -> Tensor:
    """Spike time for tau_m = tau_s = threshold = 1 (:eq:`eq-spike-time`)."""
    return b / a - lambert_w(-torch.exp(b / a) / a)


def dense_layer(times: Tensor, weights: Tensor) -> Tensor:
    """First spikes from every causal set at once; the earliest consistent one counts."""
    times, order = times.sort(dim=1)
    growth = torch.where(torch.isinf(times), 0.0, times.exp())[..., None]
    terms = weights[order] * growth
    a, b = terms.cumsum(1), (terms * times.clamp(max=1e3)[..., None]).cumsum(1)
    with torch.no_grad():
        following = torch.cat([times[:, 1:], torch.full_like(times[:, :1], math.inf)], dim=1)
        spikes = closed_form(a, b)
        valid = (a > 0) & (spikes > times[..., None]) & (spikes <= following[..., None])
        first, fires = valid.int().argmax(1, keepdim=True), valid.any(1)
    a, b = a.gather(1, first)[:, 0], b.gather(1, first)[:, 0]
    spikes = closed_form(torch.where(fires, a, 5.0), torch.where(fires, b, 0.0))
    return torch.where(fires, spikes, math.inf)


CASES: dict[str, Callable[[Settings], Case]] = {
    "ttfslib, float32": partial(compiled, dtype=torch.float32),
    "ttfslib, float64": partial(compiled, dtype=torch.float64),
    "plain torch, float32": dense,
    "snnTorch, 25 steps": partial(stepped, n_steps=25),
    "snnTorch, 100 steps": partial(stepped, n_steps=100),
}


def milliseconds(case: Case, repeats: int) -> list[float]:
    """Best time per sample, forward and backward, after one run to warm up."""
    parameters, n_samples, forward = case
    runs = []
    for _ in range(repeats + 1):
        start = perf_counter()
        loss = forward()
        middle = perf_counter()
        torch.autograd.grad(loss, parameters)
        runs.append((middle - start, perf_counter() - middle))
    return [1e3 * min(each) / n_samples for each in zip(*runs[1:], strict=True)]


def working_memory(name: str, settings: Settings) -> float:
    """MiB that one batch takes on top of a process that has seen a single sample."""
    process, done, full = psutil.Process(), Event(), CASES[name](settings)
    milliseconds(CASES[name](replace(settings, batch=1, dense_batch=1)), 1)
    sizes = [process.memory_info().rss]

    def watch() -> None:
        while not done.wait(1e-3):
            sizes.append(process.memory_info().rss)

    watcher = Thread(target=watch)
    watcher.start()
    milliseconds(full, 1)
    done.set()
    watcher.join()
    return (max(sizes) - sizes[0]) / 2**20


def compare(settings: Settings, quick: bool) -> None:
    """Print time and memory of every case side by side."""
    print(" " * 22 + " batch    forward   backward       both   ratio    memory")
    reference = 0.0
    for name, make in CASES.items():
        try:
            case = make(settings)
        except ImportError:
            print(f"{name:22}  not measured: pip install -e .[bench]")
            continue
        there, back = milliseconds(case, settings.repeats)
        reference = reference or there + back
        fresh = [sys.executable, __file__, "--memory-of", name, *["--quick"] * quick]
        memory = float(subprocess.run(fresh, check=True, capture_output=True, text=True).stdout)
        print(
            f"{name:22}{case[1]:6}{there:8.3f} ms{back:8.3f} ms{there + back:8.3f} ms"
            f"{(there + back) / reference:8.1f}{memory:6.0f} MiB"
        )


def agreement(settings: Settings) -> str:
    """Say how well the two ways to compute the same spikes agree."""
    network, (times, _) = paper_network(settings.sizes), digits(settings.dense_batch)
    with torch.no_grad():
        found, plain = network.stack[0](times), dense_layer(times, network.weights[0])
    fired, off = torch.isfinite(found).float().mean(), (found - plain).abs().nanmedian()
    return f"{fired:.0%} of the first layer fire, half of them within {off:.0e} tau_s"


def growth(settings: Settings) -> None:
    """Print how the cost of one layer grows with its two sizes and with the batch."""
    base = {"n_pre": settings.sizes[0], "n_post": settings.sizes[1], "batch": settings.batch}
    reference = 0.0
    for doubled in ("", *base):
        n_pre, n_post, batch = (n * (1 + (name == doubled)) for name, n in base.items())
        layer = TTFSLayer(n_pre, n_post, mean=0.01, std=0.1, **GUARD)
        times = digits(batch)[0].repeat(1, 2)[:, :n_pre].requires_grad_()
        case: Case = [layer.weight, times], 1, lambda: layer(times).nan_to_num(posinf=0.0).sum()  # noqa: B023
        there, back = milliseconds(case, settings.repeats)
        reference = reference or there + back
        print(
            f"layer {n_pre:5} x{n_post:4}, batch{batch:4}{there:8.2f} ms{back:8.2f} ms"
            f"{there + back:8.2f} ms{(there + back) / reference:8.2f}"
        )


def main() -> None:
    """Print both tables, or the memory that one case takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small network, few repeats")
    parser.add_argument("--memory-of", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = QUICK if options.quick else Settings()
    if options.memory_of:
        print(working_memory(options.memory_of, settings))
        return
    print(
        f"{'-'.join(map(str, settings.sizes))} on {DATA}, torch {torch.__version__}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, best of {settings.repeats}.\n"
        f"Exact and plain torch agree: {agreement(settings)}.\n\nOne network, per sample:"
    )
    compare(settings, options.quick)
    print("\nOne layer, per batch, and what doubling a size costs:")
    growth(settings)


if __name__ == "__main__":
    main()

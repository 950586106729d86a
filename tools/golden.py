"""Write `tests/golden.json`: what `ttfslib` finds, for the engine in the browser to find as well.

With ``--check``, compute it again and compare, to what other machines round differently.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ttfslib

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tests" / "golden.json"
N_NEURONS = 150
RATIOS = (1.0, 2.0, math.inf, 0.5, 1.5, 10.0, 1.0001, 1e6)
KINDS = ("any", "ties", "grazing", "silent")
SIZES, MEAN, STD = [6, 8, 7, 4], (1.1, 1.0, 1.1), (0.6, 0.7, 0.6)
LEARNING_RATE = 0.01
TOLERANCE = 1e-9


def neurons(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return random neurons of every ratio and kind, each with its spike, its causes and gradients.

    Parameters
    ----------
    n : int
    seed : int

    Returns
    -------
    list of dict
        Ready for JSON, in which None stands for infinity.
    """
    rng = np.random.default_rng(seed)
    rounds = [(KINDS[i % len(KINDS)], RATIOS[i // len(KINDS) % len(RATIOS)]) for i in range(n)]
    return [_neuron(kind, ratio, rng) for kind, ratio in rounds]


def _neuron(kind: str, ratio: float, rng: np.random.Generator) -> dict[str, Any]:
    tau_s, threshold = rng.choice([1.0, 0.7]), rng.choice([1.0, 1.3])
    params = ttfslib.LIFParameters(ratio * tau_s, tau_s, threshold)
    n_pre = int(rng.integers(1, 9))
    times, weights = rng.uniform(0, 3, n_pre), rng.normal(0.8, 1.2, n_pre)
    if kind == "ties":
        times = times.round(1 if n_pre < 3 else 0)
        times[rng.uniform(size=n_pre) < 0.15] = math.inf
    if kind == "silent":
        weights = 0.3 * weights
    if kind == "grazing":
        weights = weights * _grazing_gain(times, weights, params)
        weights *= 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-7, -3)
    spike = ttfslib.first_spike_time(times, weights, params)
    d_weights, d_times = ttfslib.spike_time_gradient(times, weights, params)
    return {
        "kind": kind,
        "params": _plain([params.tau_m, params.tau_s, params.threshold]),
        "spike_times": _plain(times),
        "weights": _plain(weights),
        "spike": _plain(spike),
        "causal_set": ttfslib.causal_set(times, weights, params).tolist(),
        "d_weights": _plain(d_weights),
        "d_spike_times": _plain(d_times),
    }


def _grazing_gain(
    times: NDArray[np.float64], weights: NDArray[np.float64], params: ttfslib.LIFParameters
) -> float:
    """By how much the weights must grow for the potential about to touch the threshold."""
    low, high = 0.0, 15.0
    for _ in range(3):  # grids that close in on the maximum
        grid = np.linspace(low, high, 600)
        potential = ttfslib.membrane_potential(grid, times, weights, params)
        highest = int(potential.argmax())
        low, high = grid[max(highest - 1, 0)], grid[min(highest + 1, len(grid) - 1)]
    peak = float(potential.max())
    return params.threshold / peak if peak > 0 else 1.0


def networks() -> list[dict[str, Any]]:
    """Return networks of several ratios: spikes, loss, gradients, and the weights after a step."""
    return [_network(ratio, seed) for seed, ratio in enumerate((1.0, 2.0, math.inf, 0.5, 1.5))]


def _network(ratio: float, seed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    share = 0.75 if seed % 2 == 0 else None
    network = ttfslib.TTFSNetwork(
        SIZES,
        ttfslib.LIFParameters(tau_m=ratio),
        mean=MEAN,
        std=STD,
        excitatory_share=share,
        generator=generator,
        dtype=torch.float64,
    )
    before = [_plain(w) for w in network.weights]
    inputs = 2 * torch.rand((5, SIZES[0]), generator=generator, dtype=torch.float64)
    inputs[0, 0] = math.inf
    inputs.requires_grad_()
    labels = torch.randint(0, SIZES[-1], (5,), generator=generator)
    layers = network(inputs)
    loss = ttfslib.FirstSpikeCrossEntropy()(layers[-1], labels)
    loss.backward()
    found = {
        "layers": [_plain(times.detach()) for times in layers],
        "loss": float(loss.detach()),
        "d_weights": [_plain(p.grad) for p in network.parameters()],
        "d_times": _plain(inputs.grad),
    }
    torch.optim.Adam(network.parameters(), lr=LEARNING_RATE).step()
    helped = ttfslib.SilentNeuronRemedy(network)(layers)
    network.obey_dale()
    return {
        "sizes": SIZES,
        "params": _plain([ratio, 1.0, 1.0]),
        "excitatory_share": share,
        "weights": before,
        "inputs": _plain(inputs.detach()),
        "labels": labels.tolist(),
        **found,
        "learning_rate": LEARNING_RATE,
        "helped": helped,
        "weights_after": [_plain(w) for w in network.weights],
    }


def draws() -> list[dict[str, Any]]:
    """Return what torch's generator draws from some seeds."""
    found = []
    for seed in (0, 1, 2**40 + 5):
        generator = torch.Generator().manual_seed(seed)
        normal = [torch.randn(n, generator=generator).tolist() for n in (16, 40)]
        order = torch.randperm(50, generator=generator).tolist()
        found.append({"seed": seed, "randn": normal, "randperm": order})
    return found


def _plain(values: Any) -> Any:
    """Return numbers as JSON has them: flat, with None for infinity."""
    array = np.asarray(values, dtype=np.float64)
    flat = [None if math.isinf(value) else value for value in array.ravel().tolist()]
    return flat if array.ndim else flat[0]


def golden() -> dict[str, Any]:
    """Return all that the file holds."""
    return {"neurons": neurons(N_NEURONS), "networks": networks(), "draws": draws()}


def differs(one: Any, other: Any, where: str = "golden") -> str | None:
    """Return the first place at which two JSON values are not the same up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(one[key], other[key], f"{where}.{key}") for key in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, float) and isinstance(other, float):
        near = abs(one - other) <= TOLERANCE * (1 + abs(one))
        return None if near else f"{where}: {one!r} and {other!r}"
    else:
        return None if one == other else f"{where}: {one!r:.60} and {other!r:.60}"
    return next(filter(None, (differs(*pair) for pair in pairs)), None)


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    found = json.loads(json.dumps(golden()))
    if arguments.check:
        difference = differs(json.loads(FILE.read_text(encoding="utf-8")), found)
        if difference:
            print(f"tests/golden.json is not what ttfslib finds: {difference}", file=sys.stderr)
        return 1 if difference else 0
    lines = [f'"{key}":[\n{_lines(cases)}\n]' for key, cases in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


def _lines(cases: list[Any]) -> str:
    return ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)


if __name__ == "__main__":
    raise SystemExit(main())

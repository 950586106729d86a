"""Time the measures of pulse packets, one by one and together, on packets like a network's.

Run: python benchmarks/synchrony.py [--samples 10000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import platform
from functools import partial
from time import process_time
from timeit import repeat

import numpy as np

from ttfslib import _checks
from ttfslib.analysis import synchrony

# Five layers that spread and re-converge, about a third of their neurons in the packet.
N_NEURONS, SIGMAS, ACTIVITY = 400, (0.05, 0.15, 0.2, 0.08, 0.03), 0.35


def packets(n_samples: int) -> list[_checks.FloatArray]:
    """Draw the spike times of every layer."""
    rng = np.random.default_rng(0)
    layers = [rng.normal(1.0, sigma, (n_samples, N_NEURONS)) for sigma in SIGMAS]
    return [np.where(rng.random(times.shape) < ACTIVITY, times, np.inf) for times in layers]


def row_by_row(packet: _checks.FloatArray) -> list[float]:
    """The shorth as one would first write it: a loop over samples."""
    widths = []
    for row in packet:
        times = np.sort(row[np.isfinite(row)])
        half = len(times) // 2 + 1
        widths.append((times[half - 1 :] - times[: len(times) - half + 1]).min())
    return widths


def main() -> None:
    """Print the best of several runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    layers = packets(options.samples)
    single = layers[0]
    np.testing.assert_array_equal(row_by_row(single), synchrony.shorth(single))
    cases = {
        "shorth of a layer": partial(synchrony.shorth, single),
        "  the same, row by row": partial(row_by_row, single),
        "iqr of a layer": partial(synchrony.iqr, single),
        "standard deviation of a layer": partial(synchrony.standard_deviation, single),
        "packet_statistics, five layers": partial(synchrony.packet_statistics, layers, 1.5),
    }
    print(
        f"{options.samples} samples, {N_NEURONS} neurons a layer; numpy {np.__version__}, "
        f"{platform.machine()}, {os.cpu_count()} cores; CPU time, best of {options.repeats}"
    )
    for name, call in cases.items():
        seconds = min(repeat(call, timer=process_time, number=1, repeat=options.repeats))
        print(
            f"{name:32s} {1e3 * seconds:9.1f} ms {1e6 * seconds / options.samples:9.2f} us/sample"
        )


if __name__ == "__main__":
    main()

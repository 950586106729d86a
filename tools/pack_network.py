"""Pack a trained network for a page: few bits for each weight, and what they cost in accuracy.

Run: python tools/pack_network.py [RUN]
"""

from __future__ import annotations

import argparse
import base64
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ttfslib
from ttfslib import book
from ttfslib.experiment.recipe import Samples, encode, load_test_samples
from ttfslib.experiment.robustness import levels

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "data" / "runs" / "mnist-dale-seed1"
BITS = 6

Matrix = NDArray[np.float32]


def small_levels(weights: Matrix) -> tuple[NDArray[np.int8], float]:
    """Return whole numbers for the weights of a layer, and what one of them is worth."""
    whole, step = levels(weights, BITS)
    return whole.astype(np.int8), step


def rounded(weights: Sequence[Matrix]) -> list[Matrix]:
    """Return the weights that a page computes with."""
    return [
        (whole * np.float32(step)).astype(np.float32) for whole, step in map(small_levels, weights)
    ]


def packed(run: ttfslib.Run) -> dict[str, Any]:
    """Return the network of a run for a page, ready for JSON.

    The whole numbers of all layers are compressed together and written in base 64.
    """
    wholes, steps = zip(*map(small_levels, run.weights()), strict=True)
    config = run.config
    content = gzip.compress(b"".join(whole.tobytes() for whole in wholes), 9, mtime=0)
    return {
        "sizes": config.sizes,
        "params": {"tau_m": config.tau_m, "tau_s": config.tau_s, "threshold": config.threshold},
        "excitatory_share": config.excitatory_share,
        "early": config.early,
        "late": config.late,
        "steps": [float(np.float32(step)) for step in steps],
        "bits": BITS,
        "levels": base64.b64encode(content).decode(),
    }


def accuracies(run: ttfslib.Run, samples: Samples) -> tuple[float, float]:
    """Return the share of samples that are read correctly: as trained, and as packed."""
    inputs, labels = encode(run.config, samples.features), torch.from_numpy(samples.labels)
    found = []
    for weights in (run.weights(), rounded(run.weights())):
        network = ttfslib.TTFSNetwork.from_weights(
            [torch.from_numpy(matrix) for matrix in weights], run.config.params
        )
        with torch.no_grad():
            decided = ttfslib.decided_class(network(inputs)[-1])
        found.append(float((decided == labels).double().mean()))
    return found[0], found[1]


def main() -> int:
    """Say what a packed network weighs and what it still can do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, default=RUN, help="folder of the run")
    run = ttfslib.load_run(parser.parse_args().run)
    print(f"{run.path.name}: {BITS} bits a weight, {len(packed(run)['levels']) / 1e3:.0f} kB")
    samples = {"scikit-learn's digits, enlarged": book.digits_like_mnist()}
    try:
        samples["test images"] = load_test_samples(run.config)
    except OSError as error:
        print(f"without the test images: {error}")
    for name, shown in samples.items():
        trained, small = accuracies(run, shown)
        print(f"{name}: {trained:.2%} as trained, {small:.2%} as packed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

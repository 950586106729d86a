"""Time the engine of the pages in a browser beside the compiled one: milliseconds for a sample.

A step of training, forward and backward, in float32 on one core: of the digits network and of the
network of arXiv 2508.12975. The browser is the Chromium of this machine.

Run: python benchmarks/browser.py
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import perf_counter

import numba
import torch
from playwright.sync_api import sync_playwright

from ttfslib import FirstSpikeCrossEntropy, TTFSNetwork

ENGINE = Path(__file__).resolve().parents[1] / "ttfslib" / "explore" / "assets" / "engine.js"
NETWORKS = {
    "digits": ([64, 100, 100, 100, 100, 10], [0.1, 0.04, 0.04, 0.04, 0.15], [0.5, *[0.4] * 3, 0.8]),
    "MNIST": ([784, 400, 400, 400, 400, 10], [*[0.01] * 4, 0.1], [*[0.15] * 4, 0.8]),
}
N_SAMPLES, REPEATS = 20, 5
STEP = """
([sizes, weights, times, labels, repeats]) => {
  const network = new ttfslib.TTFSNetwork(sizes, weights.map((w) => Float32Array.from(w)));
  const inputs = Float32Array.from(times), found = [];
  for (let i = 0; i <= repeats; i += 1) {
    const begun = performance.now();
    const layers = network.forward(inputs);
    network.backward(ttfslib.first_spike_cross_entropy(layers.at(-1), labels).d_times);
    found.push(performance.now() - begun);
  }
  return found.slice(1);
}
"""


def compiled(network: TTFSNetwork, times: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the milliseconds of the fastest step of ttfslib."""
    found = []
    for _ in range(REPEATS + 1):
        begun = perf_counter()
        FirstSpikeCrossEntropy()(network(times)[-1], labels).backward()
        found.append(1e3 * (perf_counter() - begun))
    return min(found[1:])


def main() -> int:
    """Print a line for each network."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no chromium on this machine", file=sys.stderr)
        return 1
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    print(f"{'network':10}{'browser':>12}{'compiled':>12}   ms a sample, one core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(content=ENGINE.read_text(encoding="utf-8"))
        for name, (sizes, mean, std) in NETWORKS.items():
            generator = torch.Generator().manual_seed(1)
            network = TTFSNetwork(sizes, mean=mean, std=std, generator=generator)
            times = 0.15 + 1.85 * torch.rand((N_SAMPLES, sizes[0]), generator=generator)
            labels = torch.randint(0, sizes[-1], (N_SAMPLES,), generator=generator)
            weights = [matrix.flatten().tolist() for matrix in network.weights]
            arguments = [sizes, weights, times.flatten().tolist(), labels.tolist(), REPEATS]
            here = min(page.evaluate(STEP, arguments))
            there = compiled(network, times, labels)
            print(f"{name:10}{here / N_SAMPLES:12.2f}{there / N_SAMPLES:12.2f}")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

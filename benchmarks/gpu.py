"""Time the first-spike network on a CUDA device beside the same network on this machine's CPU.

Noisy latency-coded digits run forward and backward through the untrained network of
arXiv 2508.12975, in batches of growing size: by the kernels that numba compiles for the device, and
by plain torch operations there. Both are held to the CPU's results first.

Run: python benchmarks/gpu.py [--quick]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from time import perf_counter

import torch
from layer import DATA, QUICK, Settings, digits, paper_network
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from ttfslib import FirstSpikeCrossEntropy, TTFSNetwork, engines

BATCHES, QUICK_BATCHES = (80, 400, 2000, 10_000), (8, 16)
LARGEST_WALK, LARGEST_ON_CPU = 2000, 400  # beyond, more of the same takes too long
REPEATS = 5


def gradients(network: TTFSNetwork, times: Tensor, labels: Tensor) -> list[Tensor]:
    """Run forward and backward; return the gradient of each weight matrix."""
    loss = FirstSpikeCrossEntropy()(network(times)[-1], labels)
    return list(torch.autograd.grad(loss, list(network.parameters())))


def seconds(run: Callable[[], object]) -> float:
    """Fastest of a few runs after one that compiles."""
    run()
    durations = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        started = perf_counter()
        run()
        torch.cuda.synchronize()
        durations.append(perf_counter() - started)
    return min(durations)


def largest_difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """Distance of two sets of gradients over the length of the second, at worst over layers."""
    pairs = [(f.cpu(), e) for f, e in zip(found, expected, strict=True) if e.any()]
    return max(float((f - e).norm() / e.norm()) for f, e in pairs)


def spent_on(run: Callable[[], object]) -> str:
    """What the device's time goes to: the longest kernels, and the share of time with none."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        started = perf_counter()
        run()
        torch.cuda.synchronize()
        passed = perf_counter() - started
    kernels = [e for e in profiler.key_averages() if not e.is_user_annotation]
    kernels.sort(key=lambda kernel: -kernel.self_device_time_total)
    busy = sum(kernel.self_device_time_total for kernel in kernels) / 1e6
    longest = ", ".join(
        f"{kernel.key.split('::')[-1][:18]} {kernel.self_device_time_total / 1e3:.1f} ms"
        for kernel in kernels[:3]
    )
    return f"busy {busy / passed:.0%} of {passed * 1e3:.0f} ms: {longest}"


def main() -> None:
    """Print agreement, a line for each batch size, and where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small network, to try it out")
    options = parser.parse_args()
    sizes = (QUICK if options.quick else Settings()).sizes
    batches = QUICK_BATCHES if options.quick else BATCHES
    network, on_device = paper_network(sizes), paper_network(sizes).cuda()
    times, labels = digits(max(batches))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {DATA}")

    few = times[: batches[0]], labels[: batches[0]]
    there = [tensor.cuda() for tensor in few]
    expected = gradients(network, *few)
    print(f"gradients differ by {largest_difference(gradients(on_device, *there), expected):.1e}")
    with engines.use("plain"):
        print(f"plain torch {largest_difference(gradients(on_device, *there), expected):.1e}")

    print(f"\n{'batch':>7}{'kernels':>12}{'plain torch':>14}{'CPU':>10}   ms a sample")
    for batch in batches:
        few = times[:batch], labels[:batch]
        there = [tensor.cuda() for tensor in few]
        columns = [seconds(lambda there=there: gradients(on_device, *there)), math.nan, math.nan]
        if batch <= LARGEST_WALK:
            with engines.use("plain"):
                columns[1] = seconds(lambda there=there: gradients(on_device, *there))
        if batch <= LARGEST_ON_CPU:
            columns[2] = seconds(lambda few=few: gradients(network, *few))
        kernels, plain, cpu = (1e3 * each / batch for each in columns)
        print(f"{batch:7}{kernels:12.4f}{plain:14.4f}{cpu:10.3f}   {1e3 / kernels:,.0f} samples/s")
        print(f"        {spent_on(lambda there=there: gradients(on_device, *there))}")


if __name__ == "__main__":
    main()

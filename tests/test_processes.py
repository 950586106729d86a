"""The compiled passes in worker processes and threads: they work, or say in one line what to do."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
TASK = """
import multiprocessing, sys, warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

warnings.simplefilter("ignore", DeprecationWarning)  # of forks from a process with threads

def spike(weight):
    import torch
    from ttfslib import first_spike_times
    weights = torch.full((1, 200), float(weight), requires_grad=True)
    spikes = first_spike_times(torch.zeros(50, 1), weights)
    spikes.sum().backward()
    return spikes[0, 0].item(), weights.grad[0, 0].item()

def outcome(job):
    try:
        return job()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""
POOLS = """
import torch

class Spikes(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return spike(3.0 + i)[0]

if __name__ == "__main__":
    here = [spike(3.0 + i) for i in range(4)]
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        there = outcome(lambda: pool.submit(spike, 3.0).result(60))
    with context.Pool(1) as pool:
        pooled = outcome(lambda: pool.apply_async(spike, (3.0,)).get(60))
    loader = torch.utils.data.DataLoader(
        Spikes(), num_workers=1, batch_size=4, timeout=60, multiprocessing_context=context
    )
    loaded = outcome(lambda: next(iter(loader)).tolist())
    expected = [here[0], here[0], [time for time, _ in here]]
    found = [there, pooled, loaded]
    print(*(one == other or one for one, other in zip(found, expected)), sep="\\n")
"""
BEFORE = """
if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        there = pool.submit(spike, 3.0).result(60)
    print(there == spike(3.0))
"""
THREADS = """
if __name__ == "__main__":
    with ThreadPoolExecutor(8) as pool:
        print(len(set(pool.map(spike, [3.0] * 100))))
    import numba
    print(numba.threading_layer())
"""
WORKS = "True\n" * 3
REFUSAL = "RuntimeError: first_spike_times must not be called in a forked process"

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def said(tmp_path, program, *arguments, layer=None):
    """Output of a program that must end by itself within two minutes."""
    script = tmp_path / "program.py"
    script.write_text(TASK + program)
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env=os.environ | ({"NUMBA_THREADING_LAYER": layer} if layer else {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_fork
def test_a_fork_after_first_use_is_refused_or_works(tmp_path):
    """Threads of OpenMP are lost in a fork; other layers of numba's start theirs anew."""
    output = said(tmp_path, POOLS, "fork", layer="omp")
    assert output.count(REFUSAL) == 3
    assert output.count("start worker processes with the method 'spawn'") == 3
    assert said(tmp_path, POOLS, "fork", layer="workqueue") == WORKS


def test_spawned_workers_give_the_same_numbers(tmp_path):
    assert said(tmp_path, POOLS, "spawn") == WORKS


@needs_fork
def test_a_fork_before_first_use_is_harmless(tmp_path):
    assert said(tmp_path, BEFORE) == "True\n"


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_threads_may_call_side_by_side(tmp_path, layer):
    """By itself, numba's workqueue ends a process whose threads enter it at once."""
    assert said(tmp_path, THREADS, layer=layer) == f"1\n{layer}\n"

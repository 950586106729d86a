"""Code that numba has just compiled and code that it loads from its cache give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

# One step of training, from the inputs to the gradient of the first weights
STEP = """
import hashlib
import torch
from ttfslib import FirstSpikeCrossEntropy, TTFSNetwork

random = torch.Generator().manual_seed(1)
network = TTFSNetwork([64, 100, 100, 10], mean=0.1, std=0.5, generator=random)
layers = network(2 * torch.rand(40, 64, generator=random))
FirstSpikeCrossEntropy()(layers[-1], torch.arange(40) % 10).backward()
kept = [*layers, *(layer.weight.grad for layer in network.stack)]
print(hashlib.sha256(b"".join(t.detach().numpy().tobytes() for t in kept)).hexdigest())
"""


def test_the_first_use_after_installation_gives_the_bits_of_all_later_ones(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    digests = [
        subprocess.run(
            [sys.executable, "-c", STEP],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64

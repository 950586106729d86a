"""Numba's cache: the same bits with and without it, and no harm where it is missing or damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import environment
import pytest

import ttfslib

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels_cache")]  # that share a fixture

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
# What compiles fastest, for what is not about numbers
SMALL = """
import torch
from ttfslib.engines import cpu
print(cpu.propagators(torch.zeros(1, 2), 1.0, 1.0).tolist())
"""
SAYS = [[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]


def run(program, cwd=None, **changes):
    return subprocess.run(
        [sys.executable, "-W", "always::RuntimeWarning", "-c", program],
        cwd=cwd,
        env=os.environ | {name: str(value) for name, value in changes.items()},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="module")
def digest_and_cache(tmp_path_factory):
    """What the step says when numba compiles it, and the cache that this leaves."""
    folder = tmp_path_factory.mktemp("cache")
    return run(STEP, NUMBA_CACHE_DIR=folder).stdout, folder


def test_the_first_use_after_installation_gives_the_bits_of_all_later_ones(digest_and_cache):
    digest, folder = digest_and_cache
    assert len(digest.strip()) == 64
    again = run(STEP, NUMBA_CACHE_DIR=folder)
    assert again.stdout == digest
    assert not again.stderr


def test_the_environment_is_made_with_all_that_a_training_compiles():
    asks = """
from ttfslib.engines import kernels as all
compiled = all.propagators, all.first_spikes, all.gradient_exceeds, all.first_spikes_backward
print([sorted(str(signature[0].dtype) for signature in each.signatures) for each in compiled])
"""
    assert run(environment.COMPILE + asks).stdout == f"{[['float32', 'float64']] * 4}\n"


def test_a_damaged_cache_is_dropped_and_rebuilt(digest_and_cache, tmp_path):
    """Cut-off files, as a full disk or a kill leaves them, of both of numba's kinds."""
    folder = tmp_path / "cache"
    shutil.copytree(digest_and_cache[1], folder)
    for kind, kept in (("nbi", 0), ("nbc", 1000)):
        for file in folder.rglob(f"kernels.propagators*.{kind}"):
            file.write_bytes(file.read_bytes()[:kept])
        mended = run(SMALL, NUMBA_CACHE_DIR=folder)
        assert mended.stdout == f"{SAYS}\n"
        assert mended.stderr.count("RuntimeWarning: numba's cache in") == 1
        assert "ttfslib compiles anew" in mended.stderr
    again = run(SMALL, NUMBA_CACHE_DIR=folder)
    assert (again.stdout, again.stderr) == (mended.stdout, "")


def test_code_of_other_formulas_is_not_used(tmp_path):
    """Numba looks at the age of a function's own file alone: change a copy of another."""
    package = tmp_path / "ttfslib"
    shutil.copytree(Path(ttfslib.__file__).parent, package, ignore=shutil.ignore_patterns("__py*"))
    changes = {"cwd": tmp_path, "NUMBA_CACHE_DIR": tmp_path / "cache"}
    assert run(SMALL, **changes).stdout == f"{SAYS}\n"
    formulas = package / "engines" / "formulas.py"
    text = formulas.read_text(encoding="utf-8")
    changed = text.replace("return a, delay * rate_s * a, a", "return a, 7.0, a")
    assert changed != text
    formulas.write_text(changed, encoding="utf-8")
    assert run(SMALL, **changes).stdout == "[[[1.0, 7.0, 1.0], [0.0, 0.0, 0.0]]]\n"


def test_where_no_cache_can_be_written_there_is_one_warning(tmp_path):
    """Files stand where the folders of all of numba's caches would have to be made."""
    package = tmp_path / "ttfslib"
    shutil.copytree(
        Path(ttfslib.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in (package, *filter(Path.is_dir, package.rglob("*"))):
        (folder / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    done = run(
        SMALL,
        cwd=tmp_path,
        PYTHONPATH=tmp_path,
        HOME=tmp_path / "file",
        XDG_CACHE_HOME=tmp_path / "file",
        NUMBA_CACHE_DIR="",
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert done.stdout == f"{SAYS}\n"
    assert done.stderr.count("RuntimeWarning: numba can write its cache neither") == 1

"""Whether tests that need MNIST can run."""

import dataclasses
import functools

import pytest

from ttfslib import datasets


@functools.cache
def is_mnist_here():
    """Whether MNIST's test images are on this machine: nothing is downloaded for a test."""
    with pytest.MonkeyPatch.context() as patch:
        offline = dataclasses.replace(datasets.MNIST, mirrors=())
        patch.setattr(datasets, "MNIST", offline)
        try:
            datasets.load_mnist("test")
        except OSError:
            return False
    return True


def need_mnist():
    """Skip a test where MNIST is not on this machine."""
    if not is_mnist_here():
        pytest.skip("MNIST is not here: `ttfs fetch mnist` downloads it")

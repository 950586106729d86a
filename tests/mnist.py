"""Whether tests that need MNIST or Fashion-MNIST can run."""

import dataclasses
import functools

import pytest

from ttfslib import datasets


@functools.cache
def is_here(name):
    """Whether a data set's test images are on this machine: nothing is downloaded for a test."""
    with pytest.MonkeyPatch.context() as patch:
        source = getattr(datasets, name.upper())
        patch.setattr(datasets, name.upper(), dataclasses.replace(source, mirrors=()))
        try:
            getattr(datasets, f"load_{name}")("test")
        except OSError:
            return False
    return True


def need(name):
    """Skip a test where the files of a data set are not on this machine."""
    if name in datasets.fetchers() and not is_here(name):
        title = getattr(datasets, name.upper()).title
        pytest.skip(f"{title} is not here: `ttfs fetch {name}` downloads it")


def need_mnist():
    """Skip a test where MNIST is not on this machine."""
    need("mnist")

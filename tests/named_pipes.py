"""Pipes, where the system has them."""

import os

import pytest


def make_pipe(path):
    """Make a named pipe, or skip the test: Windows has none in its folders."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(path)

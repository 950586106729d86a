"""The examples in the docstrings of every module, run as written."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import ttfslib

MODULES = sorted(m.name for m in pkgutil.iter_modules(ttfslib.__path__) if m.name != "__main__")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    outcome = doctest.testmod(import_module(f"ttfslib.{name}"), report=True)
    assert outcome.failed == 0


def test_the_first_spike_has_an_example():
    """Guard against a search that finds nothing: these two functions open the book."""
    for module, function in (("lif", "first_spike_time"), ("functional", "first_spike_times")):
        found = doctest.DocTestFinder().find(getattr(import_module(f"ttfslib.{module}"), function))
        assert any(test.examples for test in found)

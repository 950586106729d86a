"""The examples in the docstrings of every module and on the reference page, run as written."""

import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import ttfslib

PAGE = Path(__file__).resolve().parents[1] / "chapters" / "api.md"
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ttfslib.__path__, "ttfslib.")
    if not module.name.endswith("__main__")
)
GROUPS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE.read_text("utf-8"), re.MULTILINE))
"""The sections of the reference page, by title."""
DOCUMENTED = re.findall(r"automodule:: ([\w.]+)", PAGE.read_text("utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    if name.endswith(".cuda"):
        pytest.importorskip("numba.cuda")
    outcome = doctest.testmod(import_module(name), report=True)
    assert outcome.failed == 0


def test_the_first_spike_has_an_example():
    """Guard against a search that finds nothing: these two functions open the book."""
    for module, function in (("lif", "first_spike_time"), ("functional", "first_spike_times")):
        found = doctest.DocTestFinder().find(getattr(import_module(f"ttfslib.{module}"), function))
        assert any(test.examples for test in found)


@pytest.mark.parametrize("title", GROUPS)
def test_every_group_of_the_reference_has_an_example_that_runs(title):
    [block] = re.findall(r"^```python\n(.*?)^```", GROUPS[title], re.MULTILINE | re.DOTALL)
    test = doctest.DocTestParser().get_doctest(block, {}, title, str(PAGE), 0)
    assert test.examples
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert outcome.failed == 0


@pytest.mark.parametrize(
    "name", [n for n in ttfslib.__all__ if n not in {"analysis", "experiment"}]
)
def test_every_public_name_is_in_the_reference(name):
    thing = getattr(ttfslib, name)
    if inspect.ismodule(thing):
        assert thing.__name__ in DOCUMENTED
    else:
        homes = {thing.__module__} | {
            module for module in DOCUMENTED if name in getattr(import_module(module), "__all__", ())
        }
        assert homes & set(DOCUMENTED)
        assert inspect.getdoc(thing)


WITHIN = {
    *("ttfslib.analysis", "ttfslib.experiment", "ttfslib.explore.figure", "ttfslib.explore.live"),
    *(f"ttfslib.engines.{part}" for part in ("cpu", "devices", "formulas", "lanes")),
}
"""Rooms, and what their room shows or keeps to itself."""


def test_the_reference_names_every_module_once():
    public = {name for name in MODULES if "._" not in name}
    assert sorted(DOCUMENTED) == sorted(public - WITHIN)
    assert public >= WITHIN

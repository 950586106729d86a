"""`import ttfslib` is quick: names come when they are asked for."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import ttfslib

PACKAGE = Path(ttfslib.__file__).parent
HEAVY = {"torch", "numba", "matplotlib", "sklearn", "scipy", "ipywidgets", "IPython", "pooch"}
LEAVES = {"plotting", "explore", "cli"}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("_"))


def loaded_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_import_loads_nothing_heavy():
    loaded = loaded_after("import ttfslib")
    assert "ttfslib" in loaded
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("ttfslib.")} == set()


def test_a_name_loads_its_module_and_no_other_library():
    loaded = loaded_after("import ttfslib; assert ttfslib.first_spike_time([0.0], [3.0]) > 0")
    assert "ttfslib.lif" in loaded
    assert loaded & {"torch", "numba", "matplotlib"} == set()


def test_listing_the_names_loads_nothing():
    loaded = loaded_after("import ttfslib; assert 'TTFSNetwork' in dir(ttfslib)")
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", ttfslib.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ttfslib, name) is not None
    assert name in dir(ttfslib)


def test_every_module_is_an_attribute():
    modules = {name for name in MODULES if name != "cli"}
    assert modules - set(dir(ttfslib)) == set()
    code = "; ".join(["import ttfslib", *(f"ttfslib.{name}.__doc__" for name in modules)])
    assert {f"ttfslib.{name}" for name in modules} <= loaded_after(code)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'ttfslib' has no attribute 'first_spike'$"):
        ttfslib.first_spike  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'first_spike'"):
        exec("from ttfslib import first_spike")


def test_the_version_is_that_of_the_installed_package():
    assert ttfslib.__version__ == importlib.metadata.version("ttfslib")


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_imports_the_leaves(path):
    """What draws, shows and commands is on top; the engine runs without it."""
    if path.stem in {*LEAVES, "__main__"}:
        return
    used = {name.split(".")[1] for name in imported_by(path) if name.startswith("ttfslib.")}
    assert used & LEAVES == set()

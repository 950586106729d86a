"""`import ttfslib` is quick: names come when they are asked for."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ttfslib

PACKAGE = Path(ttfslib.__file__).parent
HEAVY = {"torch", "numba", "matplotlib", "sklearn", "scipy", "ipywidgets", "IPython", "pooch"}
FLOORS = [
    *(
        {name}
        for name in (
            "_checks",
            "_colors",
            "_table",
            "_checkout",
            "_registry",
            "_files",
            "_sources",
            "_psp",
            "_crossing",
            "lif",
        )
    ),
    *(
        {name}
        for name in ("engines", "functional", "_tensors", "readout", "nn", "remedy", "losses")
    ),
    *(
        {name}
        for name in (
            "encoding",
            "datasets",
            "analysis",
            "experiment",
            "explore",
            "export",
            "plotting",
        )
    ),
    *({name} for name in ("course", "book", "cli", "__main__")),
]
"""The rooms of the package, ground floor first: each may import only what lies below it."""
LEAVES = {"plotting", "explore", "book", "cli"}
LONGEST = 400
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Modules by their full name."""
PUBLIC = [name for name in FILES if not re.search(r"[.]_", name)]


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


def test_every_public_module_can_be_imported():
    assert set(PUBLIC) - {"ttfslib.__main__"} <= loaded_after(f"import {', '.join(PUBLIC)}")


def test_every_room_is_an_attribute():
    rooms = {name.split(".")[1] for name in PUBLIC if name.count(".")} - {"cli"}
    assert rooms - set(dir(ttfslib)) == set()
    code = "; ".join(["import ttfslib", *(f"ttfslib.{name}.__doc__" for name in rooms)])
    assert {f"ttfslib.{name}" for name in rooms} <= loaded_after(code)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="ttfslib attribute first_spike"):
        ttfslib.first_spike  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'first_spike'"):
        exec("from ttfslib import first_spike")


def test_the_version_is_that_of_the_installed_package():
    assert ttfslib.__version__ == importlib.metadata.version("ttfslib")


def imports_of(name: str) -> Iterator[str]:
    """Modules of the package that a module imports when it runs, anywhere in its code."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    for node in running(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        else:
            continue
        for found in wanted:
            module = found if found in FILES else found.rpartition(".")[0]
            if module in FILES and module not in {"ttfslib", name}:
                yield module


def running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from running(child)


def room_of(name: str) -> str:
    return name.split(".")[1]


MODULES = [name for name in FILES if name != "ttfslib"]


def floor_of(name: str) -> int:
    [floor] = [i for i, rooms in enumerate(FLOORS) if room_of(name) in rooms]
    return floor


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_only_downwards(name):
    above = {
        other
        for other in imports_of(name)
        if room_of(other) != room_of(name) and floor_of(other) >= floor_of(name)
    }
    assert above == set()


def test_no_module_imports_itself_over_others():
    graph = {name: set(imports_of(name)) for name in MODULES}
    assert sum(map(len, graph.values())) > len(graph)  # the imports were found
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_nothing_imports_the_leaves(name):
    """What draws, shows and commands is on top; the engines run without it."""
    used = {room_of(other) for other in imports_of(name)} - {room_of(name)}
    permitted = {"book": {"plotting"}, "__main__": {"cli"}}.get(room_of(name), set())
    assert (used & LEAVES) - permitted == set()


@pytest.mark.parametrize("name", FILES)
def test_a_module_is_short_enough_to_read(name):
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST

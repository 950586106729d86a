"""The page about the data says what the data are now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import data_readme

    return data_readme


def test_the_page_is_what_the_tool_would_write_now(tool):
    assert tool.README.read_text(encoding="utf-8") == tool.page(), "run tools/data_readme.py"


def test_every_file_has_its_checksum(tool):
    page = tool.README.read_text(encoding="utf-8")
    files = [p for p in DATA.rglob("*") if p.is_file() and p != tool.README]
    assert [p.name for p in files if f"  {p.relative_to(DATA).as_posix()}\n" not in page] == []


def test_a_file_of_unknown_origin_is_refused(tool, monkeypatch, tmp_path):
    (tmp_path / "found.csv").write_text("1\n")
    monkeypatch.setattr(tool, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"found\.csv"):
        tool.page()


def test_the_published_networks_are_told_whole():
    networks = json.loads((DATA / "reference" / "paper_networks.json").read_text())["networks"]
    for net in networks:
        assert len(net["validation_epochs"]) == len(net["validation_accuracy"])
        for state in ("untrained", "trained"):
            measures = (net[state]["shorth"], net[state]["activity"], net["separability"][state])
            assert {len(values) for values in measures} == {len(net["hidden"]) + 1}

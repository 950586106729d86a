"""The table of what electrodes find: complete, and made by the tool that is named."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from mnist import need_mnist

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import electrodes

    yield electrodes
    sys.modules.pop("electrodes", None)


@pytest.fixture
def table(tool):
    with tool.TABLE.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == tool.COLUMNS
    return {tuple(row[:-1]): np.array(row[-1].split(), int) for row in rows}


def test_every_network_is_asked_every_question_in_every_design(tool, table):
    expected = {
        tuple(map(str, (*network, which, question, *design)))
        for network in tool.NETWORKS
        for which, *design in tool.designs()
        for question in tool.QUESTIONS
    }
    assert set(table) == expected
    assert {len(p_values) for p_values in table.values()} == {tool.N_EXPERIMENTS}


@pytest.mark.slow
def test_a_row_is_what_the_tool_makes_of_the_shipped_network(tool, table):
    need_mnist()
    network, design = ("trained", 1), ("until the decision", 50, 0.05, 30)
    found = tool.experiments(network, design, "label", tool.spikes_of(network))
    stored = table[tuple(map(str, (*network, design[0], "label", *design[1:])))]
    # Other processors round spike times otherwise, and a few bins may then hold other units.
    assert np.mean(np.abs(10_000 * np.array(found) - stored) < 500) > 0.8

"""Tables that take long: whole or as before, and an interrupted one goes on where it was."""

from __future__ import annotations

import pytest
import tables

COLUMNS = ("name", "value")


def key(row):
    return (row,)


def test_a_table_is_whole_or_what_it_was(tmp_path):
    path = tmp_path / "table.csv"
    tables.write(path, COLUMNS, [("a", 1), ("b", 2)])
    assert path.read_bytes() == b"name,value\na,1\nb,2\n"

    def broken():
        yield "c", 3
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        tables.write(path, COLUMNS, broken())
    assert path.read_bytes() == b"name,value\na,1\nb,2\n"


def test_an_interrupted_table_goes_on_and_ends_in_order(tmp_path):
    path, measured = tmp_path / "table.csv", []

    def measure(row):
        if row == "b" and not measured.count("b"):
            measured.append("b")
            raise KeyboardInterrupt
        measured.append(row)
        return [row.upper()]

    with pytest.raises(KeyboardInterrupt):
        tables.complete(path, COLUMNS, ["a", "b"], key, measure)
    assert path.read_text() == "name,value\na,A\n"
    tables.complete(path, COLUMNS, ["c", "b", "a"], key, measure)
    assert measured == ["a", "b", "c", "b"]
    assert path.read_text() == "name,value\nc,C\nb,B\na,A\n"


def test_rows_that_are_no_longer_wanted_go(tmp_path):
    path = tmp_path / "table.csv"
    tables.write(path, COLUMNS, [("old", "1"), ("a", "A")])
    tables.complete(path, COLUMNS, ["a"], key, lambda _: pytest.fail("it is there"))
    assert path.read_text() == "name,value\na,A\n"

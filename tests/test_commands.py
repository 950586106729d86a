"""What goes wrong in a command is one line, and the exit code says so."""

from __future__ import annotations

import commands
import pytest


def test_what_goes_well_says_nothing(capsys):
    assert commands.in_one_line(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the folder must be new"), "the folder must be new"),
        (OSError(13, "Permission denied", "out"), "[Errno 13] Permission denied: 'out'"),
        (
            ModuleNotFoundError("no", name="nbgrader"),
            "nbgrader is missing: pip install ttfslib[course]",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(capsys, error, said):
    def action():
        raise error

    assert commands.in_one_line(action) == 1
    assert capsys.readouterr() == ("", f"{said}\n")


def test_what_nobody_expected_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        commands.in_one_line(lambda: 1 / 0)

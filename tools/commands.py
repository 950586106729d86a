"""What the commands of the course share."""

from __future__ import annotations

import sys
from collections.abc import Callable


def in_one_line(action: Callable[[], object]) -> int:
    """Run what a command does; what goes wrong is told in one line. Returns the exit code."""
    try:
        action()
    except ModuleNotFoundError as error:
        print(f"{error.name} is missing: pip install ttfslib[course]", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
    else:
        return 0
    return 1

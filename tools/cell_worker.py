"""Run the cells of one submission, in a process of its own: a cell a line in, a result a line out.

`tools/cages.py` starts it inside a cage and sends each cell when the one before has run, so that
no hidden check is in this process before the answers are. What cells print goes nowhere.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from ttfslib import course

LONGEST = 400  # characters of a message
MEGABYTE = 2**20


def main() -> None:
    """Answer each source on standard input with a message (or null) and the memory so far.

    The arguments are megabytes of address space and of files.
    """
    limits = [(resource.RLIMIT_AS, sys.argv[1]), (resource.RLIMIT_FSIZE, sys.argv[2])]
    for kind, megabytes in [*limits, (resource.RLIMIT_CORE, "0")]:
        resource.setrlimit(kind, (int(megabytes) * MEGABYTE,) * 2)
    commands, results = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    scope: dict[str, Any] = {"__name__": "__main__"}
    for line in commands:
        message = course.run_cell(json.loads(line), scope)
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([message and message[:LONGEST], kilobytes]), file=results, flush=True)


if __name__ == "__main__":
    main()

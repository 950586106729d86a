"""Make `.venv` with the tested versions: `python3 tools/bootstrap.py`, the first step of all.

Any Python can read this file, down to 2.7: one that is too old has to say so by itself.
"""

import os
import re
import sys

TOOLS = os.path.dirname(os.path.abspath(__file__))


def wanted(project):
    """Return the oldest Python that the text of pyproject.toml accepts, as a tuple."""
    (found,) = re.findall(r'requires-python = ">=(\d+)\.(\d+)"', project)
    return tuple(int(number) for number in found)


def complaint(oldest):
    """Return the one line for a Python before `oldest`, or None."""
    if sys.version_info >= oldest:
        return None
    return (
        "First Spikes needs Python %d.%d or later; %s is Python %d.%d.%d. "
        "Name a later one: make PYTHON=python%d.%d"
    ) % (oldest + (sys.executable,) + tuple(sys.version_info[:3]) + oldest)


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(TOOLS), "pyproject.toml"), "rb") as file:
        text = file.read().decode("utf-8")
    refusal = complaint(wanted(text))
    if refusal:
        sys.exit(refusal)
    import environment

    sys.exit(environment.main())

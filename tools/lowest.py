"""Print the lowest version of each direct dependency that pyproject.toml accepts, as constraints.

After `python tools/lowest.py > lowest.txt`, pip takes them with `-c lowest.txt`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("test",)


def lowest(project: dict[str, Any]) -> list[str]:
    """Return `name==version` for the dependencies of the package and of its tests."""
    requirements = list(project["dependencies"])
    for group in GROUPS:
        requirements += project["optional-dependencies"][group]
    found = (re.fullmatch(r"([\w-]+)>=([\w.]+)(?:,.*)?", each) for each in requirements)
    return [f"{match[1]}=={match[2]}" for match in found if match]


if __name__ == "__main__":
    print("\n".join(lowest(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])))

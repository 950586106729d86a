"""Where the repository of the book lies, for what needs more than the package."""

from __future__ import annotations

from pathlib import Path

MARK = "_toc.yml"
"""The file by which a folder is known to be the book's."""


def checkout() -> Path:
    """Return the checkout that this package is installed from, or one around the working folder.

    Raises
    ------
    OSError
        If there is none.
    """
    here = Path.cwd()
    for root in (Path(__file__).parents[1], here, *here.parents):
        if (root / MARK).is_file():
            return root
    raise OSError(
        "the book First Spikes is not here: clone its repository, install ttfslib from it by "
        "`pip install -e .`, or run this inside the clone"
    )

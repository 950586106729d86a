"""The Chromium that draws and prints for the tools: one on the path, or playwright's own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright


def launch(playwright: Playwright) -> Browser:
    """Start it without a window.

    Raises
    ------
    playwright.sync_api.Error
        If there is none.
    """
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    flags = ["--no-sandbox", "--disable-dev-shm-usage"]
    return playwright.chromium.launch(executable_path=program, args=flags)

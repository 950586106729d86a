"""What several tests share: plots that open no window, one site for all site tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the book's pages, built from a clean copy with warnings as errors."""
    source = tmp_path_factory.mktemp("book")
    for name in ("chapters", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("_build", ".*"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, source)
    build = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tools'); "
        "import build_site; build_site.build(Path.cwd(), Path.cwd() / '_build')"
    )
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "WARNING" in line]
    assert done.returncode == 0, "the book does not build cleanly:\n" + "\n".join(
        said or [done.stderr[-2000:]]
    )
    return source / "_build" / "html"

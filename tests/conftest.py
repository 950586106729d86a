"""What several tests share: plots that open no window, a browser, one site for all site tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait must not stall the others
# Besides the tests that are marked themselves: those that need a site or a browser, and these
SLOW = (
    "test_runs_and_prints_what_it_stores",
    "test_runs_where_mnist_cannot_be_had",
    "test_in_the_simulator",
    "test_nbconvert_makes_a_page_that_works",
    "test_memory_grows_with_the_layers_and_not_with_their_product",
)
settings.register_profile("book", deadline=None)  # machines differ; no test is about time
settings.load_profile("book")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and keep the tests of one site in one process."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        name = getattr(item, "originalname", item.name)
        if name in SLOW or {"site", "browser"} & set(fixtures):
            item.add_marker("slow")
        if "site" in fixtures:
            item.add_marker(pytest.mark.xdist_group("site"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the book's pages, built from a clean copy with warnings as errors."""
    source = tmp_path_factory.mktemp("book")
    for name in ("chapters", "tools", "data", "tests", "ttfslib"):
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tiny_config() -> Any:
    """Settings of a training that takes a second and uses most of what a config can say."""
    from ttfslib import TrainingConfig

    return TrainingConfig(
        name="tiny",
        dataset="digits",
        hidden=(16, 12),
        excitatory_share=0.75,
        weight_mean=(0.15, 0.3, 0.4),
        weight_std=(0.5, 0.4, 0.6),
        n_validation=737,
        epochs=4,
        batch_size=50,
        learning_rate=0.01,
        input_noise=0.05,
        max_shift=1,
        kept_epochs=(2,),
    )


@pytest.fixture(scope="session")
def tiny_run(tiny_config: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The finished run of that training from seed 1; copy its folder before you spoil it."""
    from ttfslib import fit

    return fit(tiny_config, 1, tmp_path_factory.mktemp("runs") / "tiny-seed1", progress=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)

"""What several tests share: plots that open no window, a browser, one site for all site tests."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    # Nothing leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # The bar of addresses is a page of its own, which costs each window more than the page shown.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
]
BLANK = "about:blank"
PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>Page</title><body>{}</body></html>'
)

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait must not stall the others
# Besides the tests that are marked themselves: those that need a site or a browser, and these
SLOW = (
    "test_a_process_that_is_killed_twice_resumes_to_the_same_run",
    "test_ctrl_c_says_how_to_go_on_and_the_run_does",
    "test_of_two_trainings_at_once_one_makes_the_run_and_the_other_nothing",
    "test_compile_before_the_first_eager_call",
    "test_runs_and_prints_what_it_stores",
    "test_runs_where_mnist_cannot_be_had",
    "test_in_the_simulator",
    "test_nbconvert_makes_a_page_that_works",
    "test_memory_grows_with_the_layers_and_not_with_their_product",
)
settings.register_profile("book", deadline=None)  # machines differ; no test is about time
settings.load_profile("book")


@pytest.hookimpl(tryfirst=True)  # before xdist asks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, which begins, and keep a module's tests of the site in one process."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        name = getattr(item, "originalname", item.name)
        if name in SLOW or {"site", "browser"} & set(fixtures):
            item.add_marker("slow")
        if "site" in fixtures:  # what a module opens and finds on it is kept for its other tests
            item.add_marker(pytest.mark.xdist_group(f"site-{item.path.stem}"))
    # Nobody waits in the end for one long test.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as tests of pages wait a lot; eight may need 12 GB."""
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return min(len(usable) + 1, 8)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case of a long text by its beginning: names go from process to process."""
    return f"{val[:40]!r}..." if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the book's pages, built from a clean copy with warnings as errors.

    While you work on a test, BOOK_SITE may name a folder that is built already.
    """
    if "BOOK_SITE" in os.environ:
        return Path(os.environ["BOOK_SITE"]).resolve()
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the first that needs the site builds it for all
        shared = shared.parent
    source, built = shared / "book", shared / "book-is-built"
    with FileLock(shared / "book.lock"):
        if not built.exists():
            build_book(source)
            built.touch()
    return source / "_build" / "html"


def build_book(source: Path) -> None:
    """Build the site in a new folder, from nothing but what a page may need."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
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


@functools.cache
def zipped(path: Path) -> bytes:
    """What a web host sends of a text."""
    return gzip.compress(path.read_bytes(), 6)


class ZippedPages(http.server.SimpleHTTPRequestHandler):
    """Answers as a web host does: text is sent compressed, connections stay open."""

    protocol_version = "HTTP/1.1"
    texts = (".html", ".css", ".js", ".svg", ".ipynb")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send a file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        is_text = path.suffix in self.texts
        content = zipped(path) if is_text else path.read_bytes()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(content)))
        if is_text:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of a server on this machine that shows the site."""
    handler = functools.partial(ZippedPages, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def leave(page: Any) -> None:
    """Go to no page, so that what runs on the last one ends, with the mouse out of the way."""
    page.goto(BLANK)
    page.mouse.move(0, 0)


class Visit:
    """A page in the browser, and everything it complained about or asked for."""

    def __init__(self, browser: Any, address: str, stays: bool, **settings: Any) -> None:
        self.address, self.stays = address, stays
        self.troubles: list[str] = []
        self.context = browser.new_context(**settings)
        self.context.on("request", self._asked)
        self.page = self.context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", BLANK)):
            self.troubles.append(f"outside: {request.url}")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # as when the reader goes on to another page
            self.troubles.append(f"failed: {request.url}")

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")

    def open(self, path: str) -> Any:
        """Go to a page of the site."""
        self.page.goto(f"{self.address}/{path}", wait_until="load")
        return self.page

    def __enter__(self) -> Visit:
        self.troubles.clear()
        return self

    def __exit__(self, *_: object) -> None:
        if self.stays:
            leave(self.page)
        else:
            self.context.close()


@pytest.fixture(scope="module")
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """A function that opens the browser on the site: on a desk, unless told otherwise.

    To open a window takes longer than to open a page in it, so the tests of a module share one for
    each kind of settings. Who changes the window itself asks for one that is `fresh`.
    """
    opened: dict[str, Visit] = {}

    def start(base: str = address, *, fresh: bool = False, **settings: Any) -> Visit:
        settings = {"viewport": {"width": 1280, "height": 900}, **settings}
        kind = repr((base, sorted(settings.items())))
        if fresh:
            return Visit(browser, base, stays=False, **settings)
        if kind not in opened:
            opened[kind] = Visit(browser, base, stays=True, **settings)
        return opened[kind]

    yield start
    for each in opened.values():
        each.context.close()


class Window:
    """A page without network, and what it asked for or complained of."""

    def __init__(self, browser: Any, init: str | None, options: dict[str, Any]) -> None:
        self.troubles: list[str] = []
        self.page = browser.new_context(offline=True, **options).new_page()
        self.page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        self.page.on("console", lambda message: self.troubles.append(f"console: {message.text}"))
        self.page.on("request", self._asked)
        if init:
            self.page.add_init_script(init)

    def _asked(self, request: Any) -> None:
        if request.url.startswith("http"):
            self.troubles.append(request.url)


@pytest.fixture(scope="module")
def windows(browser: Any) -> Iterator[Callable[..., Window]]:
    """The windows of a module, one for each kind: to open one takes longer than a test."""
    opened: dict[str, Window] = {}

    def window(init: str | None, options: dict[str, Any]) -> Window:
        kind = repr((init, sorted(options.items())))
        if kind not in opened:
            opened[kind] = Window(browser, init, options)
        return opened[kind]

    yield window
    for each in opened.values():
        each.page.context.close()


@pytest.fixture
def show(windows: Callable[..., Window], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open HTML in a browser without network; what it asks for or complains of is a failure."""
    used: list[Window] = []

    def open_page(content: str, init: str | None = None, **options: Any) -> Any:
        path = tmp_path / "page.html"
        path.write_text(content if "<!DOCTYPE" in content else PAGE.format(content), "utf-8")
        used.append(windows(init, options))
        used[-1].page.goto(path.as_uri())
        return used[-1].page

    yield open_page
    for window in used:
        leave(window.page)
        window.page.emulate_media(media="null")  # where a test has printed
    troubles = [trouble for window in used for trouble in window.troubles]
    for window in used:
        window.troubles.clear()
    assert troubles == []


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
        deformation=0.3,
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

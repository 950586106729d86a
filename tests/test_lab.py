"""JupyterLab as `make lab` starts it: a chapter shows its figures, and its sliders are alive."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "chapters" / "ch01_one_neuron.ipynb"
PATIENCE_S = 180
FRAMES = """
from ttfslib.explore import interactive_figure

def bar(level):
    figure, axes = plt.subplots()
    axes.bar(0, level)
    return figure

interactive_figure(bar, level=[1, 2, 3], alt="A bar.")
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.xdist_group("lab"),
    pytest.mark.skipif(
        os.name == "nt" or shutil.which("make") is None, reason="no make on this machine"
    ),
]


def code_cells():
    return [c for c in nbformat.read(CHAPTER, as_version=4).cells if c.cell_type == "code"]


def text_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def up_to(wanted):
    """Return the chapter's code cells up to the first with an output that is `wanted`."""
    cells = code_cells()
    last = next(n for n, cell in enumerate(cells) if any(map(wanted, cell.outputs)))
    return cells[: last + 1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address and token of a server; the shell that started it draws into files."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    shutil.copy(CHAPTER, folder)
    sliders = nbformat.v4.new_notebook(
        metadata=nbformat.read(CHAPTER, as_version=4).metadata,
        cells=[
            nbformat.v4.new_code_cell(cell.source)
            for cell in up_to(
                lambda output: "ttfs-interactive ttfs-live" in str(output.get("data", ""))
            )
        ]
        + [nbformat.v4.new_code_cell(FRAMES)],
    )
    nbformat.write(sliders, folder / "sliders.ipynb")
    options = "--no-browser --ServerApp.port=0 --LabApp.expose_app_in_browser=True"
    variables = {"PY": sys.executable, "FOLDER": folder, "LAB": options}
    places = {
        f"{name}_DIR": str(home / name)
        for name in ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME", "IPYTHON")
    }
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [
                *("make", "--assume-old=environment", "lab"),
                *(f"{name}={value}" for name, value in variables.items()),
            ],
            cwd=ROOT,
            env={**os.environ, **places, "MPLBACKEND": "agg"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield wait_for_server(Path(places["JUPYTER_RUNTIME_DIR"]), server, home / "log")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait_for_server(runtime, server, log):
    """Return the address and the token once the server answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        for file in runtime.glob("jpserver-*.json"):
            try:
                said = json.loads(file.read_text(encoding="utf-8"))
                ask(said["url"], said["token"], "api/status")
            except (ValueError, OSError):
                continue
            return said["url"], said["token"]
        time.sleep(0.3)
    raise TimeoutError(log.read_text(encoding="utf-8")[-2000:])


def ask(address, token, path, **content):
    """Ask the server's REST interface; `content` is posted."""
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    body = json.dumps(content).encode() if content else None
    request = urllib.request.Request(address + path, body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def run(address, token, kernel, sources):
    """Run `sources` in a kernel; return what each displayed, by type."""
    import websocket

    socket = websocket.create_connection(
        f"ws{address.removeprefix('http')}api/kernels/{kernel}/channels?token={token}",
        timeout=PATIENCE_S,
    )
    shown = []
    for source in sources:
        name = uuid.uuid4().hex
        header = {"msg_id": name, "msg_type": "execute_request", "session": name}
        header |= {"username": "reader", "version": "5.3"}
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        socket.send(json.dumps({**message, "channel": "shell", "buffers": []}))
        types = set()
        while True:
            said = json.loads(socket.recv())
            if said["parent_header"].get("msg_id") != name:
                continue
            assert said["msg_type"] != "error", said["content"]
            types |= set(said["content"].get("data", {}))
            if said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
                break
        shown.append(types)
    socket.close()
    return shown


def test_jupyterlab_knows_every_directive_of_the_chapters():
    """One that it does not know is a red bar in the notebook, its text folded away."""
    pattern = "share/jupyter/labextensions/jupyterlab-myst/static/*.js"
    program = "".join(file.read_text(encoding="utf-8") for file in Path(sys.prefix).glob(pattern))
    known = set(re.findall(r'\{name:"([\w-]+)"', program))
    for names in re.findall(r'alias:\[((?:"[\w-]+",?)+)\]', program):
        known |= set(re.findall(r"[\w-]+", names))
    used = {
        name
        for path in CHAPTER.parent.glob("*.ipynb")
        for name in re.findall(r"^ *`{3,}\{([\w-]+)\}", text_of(path), re.MULTILINE)
    }
    assert {"admonition", "exercise"} <= used <= known


def test_the_first_figure_of_a_chapter_appears(lab):
    address, token = lab
    cells = up_to(lambda output: {"image/png", "image/svg+xml"} & set(output.get("data", {})))
    kernel = ask(address, token, "api/kernels", name="python3")
    shown = run(address, token, kernel["id"], [cell.source for cell in cells])
    assert "image/png" in shown[-1]
    assert all("image/png" not in types for types in shown[:-1])


def test_a_terminal_knows_the_commands_of_the_environment(lab):
    """Even where the server was started without a terminal, as in a container."""
    import websocket

    address, token = lab
    name = ask(address, token, "api/terminals", cwd="")["name"]
    socket = websocket.create_connection(
        f"ws{address.removeprefix('http')}terminals/websocket/{name}?token={token}",
        timeout=PATIENCE_S,
    )
    socket.send(json.dumps(["stdin", "echo at $(command -v ttfs) end\r"]))
    said = ""
    while not (found := re.search(r"at (\S*) ?end", said)):
        kind, *words = json.loads(socket.recv())
        said += "".join(words) if kind == "stdout" else ""
    socket.close()
    assert found[1] == str(Path(sys.executable).with_name("ttfs"))


@pytest.fixture(scope="module")
def notebook(lab, browser):
    """A notebook in JupyterLab, all cells of which have been run."""
    address, token = lab
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(f"{address}lab/tree/sliders.ipynb?token={token}")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady")
    page.wait_for_function(
        "() => { const session = window.jupyterapp.shell.currentWidget.sessionContext;"
        " return session.isReady && session.session?.kernel?.status === 'idle' }"
    )
    page.evaluate("() => window.jupyterapp.restored.then(() => null)")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".widget-html img").wait_for()
    yield page
    page.close()


def test_a_slider_in_the_notebook_draws_the_figure_anew(notebook):
    picture = notebook.locator(".widget-html img")
    before = picture.get_attribute("src")
    notebook.locator(".widget-slider .noUi-handle").press("ArrowRight")
    moved = "before => document.querySelector('.widget-html img').src !== before"
    notebook.wait_for_function(moved, arg=before)


def test_a_live_figure_in_the_notebook_computes(notebook):
    root = notebook.locator(".ttfs-live[data-state=ready]")
    said = "root => root.querySelector('svg [role=img]').getAttribute('aria-label')"
    before = root.evaluate(said)
    root.locator("input").press("ArrowLeft")  # it begins at its right end
    moved = f"before => ({said})(document.querySelector('.ttfs-live')) !== before"
    notebook.wait_for_function(moved, arg=before)
    assert notebook.evaluate("document.activeElement.name") == "w", "the arrow keys stay its own"

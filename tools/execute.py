"""Run chapters top to bottom, in place, and store them so that a second run changes nothing.

    python tools/execute.py                     # every chapter
    python tools/execute.py chapters/NAME.ipynb # one
    python tools/execute.py --keep ...          # normalise only, do not run

A stored chapter holds what a reader and the site need: sources, outputs, the cells' own metadata.
Execution times, widget views and random cell ids would change with each run, so they are dropped.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from ttfslib.explore import _frames

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
CELL_TIMEOUT_S = 300
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
# Figures come as SVG and as PNG for dense screens, without a ground; `normalise` keeps one of them.
PREPARATION = """
import matplotlib as _mpl
from matplotlib_inline.backend_inline import set_matplotlib_formats as _set
_mpl.rcParams["svg.hashsalt"] = "ttfslib"
_set("svg", "retina", facecolor="none", metadata={})
del _mpl, _set
"""
BYTES_PER_SVG = 150_000
PNG_COLORS = 256
SVG, PNG = "image/svg+xml", "image/png"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# What JupyterLab leaves in a cell and what says something about the chapter
KEPT_CELL_METADATA = {"mystnb", "tags"}


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell of `notebook` in `folder`; a failing cell raises CellExecutionError."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name=KERNEL["name"],
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        assert client.kc is not None
        prepare = run_sync(client.kc.execute_interactive)  # type: ignore[attr-defined]
        prepare(PREPARATION, store_history=False, output_hook=lambda _: None)
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)


def normalise(notebook: NotebookNode) -> None:
    """Drop, in place, whatever changes from run to run."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken: set[str] = set()
    executed = 0
    for cell in notebook.cells:
        cell.id = _cell_id(cell, taken)
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA}
        cell.pop("attachments", None)
        if cell.cell_type != "code":
            continue
        executed += 1
        cell.execution_count = executed
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = executed
            if "data" in output:
                _normalise_bundle(output)
                _say_size_and_ground(output)
        cell.outputs = _merge_streams(_without_stderr(cell.outputs))


def _cell_id(cell: NotebookNode, taken: set[str]) -> str:
    """Return an id that depends on the text of the cell alone (and on how often it occurs)."""
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
    name, copy = digest, 1
    while name in taken:
        copy += 1
        name = f"{digest}-{copy}"
    taken.add(name)
    return name


def _normalise_bundle(output: NotebookNode) -> None:
    """Keep the picture or the page's HTML, not the view of a widget that no kernel backs."""
    data = output.data
    if data.pop(WIDGET_VIEW, None) is not None and "text/html" not in data:
        data["text/html"] = ""
    if "text/html" in data and "ttfs-interactive" in data["text/html"]:
        data["text/plain"] = "An interactive figure"
    _keep_one_picture(data)
    # The address in "<Figure size ... at 0x7f...>" differs in each run.
    if any(kind in data for kind in (PNG, SVG)):
        data["text/plain"] = "A figure"


def _keep_one_picture(data: NotebookNode) -> None:
    """Keep the SVG where it is light, else a PNG of few colors: both the same in every run."""
    if SVG in data:
        data[SVG] = _frames.clean(data[SVG])
        if PNG in data:
            del data[PNG if len(data[SVG].encode()) <= BYTES_PER_SVG else SVG]
    if PNG in data:
        data[PNG] = _with_few_colors(data[PNG])


def _say_size_and_ground(output: NotebookNode) -> None:
    """Tell JupyterLab how large a dense picture is, and that dark ink needs a light ground."""
    said = {kind: output.metadata.pop(kind, {}) for kind in (SVG, PNG)}
    if SVG in output.data:
        output.metadata[SVG] = {"needs_background": "light"}
    elif PNG in output.data:
        output.metadata[PNG] = said[PNG] | {"needs_background": "light"}


def _with_few_colors(png: str) -> str:
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        if image.mode == "P":
            return png
        few = image.quantize(PNG_COLORS, method=Image.Quantize.FASTOCTREE)
        buffer = io.BytesIO()
        few.save(buffer, "png", optimize=True, dpi=image.info.get("dpi"))
    return base64.b64encode(buffer.getvalue()).decode()


def _without_stderr(outputs: list[NotebookNode]) -> list[NotebookNode]:
    return [o for o in outputs if not (o.output_type == "stream" and o.name == "stderr")]


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join what was printed in one go: a slow machine sends it in several pieces."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].output_type == "stream":
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def store(notebook: NotebookNode, path: Path) -> None:
    """Write to a temporary file beside `path`, then rename."""
    nbformat.validate(notebook)
    draft = path.with_suffix(".ipynb.tmp")
    draft.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    draft.replace(path)


def main() -> int:
    """Execute and store the chapters named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--keep", action="store_true", help="keep the outputs: normalise only")
    arguments = parser.parse_args()
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for path in arguments.chapters or sorted(CHAPTERS.glob("*.ipynb")):
        started = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            if not arguments.keep:
                execute(notebook, path.resolve().parent)
        except CellExecutionError as error:
            print(f"{path}: a cell failed, nothing was written\n{error}", file=sys.stderr)
            return 1
        normalise(notebook)
        store(notebook, path)
        print(f"{path}: {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

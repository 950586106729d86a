"""Build the site from nothing, with every warning an error, and say which file to open."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]


WITHOUT = ROOT / "_build" / "without-solutions"
NOT_COPIED = ".*", "_build", "__pycache__", "benchmarks"
BORDER = re.compile(r"^`{3,}\{solution-(start|end)\}[^`]*^`{3,}$", re.MULTILINE)

REDIRECT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{title}</title>
<meta name="description" content="{title}: an executable textbook" />
<meta http-equiv="refresh" content="0; url={page}" />
<link rel="canonical" href="{page}" />
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""


def build(source: Path, output: Path) -> Path:
    """Build the book in `source` into `output`; return the page to open.

    Raises
    ------
    subprocess.CalledProcessError
        If the build fails or warns.
    """
    shutil.rmtree(output, ignore_errors=True)
    command = [
        *(str(Path(sys.executable).with_name("jupyter-book")), "build", str(source)),
        *("--path-output", str(output.parent), "-W", "-n", "--keep-going"),
    ]
    subprocess.run(command, check=True, cwd=source)
    index = output / "html" / "index.html"
    config = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8"))
    contents = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    page = f"{contents['root']}.html"
    index.write_text(REDIRECT.format(title=config["title"], page=page), encoding="utf-8")
    return index


def drop_solutions(notebook: NotebookNode) -> None:
    """Take out all cells from each `solution-start` to its `solution-end`.

    What follows the end in its cell, the next exercise for example, stays.

    Raises
    ------
    ValueError
        If a solution does not begin or end.
    """
    kept, within = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            kept += [] if within else [cell]
            continue
        text, *rest = BORDER.split(cell.source)
        remains = "" if within else text
        for border, text in zip(rest[::2], rest[1::2], strict=True):
            if within == (border == "start"):
                raise ValueError(f"a solution's {border} is out of place, before {text[:60]!r}")
            within = border == "start"
            remains += "" if within else text
        if remains.strip():
            cell.source = remains.strip("\n")
            kept.append(cell)
    if within:
        raise ValueError("the last solution does not end")
    notebook.cells = kept


def build_without_solutions(source: Path, output: Path) -> Path:
    """Build the book for a class: pages and downloads without the solutions of the exercises.

    Raises
    ------
    subprocess.CalledProcessError
        If the build fails or warns.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "book"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for path in sorted((copy / "chapters").glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            drop_solutions(notebook)
            nbformat.write(notebook, path)
        page = build(copy, copy / "_build")
        shutil.rmtree(output, ignore_errors=True)
        shutil.move(page.parent, output)
    return output / page.name


def main() -> int:
    """Build the book of this repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--without-solutions", action="store_true", help="for a class: leave the solutions out"
    )
    options = parser.parse_args()
    try:
        if options.without_solutions:
            page = build_without_solutions(ROOT, WITHOUT)
        else:
            page = build(ROOT, ROOT / "_build")
    except subprocess.CalledProcessError as error:
        print(f"The book did not build cleanly (exit code {error.returncode}).", file=sys.stderr)
        return 1
    print(f"\nThe book is built. Open {page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Build the site from nothing, with every warning an error, and say which file to open."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


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


def main() -> int:
    """Build the book of this repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    try:
        page = build(ROOT, ROOT / "_build")
    except subprocess.CalledProcessError as error:
        print(f"The book did not build cleanly (exit code {error.returncode}).", file=sys.stderr)
        return 1
    print(f"\nThe book is built. Open {page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

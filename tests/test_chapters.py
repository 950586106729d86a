"""Every chapter runs as stored, and is built the way a reader may expect of all chapters."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import matplotlib
import nbformat
import pytest
from mnist import need_mnist
from notebooks import complaints

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PICTURES = ("image/png", "image/svg+xml", "image/jpeg")
LINES_PER_CELL = 20
BYTES_PER_CHAPTER = 2_500_000
# Chapters are run side by side, so each has one thread; what they show does not depend on it.
KERNEL = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    **dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
}

# Of what a chapter repeats, a run on other digits does less: fewer networks, images and steps, and
# of a figure with sliders the first picture, the one shown and the last, each once.
LESS_TO_DRAW = """
from ttfslib.explore.figure import InteractiveFigure as _Figure
def _ends(figure, of_all=_Figure._grid):
    every = list(of_all(figure))
    return iter(sorted({every[0], figure._start, every[-1]}))
_Figure._grid = _ends
del _ends, _Figure
"""
# Texts that the chapter holds once, and what takes their place.
LESS = {
    "ch05_deep_network": {
        "steps=120": "steps=20",
        "no_help = replace(": (
            "config = replace(config, epochs=2, kept_epochs=()); no_help = replace("
        ),
    },
    "ch06_synchronization": {
        '("mnist-dale", "mnist-free"))': (
            '("mnist-dale", "mnist-free"))\ndale = {seed: dale[seed] for seed in (1, 2)}'
        ),
    },
    "ch07_semantization": {
        'init="pca"': 'init="pca", max_iter=250',
        "np.logspace(1, 4, 7)": "np.logspace(1, 4, 2)",
        'shipped_seeds(f"mnist-{name}").values())': 'shipped_seeds(f"mnist-{name}").values())[:2]',
    },
    "ch08_pathways": {
        "for seed in (1, 2, 3)]": "for seed in (1, 2)]",
        "N_IMAGES, SIZE = 800,": "N_IMAGES, SIZE = 240,",
        "for _ in range(3)]": "for _ in range(2)]",
    },
    "ch10_cortex": {
        "for _ in range(200)]": "for _ in range(20)]",
        "for k in range(60)]": "for k in range(10)]",
    },
}


@cache
def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


def glued_in(path):
    """Name and text of everything that a chapter glues, in order."""
    return [
        (
            output.metadata["scrapbook"]["name"],
            next((v for k, v in output.data.items() if k.endswith("text/plain")), ""),
        )
        for output in outputs(path)
        if "scrapbook" in output.get("metadata", {})
    ]


def told_in(path):
    """Names of the glued numbers that its text and its captions tell."""
    captions = [mystnb(cell, "figure").get("caption", "") for cell in code_cells(path)]
    return set(re.findall(r"\{glue:text\}`([\w-]+)", "\n".join([prose(path), *captions])))


def html_of(output):
    return output.get("data", {}).get("text/html", "")


def shows_picture(cell):
    return any(kind in output.get("data", {}) for output in cell.outputs for kind in PICTURES)


def is_interactive(cell):
    return any("ttfs-interactive" in html_of(output) for output in cell.outputs)


def mystnb(cell, part):
    return cell.metadata.get("mystnb", {}).get(part, {})


def first_line(cell):
    return cell.source.splitlines()[0]


each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def test_the_book_has_chapters():
    assert len(CHAPTERS) >= 4


def test_every_chapter_is_in_the_contents():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert [path.stem for path in CHAPTERS if f"chapters/{path.stem}\n" not in contents] == []


@each_chapter
def test_runs_and_prints_what_it_stores(path):
    """Solutions are ordinary cells, so they are run here as well."""
    if uses_mnist(path):
        need_mnist()
    assert complaints(path, **KERNEL) == ""


def uses_mnist(path):
    """Whether a chapter shows networks that were trained on MNIST."""
    return any("mnist-" in cell.source for cell in code_cells(path))


def test_some_chapters_use_mnist():
    assert 0 < len(list(filter(uses_mnist, CHAPTERS))) < len(CHAPTERS)


@pytest.mark.parametrize("path", list(filter(uses_mnist, CHAPTERS)), ids=lambda path: path.stem)
def test_runs_where_mnist_cannot_be_had(path, tmp_path, monkeypatch):
    """Nothing is on the machine, and nobody answers: other digits stand in, and a warning tells.

    What builds the pages is not there either, as where a chapter is run that came alone.
    """
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import execute

    monkeypatch.setattr(execute, "PREPARATION", "")
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_cachedir())  # with the list of fonts
    (tmp_path / "myst_nb.py").write_text("raise ModuleNotFoundError\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    for variable in ("TTFSLIB_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    for variable, value in KERNEL.items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.read(path, as_version=4)
    for text, instead in LESS.get(path.stem, {}).items():
        replace_once(notebook, text, instead)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(LESS_TO_DRAW))
    execute.execute(notebook, path.parent)
    said = [
        o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"
    ]
    assert sum("scikit-learn's digits, enlarged, stand in" in text for text in said) == 1


def replace_once(notebook, text, instead):
    """Put something else in the place of a text that must be in one cell, once."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source]
    assert [cell.source.count(text) for cell in cells] == [1], f"{text!r} is not there once"
    cells[0].source = cells[0].source.replace(text, instead)


@each_chapter
def test_begins_with_a_title_and_its_goals(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source), "the first line is not a title"
    assert re.search(r"\{admonition\}.*\n:class: goals\b", first.source), "no box with class goals"
    assert len(re.findall(r"^# ", prose_without_code(path), flags=re.MULTILINE)) == 1


@each_chapter
def test_ends_with_exercises_and_further_reading(path):
    headings = re.findall(r"^## (.+)$", prose_without_code(path), flags=re.MULTILINE)
    assert headings[-2:] == ["Exercises", "Further reading"]


def prose_without_code(path):
    return re.sub(
        r"^(```+)(?:python|bash|text).*?^\1", "", prose(path), flags=re.DOTALL | re.MULTILINE
    )


@each_chapter
def test_stores_outputs_without_errors(path):
    assert outputs(path), "no stored outputs: run `make execute`"
    assert [o.ename for o in outputs(path) if o.output_type == "error"] == []
    assert all(cell.execution_count for cell in code_cells(path) if cell.source.strip())


@each_chapter
def test_cells_are_short(path):
    """Lines that say something; the bar for what a reader would type is 15."""
    lines = {
        first_line(cell): sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(path)
        if cell.source.strip()
    }
    assert {cell: n for cell, n in lines.items() if n > LINES_PER_CELL} == {}


@each_chapter
def test_every_picture_has_alt_text_and_a_caption(path):
    pictures = [cell for cell in code_cells(path) if shows_picture(cell)]
    assert [first_line(c) for c in pictures if len(mystnb(c, "image").get("alt", "")) < 20] == []
    shown = [c for c in code_cells(path) if shows_picture(c) or is_interactive(c)]
    assert [first_line(c) for c in shown if len(mystnb(c, "figure").get("caption", "")) < 20] == []
    assert [first_line(c) for c in shown if not mystnb(c, "figure").get("name")] == []


@each_chapter
def test_exercises_have_folded_solutions(path):
    text = prose(path)
    exercises = set(re.findall(r"\{exercise(?:-start)?\}[^\n]*\n:label: *(\S+)", text))
    solutions = re.findall(r"\{solution(?:-start)?\} *(\S+)\n((?::.*\n)*)", text)
    assert len(exercises) >= 2, "fewer than two exercises"
    assert {target for target, _ in solutions} == exercises
    assert [target for target, options in solutions if "dropdown" not in options] == []


@each_chapter
def test_one_solution_is_code_that_runs(path):
    inside, solved = False, 0
    for cell in read(path).cells:
        if cell.cell_type == "code":
            solved += inside and bool(cell.source.strip())
        elif "{solution-start}" in cell.source:
            inside = True
        elif "{solution-end}" in cell.source:
            inside = False
    assert not inside, "a solution does not end"
    assert solved, "no solution holds a code cell"


@each_chapter
def test_has_a_figure_to_touch(path):
    assert any(is_interactive(cell) for cell in code_cells(path))


@each_chapter
def test_has_checked_output(path):
    checked = [c for c in code_cells(path) if "nbval-check-output" in c.metadata.get("tags", [])]
    assert checked, "no cell is tagged nbval-check-output"
    assert [first_line(c) for c in checked if not c.outputs] == []
    assert [first_line(c) for c in checked if shows_picture(c)] == []


@each_chapter
def test_glued_numbers_are_plain(path):
    glued, told = dict(glued_in(path)), told_in(path)
    assert told <= set(glued), f"never glued: {told - set(glued)}"
    assert told >= set(glued), f"never told: {set(glued) - told}"
    assert {name: said for name, said in glued.items() if "np." in said} == {}


@each_chapter
def test_each_number_is_glued_once(path):
    keys = [name for name, _ in glued_in(path)]
    assert [key for key in set(keys) if keys.count(key) > 1] == []


@each_chapter
def test_is_stored_in_the_form_that_make_execute_writes(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import execute

    notebook = nbformat.read(path, as_version=4)
    execute.normalise(notebook)
    stored = path.read_text(encoding="utf-8")
    assert nbformat.writes(notebook) + "\n" == stored, "run `make execute` on this chapter"
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info.name == "python"


@each_chapter
def test_tells_nothing_of_the_machine_it_ran_on(path):
    text = re.sub(r"[A-Za-z0-9+/=]{200,}|\\n", " ", path.read_text(encoding="utf-8"))
    assert re.findall(r"/(?:root|home|work|tmp|Users|opt)/\w[^\s\"']*", text) == []
    assert re.findall(r"site-packages|localhost|127\.0\.0\.1|0x[0-9a-f]{8,}", text) == []


@each_chapter
def test_is_light(path):
    assert path.stat().st_size <= BYTES_PER_CHAPTER


def test_labels_are_unique_over_the_book():
    pattern = r"\$\$ *\((eq-[\w-]+)\)|:label: *(\S+)|^\(([\w-]+)\)="
    labels = [
        next(filter(None, found))
        for path in CHAPTERS
        for found in re.findall(pattern, prose(path), flags=re.MULTILINE)
    ]
    labels += [
        mystnb(c, "figure")["name"]
        for path in CHAPTERS
        for c in code_cells(path)
        if mystnb(c, "figure").get("name")
    ]
    assert sorted({label for label in labels if labels.count(label) > 1}) == []

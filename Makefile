# First Spikes: `make help` lists what can be made.
#
# The one interpreter that is called is the one in .venv, by its path and never by a search, so that
# nothing is installed elsewhere; the path is relative, because a folder's name may hold anything.
.PHONY: book class course slides pdf check test quick lint style lab execute reproduce links environment clean help
.DEFAULT_GOAL := book

PYTHON ?= $(if $(filter Windows_NT,$(OS)),python,python3)
PY := .venv/$(if $(filter Windows_NT,$(OS)),Scripts/python.exe,bin/python)
# The folder that JupyterLab shows; this one and the next three come from the command line alone,
# since shells have variables of such names for other things
FOLDER = chapters
LAB =
CHAPTER =
NAME =
# How many tests run at a time: as many as tests/conftest.py finds good for the machine, unless the
# shell says a number.
JOBS := ${shell case "$$JOBS" in ""|*[!0-9]*) echo auto;; *) echo "$$JOBS";; esac}
# The terminals of JupyterLab know the commands of .venv, such as ttfs: they are no login shells,
# which would set PATH anew
WITH_COMMANDS = PATH="$$(cd "$$(dirname "$(PY)")" && pwd):$$PATH"
TERMINALS = $(if $(filter Windows_NT,$(OS)),,--ServerApp.terminado_settings="{'shell_command': ['$${SHELL:-sh}']}")

export PIP_REQUIRE_VIRTUALENV := 1
export OMP_WAIT_POLICY ?= PASSIVE
export JUPYTER_PLATFORM_DIRS := 1
# The kernel of .venv, not one of the same name that the reader has elsewhere
export JUPYTER_PREFER_ENV_PATH := 1
# Many processes use the package; each would compile its files anew.
unexport PYTHONDONTWRITEBYTECODE
# A kernel that is told a backend shows no figures; what draws into files chooses for itself.
unexport MPLBACKEND

help:                     ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-20s%s\n", $$1, $$2 }'

environment:              ## install the tested versions into .venv (PYTHON=... names a Python)
	@"$(PY)" tools/environment.py --check 2>/dev/null || "$(PYTHON)" tools/bootstrap.py

book: environment         ## build the site from a clean _build, warnings are errors
	"$(PY)" tools/build_site.py

slides: book              ## write a deck for each chapter, and all figures as files
	"$(PY)" tools/slides.py

course: slides            ## write a bundle for students and one for instructors
	"$(PY)" tools/bundles.py --slides _build/slides

class: environment        ## build the site for a class: without the solutions of the exercises
	"$(PY)" tools/build_site.py --without-solutions

pdf: environment          ## build the book as one PDF
	"$(PY)" tools/make_pdf.py

lab: environment          ## open the chapters in JupyterLab (LAB=... adds options of its own)
	$(WITH_COMMANDS) "$(PY)" -m jupyterlab --allow-root --ServerApp.root_dir="$(FOLDER)" $(TERMINALS) $(LAB)

check: lint quick         ## style, types and the quick tests: two minutes

quick: environment        ## the quick tests alone
	"$(PY)" -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test: environment style   ## every check: style, types, package, chapters, site
	"$(PY)" -m pytest -n $(JOBS) --dist loadgroup

lint: style               ## style and types alone
	"$(PY)" -m mypy

style: environment        ## style alone
	"$(PY)" -m ruff check
	"$(PY)" -m ruff format --check

execute: environment      ## run every chapter and store it, or CHAPTER=chapters/NAME.ipynb
	"$(PY)" tools/execute.py $(CHAPTER)
	"$(PY)" tools/readme_picture.py

reproduce: environment    ## remake what fits into an hour and compare it, or NAME="ROW ..."
	"$(PY)" tools/reproduce.py $(NAME)

links: environment        ## write the address of the repository wherever it is named
	"$(PY)" tools/links.py

clean:                    ## remove what was built; the environment stays
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis

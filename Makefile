# First Spikes: `make book` builds the site, `make test` runs every check, `make lab` opens the notebooks.
.PHONY: book test lint lab execute clean
.DEFAULT_GOAL := book

VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
export PATH := $(VENV)/bin:$(PATH)
export MPLBACKEND ?= agg
export OMP_WAIT_POLICY ?= PASSIVE
export JUPYTER_PLATFORM_DIRS := 1

$(READY): requirements.txt pyproject.toml
	test -x $(VENV)/bin/python || python3 -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

book: $(READY)            ## build the site from a clean _build, warnings are errors
	python tools/build_site.py

test: $(READY) lint       ## every check: style, types, package, chapters, site
	python -m pytest

lint: $(READY)
	ruff check
	ruff format --check
	mypy

lab: $(READY)             ## JupyterLab, with the book's directives rendered
	cd chapters && jupyter lab

execute: $(READY)         ## re-execute every chapter in place, or CHAPTER=chapters/NAME.ipynb
	python tools/execute.py $(CHAPTER)
	python tools/readme_picture.py

clean:                    ## remove what was built; the environment stays
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis

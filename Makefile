# Every target prints what it runs. GNU make 3.81 (macOS) is enough.
#   make demo PYTHON=python3.12                     another interpreter
#   make demo PIP_ARGS="--extra-index-url URL"      more arguments for pip, such as an index of CPU builds of torch
#   make test PYTEST_ARGS="-k features"             more arguments for pytest
PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
# `make clean` removes these two, so they are not taken from the environment.
VENV = .venv
OUT = report
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt

help:  ## this list (the default)
	grep -E '^[a-z]+:.*  ## ' Makefile

demo: $(VENV)/.installed  ## the whole pipeline on packaged data; prints where the report is
	$(BIN)/mdnb demo --out $(OUT)

test: $(VENV)/.installed-test  ## the test suite; browser tests too where Chromium is there or can be installed
	MDNB_CHROMIUM="$$(.ci/chromium)" $(BIN)/python -m pytest $(PYTEST_ARGS)

lab: $(VENV)/.installed  ## JupyterLab on the notebooks
	$(BIN)/mdnb lab

dev: $(VENV)/.installed-dev  ## the tools of developers, into the same environment

lint: $(VENV)/.installed-dev  ## ruff, mypy and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy mdnb
	$(BIN)/lint-imports

clean:  ## remove the environment, the report and the caches
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find mdnb tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.version_info < (3, 11) and sys.exit('mdnb needs Python 3.11 or newer, but $(PYTHON) is ' + sys.version.split()[0] + '; name another one: make PYTHON=python3.12')"
	$(PYTHON) -c "import ensurepip, venv" || $(GET_VENV)
	$(PYTHON) -m venv $(VENV)

# Debian and Ubuntu keep venv in a package of its own.
GET_VENV = { test "$$(id -u)" = 0 && apt-get update && apt-get install -y python3-venv; } \
	|| { echo "Python's venv is missing; on Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }

# Installed in place, so that a change of the code needs no second installation; a change of these two files does.
REQUIREMENTS := pyproject.toml constraints.txt

$(VENV)/.installed: $(REQUIREMENTS) | $(BIN)/python
	$(INSTALL) -e .
	touch $@

$(VENV)/.installed-test: $(REQUIREMENTS) | $(BIN)/python
	$(INSTALL) -e '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(REQUIREMENTS) | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

.PHONY: help demo test lab dev lint clean

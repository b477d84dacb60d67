# Every target first makes what it needs: Python 3.11 or later, make and a C++ compiler are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# A stamp a set of packages, newer than pyproject.toml while it is up to date.
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs

.PHONY: help demo test test-all lint types bench docs clean distclean

help:
	@echo "make demo       train on the embedded digits, run in Brian2, compare, write a report"
	@echo "make test       lint, types and tests"
	@echo "make test-all   the same with the slow tests"
	@echo "make lint       ruff alone"
	@echo "make types      mypy alone"
	@echo "make bench      the benchmarks"
	@echo "make docs       the documentation, into site/"
	@echo "make clean      remove what was built (make distclean: $(VENV) too)"
	@echo "Another Python than $(PYTHON): make demo PYTHON=python3.12"

demo: $(BASE)
	$(BIN)/bioae demo --out bioae-demo --overwrite

# A thread each: two processes already keep two cores busy.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test: lint types
	$(PYTEST) -m "not slow"

test-all: lint types
	$(PYTEST)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy --strict -p bioae

bench: $(DEV)
	$(BIN)/python -m benchmarks

docs: $(DOCS)
	$(BIN)/python -m sphinx -W --keep-going -b html docs site

clean:
	rm -rf build dist site *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find bioae equations trainers analysis tests benchmarks examples scripts \
		-name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(BASE): pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(BASE)

$(DOCS): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	touch $@ $(BASE)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "bioae needs Python 3.11 or later; $(PYTHON) is" \
			"$$($(PYTHON) --version 2>/dev/null || echo missing)." \
			"Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu:" \
			"apt install python3-venv" >&2; exit 1; }

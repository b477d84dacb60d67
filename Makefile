# Each target makes its environment first: Python 3.11 or later, make and a C++ compiler suffice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One stamp per set of packages, newer than pyproject.toml while it is up to date.
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs
BENCH := $(VENV)/.bench

# CUDA has a separate environment: brian2cuda needs Python 3.12 or later, and no PyTorch.
CUDA_VENV := .venv-cuda
CUDA_BIN := $(CUDA_VENV)/bin
CUDA := $(CUDA_VENV)/.cuda
CUDA_PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3,$(shell command -v $(name))))

.PHONY: help demo test test-all test-cuda lint types hooks bench docs clean distclean

help:
	@echo "make demo       train on the embedded digits, run in Brian2, compare, write a report"
	@echo "make test       lint, types and tests"
	@echo "make test-all   the same with the slow tests, and with random examples of properties"
	@echo "make test-cuda  the target cuda_standalone: generate the demo's network, compile it with nvcc"
	@echo "                and run it, as far as the machine can (minutes; Python 3.12 or later)"
	@echo "make lint       ruff only"
	@echo "make types      mypy only"
	@echo "make hooks      run ruff and mypy before each commit"
	@echo "make bench      the benchmarks, with snnTorch, SpikingJelly and Norse (an hour or two);"
	@echo "                RESUME=1 continues an interrupted run"
	@echo "make docs       the documentation, into site/"
	@echo "make clean      remove build and cache files (make distclean: the environments too)"
	@echo "With a Python other than $(PYTHON): make demo PYTHON=python3.12"

demo: $(BASE)
	$(BIN)/bioae demo --out bioae-demo --overwrite

# One thread per process: pytest starts a process for each core.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test: lint types
	$(PYTEST) -m "not slow"

test-all: lint types
	BIOAE_HYPOTHESIS=random $(PYTEST)

test-cuda: $(CUDA)
	OMP_NUM_THREADS=1 $(CUDA_BIN)/python -m pytest tests/simulation/targets/cuda

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy --strict -p bioae

# The environment's tools: what a commit is checked with is what make test checks.
hooks: $(DEV)
	$(BIN)/pre-commit install

bench: $(BENCH)
	$(BIN)/python -m benchmarks $(if $(RESUME),--resume)

docs: $(DOCS)
	$(BIN)/python -m sphinx -W --keep-going -b html docs site

clean:
	rm -rf build dist site *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find bioae equations trainers analysis tests benchmarks examples scripts \
		-name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(CUDA_VENV)

$(BASE): pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(BASE)

$(BENCH): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev,benchmarks]'
	touch $@ $(DEV) $(BASE)

$(DOCS): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	touch $@ $(BASE)

# All dependencies but PyTorch, and cuRAND, which the toolkit may lack.
CUDA_NEEDS := import tomllib; \
	project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	needs = project["dependencies"] + project["optional-dependencies"]["cuda"]; \
	print(*(need for need in needs if not need.startswith("torch")), sep="\n")

$(CUDA): pyproject.toml | $(CUDA_BIN)/python
	$(CUDA_BIN)/python -c '$(CUDA_NEEDS)' > $(CUDA_VENV)/requirements.txt
	$(CUDA_BIN)/python -m pip --disable-pip-version-check install \
		--requirement $(CUDA_VENV)/requirements.txt \
		hypothesis nvidia-curand pytest pytest-timeout setuptools
	$(CUDA_BIN)/python -m pip --disable-pip-version-check install --no-deps --editable .
	touch $@

$(CUDA_BIN)/python:
	@$(CUDA_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { \
		echo "brian2cuda needs Python 3.12 or later; $(or $(CUDA_PYTHON),python3) is" \
			"$$($(CUDA_PYTHON) --version 2>/dev/null || echo missing)." \
			"Name a newer one: make test-cuda CUDA_PYTHON=python3.13" >&2; exit 1; }
	$(CUDA_PYTHON) -m venv $(CUDA_VENV) || { rm -rf $(CUDA_VENV); \
		echo "$(CUDA_PYTHON) cannot make virtual environments; on Debian and Ubuntu:" \
			"apt install python3-venv" >&2; exit 1; }

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "bioae needs Python 3.11 or later; $(PYTHON) is" \
			"$$($(PYTHON) --version 2>/dev/null || echo missing)." \
			"Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu:" \
			"apt install python3-venv" >&2; exit 1; }

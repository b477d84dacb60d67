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

# The lowest allowed version of each dependency, resolved by uv, on the lowest Python.
LOWEST_VENV := .venv-lowest
LOWEST_PYTHON ?= python3.11
LOWEST := $(LOWEST_VENV)/.lowest
LOWEST_UV := $(LOWEST_VENV)/bin/uv pip install --python $(LOWEST_VENV)

# Supported releases of Brian2, each in a separate environment, without PyTorch.
BRIAN2 ?= 2.9.0 2.10.1 2.11.0
BRIAN2_VENV := .venv-brian2-
BRIAN2_TESTS := $(addprefix tests/,simulation/brian2_internals simulation/sharing/test_sharing.py \
	simulation/objects/test_input.py simulation/targets/test_one_build.py \
	noise/test_noise_brian.py \
	equations/lowering/test_brian2_contract.py)

.PHONY: help demo test-fast test test-all test-cuda test-brian2 test-lowest coverage lint types hooks \
	bench docs dist clean distclean

help:
	@echo "make demo       train on the embedded digits, run in Brian2, compare, write a report"
	@echo "make test-fast  tests that compile nothing and start no process (a minute or two)"
	@echo "make test       lint, types, and a small case of each capability and target (minutes)"
	@echo "make test-all   everything: sweeps, pages, notebooks, random examples (an hour)"
	@echo "make test-cuda  the target cuda_standalone: generate the demo's network, compile it with nvcc"
	@echo "                and run it, as far as the machine can (minutes; Python 3.12 or later)"
	@echo "make test-brian2  the tests of Brian2's internals, and simulations, with each supported Brian2"
	@echo "                (Python 3.11 for 2.9, and 3.12 or later for newer ones)"
	@echo "make test-lowest  test-fast with the lowest allowed version of each dependency (Python 3.11)"
	@echo "make coverage   the tests of make test, with a report of the lines that they run"
	@echo "make lint       ruff only"
	@echo "make types      mypy only"
	@echo "make hooks      run ruff and mypy before each commit"
	@echo "make bench      the benchmarks, with snnTorch, SpikingJelly and Norse (an hour or two);"
	@echo "                RESUME=1 continues an interrupted run"
	@echo "make docs       the documentation, into site/"
	@echo "make dist       sdist and wheel, built twice and compared, in dist/"
	@echo "make clean      remove build and cache files (make distclean: the environments too)"
	@echo "With a Python other than $(PYTHON): make demo PYTHON=python3.12"

demo: $(BASE)
	$(BIN)/bioae demo --out bioae-demo --overwrite

# One thread per process: pytest starts a process for each core.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test-fast: $(DEV)
	$(PYTEST) -m "not medium and not slow"

test: lint types
	$(PYTEST) -m "not slow"

test-all: lint types
	BIOAE_HYPOTHESIS=random $(PYTEST)

coverage: $(DEV)
	$(PYTEST) -m "not slow" --cov --cov-report=xml --cov-report=term

test-lowest: $(LOWEST)
	OMP_NUM_THREADS=1 $(LOWEST_VENV)/bin/python -m pytest -n auto --dist worksteal -m "not medium and not slow"

test-cuda: $(CUDA)
	OMP_NUM_THREADS=1 $(CUDA_BIN)/python -m pytest tests/simulation/targets/cuda

test-brian2: $(BRIAN2:%=test-brian2-%)

# Releases until 2.9 need Python 3.11, later ones 3.12 or later.
test-brian2-%: $(BRIAN2_VENV)%/.needs
	OMP_NUM_THREADS=1 $(BRIAN2_VENV)$*/bin/python -m pytest -m "not slow" $(BRIAN2_TESTS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy --strict -p bioae -p experiments

# The tools of the environment, so that a commit is checked with the same versions as in make test.
hooks: $(DEV)
	$(BIN)/pre-commit install

bench: $(BENCH)
	$(BIN)/python -m benchmarks $(if $(RESUME),--resume)

docs: $(DOCS)
	$(BIN)/python -m sphinx -W --keep-going -b html docs site

# From two fresh copies of the last commit, dated by it.
dist: $(DEV)
	rm -rf build dist
	for copy in first second; do \
		mkdir -p build/$$copy && git archive HEAD | tar -x -m -C build/$$copy && \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation \
			--outdir build/$$copy.dist build/$$copy || exit 1; \
	done
	diff -r build/first.dist build/second.dist
	mv build/first.dist dist
	sha256sum dist/* || shasum -a 256 dist/*

clean:
	rm -rf build dist site *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find bioae equations trainers analysis experiments tests benchmarks examples scripts \
		-name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(CUDA_VENV) $(LOWEST_VENV) $(BRIAN2_VENV)*

$(BASE): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[train]'
	touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(BASE)

$(BENCH): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev,benchmarks]'
	touch $@ $(DEV) $(BASE)

$(DOCS): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	touch $@

# Requirements of bioae, which PyTorch is none of, and those of the extras that are named.
NEEDS := import sys, tomllib; \
	project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	needs = project["dependencies"] + sum(map(project["optional-dependencies"].get, sys.argv[1:]), []); \
	print(*needs, sep="\n")
TEST_NEEDS := hypothesis networkx pytest pytest-timeout setuptools

# Wheels only: no old release is compiled. To bytecode, since old sources warn while they become it.
$(LOWEST): pyproject.toml
	$(LOWEST_PYTHON) -m venv --clear $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/python -m pip --disable-pip-version-check install uv
	$(LOWEST_VENV)/bin/python -c '$(NEEDS)' train distributed neo nwb nir > $(LOWEST_VENV)/requirements.txt
	$(LOWEST_UV) --only-binary :all: --compile-bytecode --resolution lowest-direct \
		--requirement $(LOWEST_VENV)/requirements.txt
	$(LOWEST_UV) --compile-bytecode $(TEST_NEEDS) pyspike pytest-xdist 'pytest<9.1' # scikit-learn 1.6 gives it iterators
	$(LOWEST_UV) --no-deps --editable .
	touch $@

$(CUDA): pyproject.toml | $(CUDA_BIN)/python
	$(CUDA_BIN)/python -c '$(NEEDS)' cuda > $(CUDA_VENV)/requirements.txt
	$(CUDA_BIN)/python -m pip --disable-pip-version-check install \
		--requirement $(CUDA_VENV)/requirements.txt $(TEST_NEEDS) nvidia-curand
	$(CUDA_BIN)/python -m pip --disable-pip-version-check install --no-deps --editable .
	touch $@

.PRECIOUS: $(BRIAN2_VENV)%/.needs
# Without the allowed range of Brian2: make test-brian2 BRIAN2=3.0 tries a new release.
$(BRIAN2_VENV)%/.needs: pyproject.toml
	@python=$$(for name in $(if $(filter 2.9.%,$*),python3.11,python3.13 python3.12); do \
		command -v $$name && break; done) || { echo "Brian2 $*: no Python for it" >&2; exit 1; }; \
	$$python -m venv $(BRIAN2_VENV)$*
	$(BRIAN2_VENV)$*/bin/python -c '$(NEEDS)' | grep -v ^brian2 > $(BRIAN2_VENV)$*/requirements.txt
	$(BRIAN2_VENV)$*/bin/python -m pip --disable-pip-version-check install \
		--requirement $(BRIAN2_VENV)$*/requirements.txt brian2==$* $(TEST_NEEDS)
	$(BRIAN2_VENV)$*/bin/python -m pip --disable-pip-version-check install --no-deps --editable .
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

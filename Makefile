# make demo      set up and see the whole chain at work, offline afterwards
# make test      set up and run every check: lint, types, layers, tests
# make nightly   the generated tests, with many more cases
#
# Needs Python 3.11 or newer with venv and pip, and a package index that pip can reach. No root. Where there is a C
# compiler, streams run compiled; COMPILED=0 leaves them in Python, COMPILED=1 insists.

PYTHON ?= python3
COMPILED ?= auto
VENV := .venv
BIN := $(VENV)/bin
NIGHTLY := $(addprefix tests/test_,redaction.py automaton.py stream.py lanes.py turn.py framing.py session.py presidio_findings.py)
STREAMS := $(addprefix tests/test_,redaction.py answers.py stream.py lanes.py turn.py session.py)
INSTALL := MASKING_COMPILED=$(COMPILED) $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test nightly lint types layers unit setup models bench clean

demo: $(VENV)/.installed models
	$(BIN)/masking demo

test: $(VENV)/.dev models lint types layers unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/twin.py --check

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

# Streams have two cores: both keep the same promises.
unit: $(VENV)/.dev models
	$(BIN)/python -m pytest -n auto $(PYTEST)
	MASKING_COMPILED=0 $(BIN)/python -m pytest -n auto $(STREAMS)

# Twenty thousand generated cases and more for each promise about streams; half an hour or so.
nightly: $(VENV)/.dev models
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n auto $(NIGHTLY)
	HYPOTHESIS_PROFILE=nightly MASKING_COMPILED=0 $(BIN)/python -m pytest -n auto $(STREAMS)

bench: $(VENV)/.dev models
	$(BIN)/python benchmarks/bench_mask.py
	$(BIN)/python benchmarks/bench_stream.py

models: $(VENV)/.installed
	$(BIN)/masking models install

setup: $(VENV)/.dev models

$(VENV)/.installed: pyproject.toml hatch_build.py $(wildcard masking/core/compiled*.p*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 demo")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing masking-pipeline into $(VENV) (a minute or two, once)"
	$(INSTALL) --upgrade pip
	$(INSTALL) -e ".[fast,httpx2]"
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "installing what the checks need"
	$(INSTALL) -e ".[fast,httpx2,fpe,gateway,redis,studio,batch]"
	$(INSTALL) --group test --group lint $(if $(shell command -v java),--group spark)
	touch $@

clean:
	rm -rf masking/core/*.so $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# make train     creates the environment, trains the default config on generated reviews and evaluates it
# make test      creates the environment with all that tests need, and runs the quick tests
# make test-slow runs the tests that take longer, but not the long ones; TESTS=PATHS names some of them
# make test-all  runs every test, also the long ones
# make check     checks style and types
# make docs      generates the pages that come from the code
# make systems   trains and tests the published systems and prints their table; DATA=DIR reads files instead of the Hub

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal
WORKDIR ?= runs/default
DATA ?=
TESTS ?=

PIN := --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

.PHONY: train systems test test-slow test-all check docs pin clean

train: .venv/installed
	$(BIN)/python train.py --config=configs/default.py --workdir=$(WORKDIR)
	$(BIN)/python eval.py --workdir=$(WORKDIR) --naive

systems: .venv/installed-test
	$(BIN)/python compare.py --config=configs/studies/systems.py:$(DATA) --workdir=runs/systems

test: .venv/installed-test
	$(PYTEST) -m "not slow and not long"

test-slow: .venv/installed-test
	$(PYTEST) -m "slow and not long" $(TESTS)

test-all: .venv/installed-test
	$(PYTEST)

docs: .venv/installed-test
	$(BIN)/python -m lstm_jax.config.document > docs/configuration.md
	$(BIN)/python -m lstm_jax.layers.document > docs/layers.md
	$(BIN)/python -m lstm_jax.optimizers.document

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	touch $@

.venv/installed-test: .venv/installed requirements-test.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.txt
	touch $@

# Writes the pinned requirements again from pyproject.toml.
pin: .venv/installed
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile $(PIN) --output-file=requirements.txt pyproject.toml
	$(BIN)/pip-compile $(PIN) --extra=test --output-file=requirements-test.txt pyproject.toml

clean:
	rm -rf .venv runs

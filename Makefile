# make train: creates the environment, trains the default config on the embedded reviews and evaluates it.
# make systems: trains and tests the published systems and prints their table; DATA=DIR reads files instead of the Hub.
# make test:  creates the environment with all that the tests need, and runs them.

PYTHON ?= python3
BIN := .venv/bin
WORKDIR ?= runs/default
DATA ?=

PIN := --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

.PHONY: train systems test check pin clean

train: .venv/installed
	$(BIN)/python train.py --config=configs/default.py --workdir=$(WORKDIR)
	$(BIN)/python eval.py --workdir=$(WORKDIR) --naive

systems: .venv/installed-test
	$(BIN)/python compare.py --config=configs/studies/systems.py:$(DATA) --workdir=runs/systems

test: .venv/installed-test
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

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

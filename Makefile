# Everything runs inside .venv; `make` alone shows what there is.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check docs bench clean

help:
	@echo "make setup      install into .venv (needs Python 3.11 or newer)"
	@echo "make demo       run the demonstration"
	@echo "make test       run the tests"
	@echo "make test-long  run the tests that take minutes"
	@echo "make check      linter, formatter, types, import rules"
	@echo "make docs       write the pages that follow from mappings and connectors"
	@echo "make bench      measure"
	@echo "make clean      remove what was built or cached"

setup: $(STAMP)
	@:

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "fsm-hub needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Creating .venv ..."; $(PYTHON) -m venv .venv; }
	@echo "Installing fsm-hub (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		-c constraints.txt -e '.[dev]' 2>.venv/install.log || { cat .venv/install.log >&2; exit 1; }
	@test -x $(BIN)/fsm-hub
	@touch $(STAMP)

demo: setup
	@$(BIN)/fsm-hub demo

test: setup
	@$(BIN)/python -m pytest -q -m "not long" -n 2 --dist loadfile

test-long: setup
	@$(BIN)/python -m pytest -q -m long

check: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports

docs: setup
	@$(BIN)/python -m docs.generate

bench: setup
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks --postgresql --rounds 2 --no-memory

clean:
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

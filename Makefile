# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_HOME := $(CURDIR)/.fuzzy/demo

.PHONY: help demo ui test test-long check bench docs format clean

help: ## what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The interpreter may be called python3 where it is 3.11 or newer.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 13) else "Python 3.11 or 3.12 is needed, this is " + sys.version)'
	@touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing what the pipeline needs into $(VENV) (about two minutes the first time)…"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing what the pipeline, tests and checks need into $(VENV) (about two minutes the first time)…"
	@$(PIP) install --constraint constraints.txt --editable '.[dev,bench]'
	@touch $(VENV)/.runtime $@

demo: $(VENV)/.runtime ## set up and run three simulated trading dates through every asset
	@$(BIN)/fuzzy --home "$(DEMO_HOME)" demo

ui: $(VENV)/.runtime ## the web UI on 127.0.0.1:3000, of the demo unless FUZZY_HOME names another home
	@$(BIN)/fuzzy --home "$${FUZZY_HOME:-$(DEMO_HOME)}" ui

TEST_PROCESSES ?= 2
test: $(VENV)/.dev ## the tests, two at a time
	@$(BIN)/python -m tests.compiled 1 & first=$$!; $(BIN)/python -m tests.compiled 2 && wait $$first
	@$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal

test-long: $(VENV)/.dev ## tests of whole runs, with those that take minutes: killed daemons, thirty kills, overlaps
	@FUZZY_TEST_LONG=1 FUZZY_TEST_KILLS=30 $(BIN)/python -m pytest -q tests/integration

check: $(VENV)/.dev ## formatting, lints, types, generated files, docs, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python tools/generate_nyse_sessions.py --check
	@$(BIN)/python tools/generate_docs.py --check
	@$(BIN)/python -m pytest -q tests/architecture
	@$(BIN)/mkdocs build --strict --quiet --site-dir site
	@DAGSTER_HOME= DAGSTER_DISABLE_TELEMETRY=1 $(BIN)/dg check defs
	@echo "check passed"

bench: $(VENV)/.dev ## speed, as ratios measured in one run; results go to benchmarks/results
	@$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## build the documentation into site/
	@$(BIN)/python tools/generate_docs.py
	@$(BIN)/mkdocs build --strict --site-dir site

format: $(VENV)/.dev ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove the environment and build results, never data
	@rm -rf $(VENV) site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

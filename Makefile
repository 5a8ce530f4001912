# Varve's commands. Each line with two hash signs is told by make help.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Planning keeps one core busy: two processes share the tests (see tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n 2

.PHONY: help install demo test proof bench check docs package clean
.DEFAULT_GOAL := help

help: ## Tell what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(BIN)/varve: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	DIST_EXTRA_CONFIG='$(CURDIR)/setup.cfg' $(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

install: $(BIN)/varve ## Install into a local virtual environment

demo: install ## Make sample files, run the daily job over them, tell what was built
	$(BIN)/varve demo

test: install ## Run the tests
	$(PYTEST)

proof: install ## Run the slower proofs: convergence, kill, age, races, oracle, fuzz, cluster, S3
	$(PYTEST) -m proof --no-loadscope-reorder --durations=20

bench: install ## Measure small lakes, builds against DuckDB, early and late days (hours)
	$(BIN)/python -m tests.bench.small
	$(BIN)/python -m tests.bench.web
	$(BIN)/python -m tests.bench.social
	$(BIN)/python -m tests.bench.medspa
	$(BIN)/python -m tests.bench.ecommerce
	$(BIN)/python -m tests.bench.saas
	$(BIN)/python -m tests.bench.scd2
	$(BIN)/python -m tests.bench.privacy

check: install ## Lint, types, and whether the data dictionary is up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/varve docs --check

docs: install ## Write the data dictionary from the contracts
	$(BIN)/varve docs

package: install ## Build dist/varve.zip for spark-submit --py-files
	$(BIN)/python -m jobs.package dist/varve.zip

clean: ## Remove what was built
	rm -rf $(VENV) build dist demo *.egg-info

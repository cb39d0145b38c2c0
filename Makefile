# Development of stackctl. Every target sets up what it needs, and is quick when all is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# A module's tests share a stack, so a module stays with one worker.
PARALLEL = --numprocesses 2 --dist loadfile

# Without the engine nothing is shared, and what the tests write are many small files: memory takes them fastest.
QUICK = --numprocesses 2 --dist worksteal -m 'not slow and not e2e' -o tmp_path_retention_policy=failed
# Some of the files are run, so not where that is forbidden, as it is in most containers.
IN_MEMORY = $(shell test -w /dev/shm && ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

# Every script, so that a new one is checked without anybody remembering it.
SCRIPTS = .ci/run $(shell find compose nginx stackctl tests -name '*.sh')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo check test lint e2e bench faults dist clean venv engine images ca

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  ARGS='...' is passed on to pytest, the demo, the benchmark and the fault tests."

setup: venv ca ## Install stackctl into .venv; start an engine, build images, start a test CA

demo: setup ## Bring up a stack with trusted certificates and show what stackctl does
	tests/lab/demo.sh $(ARGS)

check: lint ## Check style, types and scripts, and run the quick tests, which need no engine
	$(IN_MEMORY) $(BIN)/pytest $(QUICK) $(ARGS)

test: setup ## Run the whole test suite, end-to-end tests included
	$(BIN)/pytest $(PARALLEL) $(ARGS)

lint: venv ## Check style, types and scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict stackctl tests
	$(BIN)/shellcheck --external-sources $(SCRIPTS)

e2e: setup ## Run the end-to-end tests only
	$(BIN)/pytest $(PARALLEL) tests/e2e $(ARGS)

bench: setup ## Measure stackctl
	$(BIN)/python -m tests.bench $(ARGS)

faults: setup ## Break things on purpose and check that nothing else breaks
	$(BIN)/python -m tests.faults $(ARGS)

dist: venv ## Build the wheel and the sdist into dist/, and check what is in them
	$(BIN)/python -m tests.dist dist

clean: ## Remove everything that the other targets made
	tests/lab/clean.sh

venv: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml
	@tests/lab/python.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev,compose,bench]'
	@touch $@

engine:
	@tests/lab/engine.sh

images: engine
	@tests/lab/images.sh

ca: images
	@tests/lab/ca.sh up

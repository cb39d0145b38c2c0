# Development of stackctl. Every target sets up its prerequisites, and skips those that are up to date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# The tests of a module share a stack, so each module runs on one worker, in the order of tests/conftest.py. One worker
# more than a small machine has cores: containers and the CA are often waited for.
PARALLEL = --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Without the engine nothing is shared, so any worker runs any test.
QUICK = --numprocesses 2 --dist worksteal -m 'not slow and not e2e'

# The tests write many small files, which are fastest in memory.
FILES = -o tmp_path_retention_policy=failed
# Not if it is mounted noexec, as in most containers: the tests execute some of the files.
IN_MEMORY = $(shell test -w /dev/shm && ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

# Where the environment forbids to keep what is compiled, each worker and each command would compile all modules again.
COMPILED = PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/pycache

# All scripts, so that new ones are checked automatically.
SCRIPTS = .ci/run $(shell find compose nginx haproxy stackctl tests -name '*.sh')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo check quick test lint e2e bench faults hostile corpus engines dist clean venv engine images ca promtool browser

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  ARGS='...' is passed on to pytest, the demo, the benchmark, the fault tests, the hostile clients,"
	@echo "  the corpus and the engines."

setup: venv ca promtool browser ## Install stackctl into .venv; start an engine, build images, start a test CA

demo: setup ## Start a stack with trusted certificates and show what stackctl does
	tests/lab/demo.sh $(ARGS)

# At once, as one process checks the types. The whole suite tries three times as many examples of each property.
check: export STACKCTL_TEST_EXAMPLES ?= 20
check: venv ## Check style, types and scripts, and run the quick tests that need no engine
	@$(MAKE) --no-print-directory --jobs 2 quick lint

quick:
	$(IN_MEMORY) $(COMPILED) $(BIN)/pytest $(FILES) $(QUICK) $(ARGS)

# Docker and Compose are started hundreds of times, and collect much garbage for so short a life.
test e2e: export GOGC = 400

test: setup ## Run the whole test suite, end-to-end tests included
	$(IN_MEMORY) $(COMPILED) $(BIN)/pytest $(FILES) $(PARALLEL) $(ARGS)

lint: venv ## Check style, types and scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict stackctl tests
	$(BIN)/shellcheck --external-sources $(SCRIPTS)

e2e: setup ## Run the end-to-end tests only
	$(COMPILED) $(BIN)/pytest $(PARALLEL) tests/e2e $(ARGS)

bench: setup ## Run the benchmark
	$(BIN)/python -m tests.bench $(ARGS)

faults: setup ## Inject faults and check that no other site is affected
	$(BIN)/python -m tests.faults $(ARGS)

hostile: setup ## Hold one site by hostile clients and check what that costs another
	$(BIN)/python -m tests.hostile $(ARGS)

corpus: setup ## Adopt stacks in the layouts of public ones and compare every location before and after
	$(BIN)/python -m tests.adopt_corpus $(ARGS)

engines: setup ## Run the main end-to-end tests on Docker Engine 20.10, 26 and 28, with root's rights and rootless
	$(BIN)/python -m tests.engines $(ARGS)

dist: venv ## Build the wheel and the sdist into dist/, and check their contents
	$(BIN)/python -m tests.dist dist

clean: ## Remove everything that the other targets created
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

promtool:
	@tests/lab/promtool.sh

browser:
	@tests/lab/browser.sh

# What there is to do here. `make` lists it.

# Any of these will do; PYTHON=/path/to/python chooses one.
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-conformance
FUZZ ?= 10000
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

# The question reaches the shell by the environment, unexpanded, so that it may hold quotes, $ and `.
Q ?= Why is the sky blue?
export QUESTION := $(value Q)
unexport Q

.DEFAULT_GOAL := help
.PHONY: help ask test test-all check conformance bench bench-handoff bench-reasoning docs gate-example

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

ask: $(VENV)/installed ## Ask a question: make ask Q="What is the capital of France?"
	@$(BIN)/isthmus ask -- "$$QUESTION"

test: $(VENV)/installed-dev $(VENV)/registry ## Run the tests, but for those that take minutes or a large model
	@$(BIN)/pytest -n auto --dist loadfile -m "not starter and not slow"

test-all: $(VENV)/installed-dev $(VENV)/registry ## Run every test
	@$(BIN)/pytest -n auto --dist loadfile

check: $(VENV)/installed-dev ## Lint, check formats, types and the floors of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

conformance: $(CLIENTS)/installed ## Run other people's clients and tests against a server; FUZZ=N requests, PATIENCE=N times as long
	@$(CLIENTS)/bin/python -m pytest tests/conformance -o filterwarnings=default -o asyncio_mode=auto \
	    -o asyncio_default_fixture_loop_scope=session -o asyncio_default_test_loop_scope=session \
	    --fuzz $(FUZZ) --table docs/concepts/conformance.md $(ARGS)

bench: $(VENV)/installed-dev ## Measure, into benchmarks/results
	@$(BIN)/python -m benchmarks

bench-handoff: $(VENV)/installed-dev ## Measure whom the estimator would ask: make bench-handoff DATA=FOLDER
	@$(BIN)/python -m benchmarks.estimator --data "$(DATA)"

bench-reasoning: $(VENV)/installed-dev ## Replay what effort buys: make bench-reasoning DATA=FOLDER
	@$(BIN)/python -m benchmarks.reasoning --data "$(DATA)"

gate-example: $(VENV)/installed-tamper ## Take releases of the tiny model through the gate, attacks on their weights included
	@$(BIN)/python -m benchmarks.gate_example

docs: $(VENV)/installed-dev ## Write docs/reference from the code
	@$(BIN)/python docs/generate.py

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Installing Isthmus into $(VENV), once (under a minute)" >&2
	@$(INSTALL) .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing Isthmus and what its development needs into $(VENV), once" >&2
	@$(INSTALL) '.[dev]'
	@touch $(VENV)/installed $@

$(VENV)/installed-tamper: $(VENV)/installed-dev
	@echo "Installing PyTorch into $(VENV), once (minutes: with what its GPUs need, it is large)" >&2
	@$(INSTALL) '.[tamper]'
	@touch $@

# Clients want versions of their own, so they live beside the development environment; these even from the others.
$(CLIENTS)/installed: pyproject.toml tests/conformance/scripts/package.json | $(BIN)/python
	@echo "Installing other people's clients into $(CLIENTS), once (some minutes)" >&2
	@test -x $(CLIENTS)/bin/python || $(BIN)/python -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[conformance]'
	@for alone in aider-chat==0.86.2 litellm==1.106.2; do \
	    test -x $(CLIENTS)/$${alone%%==*}/bin/python || $(BIN)/python -m venv $(CLIENTS)/$${alone%%==*}; \
	    $(CLIENTS)/$${alone%%==*}/bin/python -m pip install --quiet --disable-pip-version-check $$alone || exit; \
	done
	@cp tests/conformance/scripts/package.json $(CLIENTS)/
	@PATH="$(CURDIR)/$(CLIENTS)/bin:$$PATH" npm install --prefix $(CLIENTS) --silent --no-audit --no-fund
	@touch $@

# Debian's registry, from which the tests pull: unpacked here, so that no service starts on this machine.
# Where it is installed, or can't be had, there is nothing to do: the tests find it, or say what they miss.
$(VENV)/registry: | $(BIN)/python
	@if command -v docker-registry >/dev/null || ! command -v apt-get >/dev/null; then exit; fi; \
	echo "Fetching docker-registry, from which the tests pull, once" >&2; \
	mkdir -p "$(CURDIR)/$@.deb" && cd "$(CURDIR)/$@.deb" && \
	{ apt-get download docker-registry || { apt-get update && apt-get download docker-registry; }; } \
	    >/dev/null 2>&1 && dpkg-deb --extract docker-registry_*.deb "$(CURDIR)/$@" || \
	echo "note: it can't be had: apt-get install docker-registry" >&2; \
	rm -rf "$(CURDIR)/$@.deb"

$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	        found=$$python; break; \
	    fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "error: Isthmus needs Python 3.11, 3.12 or 3.13, and none of these is one: $(CANDIDATES)" >&2; \
	    echo "hint: install one (apt-get install python3, brew install python@3.13) or name it: make ask PYTHON=/path/to/python3.13" >&2; \
	    exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "error: $$found can't make virtual environments" >&2; \
	    echo "hint: sudo apt-get install $$(basename "$$found")-venv" >&2; \
	    exit 1; \
	fi; \
	"$$found" -m venv --clear $(VENV)

# What there is to do here. `make` lists it.

# Any of these will do; PYTHON=/path/to/python chooses one.
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

# The question reaches the shell by the environment, unexpanded, so that it may hold quotes, $ and `.
Q ?= Why is the sky blue?
export QUESTION := $(value Q)
unexport Q

.DEFAULT_GOAL := help
.PHONY: help ask test test-all check bench docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

ask: $(VENV)/installed ## Ask a question: make ask Q="What is the capital of France?"
	@$(BIN)/isthmus ask -- "$$QUESTION"

test: $(VENV)/installed-dev $(VENV)/registry ## Run the tests, but for those that take minutes or a large model
	@$(BIN)/pytest -m "not starter and not slow"

test-all: $(VENV)/installed-dev $(VENV)/registry ## Run every test
	@$(BIN)/pytest

check: $(VENV)/installed-dev ## Lint, check formats, types and the floors of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: $(VENV)/installed-dev ## Measure, into benchmarks/results
	@$(BIN)/python -m benchmarks

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

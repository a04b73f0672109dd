# Needs Python 3.11 or newer and make; everything else comes from the hashed locks.

VENV ?= .venv
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := $(VENV)/bin
PORT ?= 8774
DATA_DIR ?=
WORKERS ?= 1
BROWSER ?= .venv-browser
GENERATED ?= .venv-generated
FUZZ ?= .venv-fuzz
KEYSTONE ?= .venv-keystone
CLIENTS ?= .venv-clients
COMPILE := uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links
CHROMIUM ?= /usr/bin/chromium
FAKETIME ?= /usr/lib/$(shell uname -m)-linux-gnu/faketime/libfaketime.so.1

.PHONY: help setup run test check format schema openapi docs lock bench clean \
  fuzz test-browser test-clients test-clock test-compose test-faults test-fuzz test-generated \
  test-versions mutations

help: ## Say what there is to make.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.ready: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.ready: requirements-dev.lock $(VENV)/run.ready
	$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/dev.ready ## Install what tests and checks need.

run: $(VENV)/run.ready ## Serve with a Postgres of our own and something to try.
	$(BIN)/floating-ips serve --demo --port $(PORT) --workers $(WORKERS) $(if $(DATA_DIR),--data-dir $(DATA_DIR))

test: setup ## Run the suite that CI runs first.
	$(BIN)/python -m pytest -q -n 4 --dist worksteal $(ARGS)

test-compose: setup ## Run the compose file on a Docker engine of its own; as root on Debian 12.
	$(BIN)/python -m pytest -q --timeout=600 --durations=5 tests/containers $(ARGS)

$(CHROMIUM):
	@test "$$(id -u)" = 0 || { echo "Chromium is needed: apt-get install chromium" >&2; exit 2; }
	apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core

$(BROWSER)/ready: tests/browser/requirements.lock
	$(PYTHON) -m venv $(BROWSER)
	$(BROWSER)/bin/python -m pip install -q --require-hashes -r $<
	@touch $@

test-browser: $(VENV)/run.ready $(BROWSER)/ready | $(CHROMIUM) ## Use Swagger UI as people do, in Chromium.
	VENV=$(VENV) CHROMIUM=$(CHROMIUM) $(BROWSER)/bin/python -m pytest -q tests/browser $(ARGS)

$(GENERATED)/ready: tests/generated/requirements.lock tests/generated/package-lock.json | $(BIN)/python
	$(BIN)/python -m venv $(GENERATED)
	$(GENERATED)/bin/python -m pip install -q --require-hashes -r tests/generated/requirements.lock
	cp tests/generated/package.json tests/generated/package-lock.json $(GENERATED)/
	PATH="$(abspath $(GENERATED))/bin:$$PATH" npm ci --prefix $(GENERATED) --silent --ignore-scripts --no-audit --no-fund
	@touch $@

test-generated: setup $(GENERATED)/ready ## Generate clients of openapi.json and use them.
	GENERATED=$(GENERATED) $(BIN)/python -m pytest -q tests/generated $(ARGS)

$(FUZZ)/ready: tests/fuzz/requirements.lock | $(BIN)/python
	$(BIN)/python -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install -q --require-hashes -r $<
	@touch $@

test-fuzz: setup $(FUZZ)/ready ## Try every operation with what schemathesis thinks of.
	$(BIN)/python -m tests.fuzz --venv $(abspath $(FUZZ)) $(ARGS)

$(KEYSTONE)/ready: tests/clients/keystone/requirements.lock | $(BIN)/python
	$(BIN)/python -m venv $(KEYSTONE)
	$(KEYSTONE)/bin/python -m pip install -q --require-hashes -r $<
	@touch $@

$(CLIENTS)/%/ready: tests/clients/%/requirements.lock | $(BIN)/python
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install -q --require-hashes -r $<
	@touch $@

test-clients: setup $(KEYSTONE)/ready $(foreach client,libcloud network openstackclient openstacksdk,$(CLIENTS)/$(client)/ready) ## Use the service by real clients, with a real Keystone.
	KEYSTONE=$(KEYSTONE) CLIENTS=$(CLIENTS) $(BIN)/python -m pytest -q --timeout=300 tests/clients $(ARGS)

$(FAKETIME):
	@test "$$(id -u)" = 0 || { echo "libfaketime is needed: apt-get install libfaketime" >&2; exit 2; }
	apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime

test-clock: setup | $(FAKETIME) ## Let the clock of Postgres jump, under load.
	FAKETIME=$(FAKETIME) $(BIN)/python -m pytest -q tests/clock $(ARGS)

test-faults: setup ## Break what is around the service, at each statement; as root.
	$(BIN)/python -m pytest -q -n 4 tests/faults $(ARGS)

fuzz: setup ## Try random requests against a model of the ledger, for minutes.
	$(BIN)/python -m tests.machine $(ARGS)

test-versions: setup ## Run the tests of the database on each Postgres that can be had.
	$(BIN)/python -m tests.versions $(ARGS)

mutations: setup ## Take each lock and constraint away for a moment: a test must turn red.
	$(BIN)/python -m tests.mutations $(ARGS)

check: setup ## Check format, lint and types.
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## Format the code, and mend what lint can mend.
	$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format .

schema: setup ## Write alembic/schema.sql: what the migrations give.
	$(BIN)/python -m tests.schema > alembic/schema.sql

openapi: setup ## Write openapi/: what the application gives.
	$(BIN)/floating-ips openapi

docs: setup ## Write the tables in docs/: what the code says.
	$(BIN)/python -m tests.tables

lock: setup ## Pin anew what pyproject.toml asks for; the locks name no host.
	$(BIN)/python -m pip install -q uv && $(BIN)/uv lock --upgrade
	$(BIN)/uv export -q --frozen --format requirements.txt --no-emit-project --no-header --no-default-groups --group build -o requirements.lock
	$(BIN)/uv export -q --frozen --format requirements.txt --no-emit-project --no-header -o requirements-dev.lock
	for suite in browser clients/keystone clients/libcloud clients/network clients/openstackclient clients/openstacksdk fuzz generated; do \
	  $(BIN)/$(COMPILE) tests/$$suite/requirements.in -o tests/$$suite/requirements.lock || exit; done
	cd tests/generated && PATH="$(abspath $(GENERATED))/bin:$$PATH" npm install --silent --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

bench: setup ## Measure us and the limits in one run; prints ratios.
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove what make made; data stays.
	rm -rf $(VENV) $(BROWSER) $(GENERATED) $(FUZZ) $(KEYSTONE) $(CLIENTS) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The one command surface; CI calls the same targets. A clean machine needs make, Python 3.11+ and, for the tests, Node 20+ with npm.
# Each set-up step leaves a stamp under .venv/ and is repeated only when what it was made from changes.

PYTHON ?= python3
NODE ?= node
NPM ?= npm
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

.DEFAULT_GOAL := setup
.PHONY: setup run test lint faults bench bench-rules bench-strangers bench-import bench-durability bench-drain
.PHONY: bench-hostile bench-pages fuzz fuzz-decoders sdk lock

setup: $(VENV)/.dev  ## only the set-up, into .venv/

# Running needs no test tools: this way the first answer comes in a third of the time.
run: $(VENV)/.run  ## the gateway with its own store, the demo rules and the demo site on http://127.0.0.1:8080
	@$(BIN)/tuttu serve --data data --rules rules $(ARGS)

test: $(VENV)/.dev $(VENV)/.clients $(VENV)/.sdk $(VENV)/.programs  ## every test; ARGS="-k name" chooses some
	@$(BIN)/python tests/run.py $(ARGS)

faults: $(VENV)/.dev $(VENV)/.programs  ## every fault with 20,000 hits, half an hour; ARGS="--only killed --markdown table.md"
	@$(BIN)/python -m tests.faults.run $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q tests/docs/test_file_sizes.py

bench: $(VENV)/.dev  ## ARGS=--quick for a short run, --before DIR to compare with another checkout
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-rules: $(VENV)/.dev  ## what a decision costs; ARGS=--quick for a short run
	@$(BIN)/python -m benchmarks.rules $(ARGS)

bench-strangers: $(VENV)/.dev  ## a million unknown agents, addresses and ids; ARGS=--quick for a short run
	@$(BIN)/python -m benchmarks.strangers $(ARGS)

bench-import: $(VENV)/.dev  ## people of a CRM, stopped at half and resumed; ARGS="--people 10000" for a short run
	@$(BIN)/python -m benchmarks.crm_import $(ARGS)

bench-durability: $(VENV)/.dev  ## what replica and disk cost a write; ARGS=--quick for a short run
	@$(BIN)/python -m benchmarks.durability $(ARGS)

bench-drain: $(VENV)/.dev  ## SIGTERM under load; ARGS="--rate 1000" for another load
	@$(BIN)/python -m benchmarks.drain $(ARGS)

bench-hostile: $(VENV)/.dev  ## what others notice of slow connections and bombs; ARGS="--seconds 5" for a short run
	@$(BIN)/python -m benchmarks.hostile $(ARGS)

fuzz: $(VENV)/.dev  ## mutated requests; ARGS="--requests 1000000 --seed 7", --sockets, --replay FILE
	@$(BIN)/python -W ignore -m tests.fuzz $(ARGS)

fuzz-decoders: $(VENV)/.atheris  ## led by coverage, each decoder for a minute; ARGS="--seconds 300 --only events"
	@$(BIN)/python -m tests.fuzz.guided $(ARGS)

bench-pages: $(VENV)/.node  ## Lighthouse over the demo of a running gateway; ARGS=http://127.0.0.1:8080
	@$(NPM) ci --prefix benchmarks/pages --silent --ignore-scripts
	@$(NODE) benchmarks/pages/lighthouse.mjs $(ARGS)

sdk: $(VENV)/.sdk  ## builds gateway/web/tuttu.js from sdk-js/
	@$(NPM) run build --prefix sdk-js --silent

# All locks hold hashes, never an address. The test tools are chosen last, so that they test what is shipped.
LOCK = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" pyproject.toml --extra build
lock: $(VENV)/.python
	@test -x $(VENV)/lock/bin/uv || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv; }
	@$(LOCK) --output-file requirements.txt
	@$(LOCK) --extra dev --constraint requirements.txt --output-file tests/requirements.txt
	@$(subst pyproject.toml --extra build,tests/fuzz/requirements.in,$(LOCK)) --output-file tests/fuzz/requirements.txt

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'Tuttu needs Python 3.11 or newer; $(PYTHON) is not. Try: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements.txt pyproject.toml
	@echo 'installing into $(VENV)/ …'
	@$(PIP) --require-hashes --requirement requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run tests/requirements.txt
	@echo 'installing the test tools …'
	@$(PIP) --require-hashes --requirement tests/requirements.txt
	@touch $@

# Only for whoever asks for it: there are wheels of atheris for few systems.
$(VENV)/.atheris: $(VENV)/.dev tests/fuzz/requirements.txt
	@echo 'installing atheris …'
	@$(PIP) --require-hashes --requirement tests/fuzz/requirements.txt
	@touch $@

$(VENV)/.node: $(VENV)/.python
	@$(NODE) -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v $(NPM) >/dev/null \
		|| { echo 'The tests drive real clients and need Node 20 or newer with npm; $(NODE) or $(NPM) is missing or too old.' >&2; exit 1; }
	@touch $@

$(VENV)/.clients: $(VENV)/.node tests/clients/package.json tests/clients/package-lock.json
	@$(NPM) ci --prefix tests/clients --silent --ignore-scripts
	@touch $@

$(VENV)/.sdk: $(VENV)/.node sdk-js/package.json sdk-js/package-lock.json
	@$(NPM) ci --prefix sdk-js --silent --ignore-scripts
	@touch $@

$(VENV)/.programs: $(VENV)/.python tests/install_programs.sh
	@tests/install_programs.sh
	@touch $@

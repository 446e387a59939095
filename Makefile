# make env      the environment alone, from the hash-pinned lock
# make testnet  the main job: seven members, two chains, the rsETH case
# make test     every check on a clean clone, at most ten minutes on two cores
# make fuzz     every reader fuzzed for MINUTES (default 1) each, in an environment of its own
# make simulate the simulator's seeds alone; `python -m tests.sim` plays as many as you like
# make interop  a member in JavaScript, written from the specification, in a network of ours; needs Node.js >= 20
# make browser  the console in a real Chromium, against a running local network; needs Debian's chromium and npm
# make levers   fetches published contracts of others, by their lock, for the tests of the levers on them; needs npm
# make drill    an exercise on real nodes, and everything that it must not have done; about half a minute
# make sabotage five spoilt networks, each of which must fail and say why; about ten minutes
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: env testnet test check unit simulate integration together interop browser levers drill sabotage fuzz contracts check-contracts lock clean

env: $(STAMP)

$(STAMP): dev.lock pyproject.toml
	@sh deploy/check-system.sh $(PYTHON)
	@echo "tocsin: making $(VENV) (once; about two minutes)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r dev.lock
	@$(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

testnet: $(STAMP)
	@$(VENV)/bin/tocsin testnet

test: check unit together

check: $(STAMP) check-contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# two halves side by side, one a core
unit: $(STAMP)
	@$(PY) -m pytest tests/unit & half=$$!; \
	$(PY) -m pytest tests/property tests/vectors tests/fuzz tests/tidy tests/sim --ignore=tests/sim/test_seeds.py; other=$$?; \
	wait $$half && exit $$other

simulate: $(STAMP)
	$(PY) -m pytest tests/sim/test_seeds.py

integration: $(STAMP)
	$(PY) -m pytest -m "not long and not interop" tests/integration

# What an adapter is tried on is no network of nodes.
ADAPTERS := $(addprefix tests/integration/,bench chain evm levers notify venue webhook)

# real nodes use a third of two cores, for they wait for each other; the adapters' targets have most of the rest, and
# the simulator what both leave
together: $(STAMP)
	@nice -n 19 $(PY) -m pytest tests/sim/test_seeds.py & seeds=$$!; \
	nice -n 5 $(PY) -m pytest -m "not long and not interop" $(ADAPTERS) & others=$$!; \
	$(PY) -m pytest -m "not long and not interop" tests/integration $(addprefix --ignore=,$(ADAPTERS)); nodes=$$?; \
	wait $$others; others=$$?; wait $$seeds && exit $$((nodes | others))

interop: $(STAMP)
	@sh tests/integration/js/interop.sh $(PY)

levers: $(STAMP)
	@$(PY) -m tests.integration.levers.packages

drill: $(STAMP)
	@$(VENV)/bin/tocsin testnet --scenario drill --members 4

sabotage: $(STAMP)
	$(PY) -m pytest -m long tests/integration/sabotage

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra notify --extra otel pyproject.toml -o image.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev --extra notify --extra otel pyproject.toml -o dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header contracts.in -o contracts.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra fuzz pyproject.toml -o fuzz.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra browser pyproject.toml -o browser.lock

FUZZ_VENV := .venv-fuzz
FUZZ_PY := $(FUZZ_VENV)/bin/python
FUZZ_STAMP := $(FUZZ_VENV)/.installed
MINUTES ?= 1
JOBS ?= 1

$(FUZZ_STAMP): fuzz.lock
	@echo "tocsin: making $(FUZZ_VENV), the fuzzer's own environment (once; about a minute)"
	@rm -rf $(FUZZ_VENV)
	@$(PYTHON) -m venv $(FUZZ_VENV)
	@$(FUZZ_PY) -m pip install -qq --disable-pip-version-check --require-hashes -r fuzz.lock
	@touch $@

fuzz: $(FUZZ_STAMP)
	@$(FUZZ_PY) -m tests.fuzz --minutes $(MINUTES) --jobs $(JOBS)

BROWSER_VENV := .venv-browser
BROWSER_PY := $(BROWSER_VENV)/bin/python
BROWSER_STAMP := $(BROWSER_VENV)/.installed

$(BROWSER_STAMP): browser.lock
	@sh tests/browser/check-system.sh
	@echo "tocsin: making $(BROWSER_VENV), the browser's own environment (once; about two minutes)"
	@rm -rf $(BROWSER_VENV)
	@$(PYTHON) -m venv $(BROWSER_VENV)
	@$(BROWSER_PY) -m pip install -qq --disable-pip-version-check --require-hashes -r browser.lock
	@touch $@

browser: $(BROWSER_STAMP)
	@sh tests/browser/check-system.sh
	@$(BROWSER_PY) -m tests.browser.axe
	@$(BROWSER_PY) -m pytest tests/browser

CONTRACTS_VENV := .venv-contracts
CONTRACTS_PY := $(CONTRACTS_VENV)/bin/python
CONTRACTS_STAMP := $(CONTRACTS_VENV)/.installed
CONTRACTS_SOURCES := $(wildcard adapters/evm/contracts/*.vy adapters/evm/contracts/*.json) tests/tidy/contracts.py

$(CONTRACTS_STAMP): contracts.lock
	@echo "tocsin: making $(CONTRACTS_VENV), the compiler's own environment (once; some seconds)"
	@rm -rf $(CONTRACTS_VENV)
	@$(PYTHON) -m venv $(CONTRACTS_VENV)
	@$(CONTRACTS_PY) -m pip install -qq --disable-pip-version-check --require-hashes -r contracts.lock
	@touch $@

$(CONTRACTS_VENV)/.checked: $(CONTRACTS_STAMP) $(CONTRACTS_SOURCES)
	@$(CONTRACTS_PY) tests/tidy/contracts.py check
	@touch $@

contracts: $(CONTRACTS_STAMP)
	@$(CONTRACTS_PY) tests/tidy/contracts.py write

check-contracts: $(CONTRACTS_VENV)/.checked

clean:
	rm -rf $(VENV) $(CONTRACTS_VENV) $(FUZZ_VENV) $(BROWSER_VENV) .browser build dist

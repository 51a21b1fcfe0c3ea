# minewatch 矿巡. `make` alone lists what there is to do. Needed: Python 3.11 or newer, make, Debian's usual tools.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup venv demo up test check faults bench audit-crosscheck compose-test test-containers \
  check-arm64 format lock browser promtool clean

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
PORT ?= 8080
ARGS ?=
TESTS ?= tests
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))

# Named after what .venv was made from: as long as that is the same, nothing is done twice.
READY := .venv/.ready-$(shell { pwd; cat requirements.lock pyproject.toml; } | sha256sum | cut -c1-16)

# Finds the newest Python that works (a name may be on the PATH and lead nowhere) as $$python, or says what to do.
FIND_PYTHON = python=; old=; \
	for name in python3.13 python3.12 python3.11 python3; do \
	  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  old=$$name; if $$name -c 'import ensurepip, venv' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  if [ -n "$$old" ]; then echo "$$old cannot make a venv. On Debian: apt-get install $$old-venv" >&2; \
	  else echo "Python 3.11 or newer is needed. On Debian 12 or later: apt-get install python3 python3-venv" >&2; fi; \
	  exit 1; \
	fi

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[1mmake %-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: venv ## Install everything into .venv, hash-checked; done by itself where needed
venv: $(READY)

$(READY): # a .venv that was moved or belongs to an old Python is made anew
	@$(FIND_PYTHON); \
	if ! { grep -qsF "$(CURDIR)/$(BIN)" $(BIN)/pip \
	    && $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; then \
	  echo "Making .venv with $$($$python --version)"; $$python -m venv --clear .venv; \
	fi
	@echo "Installing what requirements.lock names (a minute or two, once)"
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements.lock
	@$(PIP) --no-deps --no-index --no-build-isolation --editable .
	@rm -f .venv/.ready-* && touch $@

demo: venv ## The campaign of 2018 in fast motion, then browse it; ARGS="--exit --summary demo.json" to only run it
	@$(BIN)/minewatch demo $(ARGS)

up: venv ## Run all four services with their own Postgres and NATS on ./.data; PORT=8080, ARGS=…
	@$(BIN)/minewatch up --data ./.data --port $(PORT) $(ARGS)

# One worker more than there are processors: the tests of whole towns wait for half of their time.
test: venv ## Run the tests; TESTS=tests/unit, ARGS="-k word", ARGS=--containers …
	@$(BIN)/python -m compileall -q shared services tests # once, not in each of the hundreds of processes that they start
ifeq ($(TESTS),tests)
	@$(BIN)/python -m pytest tests --numprocesses=$(WORKERS) --dist=loadfile $(ARGS)
else
	@$(BIN)/python -m pytest $(TESTS) $(ARGS)
endif

faults: venv ## Kill, injure and disturb a whole town for ten minutes, then compare every effect; ARGS="--seed 7"
	@$(BIN)/python -m tests.faults $(ARGS)

bench: venv ## How fast it is, side by side with what else one might use; ARGS="--only d,e", six to ten minutes
	@$(PIP) --require-hashes --only-binary :all: --requirement requirements-bench.lock
	@$(BIN)/python -m tests.bench $(ARGS)

audit-crosscheck: venv ## Go's sumdb and @sigstore/verify check our logs, a demo's too; minutes (Debian, as root: installs Go)
	@$(call NEED,go,golang-go)
	@$(call NEED,/usr/share/gocode/src/golang.org/x/mod/sumdb,golang-golang-x-mod-dev)
	@$(call NEED,npm,nodejs npm)
	@$(BIN)/python -m tests.crosscheck

compose-test: venv ## Build docker-compose.yml's town, live through it with kills in between, take it down; docker needed
	@$(BIN)/python -m tests.compose

# On wheels stay: embedded, backup, and the tests in kernel, evidence and intake that stop or hold up a server or a whole town.
test-containers: venv ## The integration tests on container images (who starts a server of his own stays on wheels); docker needed
	@$(BIN)/python -m tests.compose.daemon
	@$(BIN)/python -m pytest tests/integration --containers $(ARGS)

check: venv ## Lint, format, strict types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict shared services
	$(BIN)/lint-imports

check-arm64: venv ## Is there an ARM64 wheel for all that the lock files name? Needs the network, a minute or two
	@$(BIN)/python -m tests.release.wheels $(ARGS)

format: venv ## Put the source into its one format and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/lock-tool/bin/uv ## Resolve pyproject.toml into both requirements.lock files; ARGS=--upgrade for newer versions
	@$< pip compile pyproject.toml --extra embedded --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet $(ARGS) --output-file requirements.lock
	@$< pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.13 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file deploy/requirements.lock

# uv is not among the dependencies: only this target uses it. The hashes are those of Linux on x86_64 and aarch64.
.venv/lock-tool/bin/uv: | .venv
	@$(FIND_PYTHON); $$python -m venv --clear .venv/lock-tool
	@printf '%s ' 'uv==0.13.9' \
	  '--hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19' \
	  '--hash=sha256:5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe' > .venv/lock-tool/uv.lock
	@.venv/lock-tool/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r .venv/lock-tool/uv.lock

.venv:
	@mkdir -p $@

# $(call NEED,program or file,Debian packages): installs the packages where the program is missing, or says what to do.
NEED = { command -v $(1) >/dev/null || [ -e $(1) ]; } || { \
	if [ "$$(id -u)" != 0 ]; then echo "As root: apt-get install --no-install-recommends $(2)" >&2; exit 1; fi; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $(2) >/dev/null; }

browser: ## Install Chromium and a Chinese font for the tests of the pages (Debian, as root)
	@$(call NEED,chromium,chromium)
	@$(call NEED,/usr/share/fonts/truetype/wqy/wqy-microhei.ttc,fonts-wqy-microhei)

promtool: ## Install promtool for the tests of the alarms (Debian, as root); no server is left running
	@$(call NEED,promtool,prometheus)
	@if [ -d /run/systemd/system ]; then systemctl disable --quiet --now prometheus; fi

clean: ## Remove .venv and every cache; what was recorded in .data stays
	@rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

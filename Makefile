PYTHON ?= python3
BIN := .venv/bin

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	touch $@

check: .venv/ready ## style and types
	$(BIN)/ruff check shared/contracts shared/transparency tests/contracts tests/unit/shared
	$(BIN)/mypy shared/contracts shared/transparency

test: .venv/ready ## all tests
	$(BIN)/python -m pytest tests/contracts tests/unit/shared

.PHONY: check test

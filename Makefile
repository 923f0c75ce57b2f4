# Everything a contributor runs. `make demo` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
PACKAGES := libs/common services/scraper services/ingest services/grouping services/gateway libs/cli libs/sandbox
SERVICES := scraper ingest grouping gateway
ARGS   ?=
JOBS   ?= 2
NAME   ?= all

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-long bench lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "SplitCart needs Python 3.11 or newer; set PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --quiet --disable-pip-version-check install uv

# What the stack needs to run: no linters, no test tools, no torch.
$(VENV)/.stack: $(UV) requirements/stack.txt $(PACKAGES:%=%/pyproject.toml)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/stack.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps $(PACKAGES:%=-e %)
	@touch $@

$(VENV)/.dev: $(VENV)/.stack requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.dev ## a virtual environment with everything in it

demo: $(VENV)/.stack ## the main job on real Kafka and Postgres; ARGS="--for 60s --json"
	$(BIN)/splitcart demo $(ARGS)

check: setup ## lint, types, import contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

test: setup ## every test but the long ones, JOBS at a time, a stack each; ARGS="-k name"
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

test-long: setup ## the laws searched at length, and the long suite: kills, seeds, fuzz; not in CI
	HYPOTHESIS_PROFILE=long $(BIN)/pytest tests/property --timeout=3600 $(ARGS)
	$(BIN)/pytest -m long $(ARGS)

bench: setup ## every benchmark, or one: NAME=fold
	$(BIN)/python -m benchmarks.run $(NAME) $(ARGS)

lock: $(UV) ## pin every dependency again: hashed requirements, one file a service
	$(UV) lock --quiet --upgrade
	@for service in $(SERVICES); do \
	  $(UV) export --quiet --no-emit-workspace --no-header --no-default-groups --package splitcart-$$service --output-file requirements/$$service.txt >/dev/null; \
	done
	$(UV) export --quiet --no-emit-workspace --no-header --no-default-groups --output-file requirements/stack.txt >/dev/null
	$(UV) export --quiet --no-emit-workspace --no-header --all-groups --output-file requirements/dev.txt >/dev/null
	echo 'uv_build>=0.9,<1' | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - >deploy/build.txt

clean: ## remove the environment and the caches, not the data folder
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

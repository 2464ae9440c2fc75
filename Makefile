# All commands, for developers and CI; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more than the cores of a small machine: many tests wait for processes and timers.
JOBS ?= 3
# Tests of the API, its webhooks and realtime, which also run on PostgreSQL; the gate runs
# more of them there, such as the names of webhook parameters, which no engine changes.
ON_BOTH_ENGINES := tests/resources tests/realtime tests/contract/test_every_operation.py \
  tests/events/test_participant_updated.py tests/events/test_pre_action.py \
  $(filter-out %_parameters.py,$(wildcard tests/events/test_webhook_*.py))
IN_THE_GATE := $(filter-out $(ON_BOTH_ENGINES),$(wildcard tests/events/test_*.py)) \
  tests/contract/test_webhook_checklist.py
# The length in the gate of runs that `make test` shortens; docs/contributing/tests.md lists them.
LONG_RUNS := PARLOUR_KILLS=200 PARLOUR_SETTINGS_RUNS=50 PARLOUR_SEEDS=60 \
  PARLOUR_INPUTS=26 PARLOUR_CUT_STEPS=25 PARLOUR_SURVIVALS=5

# Test servers start from compiled code, in half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help serve console quick check test gate pictures own-coverage attacks planted-faults bench bench-postgres bench-growth bench-realtime bench-migration bench-scale bench-overload bench-testkit bench-channels bench-console docs lock clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

# The editable installation runs hatch_build.py, which builds the console's third-party modules.
$(VENV)/serve.stamp: requirements.txt requirements-node.txt pyproject.toml hatch_build.py tools/console_vendor.py console/package-lock.json
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	{ command -v node && command -v npm; } >/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-node.txt || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m tools.console_vendor --check || true
	touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/serve.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

serve: $(VENV)/serve.stamp ## Set up and run the server (ARGS="--port 8080").
	$(BIN)/parlour serve $(ARGS)

console: $(VENV)/serve.stamp ## Build the console, if it was not built with the server.
	$(BIN)/python -m tools.console_vendor

# The types and the tidy rules take the longest, so they run in parallel.
check: $(VENV)/dev.stamp ## Lint, layers, types, tidy rules: .pre-commit-config.yaml runs the same.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest -n 0 tests/tidy; tidy=$$?; \
	wait $$types && test $$tidy = 0

quick: $(VENV)/dev.stamp ## The fast tests, on SQLite: a minute.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not gate and not slow" tests/unit tests/tidy tests/resources

# The tidy rules have passed in `check`.
test: $(VENV)/dev.stamp check ## Set up and run the tests.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations 20 -m "not gate" --ignore tests/tidy
	PARLOUR_TEST_ENGINE=postgres $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations 20 -m "not gate" $(ON_BOTH_ENGINES)

# Attacks run last and alone: other load would distort the measurements.
gate: $(VENV)/dev.stamp check own-coverage ## Run the tests, the long reliability runs, and the attacks.
	$(LONG_RUNS) $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations 20 --ignore tests/attacks
	PARLOUR_TEST_ENGINE=postgres $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations 20 $(ON_BOTH_ENGINES) $(IN_THE_GATE)
	$(BIN)/python -m pytest --durations 20 tests/attacks

pictures: $(VENV)/dev.stamp ## Write the pictures of the console in the documentation.
	PARLOUR_PICTURES=write $(BIN)/python -m pytest -n 0 tests/browser/test_pictures.py

own-coverage: $(VENV)/dev.stamp ## Check that each own test file covers every branch of its module (ARGS="lanes").
	$(BIN)/python -m tools.own_coverage $(ARGS)

attacks: $(VENV)/dev.stamp ## Attack a server, with nothing else running.
	$(BIN)/python -m pytest tests/attacks

planted-faults: $(VENV)/dev.stamp ## Plant each fault; the harness must report it.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup tests/planted_faults

bench: $(VENV)/dev.stamp ## Measure speed against bare baselines, in one interleaved run.
	$(BIN)/python -m bench.run $(ARGS)

bench-postgres: $(VENV)/dev.stamp ## Measure PostgreSQL against one transaction for each request.
	$(BIN)/python -m bench.postgres $(ARGS)

bench-growth: $(VENV)/dev.stamp ## Measure that a large store is as fast as a small one.
	$(BIN)/python -m bench.growth $(ARGS)

bench-realtime: $(VENV)/dev.stamp ## Measure the socket against a bare broadcaster, and the SDK's start.
	$(BIN)/python -m bench.realtime.run $(ARGS)

bench-migration: $(VENV)/dev.stamp ## Move a million messages into PostgreSQL, and measure it.
	$(BIN)/python -m bench.migration $(ARGS)

bench-scale: $(VENV)/dev.stamp ## Measure what a request costs Parlour and PostgreSQL.
	$(BIN)/python -m bench.scale $(ARGS)

bench-overload: $(VENV)/dev.stamp ## Measure goodput at up to ten times the capacity.
	$(BIN)/python -m bench.overload $(ARGS)

bench-testkit: $(VENV)/dev.stamp ## Measure resets, snapshots and accounts of test mode.
	$(BIN)/python -m bench.testkit $(ARGS)

bench-channels: $(VENV)/dev.stamp ## Measure messages per second on one SMPP link.
	$(BIN)/python -m bench.channels $(ARGS)

bench-console: $(VENV)/dev.stamp ## Measure the console's pages, and REST with five of them open.
	$(BIN)/python -m bench.console $(ARGS)

docs: $(VENV)/dev.stamp ## Write the generated pages.
	$(BIN)/python -m parlour docs docs/reference
	$(BIN)/python -m tests.docs.attacks
	$(BIN)/python -m tests.docs.channel_decisions

lock: ## Regenerate the lock files, with hashes and without URLs.
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet pip-tools
	for name in requirements requirements-node requirements-dev; do \
	  $(VENV)/lock/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links --no-header --no-annotate --strip-extras --allow-unsafe -o $$name.txt $$name.in; done

clean: ## Remove the virtual environment and the caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# make run    a demo city on this machine: engine, crews, residents; Ctrl-C stops everything
# make test   everything that is checked: lint, types, import rules, tests
# make soak   a million simulated seeds: SEEDS= how many, FIRST= the first, JOBS= in how many processes
# make storm MINUTES=100  every fault there is, combined at random, for so many minutes; the totals are in storm-results
# make planted   puts known bugs back into real processes, one by one, and finds them
# make fuzz   readers, routes and sockets under fuzz for MINUTES=10 of each kind; a short run is in make test
# make lint   the first three alone       make lock   write the lock files anew       make clean
# make web    the web apps, where they are older than web/       make screenshots   the pictures of docs/img
.DEFAULT_GOAL := run
.PHONY: run test test-packages test-most test-old-postgres test-seeds test-storm soak storm planted fuzz
.PHONY: lint lint-types lint-style lint-web lock clean check-lock web screenshots
SHELL := /bin/bash
# Hundreds of processes are started here: without compiled files each would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUN_STAMP := .venv/.installed
TEST_STAMP := .venv/.installed-for-tests
COMPILE_STAMP := .venv/.compiled
# Run $(1), and show what it says in one piece when it has ended.
in_one_piece = { $(1); } > .$@.log 2>&1; status=$$?; cat .$@.log; exit $$status

run:
	@tools/make-venv .venv
	@$(MAKE) --no-print-directory -j2 $(RUN_STAMP) web
	@exec $(BIN)/qiangdan demo --data-dir .demo-data

# Without compiling: a tenth of what comes is ever imported, and what is, is compiled then.
INSTALL := $(PIP) install --progress-bar on -q --no-compile --require-hashes

$(RUN_STAMP): requirements.lock pyproject.toml
	@tools/make-venv .venv
	@echo "Installing what qiangdan needs (once; the next start is immediate) ..."
	@$(INSTALL) -r requirements.lock
	@QIANGDAN_SKIP_WEB=1 $(PIP) install -q --no-deps -e .
	@touch $@

$(TEST_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# Some 40 s of one core, kept on disk: otherwise the first plan would wait for it.
$(COMPILE_STAMP): $(RUN_STAMP)
	@echo "Compiling the optimizer's search (once) ..."
	@$(BIN)/python -m optimizer.search
	@touch $@

# With Node on the PATH, or else with one that comes as a Python package into a folder of its own.
# Needs nothing of what is installed here, so it is built meanwhile.
web:
	@tools/make-venv .venv
	@$(BIN)/python -m dispatch.web_build --check || tools/build-web $(BIN)/python

lint: $(TEST_STAMP) check-lock web
	@$(MAKE) --no-print-directory --output-sync=target -j2 lint-types lint-style lint-web

lint-types: $(TEST_STAMP)
	$(BIN)/mypy

lint-style: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

lint-web: $(RUN_STAMP) web
	@tools/check-web $(BIN)/python

storm: MINUTES ?= 100
storm: OPERATIONS ?= 0
storm: $(TEST_STAMP) web
	$(BIN)/python -m tests.faults.run --minutes $(MINUTES) --operations $(OPERATIONS) $(if $(SEED),--seed $(SEED))

planted: $(TEST_STAMP) web
	$(BIN)/pytest -rA tests/faults/test_planted.py

fuzz: MINUTES ?= 10
fuzz: $(TEST_STAMP) web
	QIANGDAN_TEST_FUZZ_MINUTES=$(MINUTES) $(BIN)/pytest tests/fuzz -o timeout=0 --durations=10 -s

screenshots: $(TEST_STAMP) web
	$(BIN)/python tools/screenshots.py

# Other seeds than those of `make test`, which are the first ten thousand.
soak: SEEDS ?= 1000000
soak: FIRST ?= 10000
soak: JOBS ?= $(shell nproc)
soak: $(TEST_STAMP)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

# Each line has something for both cores: what was installed first is compiled while the rest comes. The seeds need nothing
# but a core, and take what the other tests leave idle.
test: check-lock
	@tools/make-venv .venv
	@$(MAKE) --no-print-directory --output-sync=line -j4 $(COMPILE_STAMP) test-packages lint-types lint-web lint-style
	@$(MAKE) --no-print-directory -j3 test-seeds test-storm

test-packages:
	@tools/install-test-packages

test-most:
	@echo "Everything but the seeds and the storm, four files at a time (much of it waits):"
	$(BIN)/pytest -n 4 --dist loadscope --durations=10 \
		--ignore $(SEEDS_TEST) --ignore tests/faults/test_storm.py --ignore tests/faults/test_planted.py

test-old-postgres:
	@$(call in_one_piece,tools/test-on-old-postgres $(BIN)/pytest)

SEEDS_TEST := tests/simulation/test_seeds.py
test-seeds:
	@$(call in_one_piece,echo "Ten thousand seeds:"; nice -n 10 $(BIN)/pytest -n 2 -o timeout=900 $(SEEDS_TEST))

test-storm: test-most test-old-postgres
	@echo "The storm: engines and PostgreSQL are killed under load, for a minute:"
	$(BIN)/pytest tests/faults/test_storm.py

# Universal: one file for every Python from 3.11 on and every platform. Hashes, and no host in it.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
lock: $(TEST_STAMP)
	$(LOCK) $(UPGRADE) -o requirements.lock
	$(LOCK) $(UPGRADE) --all-extras --group dev -c requirements.lock -o requirements-dev.lock
	@$(MAKE) --no-print-directory check-lock

check-lock:
	@! grep -nE '://|^-|/(opt|tmp|home|root|work)/' requirements.lock requirements-dev.lock \
		|| { echo "A lock file names a host, an option or a path; make it anew with 'make lock'." >&2; exit 1; }
	@! grep -nE '"resolved"|registry\.' web/package-lock.json tests/acceptance/asyncapi/package-lock.json \
		|| { echo "A package-lock.json names a registry: delete it and node_modules, and 'npm install' anew." >&2; exit 1; }

clean:
	rm -rf .venv .node build dist .test-*.log dispatch/http/site web/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

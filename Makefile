# `make check` is everything that the build machine runs (.ci/run).

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header

# The packages that decide and compute without input or output: 95 % of their branches are tested.
comma := ,
empty :=
PURE := model stats definitions ingest aggregate baseline guard diagnose alert core score
PURE_FILES := $(subst $(empty) $(empty),$(comma),$(PURE:%=monitor/%/*))

.NOTPARALLEL:
# From nothing to an incident found, understood and resolved, without a broker. Ctrl-C ends it.
demo: .venv
	$(BIN)/monitor demo $(DEMO)

.PHONY: demo check lint format types layers test coverage fuzz chaos lock dashboards bench-guard clean

check: lint types layers test coverage

# From nothing: a virtual environment with exactly what is locked. Remove .venv to build it anew.
.venv:
	@test -n "$(PYTHON)" || { echo "needs Python 3.11 or newer: install it, or give PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	{ $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt \
	  && $(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; } \
	  || { rm -rf .venv; exit 1; }

lint: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv
	$(BIN)/mypy

layers: .venv
	$(BIN)/lint-imports

# Tests with real servers skip themselves where there are none; MONITOR_REQUIRE_SERVERS=1 forbids it.
# Three processes, as one of them waits for its servers most of the time; a file stays in one. A bare
# `pytest` is one process.
SHARED_OUT := -n 3 --dist loadfile --no-loadscope-reorder
# The program is started a hundred times: its bytecode is kept, whatever the caller wants elsewhere.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv
	$(BIN)/pytest $(SHARED_OUT) --cov --cov-report= --cov-fail-under=0

coverage: .venv
	@echo "== all packages, for information"
	$(BIN)/coverage report --fail-under=0
	@echo "== the pure packages, 95 % at least"
	$(BIN)/coverage report --include='$(PURE_FILES)'

# Messages and configurations of all sorts, for so long; the short form of it is among the tests.
FUZZ ?= 3m
fuzz: .venv
	$(BIN)/python -m tests.fuzz $(FUZZ)

# Faults by a seed on real servers, then every figure is compared; the short form of it is among the tests.
CHAOS ?= --events 10400000 --faults 60 --seed 7 --pace 12000
chaos: .venv
	$(BIN)/python -m tests.system.chaos.run $(CHAOS)

# The ten checks of the guard, its delays and a table of worlds; FAST=--fast for two minutes. With a date
# (DATE=2026-11-23) the tables are written to docs/statistics.md.
DATE ?=
FAST ?=
bench-guard: .venv
	PYTHONPATH=. $(BIN)/python benchmarks/guard.py $(FAST) $(if $(DATE),--date $(DATE))

# Needs uv in the virtual environment: .venv/bin/pip install uv
lock:
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml requirements/build.in --group dev -o requirements/dev.txt
	$(LOCK) requirements/build.in -o requirements/build.txt

# What `dashboards/` holds follows from the example configuration; a test compares them.
dashboards: .venv
	$(BIN)/monitor dashboards export --config config --out dashboards

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

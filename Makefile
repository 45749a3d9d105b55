# Few targets; each says what it does. Needs Python >= 3.11 and make, obtains the rest once (see `make parts`).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FOR    ?=
SPEED  ?=
MODULE ?=
FAULTS ?= 200
RECORDS ?= 10000000
SEED   ?= 1
MINUTES ?= 60
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test check fix docs bench chaos fuzz soak mutate parts locks generate clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(VENV)/runtime  ## Show the whole thing on this machine; FOR=60s ends by itself, SPEED=60 runs its time faster
	@$(BIN)/slamon demo $(if $(FOR),--for $(FOR)) $(if $(SPEED),--speed $(SPEED))

test: $(VENV)/dev  ## Run every test; what a part is missing for is skipped and named
	@$(BIN)/python -m slamon.demo.parts java kafka
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/domain tests/laws tests/scenarios tests/shell tests/simulation
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/end_to_end
	@$(BIN)/python -m pytest -q tests/faults

check: $(VENV)/dev  ## Format, lint, types, import contracts: what needs seconds
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(VENV)/dev  ## Format, and mend what the linter can mend
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

docs: $(VENV)/dev  ## Build the documentation as a site, build/docs/index.html; a link that leads nowhere is an error
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --write-all --quiet docs build/docs

bench: $(VENV)/dev  ## Print figures as ratios to a baseline of the same run
	@$(BIN)/python -m slamon.demo.parts java kafka
	@$(BIN)/python -m tests.benchmarks

chaos: $(VENV)/dev  ## Break a real cluster of three brokers FAULTS times as SEED draws it, and compare what it says with what it should
	@$(BIN)/python -m slamon.demo.parts java kafka alertmanager toxiproxy-server
	@$(BIN)/python -m tests.faults --faults $(FAULTS) --seed $(SEED)

fuzz: $(VENV)/dev  ## Feed mutated records to codec and step, and account for each; RECORDS=10000000 SEED=1
	@$(BIN)/python -m tests.fuzz --processes 2 --records $(RECORDS) --seed $(SEED)

soak: $(VENV)/dev  ## Run the daemon for long at half its peak rate, and draw its memory and lag; MINUTES=60
	@$(BIN)/python -m slamon.demo.parts java kafka
	@$(BIN)/python -m tests.soak --minutes $(MINUTES)

mutate: $(VENV)/dev  ## Change the domain in one place at a time, and list the changes that no test notices; MODULE=terms for one file
	@$(BIN)/mutmut run --max-children 2 $(if $(MODULE),'slamon.domain.$(MODULE).*')
	@$(BIN)/mutmut results | sed '/: not checked/d'

parts: $(VENV)/runtime  ## Obtain everything that tests want beyond Python; builds with Go, some 6 minutes the first time
	@$(BIN)/python -m slamon.demo.parts java kafka kafka-tools prometheus promtool alertmanager amtool helm schemas grafana-schema toxiproxy-server

generate: $(VENV)/dev  ## Write anew what follows from other files: dashboards, the chart's files, references of settings, values and metrics
	@$(BIN)/python grafana/generate.py
	@$(BIN)/python deploy/values_schema.py
	@$(BIN)/python deploy/values_reference.py
	@$(BIN)/python deploy/chart_rules.py
	@$(BIN)/python deploy/settings_reference.py
	@$(BIN)/python deploy/metrics_reference.py

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
locks: $(VENV)/dev  ## Pin what the project needs anew
	@$(LOCK) --upgrade pyproject.toml -o requirements/runtime.txt
	@$(LOCK) --upgrade requirements/build.in -o requirements/build.txt
	@$(LOCK) --upgrade requirements/demo.in -o requirements/demo.txt
	@$(LOCK) --upgrade requirements/dev.in -o requirements/dev.txt
	@$(LOCK) --upgrade requirements/compared.in -o requirements/compared.txt

clean:  ## Remove what was made here, but not the cache of parts
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist mutants

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slamon needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=...")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements/runtime.txt requirements/build.txt requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "installing what slamon needs into $(VENV) (once, under a minute)"
	@$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt -r requirements/demo.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/runtime
	@echo "installing what the tests need into $(VENV) (once, under a minute)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

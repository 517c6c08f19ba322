# Two commands: `make demo` and `make test`. Each makes the environment it needs in .venv; `make help` lists the rest.

PYTHON ?= python3
POSTGRES ?= 18
INCIDENTS ?=
SCENARIOS ?= 10800
SEED ?= 1
FAULTS ?=
CRASH_JSON ?=
BENCH_JSON ?=
SMALL ?=
ARGS ?=

BIN := .venv/bin
# A comma that does not part the arguments of `call`.
, := ,
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo "sudo ")
# A clone that was moved gets a new environment: its scripts name the old place.
PLACE := $(shell pwd | cksum | cut -d ' ' -f 1)
RUNTIME := .venv/.runtime-$(PLACE)
DEV := .venv/.dev-$(PLACE)
BENCH := .venv/.bench-$(PLACE)

.PHONY: help demo test crash bench bench-diagnosis check evals setup setup-dev clean needs
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(RUNTIME) ## a ticket comes in, gets diagnosed, fixed, reviewed, deployed and closed, on this machine alone
	@$(BIN)/sre-bot demo $(ARGS)

test: $(DEV) ## all tests; POSTGRES=15 tries them on Debian's Postgres 15, ARGS goes to pytest
	@$(BIN)/python -m pytest -n 4 --dist worksteal --durations=10 --postgres=$(POSTGRES) $(ARGS)

crash: $(DEV) ## the crash matrix: SCENARIOS=N SEED=N FAULTS=kill,pause CRASH_JSON=path
	@$(BIN)/python -m tests.crash --scenarios $(SCENARIOS) --seed $(SEED) --faults "$(FAULTS)" --json "$(CRASH_JSON)" $(ARGS)

bench: $(BENCH) ## steps a second beside LangGraph's own saver and DBOS: BENCH_JSON=path SMALL=1
	@$(BIN)/python -m benchmarks --json "$(BENCH_JSON)" $(if $(SMALL),--small) $(ARGS)

bench-diagnosis: $(DEV) ## seconds and memory from snapshot to diagnosis, by size, and whether patterns are linear: BENCH_JSON=path
	@$(BIN)/python -m benchmarks.diagnosis --json "$(BENCH_JSON)" $(ARGS)
	@$(BIN)/python -m benchmarks.patterns

check: $(DEV) ## format, lint, types, floors, and what is generated from the code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/sre-bot graph --check
	$(BIN)/sre-bot settings --check

evals: $(RUNTIME) ## score the incidents against evals/baseline.json; INCIDENTS=path plays those end to end instead
ifeq ($(INCIDENTS),)
	@$(BIN)/sre-bot eval evals/incidents evals/kept --jobs 2 --baseline evals/baseline.json $(ARGS)
else
	@$(BIN)/sre-bot eval $(INCIDENTS) --stage full $(ARGS)
endif

setup: $(RUNTIME) ## only make the environment that demo needs

setup-dev: $(DEV) ## only make the environment that test and check need

clean: ## remove the environment, the caches and the embedded database
	@if [ -e .sre-bot/postgres ] && ! flock -w 15 .sre-bot/postgres/supervisor.lock true; then \
		echo "The embedded Postgres is in use: stop sre-bot first."; exit 1; fi
	@if [ -L .sre-bot/postgres ]; then rm -rf "$$(readlink .sre-bot/postgres)"; fi
	rm -rf .venv .sre-bot .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

needs:
	@missing=""; \
	$(PYTHON) -c "" 2>/dev/null || missing="$$missing python3"; \
	$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || missing="$$missing python3-venv"; \
	command -v git >/dev/null || missing="$$missing git"; \
	if [ -n "$$missing" ]; then \
		echo "Missing:$$missing. Install with this, then try again:"; \
		echo "    $(SUDO)apt-get update && $(SUDO)apt-get install -y$$missing"; exit 1; fi; \
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Name another: make PYTHON=…"; exit 1; }

# $(call install,WHAT,REQUIREMENT): a line before, a line after, and pip's own words only when it fails.
define install
	@if [ ! -x $(BIN)/pip ] || { ls .venv/.runtime-* >/dev/null 2>&1 && [ ! -e $(RUNTIME) ]; }; then \
		rm -rf .venv && $(PYTHON) -m venv .venv; fi
	@echo "Installing $(1) into .venv (about a minute, once) …"
	@start=$$(date +%s); \
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e "$(2)" >.venv/install.log 2>&1 \
		|| { tail -n 20 .venv/install.log; echo "pip failed; all it said is in .venv/install.log"; exit 1; }; \
	echo "Installed in $$(( $$(date +%s) - start )) s."
	@touch $@
endef

$(RUNTIME): pyproject.toml constraints.txt | needs
	$(call install,sre-bot,.)

$(DEV): pyproject.toml constraints.txt | needs
	$(call install,sre-bot and its development tools,.[dev])
	@touch $(RUNTIME)

$(BENCH): pyproject.toml constraints.txt | needs
	$(call install,sre-bot and what it is compared with,.[dev$(,)bench])
	@touch $(RUNTIME) $(DEV)

# Everything a developer does here. Each target sets itself up; nothing outside $(VENV) is changed.
# Written for GNU make 3.81, which macOS still ships.

VENV = .venv
ARGS =

# Tests wait a lot, for leases and processes: three side by side keep two cores busy. One: make test PROCESSES=0
PROCESSES = 3

# The first of these that can run Kaiwa. Another one: make test PYTHON=/path/to/python
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)
FITS = import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check -qq

.PHONY: help run test faults bench screenshots deploy undeploy lint types pip-check check format clean

help: ## Show this list
	@awk -F ' *## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo 'Options are passed on with ARGS: make run ARGS="--no-browser", make test ARGS="-k signature"'

run: $(VENV)/.runtime ## Try the bot in the browser: no account, no key
	@$(RUN) -m bot.local $(ARGS)

test: $(VENV)/.dev ## Run all tests
	@$(RUN) -m pytest -n $(PROCESSES) $(ARGS)

faults: $(VENV)/.dev ## Run the fault matrix alone, and print it
	@KILLS=200 MUTATIONS=20000 TURNS=5000 $(RUN) -m pytest tests/faults $(ARGS)

bench: $(VENV)/.dev ## Measure it beside a bare and a plain bot (QUICK=1, FULL=1, CHECK=1, BASELINE=1)
	@QUICK=$(QUICK) FULL=$(FULL) CHECK=$(CHECK) BASELINE=$(BASELINE) $(RUN) -m tests.bench

screenshots: $(VENV)/.dev ## Take the README's pictures of the chat page again
	@$(RUN) -m tests.browser.screenshots docs

check: lint types pip-check ## Run lint, types and pip-check

lint: $(VENV)/.dev ## Check style and likely mistakes
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(VENV)/bin/shellcheck -x bot/cloud/*.sh

types: $(VENV)/.dev ## Check types
	@$(RUN) -m mypy

pip-check: $(VENV)/.dev ## Check that the pinned packages fit together
	@$(RUN) -m pip --disable-pip-version-check check

format: $(VENV)/.dev ## Format the code, and mend what can be mended
	@$(RUN) -m ruff check --fix-only --quiet .
	@$(RUN) -m ruff format .

# Where NAME comes from the shell it is the computer's name, on some Windows.
CLOUD = RUN=$(RUN) NAME="$(if $(filter command,$(origin NAME)),$(NAME))"

deploy: $(VENV)/.runtime ## Deploy into Google Cloud; without PROJECT it tells the parameters
	@$(CLOUD) bot/cloud/deploy.sh $(ARGS)

undeploy: $(VENV)/.runtime ## Remove what deploy made
	@$(CLOUD) bot/cloud/undeploy.sh $(ARGS)

clean: ## Remove the virtual environments and every cache
	rm -rf .venv .venv3* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# A stamp is newer than what it was made from: nothing is installed twice.
$(VENV)/.runtime: requirements.txt requirements-admin.txt $(VENV)/bin/python
	@echo "Installing what Kaiwa runs on into $(VENV) (a minute, the first time)"
	@$(PIP) install -r requirements-admin.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements-tracing.txt $(VENV)/.runtime
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

# Also when the Python that an older environment points to is gone.
$(VENV)/bin/python:
	@python="$(PYTHON)"; \
	if [ -z "$$python" ] || ! "$$python" -c '$(FITS)' 2>/dev/null; then \
		echo "Kaiwa needs Python 3.11, 3.12 or 3.13 with its venv module; found: $$("$${python:-python3}" --version 2>&1)." >&2; \
		echo "  Debian, Ubuntu: sudo apt install python3-venv" >&2; \
		echo "  macOS:          brew install python@3.13" >&2; \
		echo "  elsewhere:      make $(MAKECMDGOALS) PYTHON=/path/to/python3.13" >&2; \
		exit 1; \
	fi; \
	clear=; if [ -e "$(VENV)/pyvenv.cfg" ]; then clear=--clear; fi; \
	"$$python" -m venv $$clear "$(VENV)"

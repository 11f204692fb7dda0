# The few commands everyone uses. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
# Tests wait for processes and disks: three at a time keep two cores busy.
JOBS ?= 3
CODE := config utils data_pipeline monitoring operations cli api dashboard integrated_system.py

# The image, and how many containers stand around it: deploy/profiles says what each profile starts.
IMAGE ?= orchestrator:latest
PROFILE ?= one
COMPOSE = IMAGE=$(IMAGE) PROFILE=$(PROFILE) docker compose --env-file deploy/profiles/$(PROFILE).env --file deploy/compose.yaml
SECRETS := $(addprefix deploy/secrets/,postgres_password redis_password grafana_password)

# Without its compiled modules the program starts three times slower.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test pytest prove chaos soak mutants lint dashboard screenshots bench lock coverage audit advisories licences hooks docs build start up down

help:  ## List the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install: .venv/run  ## Make the environment and install what the program needs

run: install  ## Run the pipeline, do overdue maintenance, show the state
	@$(BIN)/python integrated_system.py

test: .venv/dev  ## Check the code and run the tests (short forms of every acceptance test)
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.prometheus_server
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: .venv/dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not prove"

prove: .venv/dev  ## Run the full counts of the acceptance tests (long)
	$(BIN)/python -m pytest -m "prove or hypothesis" --hypothesis-profile full --timeout 3600 -s

chaos: .venv/dev  ## Let 1,050 worlds go wrong, and check after each step what must hold (SEED=7: that one)
	@nice -n 5 $(BIN)/python -m tests.chaos.world $(if $(SEED),--seed $(SEED))

soak: .venv/dev  ## Let a day of 50 datasets pass, the API and the dashboard in use; its figures as a table
	@$(BIN)/python -m tests.soak

mutants: .venv/dev  ## Put 300 small faults into the program, and see whether its tests notice (long)
	@nice -n 10 $(BIN)/python -m tests.mutants

lint: .venv/dev  ## Style, types, and the arrows between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

dashboard: install  ## Show the state on a web page
	$(BIN)/python integrated_system.py dashboard

coverage: .venv/dev  ## Run the tests and say which lines none of them reaches
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not prove" --cov --cov-report=term:skip-covered --cov-report=xml

audit: .venv/dev  ## Look for unsafe code, and judge the workflows and the Dockerfile
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive $(CODE) deploy extensions
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/hadolint Dockerfile

advisories: .audit/ready  ## Ask the internet for known flaws of what is pinned; fails when nobody answers
	@.audit/bin/python -m pip_audit --strict --requirement requirements.txt --no-deps --disable-pip --timeout 10 \
		--progress-spinner off $$(sed -n "s/^\(CVE-[0-9-]*\).*/--ignore-vuln \1/p" .trivyignore) || \
		{ echo "advisories: there are known flaws, or nobody could be asked; the lines above say which" >&2; exit 1; }

build:  ## Build the container image
	docker build --tag $(IMAGE) .

up: build start  ## Build it and start it (PROFILE=one, watched or all)

start: $(SECRETS)  ## Start the containers of an image that is there, and wait until they are well
	$(COMPOSE) up --detach --wait --no-build --remove-orphans

down:  ## Stop the containers; what they keep stays
	$(COMPOSE) --profile all --profile dask down --remove-orphans

screenshots: .venv/dev  ## Take pictures of every page into screenshots/
	@$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.browser.screenshots $(or $(SCREENSHOTS),screenshots)

bench: .venv/dev .peers/ready  ## Measure everything, side by side with the peers, into out/bench (SHORT=1: in five minutes)
	$(BIN)/python -m benchmarks all $(if $(SHORT),--short)

lock: .venv/dev  ## Pin the newest versions that the ranges allow
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate --output-file requirements.txt requirements.in
	$(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate --output-file requirements-dev.txt requirements-dev.in

licences: .venv/dev  ## List whose work the program stands on: THIRD_PARTY.md
	@{ printf '# Third parties\n\nWhat `requirements.txt` installs, with the licence each package declares. `make licences` writes this page.\n\n'; \
		$(BIN)/pip-licenses --from=mixed --format=markdown --packages $$(cut -d= -f1 requirements.txt); } > THIRD_PARTY.md

docs: .venv/dev  ## Write the reference from the code, and build the site of the papers: out/docs
	$(BIN)/python -m docs.making.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build --strict

hooks: .venv/dev  ## Have git check what is committed (pre-commit)
	$(BIN)/pre-commit install

# Readable for the containers' users; the folder is closed to everybody else on this machine.
deploy/secrets/%:
	@install -d -m 0700 $(@D)
	@head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n' > $@ && chmod 0444 $@

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/made requirements.txt
	@echo "Installing what the program needs: about 1 GB, some minutes the first time ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.audit/ready: .ci/audit.txt
	@$(PYTHON) -m venv .audit
	@.audit/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.peers/ready: $(wildcard benchmarks/peers/*.txt)
	@for peer in $(basename $(notdir $^)); do \
		$(PYTHON) -m venv .peers/$$peer && \
		.peers/$$peer/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/$$peer.txt || exit 1; \
	done
	@touch $@

# Everything that a developer or CI runs. Needs make and Python 3.13; all else is installed into this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.13 || command -v python3)
UV := .uv/bin/uv
export SAM_CLI_TELEMETRY := 0
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export CKV_SKIP_PACKAGE_UPDATE_CHECK := true
# Caches, too, stay in this folder. They make a second install and every sam build quick; make clean removes them.
export UV_CACHE_DIR := $(CURDIR)/.uv/cache/uv
export PIP_CACHE_DIR := $(CURDIR)/.uv/cache/pip
sync = UV_PROJECT_ENVIRONMENT=$(1) $(UV) sync --quiet --locked --python $(PYTHON) $(2) && touch $(1)/.synced
sam = PATH="$(CURDIR)/.venv-sam/bin:$$PATH" sam

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: linux install build emulator ## Run two scheduled exports on an embedded AWS and show what they find (KEEP=1 keeps it running)
	.venv/bin/python -m tests.tools.demo $(if $(KEEP),--keep)

.PHONY: analyze
analyze: install ## Analyse report files of your own, without AWS (REPORTS="monday.json tuesday.csv"; OUT=, COVERAGE=)
	@[ -n "$(REPORTS)" ] || { echo 'Name the report files, the oldest first: make analyze REPORTS="monday.json tuesday.csv"' >&2; exit 1; }
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.analyze $(REPORTS) \
		$(if $(OUT),--out '$(OUT)') $(if $(COVERAGE),--coverage '$(COVERAGE)')

.PHONY: test
test: linux install build emulator .venv-security/.synced ## Run all tests, with coverage of the layer and the functions
	@$(MAKE) --no-print-directory browser || echo 'The tests of the page in a browser are skipped: there is none.' >&2
	.venv/bin/python -m pytest -n 2 --dist loadgroup --cov --cov-report= $(TESTS)
	.venv/bin/coverage report

# The tests of the page want a real browser. Debian calls it chromium; CHROMIUM names another one.
export CHROMIUM ?= /usr/bin/chromium

.PHONY: browser
browser: ## Make sure of Chromium, for the tests of the page (CHROMIUM=: one that is there)
	@if [ -x "$(CHROMIUM)" ]; then exit 0; fi; \
	if command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then as_root=; \
	elif command -v apt-get > /dev/null && sudo -n true 2> /dev/null; then as_root='sudo -n'; \
	else echo 'There is no Chromium at $(CHROMIUM). Install it (Debian: apt-get install chromium) or say where it is: make CHROMIUM=/path/to/chromium' >&2; exit 1; fi; \
	{ $$as_root apt-get update -qq && $$as_root apt-get install -qq -y --no-install-recommends chromium > /dev/null; } && [ -x "$(CHROMIUM)" ] \
	|| { echo 'Chromium could not be installed at $(CHROMIUM). Say where another one is: make CHROMIUM=/path/to/chromium' >&2; exit 1; }

.PHONY: faults
faults: linux install build emulator ## Break everything on purpose and check the six rules (CELL=, HISTORY=: one alone; HISTORIES=, LOAD=: how many; LANES=: at once; SEED=)
	PYTHONPATH=layers/exporter .venv/bin/python -m tests.faults $(if $(CELL),--cell '$(CELL)') $(if $(HISTORY),--history '$(HISTORY)') \
		$(if $(HISTORIES),--histories $(HISTORIES)) $(if $(LOAD),--load $(LOAD)) $(if $(SEED),--seed $(SEED)) \
		$(if $(LANES),--lanes $(LANES))

.PHONY: lint
lint: install .venv-security/.synced ## Check style, types, template, its policies and state machine
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python .ci/check_state_machine.py statemachine/export_findings.asl.json
	.venv/bin/cfn-lint template.yaml
	$(sam) validate --lint --region eu-west-1
	.venv-security/bin/checkov --config-file .checkov.yaml
	.venv/bin/python -m tests.builders.rendered | .venv-security/bin/python -W ignore .ci/check_policies.py

.PHONY: audit
audit: .venv-audit/.synced ## Ask for known vulnerabilities of what is deployed (OFFLINE=1: not to be able to ask is no failure)
	.venv-audit/bin/python .ci/audit.py $(sort $(wildcard layers/*/requirements.txt)) $(if $(OFFLINE),--unasked-is-fine)

.PHONY: format
format: install ## Format the code and mend what ruff can mend
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: bench
bench: linux install build emulator .venv-bench/.synced ## Measure waits, price, reading reports and cold starts, each beside its baseline (BENCH=full)
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m benchmarks $(ONLY)

# The SAM CLI knows AWS_DEFAULT_REGION only; most other tools of AWS know AWS_REGION.
ifdef AWS_REGION
deploy: export AWS_DEFAULT_REGION ?= $(AWS_REGION)
endif

.PHONY: messages
messages: install ## Render every kind of message into docs/gallery
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.gallery

.PHONY: pictures
pictures: install browser ## Draw the README's workflow from the state machine, and pictures of messages and page
	.venv/bin/python -m tests.tools.workflow_picture
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.pictures

.PHONY: deploy
deploy: install build ## Deploy to the AWS account of your credentials (asks before it changes anything)
	$(sam) deploy

.PHONY: build
build: install ## Build the functions and the layer for deployment
	@mkdir -p .aws-sam && $(sam) build --cached --parallel > .aws-sam/build.log 2>&1 || { cat .aws-sam/build.log; exit 1; }

.PHONY: lock
lock: $(UV) ## Bring the lock and the layers' pinned requirements up to date
	$(UV) lock --upgrade
	$(UV) export --quiet --only-group layer --no-emit-project --no-header --output-file layers/exporter/requirements.txt
	$(UV) export --quiet --only-group analytics --no-emit-project --no-header --output-file layers/analytics/requirements.txt

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf .analysis .aws-sam .bench .demo .venv .venv-* .uv .coverage* .*_cache .hypothesis

.PHONY: install
install: .venv/.synced .venv-sam/.synced ## Install what the other targets need, into this folder

.PHONY: emulator
emulator: .venv-emulator/.synced .venv-runtime/.synced

.PHONY: linux
linux:
	@[ "$$(uname -s)" = Linux ] || { echo "The embedded AWS needs Linux, not $$(uname -s): it runs functions on Lambda's own runtime client \
	(awslambdaric), whose native part is built for Linux only. Use a Linux machine or container; make lint and make deploy do not need it." >&2; exit 1; }

$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13) and "Python 3.13 is needed, not " + sys.version.split()[0])'
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

.venv/.synced: uv.lock | $(UV)
	$(call sync,.venv,)
.venv-sam/.synced: uv.lock | $(UV)
	$(call sync,.venv-sam,--only-group sam)
.venv-emulator/.synced: uv.lock | $(UV)
	$(call sync,.venv-emulator,--only-group emulator)
.venv-bench/.synced: uv.lock | $(UV)
	$(call sync,.venv-bench,--only-group bench)
.venv-runtime/.synced: uv.lock | linux $(UV)
	$(call sync,.venv-runtime,--only-group runtime)
.venv-security/.synced: uv.lock | $(UV)
	$(call sync,.venv-security,--only-group security)
.venv-audit/.synced: uv.lock | $(UV)
	$(call sync,.venv-audit,--only-group audit)

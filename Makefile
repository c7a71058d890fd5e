# Everything that a developer or CI runs. It needs make and Python 3.13; each target installs what else it needs into this folder.
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
help: ## List the targets (also: make)
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nSet options on the command line, for example: make deploy YES=1\n'

##@ Try it (needs no AWS account)
.PHONY: demo
demo: linux install build emulator ## Run two scheduled exports on an embedded AWS, without an AWS account (KEEP=1 leaves it running)
	.venv/bin/python -m tests.tools.demo $(if $(KEEP),--keep)

.PHONY: analyze
analyze: install ## Analyze your own report files on this machine (REPORTS="monday.json tuesday.csv"; OUT=, COVERAGE=, OWNERS=, OWNER_TAG=, DAYS=)
	@[ -n "$(REPORTS)" ] || { echo 'Name the report files, the oldest first: make analyze REPORTS="monday.json tuesday.csv"' >&2; exit 1; }
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.analyze $(REPORTS) \
		$(if $(OUT),--out '$(OUT)') $(if $(COVERAGE),--coverage '$(COVERAGE)') $(if $(OWNERS),--owners '$(OWNERS)') \
		$(if $(OWNER_TAG),--owner-tag '$(OWNER_TAG)') $(if $(DAYS),--remediation-days '$(DAYS)')

##@ Deploy
# The SAM CLI knows AWS_DEFAULT_REGION only; most other tools of AWS know AWS_REGION.
ifdef AWS_REGION
deploy: export AWS_DEFAULT_REGION ?= $(AWS_REGION)
endif

.PHONY: deploy
deploy: build ## Deploy to the AWS account of your credentials; asks before it changes anything (YES=1 does not ask, for CI; REGIONS="eu-west-1 us-east-1")
	@[ -z "$(STACK)" ] || { echo 'make deploy takes the stack of samconfig.toml, not STACK=. For another stack, see "A second report" in docs/operations.md.' >&2; exit 1; }
ifdef REGIONS
	.venv-sam/bin/python -m tests.tools.regions deploy $(REGIONS) $(if $(YES),--yes)
else
	$(sam) deploy $(if $(YES),--no-confirm-changeset --no-fail-on-empty-changeset)
endif

.PHONY: config
config: install ## Check config/owners.json and config/reports.json, and upload them to the buckets (REGIONS="eu-west-1 us-east-1"; CONFIG=folder, STACK=)
	@[ -n "$(REGIONS)" ] || { echo 'Name the Regions: make config REGIONS="eu-west-1 us-east-1"' >&2; exit 1; }
	PYTHONPATH=layers/exporter .venv/bin/python -m tests.tools.config_files $(REGIONS) $(if $(CONFIG),--folder '$(CONFIG)') \
		$(if $(STACK),--stack '$(STACK)')

.PHONY: aws-check
aws-check: install ## Compare what your account answers with what the code expects, after make deploy; asks before it begins (REGION=, STACK=; YES=1)
	@PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.aws_check $(if $(REGION),--region '$(REGION)') \
		$(if $(STACK),--stack '$(STACK)') $(if $(YES),--yes)

.PHONY: undeploy
undeploy: .venv-sam/.synced ## Delete the stacks, but keep reports and keys (REGIONS="eu-west-1 us-east-1"; STACK=; YES=1 does not ask)
	@[ -n "$(REGIONS)" ] || { echo 'Name the Regions: make undeploy REGIONS="eu-west-1 us-east-1"' >&2; exit 1; }
	.venv-sam/bin/python -m tests.tools.regions undeploy $(REGIONS) $(if $(YES),--yes) $(if $(STACK),--stack '$(STACK)')

.PHONY: build
build: .venv-sam/.synced ## Build the functions and layers that make deploy deploys
	@mkdir -p .aws-sam && $(sam) build --cached --parallel > .aws-sam/build.log 2>&1 || { cat .aws-sam/build.log; exit 1; }

.PHONY: release
release: install build ## Make the files of a release in dist/ (VERSION=0.1.0; TRIAL=1 also with uncommitted changes or without a date in CHANGELOG.md)
	@[ -n "$(VERSION)" ] || { echo 'Name the version: make release VERSION=0.1.0' >&2; exit 1; }
	.venv/bin/python -m tests.tools.release '$(VERSION)' $(if $(TRIAL),--trial)

##@ Develop
.PHONY: test
test: linux install build emulator .venv-security/.synced ## Run all tests and report code coverage (TESTS=path runs some of them)
	@$(MAKE) --no-print-directory browser || echo 'The tests of the page in a browser are skipped: there is none.' >&2
	.venv/bin/python -m pytest -n 3 --dist loadgroup --cov --cov-report= $(TESTS)
	.venv/bin/coverage report

.PHONY: lint
lint: install .venv-security/.synced ## Check code style, types, words, the template, its IAM policies and the state machines
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint-style lint-types lint-template lint-sam lint-policies lint-checkov

# The parts of make lint, which run side by side.
.PHONY: lint-style lint-types lint-template lint-sam lint-policies lint-checkov
lint-style:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/python .ci/check_words.py
lint-types:
	.venv/bin/mypy
lint-template:
	.venv/bin/python .ci/check_state_machine.py statemachine/export_findings.asl.json
	.venv/bin/python .ci/check_state_machine.py statemachine/export_all_reports.asl.json
	.venv/bin/cfn-lint template.yaml
lint-sam:
	$(sam) validate --lint --region eu-west-1
lint-policies:
	.venv/bin/python -m tests.builders.rendered | .venv-security/bin/python -W ignore .ci/check_policies.py
lint-checkov:
	.venv-security/bin/checkov --config-file .checkov.yaml

.PHONY: format
format: install ## Format the code and fix what ruff can fix
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: faults
faults: linux install build emulator ## Inject faults into every step and check the rules (CELL=, HISTORY=, REGION_HISTORY= run one; HISTORIES=, REGION_HISTORIES=, LOAD= say how many; LANES=, SEED=)
	PYTHONPATH=layers/exporter .venv/bin/python -m tests.faults $(if $(CELL),--cell '$(CELL)') $(if $(HISTORY),--history '$(HISTORY)') \
		$(if $(REGION_HISTORY),--region-history '$(REGION_HISTORY)') $(if $(HISTORIES),--histories $(HISTORIES)) \
		$(if $(REGION_HISTORIES),--region-histories $(REGION_HISTORIES)) $(if $(LOAD),--load $(LOAD)) $(if $(SEED),--seed $(SEED)) \
		$(if $(LANES),--lanes $(LANES))

.PHONY: bench
bench: linux install build emulator .venv-bench/.synced ## Measure waiting times, cost, analysis speed and cold starts, each against a baseline (BENCH=full or quick, ONLY=)
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m benchmarks $(ONLY)

.PHONY: audit
audit: .venv-audit/.synced ## Check the deployed packages for known vulnerabilities (OFFLINE=1 passes when the database cannot be reached)
	.venv-audit/bin/python .ci/audit.py $(sort $(wildcard layers/*/requirements.txt)) $(if $(OFFLINE),--unasked-is-fine)

##@ Documents
.PHONY: messages
messages: install ## Render the example messages in docs/gallery, and docs/troubleshooting.md
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.gallery
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.troubleshooting

.PHONY: pictures
pictures: install browser ## Draw the workflow diagram and the pictures of messages and page for the documents
	.venv/bin/python -m tests.tools.workflow_picture
	PYTHONPATH=layers/exporter:layers/analytics .venv/bin/python -m tests.tools.pictures

##@ This folder
.PHONY: install
install: .venv/.synced .venv-sam/.synced ## Install the development environment and the SAM CLI into this folder

.PHONY: lock
lock: $(UV) ## Update uv.lock and the pinned requirements of the layers
	$(UV) lock --upgrade
	$(UV) export --quiet --only-group layer --no-emit-project --no-header --output-file layers/exporter/requirements.txt
	$(UV) export --quiet --only-group analytics --no-emit-project --no-header --output-file layers/analytics/requirements.txt

.PHONY: clean
clean: ## Remove everything that the other targets created
	rm -rf .analysis .aws-sam .bench .demo .dist-* dist .venv .venv-* .uv .coverage* .*_cache .hypothesis

# The tests of the page use a real browser. /usr/bin/chromium is where Debian installs it.
export CHROMIUM ?= /usr/bin/chromium

.PHONY: browser
browser: ## Install Chromium if it is missing; the tests of the page use it (CHROMIUM=path names another one)
	@if [ -x "$(CHROMIUM)" ]; then exit 0; fi; \
	if command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then as_root=; \
	elif command -v apt-get > /dev/null && sudo -n true 2> /dev/null; then as_root='sudo -n'; \
	else echo 'There is no Chromium at $(CHROMIUM). Install it (Debian: apt-get install chromium) or say where it is: make CHROMIUM=/path/to/chromium' >&2; exit 1; fi; \
	{ $$as_root apt-get update -qq && $$as_root apt-get install -qq -y --no-install-recommends chromium > /dev/null; } && [ -x "$(CHROMIUM)" ] \
	|| { echo 'Chromium could not be installed at $(CHROMIUM). Say where another one is: make CHROMIUM=/path/to/chromium' >&2; exit 1; }

.PHONY: emulator
emulator: .venv-emulator/.synced .venv-runtime/.synced ## Install the embedded AWS that demo, test, faults and bench use

.PHONY: linux
linux: ## Stop with an explanation where the embedded AWS cannot run (it needs Linux)
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

# SageScale's front door. `make` alone lists the targets.
ENV ?= dev
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# compiled modules halve the time of a synth; an environment that forbids writing them is overruled
export PYTHONDONTWRITEBYTECODE :=
UV := .tools/bin/uv
UV_VERSION := 0.13.9
CDK := node_modules/.bin/cdk
INSTALLED := build/.installed
# PIPELINE=yes: the pipeline that leads to ENV instead of ENV itself
CONTEXT := -c env=$(ENV) $(if $(PIPELINE),-c pipeline=$(PIPELINE))
STACKS := --all $(CONTEXT)
# for ENV=sandbox the CDK CLI is pointed at the sandbox that runs here
AIMED := $(if $(filter sandbox,$(ENV)),eval "$$(sagescale sandbox env)" && )

.DEFAULT_GOAL := help
.PHONY: help install lock images data demo test verify bench lint format synth diff bootstrap deploy destroy sandbox clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## set everything up: .venv, Node, the pinned CDK CLI, the Lambda functions' libraries

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools uv==$(UV_VERSION)

$(INSTALLED): requirements.txt requirements-dev.txt requirements-lambda.txt constraints.txt package.json package-lock.json pyproject.toml | $(UV)
	@mkdir -p build
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@echo "installing Python packages (the first time takes a minute)"
	@$(UV) pip install --quiet --python .venv -r requirements-dev.txt
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --config-setting editable_mode=compat -e .
	@echo "installing the CDK CLI"
	@npm ci --silent
	@ln -sf ../../$(CDK) $(BIN)/cdk
	@touch $@

lock: | $(UV) ## pin what the direct dependencies bring along (writes constraints.txt)
	@: > constraints.txt
	@$(UV) pip compile --quiet --no-header --no-annotate --no-emit-index-url --output-file constraints.txt requirements-dev.txt

images: install ## renew the table of image registries from the SageMaker SDK
	@$(BIN)/python tests/image_table.py

data: install ## find or fetch KDD99 into data/ (says so loudly when it must make it up)
	@sagescale data

demo: data ## sandbox up, deploy, train, serve, call: the whole path without an AWS account
	@sagescale demo

# in the order of the folders: the longest files come first, and the smallest fill up the end
test: install ## unit, snapshot and integration tests (what CI runs)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy .
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not verify and not aws"

verify: install ## what takes longer than `make test` may
	@$(BIN)/pytest -m verify

test-aws: install ## the end-to-end test in a real account (costs money): make test-aws ENV=dev
	@SAGESCALE_ENV=$(ENV) $(BIN)/pytest -m aws tests/e2e

bench: data ## measure beside peers (needs wrk and nginx; 45 minutes)
	@sagescale bench

lint: install ## ruff, mypy strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy .

format: install ## let ruff rewrite
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

synth: install ## write the templates of ENV to cdk.out
	@$(CDK) synth --quiet $(CONTEXT)

diff: install ## what a deploy of ENV would change
	@$(AIMED)$(CDK) diff $(CONTEXT)

bootstrap: install ## prepare the account and region of ENV for the CDK, once
	@$(AIMED)$(CDK) bootstrap -c env=$(ENV)

deploy: install ## deploy ENV to AWS: from nothing to a served model
	@$(AIMED)$(CDK) deploy $(STACKS) --require-approval never

destroy: install ## remove ENV with all it holds, after showing and asking (YES=1: do not ask)
	@$(if $(PIPELINE),$(CDK) destroy $(STACKS),sagescale destroy --env $(ENV) $(if $(YES),--yes))

sandbox: install ## start the embedded AWS and say how to talk to it
	@sagescale sandbox up

clean: ## remove everything that was built or installed here (not data/)
	@if [ -x $(BIN)/sagescale ]; then $(BIN)/sagescale sandbox down; fi
	rm -rf build cdk.out node_modules .venv .tools

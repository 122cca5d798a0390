# `make demo` and `make test` install what they need into CACHE, outside the checkout, and say so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GITOPS_ACTION_CACHE ?= $(HOME)/.cache/gitops-action
export GITOPS_ACTION_CACHE

# The versions that the image ships (Dockerfile); a contract test compares them.
CRANE := github.com/google/go-containerregistry/cmd/crane@v0.22.1
KO := github.com/google/ko@v0.19.1
KUSTOMIZE := sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

# Each set of versions has a folder of its own, so that two checkouts can share the cache.
VENV := $(GITOPS_ACTION_CACHE)/python-$(shell sha256sum requirements-dev.txt | cut -c1-16)
BIN := $(GITOPS_ACTION_CACHE)/go-$(shell echo $(CRANE) $(KO) $(KUSTOMIZE) $(ACTIONLINT) | sha256sum | cut -c1-16)
PYTHON_READY := $(VENV)/.ready
GO_READY := $(BIN)/.ready
export PATH := $(VENV)/bin:$(BIN):$(PATH)

DEBIAN := apache2-utils debootstrap docker-registry docker.io iproute2 openssh-client openssh-server openssl
DEBIAN_PROGRAMS := htpasswd debootstrap docker-registry dockerd ip ssh sshd openssl

.PHONY: help
help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: $(PYTHON_READY) $(GO_READY) ## Run the main job here, on embedded defaults
	@python tests/demo.py

.PHONY: test
test: $(PYTHON_READY) $(GO_READY) debian ## Run every test
	@echo "== unit, contract and property tests"
	@python -m pytest -q tests/unit tests/contract tests/property
	@echo "== integration and end-to-end tests, with the real systems"
	@python -m pytest -q tests/integration tests/e2e

.PHONY: long
long: export HYPOTHESIS_PROFILE := long
long: $(PYTHON_READY) $(GO_READY) debian ## Repeat what `test` does a hundred times: drawn kustomizations, crowds, kills
	@python -m pytest -q -n auto --dist worksteal tests/property tests/integration/test_kustomize_reads_edits.py
	@python -m pytest -q tests/integration/test_git_crowds.py tests/integration/test_git_kills.py

.PHONY: bench
bench: $(PYTHON_READY) $(GO_READY) ## Time the edit and the push against their alternatives
	@python benchmarks/edit.py
	@python benchmarks/push.py

.PHONY: lint
lint: $(PYTHON_READY) $(GO_READY) ## Check style, types, walls, workflows and the Dockerfile
	ruff format --check .
	ruff check --no-cache .
	mypy
	lint-imports
	interrogate -q tests/unit tests/contract tests/property tests/integration tests/e2e
	check-jsonschema --builtin-schema vendor.github-actions action.yml
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/hello-gitops/.github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	actionlint .github/workflows/*.yml examples/hello-gitops/.github/workflows/*.yml
	zizmor --offline --pedantic --quiet .github action.yml examples/hello-gitops/.github
	hadolint Dockerfile examples/hello-gitops/Dockerfile

.PHONY: docs
docs: $(PYTHON_READY) ## Write the reference's tables anew from action.yml
	@python tests/contract/tables.py --write

.PHONY: lock
lock: $(PYTHON_READY) ## Pin the dependencies anew
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

.PHONY: image
image: ## Build the action's image
	docker build --network=host --tag gitops-action .

$(PYTHON_READY):
	@echo "== installing Python packages into $(VENV) (about 20 s, once)"
	@rm -rf $(VENV)
	@PATH="$${PATH#*:*:}" python3 -m venv $(VENV) >/dev/null 2>&1 || { $(call apt,python3-venv); PATH="$${PATH#*:*:}" python3 -m venv --clear $(VENV); }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

$(GO_READY):
	@echo "== building crane, ko, kustomize and actionlint into $(BIN) (about 2 min on two cores, once)"
	@mkdir -p $(BIN)
	@for program in $(CRANE) $(KO) $(KUSTOMIZE) $(ACTIONLINT); do \
		GOBIN=$(BIN) go install $$program 2> >(grep -v "^go: downloading" >&2); done
	@touch $@

.PHONY: debian
debian:
	@for program in $(DEBIAN_PROGRAMS); do command -v $$program >/dev/null && continue; \
		echo "== installing Debian packages for the tests: $(DEBIAN)"; $(call apt,$(DEBIAN)); break; done

apt = $(if $(filter 0,$(shell id -u)),,sudo) sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $(1)' >/dev/null

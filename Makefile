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

# The tests' BuildKit: that of the buildx which the image ships (its go.mod).
BUILDKIT := v0.34.2

# What GitHub publishes about its API: the tests' GitHub answers by it.
GRAPHQL_SCHEMA := 15.26.1
OPENAPI := 23.0.2
define GITHUB_SUMS
4450c2d8ca5105de00c5246f51e04855e054ee88cdfd2c437c02d477b89560e49e10ade065aa91d8c18ecac8f8661db18f6458e5f400513f8eaaaee1593ada30  octokit-graphql-schema-15.26.1.tgz
a55f0cecbf46636dc0c9b36f4e6a369f28e6a669edebedac444fedaabd192d070f4b8967c3bbb979918d9b044d9010b70fb8195db171e401f32d455105718386  octokit-openapi-23.0.2.tgz
endef
export GITHUB_SUMS

# What `test-argocd` runs with: one of the folders of tests/argocd.
ARGOCD_VERSION ?= 3.6.1

# Each set of versions has a folder of its own, so that two checkouts can share the cache.
VENV := $(GITOPS_ACTION_CACHE)/python-$(shell sha256sum requirements-dev.txt | cut -c1-16)
BIN := $(GITOPS_ACTION_CACHE)/go-$(shell echo $(CRANE) $(KO) $(KUSTOMIZE) $(ACTIONLINT) | sha256sum | cut -c1-16)
GITHUB := $(GITOPS_ACTION_CACHE)/github-$(GRAPHQL_SCHEMA)-$(OPENAPI)
BUILDKITD := $(GITOPS_ACTION_CACHE)/buildkit-$(BUILDKIT)/buildkitd
PYTHON_READY := $(VENV)/.ready
GO_READY := $(BIN)/.ready
GITHUB_READY := $(GITHUB)/.ready
ARGOCD := $(GITOPS_ACTION_CACHE)/argocd-$(ARGOCD_VERSION)-$(shell cat tests/argocd/build tests/argocd/$(ARGOCD_VERSION)/go.* | sha256sum | cut -c1-16)
export GITOPS_ACTION_ARGOCD_PROGRAMS := $(ARGOCD)
export GITOPS_ACTION_ARGOCD_VERSION := $(ARGOCD_VERSION)
export GITOPS_ACTION_BUILDKITD := $(BUILDKITD)
export PATH := $(VENV)/bin:$(BIN):$(PATH)

# Programs that the tests need, each with the Debian package that brings it. Only what is missing is
# installed: a Node.js from elsewhere has npm, and does not stand Debian's package beside it.
DEBIAN := htpasswd=apache2-utils debootstrap=debootstrap docker-registry=docker-registry dockerd=docker.io ip=iproute2 npm=npm \
	ssh=openssh-client sshd=openssh-server openssl=openssl redis-server=redis-server runc=runc

.PHONY: help
help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: $(PYTHON_READY) $(GO_READY) ## Run the main job here, on embedded defaults
	@python tests/demo.py

.PHONY: test
test: $(PYTHON_READY) $(GO_READY) $(GITHUB_READY) $(BUILDKITD) debian ## Run every test
	@echo "== unit, contract and property tests"
	@python -m pytest -q tests/unit tests/contract tests/property
	@echo "== integration and end-to-end tests, with the real systems"
	@python -m pytest -q tests/integration tests/e2e

.PHONY: test-argocd
test-argocd: $(PYTHON_READY) $(GO_READY) debian $(ARGOCD)/.ready ## Run the wait against the real Argo CD, of ARGOCD_VERSION
	@echo "== tests with the real Argo CD $(ARGOCD_VERSION) (about 4 min)"
	@python tests/argocd/serve.py python -m pytest -q -n 8 --dist worksteal tests/argocd tests/integration/test_argocd_contract.py

.PHONY: long
long: export HYPOTHESIS_PROFILE := long
long: $(PYTHON_READY) $(GO_READY) $(BUILDKITD) debian ## Repeat a hundred times what `test` does: drawn kustomizations and rollouts, crowds, kills
	@python -m pytest -q -n auto --dist worksteal tests/property tests/integration/test_kustomize_reads_edits.py
	@python -m pytest -q tests/integration/test_git_crowds.py tests/integration/test_git_kills.py tests/e2e/test_kills.py

.PHONY: bench
bench: $(PYTHON_READY) $(GO_READY) $(GITHUB_READY) debian ## Time the edit, the push, the API and the chain against their alternatives
	@python benchmarks/edit.py
	@python benchmarks/push.py
	@python benchmarks/api_delivery.py
	@python benchmarks/chain.py

.PHONY: bench-argocd
bench-argocd: $(PYTHON_READY) $(GO_READY) debian $(ARGOCD)/.ready ## Compare the wait with `argocd app wait`
	@python tests/argocd/serve.py python benchmarks/wait.py

.PHONY: lint
lint: $(PYTHON_READY) $(GO_READY) ## Check style, types, walls, workflows and the Dockerfile
	ruff format --check .
	ruff check --no-cache .
	mypy
	lint-imports
	interrogate -q tests/unit tests/contract tests/property tests/integration tests/e2e tests/argocd
	check-jsonschema --builtin-schema vendor.github-actions action.yml
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/hello-gitops/.github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	actionlint .github/workflows/*.yml examples/hello-gitops/.github/workflows/*.yml
	zizmor --offline --pedantic --quiet .github action.yml examples/hello-gitops/.github
	hadolint Dockerfile examples/hello-gitops/Dockerfile

.PHONY: docs
docs: $(PYTHON_READY) ## Write the tables of docs/reference.md anew from action.yml
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

# Its go.mod excludes versions, so that `go install` does not take it: a module of our own names it.
$(BUILDKITD):
	@echo "== building buildkitd $(BUILDKIT) (about 2 min on two cores, once)"
	@rm -rf $(@D); mkdir -p $(@D)/module; printf 'module buildkitd\n\ngo 1.26\n' >$(@D)/module/go.mod
	@cd $(@D)/module; go get -tool github.com/moby/buildkit/cmd/buildkitd@$(BUILDKIT) 2> >(grep -v "^go: " >&2)
	@cd $(@D)/module; CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $@ github.com/moby/buildkit/cmd/buildkitd

$(GITHUB_READY): | debian
	@echo "== fetching GitHub's API descriptions into $(GITHUB) (about 10 s, once)"
	@rm -rf $(GITHUB); mkdir -p $(GITHUB)
	@cd $(GITHUB); npm pack --silent @octokit/graphql-schema@$(GRAPHQL_SCHEMA) @octokit/openapi@$(OPENAPI) >/dev/null
	@cd $(GITHUB); echo "$$GITHUB_SUMS" | sha512sum --quiet --check
	@cd $(GITHUB); tar -xzf octokit-graphql-*.tgz --strip-components=1 package/schema.graphql
	@cd $(GITHUB); tar -xzf octokit-openapi-*.tgz --strip-components=2 package/generated/api.github.com.json; rm *.tgz
	@touch $@

$(ARGOCD)/.ready: | $(GO_READY)
	@tests/argocd/build $(ARGOCD_VERSION) $(ARGOCD)

.PHONY: debian
debian:
	@missing=""; for pair in $(DEBIAN); do command -v $${pair%=*} >/dev/null || missing+=" $${pair#*=}"; done; \
	if [ -n "$$missing" ]; then echo "== installing Debian packages for the tests:$$missing"; $(call apt,$$missing); fi

apt = $(if $(filter 0,$(shell id -u)),,sudo) sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 --no-install-recommends '"$(strip $(1))" >/dev/null

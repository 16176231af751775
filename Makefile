# What people and CI run. Everything that is not a compiler is installed below TOOLS by the
# targets that need it; nothing is written to the home folder but the compilers' own caches.
#
# KEEPWATCH_CACHE=FOLDER   keeps tools and build products there, outside the checkout
# CARGO_TARGET_DIR=FOLDER  is respected
# PYTHON=COMMAND           the Python (3.11 or newer) that the lab's environment is made of

OPA_VERSION := 1.20.2
CARGO_DENY_VERSION := 0.20.2

CARGO ?= cargo
PYTHON ?= python3
TOOLS := $(if $(KEEPWATCH_CACHE),$(abspath $(KEEPWATCH_CACHE))/tools,$(CURDIR)/.tools)
CARGO_TARGET_DIR ?= $(if $(KEEPWATCH_CACHE),$(abspath $(KEEPWATCH_CACHE))/target,$(CURDIR)/target)
export CARGO_TARGET_DIR
# Compiled policies are kept in no home folder either.
export KEEPWATCH_CACHE_DIR :=
# In CI a stale Cargo.lock is an error.
LOCKED := $(if $(CI),--locked)

# A version or a checksum in the path says what is installed, so a changed pin installs anew.
key = $(shell { $(PYTHON) --version; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)
OPA := $(TOOLS)/opa-$(OPA_VERSION)/opa
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
LAB := $(TOOLS)/lab
LAB_READY := $(LAB)/.ready-$(call key,tests/lab/requirements.txt)
BENCH := $(TOOLS)/bench
BENCH_READY := $(BENCH)/.ready-$(call key,tests/bench/requirements.txt)
LINT := $(TOOLS)/lint
LINT_READY := $(LINT)/.ready-$(call key,.ci/requirements.txt)

PATH_BEFORE := $(PATH)
export PATH := $(dir $(OPA)):$(PATH)

# Tests and the command line share one build: with the tests' own dependencies in it, or the
# SDK would be compiled once more. The demo runs what is released.
FEATURES = --features faults
BUILD = --all-targets $(FEATURES)
PROFILE = debug
KEEPWATCH = $(CARGO_TARGET_DIR)/$(PROFILE)/keepwatch
BUNDLE := target/policies/bundle.tar.gz
BUNDLE_SOURCES := $(shell find policies agent -type f -not -name '*_test.rego' -not -path 'policies/schema/*' 2>/dev/null) Cargo.lock
# Some examples may not be shipped. The tests that need them are ignored and say so, unless
# somebody has put them here.
SHARED := $(if $(KEEPWATCH_SHARED),$(KEEPWATCH_SHARED),../shared)
IGNORED := $(if $(wildcard $(SHARED)/data/cloudtrail),-- --include-ignored)
PYTEST = PYTHONPATH=tests $(LAB)/bin/python -m pytest -q -p no:cacheprovider

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do printf '%-12s %s\n' "$$name" "$$what"; done

.PHONY: demo
demo: BUILD = --release
demo: PROFILE = release
demo: tools build policies ## an attack on a local AWS, and what Keepwatch does about it
	PYTHONPATH=tests KEEPWATCH=$(KEEPWATCH) $(LAB)/bin/python -m lab.demo

# The other engines have a lock file of their own and stay out of the product's.
.PHONY: bench
bench: BUILD = --release
bench: PROFILE = release
bench: $(OPA) $(BENCH_READY) $(LAB_READY) build ## how fast a replay is, beside gunzip alone and other engines, and a start (needs Go)
	$(CARGO) build --locked --release --manifest-path tests/bench/Cargo.toml
	cd tests/bench/opa && CGO_ENABLED=0 go build -trimpath -o $(CARGO_TARGET_DIR)/release/opa-peer .
	PYTHONPATH=tests KEEPWATCH=$(KEEPWATCH) KEEPWATCH_OPA=$(OPA) BENCH=$(CARGO_TARGET_DIR)/release/keepwatch-bench \
		OPA_PEER=$(CARGO_TARGET_DIR)/release/opa-peer LAB=$(LAB)/bin/python $(BENCH)/bin/python -m bench

.PHONY: test
test: tools policies test-policies test-code lab-test ## every test

.PHONY: test-policies
test-policies: $(OPA) build
	$(KEEPWATCH) policy test policies

.PHONY: test-code
test-code: tools $(BUNDLE)
	$(CARGO) test $(LOCKED) $(FEATURES) $(IGNORED)

.PHONY: lab-test
lab-test: $(LAB_READY) ## the tests of the local AWS, and of what the benchmark makes of its figures
	$(PYTEST) tests/lab tests/bench

.PHONY: check
check: check-words check-code check-dependencies check-policies check-schema check-deploy ## format, lints, licences, templates: all but tests

.PHONY: check-words
check-words: ## that no replaced word is back (.ci/words.txt)
	$(PYTHON) .ci/words --self-test
	$(PYTHON) .ci/words

.PHONY: check-code
check-code:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/bench/Cargo.toml
	CLIPPY_CONF_DIR=.ci $(CARGO) clippy $(LOCKED) $(BUILD) -- -D warnings

.PHONY: check-bench
check-bench: ## lints of the benchmark (compiles the other engines; needs Go)
	$(CARGO) clippy --locked --release --manifest-path tests/bench/Cargo.toml -- -D warnings
	cd tests/bench/opa && test -z "$$(gofmt -l .)" && go vet .

.PHONY: check-dependencies
check-dependencies: $(CARGO_DENY)
	$(CARGO_DENY) --locked --config .ci/deny.toml check bans licenses sources

.PHONY: check-policies
check-policies: $(OPA) build
	$(KEEPWATCH) policy check policies

.PHONY: check-schema
check-schema: build $(LAB_READY)
	rm -rf target/schema
	$(KEEPWATCH) policy schema target/schema
	PYTHONPATH=tests $(LAB)/bin/python .ci/schema/calls.py target/schema/calls
	$(LAB)/bin/python .ci/schema/sources.py target/schema/sources.txt
	PYTHONPATH=tests $(LAB)/bin/python .ci/schema/responses.py target/responses.json
	@diff -ru policies/schema target/schema && diff -u agent/aws/responses.json target/responses.json || { \
		printf 'error: policies/schema or agent/aws/responses.json is not what the code and the models say\n\nhint: run `make schema` and commit the difference\n' >&2; exit 1; }

.PHONY: check-deploy
check-deploy: $(LINT_READY)
	$(LINT)/bin/cfn-lint deploy/*.yaml

.PHONY: advisories
advisories: $(CARGO_DENY) ## known vulnerabilities of our dependencies (asks the network)
	$(CARGO_DENY) --locked --config .ci/deny.toml check advisories

.PHONY: build
build:
	$(CARGO) build $(LOCKED) $(BUILD)

.PHONY: policies
policies: $(BUNDLE) ## compile the policies

$(BUNDLE): $(BUNDLE_SOURCES) | $(OPA)
	@mkdir -p $(@D)
	$(CARGO) build $(LOCKED) $(BUILD)
	$(KEEPWATCH) policy build policies -o $@

.PHONY: schema
schema: build $(LAB_READY) ## write the JSON schemas that the policies and their examples are checked against
	$(KEEPWATCH) policy schema policies/schema
	PYTHONPATH=tests $(LAB)/bin/python .ci/schema/calls.py policies/schema/calls
	$(LAB)/bin/python .ci/schema/sources.py policies/schema/sources.txt
	PYTHONPATH=tests $(LAB)/bin/python .ci/schema/responses.py agent/aws/responses.json

.PHONY: tools
tools: $(OPA) $(LAB_READY) ## install what is not a compiler

$(OPA):
	PATH='$(PATH_BEFORE)' .ci/opa $(OPA_VERSION) $@

# Apart from CARGO_TARGET_DIR, or its build products would stay there.
$(CARGO_DENY):
	env -u CARGO_TARGET_DIR $(CARGO) install --locked --root $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION)

define environment
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		printf 'error: `%s` is not Python 3.11 or newer with venv\n\nhint: install it (on Debian also python3-venv), or say PYTHON=COMMAND\n' '$(PYTHON)' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $(1)
	@touch $@
endef

$(LAB_READY): | tests/lab/requirements.txt
	$(call environment,tests/lab/requirements.txt)

$(BENCH_READY): | tests/bench/requirements.txt
	$(call environment,tests/bench/requirements.txt)

$(LINT_READY): | .ci/requirements.txt
	$(call environment,.ci/requirements.txt)

.PHONY: clean
clean: ## remove build products; tools stay
	$(CARGO) clean
	rm -rf target

# Twinbore. `make` lists the targets. Each of them brings the machine to where it can run first (scripts/setup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv/bin
CARGO := build/setup/cargo
CARGO_FLAGS := --manifest-path esp/Cargo.toml --target-dir esp/target --locked
PYTEST := $(VENV)/pytest
# As many at a time as there are processors. What needs daemons and namespaces waits for packets and timers, and gets the
# machine for itself.
PARALLEL := -n auto
FAST := tests/unit tests/contract
SLOW := tests/generative tests/namespace

.PHONY: help
help: ## This list
	@echo "Twinbore: a Site-to-Site VPN service with AWS's API and real tunnels. As root, on Debian 12 or later:"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

.PHONY: setup
setup: ## Install what is missing, build (idempotent; also done by every target below)
	@scripts/setup

.PHONY: demo
demo: setup ## The whole scenario on real packets, in network namespaces of its own
	@$(VENV)/twinbore demo

.PHONY: test
test: setup lint test-rust fuzz ## Every check and every test (needs root for the namespace tests)
	@scripts/ansible
	@scripts/device-software
	@echo "== pytest: $(FAST)"
	@$(PYTEST) $(PARALLEL) --durations=10 $(FAST)
	@echo "== pytest: $(SLOW)"
	@$(PYTEST) --durations=10 $(SLOW)

.PHONY: test-unit
test-unit: setup ## The fast tests: no root, no data plane
	@scripts/ansible
	@$(PYTEST) $(PARALLEL) $(FAST)

.PHONY: test-namespace
test-namespace: setup ## Tests on real daemons and packets, in network namespaces
	@scripts/device-software
	@$(PYTEST) tests/namespace

.PHONY: test-strongswan6
test-strongswan6: setup ## The tests under strongSwan 6 (Debian 13's, fetched below build/)
	@scripts/strongswan6
	@$(PYTEST) tests/namespace/test_strongswan6.py

.PHONY: clients
clients: setup ## The SDKs for Go and JavaScript, where these languages are present
	@$(VENV)/python -m tests.clients

.PHONY: test-rust
test-rust: setup ## Tests of twinbore-esp (root: real TUN devices)
	@echo "== cargo test"
	@$(CARGO) test $(CARGO_FLAGS) --quiet
	@echo "== cargo test, on real sockets and TUN devices"
	@$(CARGO) test $(CARGO_FLAGS) --quiet --test datapath_netns -- --ignored --test-threads 1

.PHONY: fuzz
fuzz: setup ## Fuzz twinbore-esp, FUZZ_SECONDS (5) for each target
	@echo "== fuzz"
	@scripts/fuzz

.PHONY: lint
lint: setup ## ruff, mypy, rustfmt, clippy
	@echo "== ruff check"
	@$(VENV)/ruff check --quiet .
	@echo "== ruff format"
	@$(VENV)/ruff format --quiet --check .
	@echo "== mypy"
	@$(VENV)/mypy src bench
	@if $(CARGO) fmt --version >/dev/null 2>&1; then \
	    echo "== cargo fmt"; $(CARGO) fmt --manifest-path esp/Cargo.toml --all --check; \
	    $(CARGO) fmt --manifest-path esp/fuzz/Cargo.toml --check; \
	else \
	    echo "== cargo fmt: not part of this toolchain, left out"; \
	fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
	    echo "== cargo clippy"; $(CARGO) clippy $(CARGO_FLAGS) --quiet --all-targets -- -D warnings; \
	    RUSTFLAGS="--cfg fuzzing" $(CARGO) clippy --manifest-path esp/fuzz/Cargo.toml --target-dir esp/target --locked \
	        --quiet --all-targets -- -D warnings; \
	else \
	    echo "== cargo clippy: not part of this toolchain (Debian's has none), left out"; \
	fi

.PHONY: fmt
fmt: setup ## Format Python and Rust
	@$(VENV)/ruff check --quiet --fix . ; $(VENV)/ruff format .
	@$(CARGO) fmt --manifest-path esp/Cargo.toml --all
	@$(CARGO) fmt --manifest-path esp/fuzz/Cargo.toml

.PHONY: bench
bench: setup ## Throughput and control-plane figures into bench/results/
	@$(VENV)/python -m bench

.PHONY: lock
lock: ## Resolve pyproject.toml and requirements-dev.in anew into requirements.lock
	@python3 -m venv build/lock && build/lock/bin/pip install --quiet uv==0.13.9
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml requirements-dev.in

.PHONY: clean
clean: ## Remove what set-up, builds and tests have made here, .venv included
	@rm -rf build .venv esp/target .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

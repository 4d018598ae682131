# gitjob-cleaner: `make demo` shows it at work, `make test` sets up everything and passes all tests.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo demo-monitoring picture test test-all test-lowest test-system test-long system check docs wheel image sbom release \
	bench bench-service bench-image lock clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Most of a test is waiting. A file stays in one process, and so do the servers it starts; PYTEST="-n 0" runs all in one.
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found: set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv

# The project is installed in place, so that the command is there and a change needs no new installation.
.venv/demo: .venv/pyvenv.cfg requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: .venv/demo requirements/test.txt
	$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

# checkov is large, and holds some of what we use back (packaging, python-dateutil), so it lives alone.
.venv-checkov/ready: requirements/checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/checkov.txt
	@touch $@

install: .venv/demo ## install the command into .venv/bin

demo: .venv/demo ## watch it clean an embedded sandbox (FOR=30s ends by itself)
	@$(BIN)/gitjob-cleaner demo $(if $(FOR),--for $(FOR))

demo-monitoring: .venv/demo ## the demo with Prometheus and the dashboard beside it (after make system; FOR=60s)
	@$(BIN)/python -m grafana.monitoring $(if $(FOR),--for $(FOR))

picture: .venv/demo ## take the README's picture of the dashboard anew (after make system)
	@mkdir -p docs/images
	$(BIN)/python -m grafana.screenshot docs/images/dashboard.png $(if $(FOR),--for $(FOR))

check: .venv/test ## format, lint, types and floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports

test: check ## set up everything and run all tests (the first run builds kube-apiserver and etcd)
	$(BIN)/python -m tests.world.binaries
	$(BIN)/python -m pytest $(BESIDE) $(PYTEST) -m "not system and not long"

test-system: .venv/test ## tests with Prometheus and Chromium, and of the image (after make system)
	$(BIN)/python -m pytest $(BESIDE) $(PYTEST) -m system

test-long: .venv/test .venv-checkov/ready ## tests with real controllers, kustomize, helm (the first run builds them) and checkov
	$(BIN)/python -m tests.world.binaries --all
	$(BIN)/python -m pytest $(BESIDE) $(PYTEST) -m long

test-lowest: ## the core and the doors with the oldest versions of our libraries that we allow
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/lowest.txt
	.venv-lowest/bin/python -m pytest $(PYTEST) tests/core tests/edge/test_delete_contract.py tests/edge/test_cluster.py \
		tests/edge/test_service.py tests/edge/test_metrics.py tests/edge/test_logs.py

test-all: test test-lowest test-system test-long bench bench-service ## all of it (after make system)

system: ## install from Debian what only test-all needs: Prometheus, Chromium, node, buildah, podman and others
	@sh tests/world/system.sh

docs: .venv/test ## write the parts of the docs that come from the code
	$(BIN)/python -m docs.generate

wheel: .venv/demo ## build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel

# docker, podman or buildah, whichever is there; each knows this command.
BUILDER ?= $(firstword $(foreach each,docker podman buildah,$(shell command -v $(each))))
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' cleaner/__init__.py)
image: wheel ## build the image gitjob-cleaner:VERSION (BASE=another Debian with Python, SOURCE=where this is kept, BUILD=more flags)
	@test -n "$(BUILDER)" || { echo "neither docker nor podman nor buildah is here: install one"; exit 1; }
	$(BUILDER) build $(if $(BASE),--build-arg BASE=$(BASE)) --build-arg VERSION=$(VERSION) $(if $(SOURCE),--build-arg SOURCE=$(SOURCE)) \
		$(BUILD) --tag gitjob-cleaner:$(VERSION) .

bench: .venv/test ## measure against a bare read and the client's typed list (JOBS=20000 DELETIONS=5000)
	$(BIN)/python -m benchmarks.sweep $(if $(JOBS),--jobs $(JOBS)) $(if $(DELETIONS),--deletions $(DELETIONS))

bench-service: .venv/test ## measure the service: how late it is beside Kubernetes' own TTL, and what its quiet costs (DURATION=240)
	$(BIN)/python -m tests.world.binaries --all
	$(BIN)/python -m benchmarks.promptness $(if $(DURATION),--duration $(DURATION)) $(BENCH)
	$(BIN)/python -m benchmarks.quiet $(if $(DURATION),--duration $(DURATION)) $(if $(BENCH),--jobs 2000 --no-bounds)

UV_COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11 --quiet
lock: .venv/test ## write the hashed requirements anew (needs uv, which it installs)
	$(PIP) uv
	$(UV_COMPILE) --upgrade --extra test -o requirements/test.txt >/dev/null
	$(UV_COMPILE) --constraint requirements/test.txt -o requirements/runtime.txt >/dev/null
	echo "editables hatchling" | tr ' ' '\n' | $(BIN)/uv pip compile - --universal --generate-hashes --no-header --quiet \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 --constraint requirements/test.txt -o requirements/build.txt >/dev/null
	$(UV_COMPILE) --upgrade --extra test --resolution lowest-direct -o requirements/lowest.txt >/dev/null
	echo checkov | $(BIN)/uv pip compile - --universal --generate-hashes --no-header --quiet --upgrade \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 -o requirements/checkov.txt >/dev/null

RENDERERS := $(BIN)/python -c 'from tests.world.binaries import packaging; print(*(f"{k}={v}" for k, v in packaging().items()))'
release: wheel sbom ## all of a release but the image, into dist/: wheel, sources, what is shipped, chart, manifests
	$(BIN)/python -m hatchling build -t sdist -d dist
	set -e; eval "$$($(RENDERERS))"; "$$helm" package k8s/chart --destination dist; \
	for overlay in k8s/overlays/*; do "$$kustomize" build "$$overlay" >"dist/$$(basename "$$overlay").yaml"; done

sbom: .venv/test ## write the list of what is shipped, for dist/: CycloneDX, with versions, licenses and hashes
	@$(BIN)/python -m requirements.sbom dist

clean: ## remove what was made here; the Kubernetes binaries stay in their cache
	rm -rf .venv .venv-lowest .venv-checkov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage build dist

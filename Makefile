# Only Python 3.11 or newer with pip, make and git are needed: the targets create .venv
# from requirements.lock.
PYTHON ?= python3
# The base interpreter, if a virtual environment is active.
BASE = $(shell $(PYTHON) -c "import sys; print(sys._base_executable)")
BIN := .venv/bin
READY := .venv/.ready
# The linters of the files for operations. They are large, so only the targets that need
# them install them.
LINTERS := .venv/.linters
# So that bakes find the locked uv first.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"
# A bake copies the template tree with everything in it, also bytecode.
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-all test-newest test-operations test-containers \
	fuzz check format bench golden lock pins clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Generate the e-commerce example into .demo and run it; SMOKE=1 tests it and stops
	@exec env $(RUN) tools.demo $(if $(SMOKE),--smoke)

test: $(READY) ## Run the tests, except the slowest; ARGS="-k name" runs some
	$(RUN) pytest -n auto --dist loadgroup -m "not slow" $(ARGS)

test-fast: $(READY) ## Run the tests that need no bake, in seconds
	$(RUN) pytest tests/unit tests/docs -m "not bake and not live and not slow" $(ARGS)

test-all: $(LINTERS) ## Run all tests, except those in containers
	$(RUN) pytest -n auto --dist loadgroup $(ARGS)

fuzz: $(READY) ## Run schemathesis on the examples for longer; FUZZ=seconds for each (600)
	FUZZ=$(or $(FUZZ),600) $(RUN) pytest -n auto --dist loadgroup tests/live/contract $(ARGS)

test-newest: $(READY) ## Run the live tests with the newest releases of all dependencies
	DEVMATRIX_NEWEST=1 $(RUN) pytest tests/live $(ARGS)

# With INSTALL_ENGINE=1, root on Debian, apt installs what is missing: Prometheus and Redis
# for the first target, a container engine for the second. Otherwise tests are skipped.
test-operations: $(LINTERS) ## Test image, stack, monitoring and pipeline files, and run them on loopback
	$(RUN) pytest -n auto --dist loadgroup tests/operations $(ARGS)

test-containers: $(LINTERS) ## Run a service in containers; INSTALL_ENGINE=1 installs an engine
	$(RUN) tools.containers $(abspath $(BIN))/python -m \
		pytest -n auto --dist loadgroup tests/containers $(ARGS)

check: $(READY) ## Check the template's own code: format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH="{{cookiecutter.project_slug}}" $(BIN)/lint-imports

format: $(READY) ## Format the code and fix lint errors
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure the service and compare it with others, on an idle machine
	PYTHONPATH="{{cookiecutter.project_slug}}" $(RUN) benchmarks $(ARGS)
	PYTHONPATH="{{cookiecutter.project_slug}}" $(RUN) benchmarks.report

golden: $(READY) ## Write tests/golden again, after a change of the generator
	$(RUN) tools.golden

lock: $(READY) ## Update the lock files to the newest releases
	$(LOCK) --group dev --output-file requirements.lock
	$(LOCK) --group operations --constraints requirements.lock \
		--output-file tests/operations/requirements.lock

pins: $(READY) ## Update the versions that generated projects install
	$(RUN) tools.pins

clean: ## Remove .venv, .demo and caches
	rm -rf .venv .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# pip installs only uv; uv installs the rest in a tenth of the time. On Debian ensurepip is
# a separate package, so the pip of the base interpreter installs uv into the environment.
$(READY): requirements.lock
	$(BASE) -m venv --clear --without-pip .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	$(BASE) -m pip --python $(BIN)/python install --quiet --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

$(LINTERS): $(READY) tests/operations/requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
		--requirements tests/operations/requirements.lock
	@touch $@

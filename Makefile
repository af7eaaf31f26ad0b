# Python 3.11 or newer with pip, make and git are all that a machine needs: the targets
# make .venv from requirements.lock when they need it.
PYTHON ?= python3
# The one behind it, where .venv itself is active.
BASE = $(shell $(PYTHON) -c "import sys; print(sys._base_executable)")
BIN := .venv/bin
READY := .venv/.ready
# The linters of what surrounds a service: their programs are large, so only those who
# judge it install them.
LINTERS := .venv/.linters
# Bakes find the locked uv before any other.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"
# A bake copies the template tree, and with it the bytecode of whoever imported it.
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-all test-newest test-operations test-containers \
	fuzz check format bench golden lock pins clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Generate the e-commerce example into .demo and run it; SMOKE=1 tries it and stops
	@exec env $(RUN) tools.demo $(if $(SMOKE),--smoke)

test: $(READY) ## Run the tests, but for the slowest; ARGS="-k name" runs some
	$(RUN) pytest -n auto --dist loadgroup -m "not slow" $(ARGS)

test-fast: $(READY) ## Run the tests that need no bake: seconds
	$(RUN) pytest tests/unit tests/docs -m "not bake and not live and not slow" $(ARGS)

test-all: $(LINTERS) ## Run every test but those in containers, the slowest too
	$(RUN) pytest -n auto --dist loadgroup $(ARGS)

fuzz: $(READY) ## Let schemathesis try the examples for long; FUZZ=seconds for each (600)
	FUZZ=$(or $(FUZZ),600) $(RUN) pytest -n auto --dist loadgroup tests/live/contract $(ARGS)

test-newest: $(READY) ## Run the live tests against the newest releases of everything
	DEVMATRIX_NEWEST=1 $(RUN) pytest tests/live $(ARGS)

# Where it is 1, root on a Debian lets apt install what is missing: Prometheus and Redis
# for the first of these, a container engine for the second. Elsewhere tests skip.
test-operations: $(LINTERS) ## Judge image, stack, monitoring and pipeline, and run them on loopback
	$(RUN) pytest -n auto --dist loadgroup tests/operations $(ARGS)

test-containers: $(LINTERS) ## Run a service in containers; INSTALL_ENGINE=1 installs an engine
	$(RUN) tools.containers $(abspath $(BIN))/python -m \
		pytest -n auto --dist loadgroup tests/containers $(ARGS)

check: $(READY) ## Judge the template's own code: format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure the service against others, on a machine with nothing else to do
	PYTHONPATH="{{cookiecutter.project_slug}}" $(RUN) benchmarks $(ARGS)
	PYTHONPATH="{{cookiecutter.project_slug}}" $(RUN) benchmarks.report

golden: $(READY) ## Write tests/golden anew, after a change of what is generated
	$(RUN) tools.golden

lock: $(READY) ## Take the newest releases into the lock files
	$(LOCK) --group dev --output-file requirements.lock
	$(LOCK) --group operations --constraints requirements.lock \
		--output-file tests/operations/requirements.lock

pins: $(READY) ## Take the newest releases into what generated projects install
	$(RUN) tools.pins

clean: ## Remove .venv, .demo and caches
	rm -rf .venv .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Only uv comes by pip; the rest, by uv, takes a tenth of pip's time. Debian keeps
# ensurepip in a package of its own, so the environment borrows the interpreter's pip.
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

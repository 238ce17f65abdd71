# Everything a newcomer types. `make demo` and `make test` set up what they need themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LOCK := requirements/all.txt
ARGS ?=

.PHONY: setup demo test check bench lock clean servers

setup: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: setup
	@$(BIN)/preau demo $(ARGS)

servers:
	@sh tests/install_servers.sh

test: setup servers
	@$(BIN)/python -m tests.run_layers $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file firmware/node/mypy.ini firmware/node
	$(BIN)/lint-imports

bench: setup servers
	$(BIN)/python -m tests.bench.run $(ARGS)

# Hashes without addresses, for every platform and Python version at once.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	  --extra firmware --group dev pyproject.toml -o $(LOCK)

clean:
	rm -rf $(VENV) dist preau-demo

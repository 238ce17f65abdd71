# Everything a newcomer types. `make demo` and `make test` set up what they need themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LOCK := requirements/all.txt
STUBS_LOCK := requirements/micropython-stubs.txt
# They stand in for the standard library, so they must not lie among the packages of CPython.
STUBS := $(VENV)/micropython-stubs
# `grafana-client` brings a package that takes the place of urllib3, so it must not either.
GRAFANA_LOCK := requirements/grafana.txt
GRAFANA := $(VENV)/grafana-client
# What writes the bill of materials has no part in what it describes.
CYCLONEDX_LOCK := requirements/sbom.txt
CYCLONEDX := $(VENV)/cyclonedx
SBOM := dist/sbom.json
# Of this package only the schema of compose files is used, so none of what it needs is installed.
COMPOSE_LOCK := requirements/compose-schema.txt
COMPOSE := $(VENV)/compose-schema
ARGS ?=

.PHONY: setup demo test check bench bench-firmware bench-simulators chaos sbom lock clean servers

setup: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

$(STUBS)/.ready: $(STAMP) $(STUBS_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade \
	  --target $(STUBS) -r $(STUBS_LOCK)
	touch $@

$(GRAFANA)/.ready: $(STAMP) $(GRAFANA_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade \
	  --target $(GRAFANA) -r $(GRAFANA_LOCK)
	touch $@

$(CYCLONEDX)/.ready: $(STAMP) $(CYCLONEDX_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade \
	  --target $(CYCLONEDX) -r $(CYCLONEDX_LOCK)
	touch $@

$(COMPOSE)/.ready: $(STAMP) $(COMPOSE_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --no-deps \
	  --target $(COMPOSE) -r $(COMPOSE_LOCK)
	touch $@

demo: setup
	@$(BIN)/preau demo $(ARGS)

servers:
	@sh tests/install_servers.sh

test: setup servers $(GRAFANA)/.ready $(COMPOSE)/.ready $(CYCLONEDX)/.ready
	@$(BIN)/python -m tests.run_layers $(ARGS)

check: setup $(STUBS)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd firmware/node && MYPYPATH=.:$(CURDIR)/$(STUBS) $(CURDIR)/$(BIN)/mypy --config-file mypy.ini \
	  --custom-typeshed-dir $(CURDIR)/$(STUBS) --no-site-packages .
	$(BIN)/lint-imports

# At least 200 faults, at most 20 minutes; `make test` runs a short form of it.
chaos: setup servers
	$(BIN)/python -m tests.chaos.run $(ARGS)

# The bill of materials (CycloneDX) of what a gateway runs, from the lock file, hashes included. A
# lock file does not tell who depends on whom, of which the tool warns.
sbom: $(CYCLONEDX)/.ready
	mkdir -p $(dir $(SBOM))
	PYTHONPATH=$(CYCLONEDX) $(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements/run.txt \
	  --pyproject pyproject.toml --output-reproducible --validate -o $(SBOM)

bench: setup servers
	$(BIN)/python -m tests.bench.run $(ARGS)

bench-firmware: setup servers
	$(BIN)/python -m tests.bench.firmware $(ARGS)

# A quarter of an hour: the nodes of a département report in real time.
bench-simulators: setup servers
	$(BIN)/python -m tests.bench.simulators $(ARGS)

# Hashes without addresses, for every platform and Python version at once.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	  --extra firmware --extra flash --extra simulators --extra parquet --extra dashboards \
	  --group dev pyproject.toml -o $(LOCK)
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	  -c $(LOCK) --extra simulators pyproject.toml -o requirements/run.txt
	echo hatchling | uv pip compile --universal --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url -c $(LOCK) - -o requirements/build.txt
	echo micropython-esp32-stubs | uv pip compile --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url - -o $(STUBS_LOCK)
	echo "grafana-client>=5" | uv pip compile --universal --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url - -o $(GRAFANA_LOCK)
	echo "cyclonedx-bom>=7" | uv pip compile --universal --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url -c $(LOCK) - -o $(CYCLONEDX_LOCK)
	echo check-jsonschema | uv pip compile --no-deps --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url - -o $(COMPOSE_LOCK)

clean:
	rm -rf $(VENV) dist preau-demo

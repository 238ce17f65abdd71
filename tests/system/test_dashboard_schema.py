"""Dashboards against a JSON Schema of Grafana's own types: npm `@grafana/schema`."""

import copy
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from grafana_foundation_sdk.models import dashboard

from dashboards.look import look_of
from dashboards.tree import as_json, dashboards
from tests.servers import require

SOURCES = Path(__file__).parents[1] / "grafana_schema"
# Beside the packages of Python: `make clean` takes it away, and it is made once.
INSTALLED = Path(sys.prefix) / "grafana-schema"


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft7Validator:
    """Types are installed by npm at exact versions, and turned into a schema once."""
    schema = INSTALLED / "schema.json"
    INSTALLED.mkdir(exist_ok=True)
    # Another worker may be installing them; closing the file gives the lock back.
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(path.stat().st_mtime for path in SOURCES.iterdir())
        if not schema.exists() or schema.stat().st_mtime < newest:
            install(schema)
    return jsonschema.Draft7Validator(json.loads(schema.read_text()))


def install(schema: Path) -> None:
    npm = require("npm", "npm")
    for path in SOURCES.iterdir():
        (INSTALLED / path.name).write_bytes(path.read_bytes())
    quietly = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    run([npm, "install", *quietly])
    schema.write_text(run([npm, "run", "--silent", "schema"]))


def run(command: list[str]) -> str:
    environment = os.environ | {"npm_config_update_notifier": "false"}
    done = subprocess.run(
        command, cwd=INSTALLED, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ALL = [(language, one) for language in ("fr", "en") for one in dashboards(look_of(language))]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("one", [d for _, d in ALL], ids=[f"{lang} {d.uid}" for lang, d in ALL])
def test_a_dashboard_is_one_of_grafana_13(
    validator: jsonschema.Draft7Validator, one: dashboard.Dashboard
):
    errors = [error.message for error in validator.iter_errors(json.loads(as_json(one)))]
    assert not errors


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["panels"][0].update(type="no-such-panel"),
        lambda d: d["panels"][0]["options"].update(colourMode="value"),
        lambda d: d["panels"][0]["fieldConfig"]["defaults"].update(unit=7),
        lambda d: d.update(graphTooltip="crosshair"),
        lambda d: d["panels"][0]["gridPos"].update(w="6"),
    ],
)
def test_the_schema_refuses_what_grafana_does_not_know(validator, spoil):
    content = copy.deepcopy(json.loads(as_json(dashboards(look_of("fr"))[0])))
    spoil(content)
    assert list(validator.iter_errors(content))

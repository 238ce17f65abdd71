"""The jobs in docs/ci.md are jobs, and what they run passes against a real broker and gateway."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from tests.gateway import Gateway
from tests.servers import Server, require, running
from tests.town_broker import TownBroker

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SCHEMAS = Path(sys.prefix) / "compose-schema" / "check_jsonschema" / "builtin_schemas" / "vendor"
MOST_LINES = 10
PAGE = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
OWN, GITHUB, GITLAB = (text for _, text in BLOCKS)
INSTALLS = re.compile(r"(?:pip|pipx) install 'preau\[(\w+)\]'|apt-get .*|docker compose .*")


class Yaml12(yaml.SafeLoader):
    """`on` is a word, as it is for those who read these files."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


def read(text: str) -> dict[str, Any]:
    return yaml.load(text, Yaml12)  # noqa: S506 - it is a safe loader


def schema(name: str) -> dict[str, Any]:
    file = SCHEMAS / name
    if not file.exists():
        message = f"the schema is missing: make {SCHEMAS.parents[2]}/.ready"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return json.loads(file.read_text())


def typed(text: str) -> list[str]:
    """What the one job of a file has a shell do, line by line."""
    content = read(text)
    job = content["jobs"]["town"] if "jobs" in content else content["town"]
    if "script" in job:
        return job["script"]
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize(("file", "text"), BLOCKS)
def test_each_is_what_its_ci_server_takes_and_short(file: str, text: str):
    name = "gitlab-ci.json" if "gitlab" in file else "github-workflows.json"
    known = schema(name)
    validator = jsonschema.validators.validator_for(known)(known)
    assert [error.message for error in validator.iter_errors(read(text))] == []
    # That the schema would find something.
    spoilt = read(text.replace("script:", "scirpt:").replace("runs-on:", "run-son:"))
    assert list(validator.iter_errors(spoilt))
    lines = text.partition("town:\n")[2].strip().splitlines()
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize(("file", "text"), BLOCKS)
def test_what_each_installs_is_there_to_be_installed(file: str, text: str):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    others = [line for line in typed(text) if not line.startswith("preau ")]
    found = [INSTALLS.fullmatch(line) for line in others]
    assert all(found), others
    assert [one[1] for one in found if one and one[1]] == ["simulators"]
    assert "simulators" in extras["optional-dependencies"]


def ran(text: str, folder: Path, *, elsewhere: dict[str, str], **environment: str) -> ET.Element:
    """The JUnit report of a job's `preau` line, run as a runner does, with other addresses."""
    (line,) = [line for line in typed(text) if line.startswith("preau ")]
    for old, new in elsewhere.items():
        assert old in line
        line = line.replace(old, new)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=115,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own


def passed(report: ET.Element) -> list[str]:
    assert (report.attrib["failures"], report.attrib["errors"]) == ("0", "0")
    return [case.attrib["name"] for case in report if len(case) == 0]


def test_the_job_with_everything_in_it_passes(tmp_path: Path):
    """Its scenario is the one that the documentation shows."""
    require("mosquitto")
    simulators = (ROOT / "docs" / "simulators.md").read_text()
    (scenario,) = re.findall(r"```toml\n(about.*?)```", simulators, re.DOTALL)
    (tmp_path / "our-school.toml").write_text(scenario)
    report = ran(OWN, tmp_path, elsewhere={})
    assert len(passed(report)) == int(report.attrib["tests"]) == 2


def test_the_job_against_a_gateway_that_it_starts_passes(mosquitto: Server, tmp_path: Path):
    with running(Gateway(tmp_path / "gateway", mosquitto.port)) as gateway:
        report = ran(
            GITHUB,
            tmp_path,
            elsewhere={
                "${{ github.run_number }}": "7",
                "mqtt://127.0.0.1:1883": f"mqtt://127.0.0.1:{mosquitto.port}",
                "http://127.0.0.1:8080": gateway.url,
            },
        )
    assert "nothing_missing" in passed(report)
    assert "nothing_twice" in passed(report)


class OpenBroker(TownBroker):
    """With TLS, and one account that may write for every node."""

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__(folder, ["3c71bf4a2b10"])
        accounts = folder / "accounts"
        program = require("mosquitto_passwd", "mosquitto")
        subprocess.run([program, "-b", "-c", accounts, "simulator", password], check=True)
        subprocess.run([program, "-b", accounts, "gateway", password], check=True)
        access = folder / "access"
        access.write_text(
            "user simulator\n"
            + "".join(f"topic write preau/v1/+/{one}\n" for one in ("readings", "presence"))
            + "topic write preau/v1/+/replies\n"
            + "".join(f"topic read preau/v1/+/{one}\n" for one in ("receipts", "settings"))
            + "topic read preau/v1/+/commands\nuser gateway\ntopic readwrite preau/v1/#\n"
        )
        for file in (accounts, access):
            file.chmod(0o600)
        given = (self.given / "mosquitto.conf").read_text()
        changed = re.sub(r"(?m)^password_file .*$", f"password_file {accounts}", given)
        changed = re.sub(r"(?m)^acl_file .*$", f"acl_file {access}", changed)
        changed = changed.replace("use_username_as_clientid true\n", "")
        (self.given / "mosquitto.conf").write_text(changed)


@pytest.fixture
def open_broker(tmp_path: Path) -> Iterator[OpenBroker]:
    with running(OpenBroker(tmp_path / "broker", "a password for tests")) as broker:
        yield broker


def test_the_job_against_a_gateway_elsewhere_passes(open_broker: OpenBroker, tmp_path: Path):
    gateway = Gateway(tmp_path / "gateway", open_broker.port)
    gateway.environment |= {
        "PREAU_BROKER__USERNAME": "gateway",
        "PREAU_BROKER__PASSWORD": "a password for tests",
        "PREAU_BROKER__TLS_CA": str(open_broker.ca),
    }
    with running(gateway):
        report = ran(
            GITLAB,
            tmp_path,
            elsewhere={
                "https://town.example.org": gateway.url,
                "simulator@town.example.org": f"simulator@localhost:{open_broker.port}",
            },
            CI_PIPELINE_IID="12",
            TOWN_CA=str(open_broker.ca),
            PREAU_SIMULATE_PASSWORD="a password for tests",  # noqa: S106 - of a test's own broker
        )
    assert "nothing_missing" in passed(report)
    assert "nothing_twice" in passed(report)

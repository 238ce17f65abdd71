"""The stack's compose files: Debian's `docker-compose` and the compose specification's own schema
accept them, and what they say is what an administrator may expect.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.stack import COMBINATIONS, DEMO, FILES, ONE, SECOND, compose, init_stack, set_variable

SCHEMA_OF = Path(sys.prefix) / "compose-schema"
SCHEMA = SCHEMA_OF / "check_jsonschema" / "builtin_schemas" / "vendor" / "compose-spec.json"
NAMED = re.compile(r"\$\{(PREAU_[A-Z0-9_]+):\?")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack with everything, its second gateway's sites filled in."""
    folder = tmp_path_factory.mktemp("town") / "stack"
    init_stack(folder, "--demo", "--second-gateway")
    set_variable(folder, "PREAU_SITES", """'["prevert"]'""")
    set_variable(folder, "PREAU_SITES_2", """'["tilleuls"]'""")
    return folder


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    if not SCHEMA.exists():
        message = f"the schema is missing: make {SCHEMA_OF}/.ready"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return json.loads(SCHEMA.read_text())


def merged(stack: Path, files: tuple[str, ...]) -> dict[str, Any]:
    done = compose(stack, files, "config")
    assert (done.returncode, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize("files", COMBINATIONS, ids="+".join)
def test_every_combination_is_accepted_by_docker_compose(stack: Path, files: tuple[str, ...]):
    found = set(merged(stack, files)["services"])

    assert found >= {"mosquitto", "influxdb", "influxdb-setup", "gateway", "grafana"}
    assert ("town" in found, "gateway-2" in found) == (DEMO in files, SECOND in files)


@pytest.mark.parametrize("files", COMBINATIONS, ids="+".join)
def test_every_combination_is_one_of_the_compose_specification(stack, files, schema):
    validator = jsonschema.Draft202012Validator(schema)
    for content in (
        *(yaml.safe_load((stack / file).read_text()) for file in files),
        merged(stack, files),
    ):
        assert not [error.message for error in validator.iter_errors(content)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda services: services["gateway"].update(readonly=True),
        lambda services: services["gateway"].update(cap_drop="ALL"),
        lambda services: services["gateway"].update(depends_on={"mosquitto": "healthy"}),
        lambda services: services["gateway"]["healthcheck"].update(every="5s"),
    ],
)
def test_the_schema_refuses_what_compose_does_not_know(stack, schema, spoil):
    content = yaml.safe_load((stack / ONE).read_text())
    spoil(content["services"])
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(content))


def required() -> list[tuple[str, str]]:
    """Every variable that a file can't do without."""
    folder = Path("docker")
    return [
        (file, name) for file in FILES for name in sorted(set(NAMED.findall(_of(folder, file))))
    ]


def _of(folder: Path, file: str) -> str:
    return (folder / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `.env` says everything; compose takes all files with it."""
    folder = tmp_path_factory.mktemp("complete")
    for file in FILES:
        (folder / file).write_text(_of(Path("docker"), file))
    lines = {name: "1" for _, name in required()} | {"PREAU_SOURCES": str(Path.cwd())}
    (folder / ".env").write_text("".join(f"{name}={said}\n" for name, said in lines.items()))
    assert compose(folder, FILES, "config", "-q").returncode == 0
    return folder


@pytest.mark.parametrize(("file", "name"), required())
@pytest.mark.parametrize("value", [None, ""], ids=["absent", "empty"])
def test_an_incomplete_env_is_refused_with_the_variables_name(
    complete: Path, tmp_path: Path, file: str, name: str, value: str | None
):
    stack = shutil.copytree(complete, tmp_path / "stack")
    set_variable(stack, name, value)

    done = compose(stack, tuple(dict.fromkeys((ONE, file))), "config", "-q")
    assert done.returncode == 1
    assert f"{name} is missing in .env" in done.stderr


def test_everything_that_is_required_stands_in_the_env_that_is_written(stack: Path):
    written = {line.partition("=")[0] for line in (stack / ".env").read_text().splitlines()}
    assert {name for _, name in required()} <= written


@pytest.fixture(scope="module")
def services(stack: Path) -> dict[str, dict[str, Any]]:
    return merged(stack, FILES)["services"]


def test_the_sites_of_each_gateway_reach_it_as_its_settings_take_them(services):
    said = {name: services[name]["environment"] for name in ("gateway", "gateway-2")}
    assert said["gateway"]["PREAU_SHARE__SITES"] == '["prevert"]'
    assert said["gateway-2"]["PREAU_SHARE__SITES"] == '["tilleuls"]'


def test_one_service_builds_the_image_that_several_run(services):
    assert [name for name, service in services.items() if "build" in service] == ["gateway"]
    ours = {name for name, service in services.items() if service["image"].startswith("preau:")}
    assert ours == {"gateway", "gateway-2", "influxdb-setup", "town"}
    assert len({services[name]["image"] for name in ours}) == 1


def test_no_container_has_more_rights_than_it_needs(services):
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys(), (
            name
        )
        assert int(service["user"].split(":")[0]) > 0, name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert "/var/run/docker.sock" not in str(service), name


def test_versions_are_pinned(services):
    for service in services.values():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", service["image"])


def test_only_mqtt_is_published_beyond_this_machine(tmp_path):
    init_stack(tmp_path / "stack", "--host", "mqtt.trilport.fr", "--mail", "a@trilport.fr")
    services = merged(tmp_path / "stack", (ONE,))["services"]
    published = {name: service.get("ports") for name, service in services.items()}

    assert published == {
        "mosquitto": ["0.0.0.0:8883:8883/tcp"],
        "gateway": ["127.0.0.1:8080:8080/tcp"],
        "grafana": ["127.0.0.1:3000:3000/tcp"],
        "influxdb": None,
        "influxdb-setup": None,
    }


def test_the_demo_publishes_nothing_beyond_this_machine(services):
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_influxdb_is_alone_with_its_users(stack: Path, services):
    assert list(services["influxdb"]["networks"]) == ["storage"]
    assert merged(stack, (ONE,))["networks"]["storage"] == {"internal": True}


def test_no_secret_is_handed_over_in_the_environment(stack: Path):
    """`docker inspect` shows the environment to whoever may ask the engine."""
    config = compose(stack, FILES, "config").stdout
    secrets = [*stack.rglob("*.password"), *stack.rglob("*.token"), *stack.rglob("*.key")]
    held = [secret.read_text().strip() for secret in secrets]

    assert len([text for text in held if text]) > 15
    assert not [text for text in held if text and text in config]


def test_a_container_sees_no_secret_but_its_own(stack: Path, services):
    secrets = [*stack.rglob("*.password"), *stack.rglob("*.token"), *stack.rglob("*.key")]
    secrets.append(stack / "mosquitto" / "passwd")
    seen = {
        name: {
            str(secret.relative_to(stack))
            for volume in service.get("volumes", [])
            for source in [Path(volume.split(":")[0])]
            for secret in secrets
            if source == secret or source in secret.parents
        }
        for name, service in services.items()
    }

    assert seen["mosquitto"] == {"mosquitto/broker.key", "mosquitto/passwd"}
    assert seen["influxdb"] == set()
    assert seen["gateway"] == {"gateway/broker.password", "tokens/gateway/influxdb.token"}
    assert seen["gateway-2"] == {"gateway-2/broker.password", "tokens/gateway-2/influxdb.token"}
    assert seen["grafana"] == {
        "grafana/secrets/admin.password",
        "grafana/secrets/secret.key",
        "grafana/secrets/smtp.password",
        "tokens/grafana/influxdb.token",
    }
    assert {name.split("/")[0] for name in seen["influxdb-setup"]} == {"influxdb", "tokens"}
    assert {name.split("/")[0] for name in seen["town"]} == {"credentials"}
    assert not any("pki/ca.key" in names for names in seen.values())


WRITTEN = {("influxdb-setup", "tokens"), ("gateway", "backups"), ("gateway-2", "backups")}


def test_whatever_is_mounted_is_there_and_read_only_but_for_tokens_and_backups(stack, services):
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source, _, mode = volume.rsplit(":", 2)
            if source.startswith("/"):
                assert Path(source).exists(), volume
                assert mode == "ro" or (name, Path(source).name) in WRITTEN


def test_what_needs_another_waits_for_its_health(services):
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            healthy = "healthcheck" in services[other]
            wanted = "service_healthy" if healthy else "service_completed_successfully"
            assert how["condition"] == wanted, (name, other)
    assert set(services["gateway"]["depends_on"]) == {"mosquitto", "influxdb-setup"}
    assert set(services["influxdb-setup"]["depends_on"]) == {"influxdb"}

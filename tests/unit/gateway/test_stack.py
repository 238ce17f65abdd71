"""`preau init --docker`: what it writes, for whom, and what it leaves alone."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
import yaml

from dashboards.stack import grafana
from gateway.cli import run
from gateway.pki.authority import load_certificate
from gateway.pki.hosts import hosts_of
from gateway.stack.parts import part
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from tests.dockerfile import steps_of

WITH_HOST = ("--host", "mqtt.trilport.fr")
HANDED_OVER = ("compose", "grafana/dashboards", "grafana/provisioning")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PREAU_", "SUDO_"))]:
        monkeypatch.delenv(name)


def init(*options: str) -> int:
    return run(["init", "--docker", "stack", *options])


def content(folder: Path = Path("stack")) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_it_writes_what_the_gateway_accepts(capsys):
    assert init("--town", "Trilport", *WITH_HOST, "--mail", "a@trilport.fr") == 0
    Path("stack/tokens/gateway/influxdb.token").write_text("made by the setup\n")
    capsys.readouterr()

    assert run(["check", "--settings", "stack/gateway/preau.toml"]) == 0
    assert "settings: in order\nestate: in order" in capsys.readouterr().out
    assert load_estate(Path("stack/estate/estate.toml")).name == "Trilport"
    assert "\nPREAU_ALERT_EMAIL=a@trilport.fr\n" in Path("stack/.env").read_text()


def test_again_it_replaces_no_secret_no_setting_and_no_estate():
    init(*WITH_HOST)
    for file in (".env", "gateway/preau.toml", "estate/estate.toml"):
        with (Path("stack") / file).open("a") as stream:
            stream.write("# ours\n")
    before = content()

    assert init("--town", "Autreville", *WITH_HOST, "--mail", "b@autreville.fr") == 0

    after = content()
    # The broker's files are written anew, and say the same.
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert before.keys() == after.keys()


def test_again_it_makes_what_is_missing_and_replaces_what_is_ours():
    init(*WITH_HOST)
    before = content()
    Path("stack/compose.yaml").write_text("services: {}\n")
    Path("stack/grafana/dashboards/preau-ville.json").unlink()
    Path("stack/grafana/secrets/admin.password").unlink()

    assert init() == 0

    after = content()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"grafana/secrets/admin.password"}


def test_a_node_that_is_new_in_the_estate_gets_an_account(capsys):
    init(*WITH_HOST)
    capsys.readouterr()
    with Path("stack/estate/estate.toml").open("a") as estate:
        estate.write('\n[[node]]\nid = "3c71bf4a2b10"\n')

    assert init() == 0

    assert "account: 3c71bf4a2b10" in capsys.readouterr().out
    assert Path("stack/credentials/3c71bf4a2b10.password").exists()


def test_an_estate_with_a_mistake_is_told_and_changes_no_account(capsys):
    init(*WITH_HOST)
    before = content()
    estate = Path("stack/estate/estate.toml")
    estate.write_text(estate.read_text().replace("= 58", "= -58"))

    assert init() == 2

    assert "area_m2 = -58" in capsys.readouterr().err
    assert content()["mosquitto/passwd"] == before["mosquitto/passwd"]


def test_secrets_are_for_their_owner_alone_and_differ():
    init("--demo", "--second-gateway")
    folder = Path("stack")
    secrets = [
        *(*folder.rglob("*.password"), *folder.rglob("*.token"), *folder.rglob("*.key")),
        *(folder / ".env", folder / "mosquitto" / "passwd"),
    ]
    held = [file.read_bytes() for file in secrets if file.read_bytes()]
    # The broker's key lies in the folder of the authority, and where Mosquitto reads it.
    assert len(held) - len(set(held)) == 1
    assert {oct(stat.S_IMODE(file.stat().st_mode)) for file in secrets} == {"0o600"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_secret_is_printed(capsys):
    init("--demo", "--second-gateway")
    said = "".join(capsys.readouterr())
    held = [
        file.read_text().strip()
        for pattern in ("*.password", "*.token", "secret.key")
        for file in Path("stack").rglob(pattern)
    ]
    assert not [text for text in held if text and text in said]


def test_who_is_not_root_owns_the_stack(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    monkeypatch.setattr(os, "getegid", lambda: 4322)
    before = Path().stat().st_uid

    init(*WITH_HOST)

    assert "\nPREAU_UID=4321\nPREAU_GID=4322\n" in Path("stack/.env").read_text()
    assert {uid for uid, _ in _owners("stack")} == {before}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_the_stack_to_who_called_sudo_or_to_nobody_else(monkeypatch):
    init(*WITH_HOST)
    assert _owners("stack") == {(10001, 10001)}
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "1235")
    run(["init", "--docker", "other", *WITH_HOST])
    assert _owners("other") == {(1234, 1235)}
    assert "\nPREAU_UID=1234\nPREAU_GID=1235\n" in Path("other/.env").read_text()
    # Whoever types it again, it stays theirs.
    init()
    assert _owners("stack") == {(10001, 10001)}


def _owners(folder: str) -> set[tuple[int, int]]:
    pki = Path(folder) / "pki"
    paths = [p for p in Path(folder).rglob("*") if p != pki and pki not in p.parents]
    return {(p.stat().st_uid, p.stat().st_gid) for p in paths}


def test_the_brokers_certificate_holds_the_names_of_both_sides():
    init(*WITH_HOST)
    certificate = load_certificate(Path("stack/pki"), "broker")
    assert hosts_of(certificate) == ("mqtt.trilport.fr", "mosquitto")


def test_other_names_are_another_certificate_of_the_same_authority():
    init(*WITH_HOST)
    before = content()

    assert init("--host", "192.168.1.10") == 0

    after = content()
    assert hosts_of(load_certificate(Path("stack/pki"), "broker")) == ("mosquitto", "192.168.1.10")
    assert after["pki/ca.pem"] == before["pki/ca.pem"]
    assert after["mosquitto/broker.pem"] == after["pki/broker.pem"] != before["pki/broker.pem"]


def test_a_certificate_that_is_renewed_reaches_the_broker_with_the_next_init():
    init(*WITH_HOST)
    before = content()
    assert run(["pki", "show", "--settings", "stack/gateway/preau.toml"]) == 0
    assert run(["pki", "renew", "broker", "--settings", "stack/gateway/preau.toml"]) == 0

    assert init() == 0

    after = content()
    for file in ("broker.pem", "broker.key"):
        assert after[f"mosquitto/{file}"] == after[f"pki/{file}"] != before[f"pki/{file}"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "needs the names and addresses by which nodes reach it; give --host"),
        (("--host", "-"), "host '-'"),
        ((*WITH_HOST, "--mail", "nobody"), "--mail 'nobody': must be an address"),
        ((*WITH_HOST, "--mail", "a@b.fr\nPREAU_UID=0"), "must be an address"),
        ((*WITH_HOST, "--town", "a\nb"), "--town"),
    ],
)
def test_what_can_not_be_used_is_told_and_nothing_is_written(options, said, capsys):
    assert init(*options) == 2
    assert said in capsys.readouterr().err
    assert not Path("stack").exists()


@pytest.mark.parametrize("options", [("--force",), ("elsewhere",)])
def test_it_goes_with_nothing_of_the_other_init(options):
    assert init(*WITH_HOST, *options) == 2
    assert run(["init", "--demo"]) == 2
    assert not Path("stack").exists()


def test_the_demo_is_not_mixed_with_a_town(capsys):
    init(*WITH_HOST)
    before = content()

    assert init("--demo") == 2

    assert "is that of a town, which the demo does not mix" in capsys.readouterr().err
    assert content() == before


def test_the_demo_starts_with_nothing_filled_in():
    init("--demo")
    lines = Path("stack/.env").read_text().splitlines()
    assert "COMPOSE_FILE=compose.yaml:compose.demo.yaml" in lines
    assert len(load_estate(Path("stack/estate/estate.toml")).nodes) == 12


def test_a_second_gateway_has_an_account_and_a_token_of_its_own_and_stays():
    init(*WITH_HOST)
    assert not Path("stack/gateway-2").exists()

    init("--second-gateway")
    settings = tomllib.loads(Path("stack/gateway-2/preau.toml").read_text())
    password = Path("stack/gateway-2/broker.password").read_text()
    init()

    assert settings["broker"]["username"] == "passerelle-2"
    assert settings["forwarder"][0]["token_file"] == "../tokens/gateway-2/influxdb.token"  # noqa: S105 - a path
    assert Path("stack/gateway-2/broker.password").read_text() == password
    assert "passerelle-2:" in Path("stack/mosquitto/passwd").read_text()
    assert "user passerelle-2" in Path("stack/mosquitto/acl").read_text()


def test_each_gateway_serves_the_sites_that_the_environment_gives_it(monkeypatch, capsys):
    init("--demo", "--second-gateway")
    for service, sites, served in (
        ("gateway", '["prevert"]', "8 of 12 nodes, at prevert"),
        ("gateway-2", '["tilleuls"]', "4 of 12 nodes, at tilleuls"),
    ):
        Path(f"stack/tokens/{service}/influxdb.token").write_text("made by the setup\n")
        monkeypatch.setenv("PREAU_SHARE__SITES", sites)
        assert run(["check", "--settings", f"stack/{service}/preau.toml"]) == 0
        assert served in capsys.readouterr().out


def compose_file() -> dict:
    return yaml.safe_load(Path("stack/compose.yaml").read_text())["services"]


def test_grafana_is_given_every_variable_that_its_files_ask_for():
    init(*WITH_HOST)
    service = compose_file()["grafana"]
    given = set(service["environment"]) | {"PREAU_INFLUX_TOKEN"}
    asked = {
        word.split("$")[1]
        for path, data in grafana().items()
        if path.startswith("provisioning/")
        for word in data.decode().split()
        if "$PREAU_" in word
    }

    assert asked == {name for name in given if name.startswith("PREAU_")}
    assert "PREAU_INFLUX_TOKEN=" in service["entrypoint"][2]


def test_grafana_finds_its_files_where_they_are_mounted():
    init(*WITH_HOST)
    volumes = dict(one.split(":")[:2] for one in compose_file()["grafana"]["volumes"])
    provider = yaml.safe_load(Path("stack/grafana/provisioning/dashboards/preau.yaml").read_text())

    assert volumes["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert volumes["./grafana/dashboards"] == provider["providers"][0]["options"]["path"]


def test_gateway_grafana_and_setup_mean_the_same_influxdb():
    init(*WITH_HOST)
    settings = tomllib.loads(Path("stack/gateway/preau.toml").read_text())["forwarder"][0]
    services = compose_file()
    environment, setup = services["grafana"]["environment"], services["influxdb-setup"]["command"]

    assert settings["url"] == environment["PREAU_INFLUX_URL"] == "http://influxdb:8086"
    assert "--url=http://influxdb:8086" in setup
    # `preau influxdb setup` names both so, unless it is told otherwise.
    assert settings["bucket"] == environment["PREAU_INFLUX_DATABASE"] == settings["org"] == "preau"


def test_the_image_is_the_one_that_this_version_is_built_as():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    init("--demo", "--second-gateway")
    for file in Path("stack").glob("compose*.yaml"):
        for service in yaml.safe_load(file.read_text())["services"].values():
            name, _, version = service.get("image", "").partition(":")
            assert name != "preau" or version == project["version"]


def test_what_the_services_share_is_said_the_same_in_each_file():
    """YAML has no anchors from file to file, so the second gateway repeats the first."""
    init("--second-gateway", *WITH_HOST)
    first = compose_file()["gateway"]
    second = yaml.safe_load(Path("stack/compose.second-gateway.yaml").read_text())["services"]
    own = {"build", "user", "environment", "volumes", "ports"}

    gateway = second["gateway-2"]
    assert {k: v for k, v in gateway.items() if k not in own} == {
        k: v for k, v in first.items() if k not in own
    }


def test_the_image_has_what_compose_relies_on():
    folder = Path(__file__).parents[3] / "docker"
    steps = steps_of(folder / "Dockerfile")
    assert ("RUN", "mkdir -m 1777 /var/lib/preau") in steps
    assert ("ENTRYPOINT", '["preau"]') in steps


def test_a_part_that_no_area_has_is_told():
    with pytest.raises(ConfigurationError, match="no part 'chauffage' for the stack"):
        part("chauffage")

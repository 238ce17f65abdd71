"""`preau doctor`, with one thing broken at a time: it finds that one, and says what to do."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.checks import broker as broker_check
from gateway.checks import clock
from gateway.checks.finding import Level
from gateway.cli import run
from gateway.doctor import given_of
from gateway.pki.authority import issue_server_certificate, load_certificate
from gateway.settings import load_settings
from ingest.pipeline import Incoming, Pipeline
from ingest.store.writer import StoreWriter
from ingest.topics import base_name_of, topic_of
from tests.gateway import Gateway
from tests.http_peer import Answer, http_peer
from tests.influx import influx_query, influxdb_server
from tests.servers import eventually, free_port, mosquitto_server, running
from tests.town_broker import GATEWAY, HOST, TownBroker

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
ESTATE = """\
[[site]]
id = "ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "cp-a"
name = "CP A"
"""
PLACED = '[[node]]\nid = "{}"\n[[node.placement]]\nroom = "ferry/cp-a"\nsince = 2026-09-01\n'


class Town:
    """A folder with settings and an estate, in which everything is in order."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.port = free_port()
        self.sections = {
            "data": f'dir = "{folder / "data"}"',
            "http": f"port = {self.port}",
            "broker": f"port = {free_port()}",
        }
        self.declare(ESTATE + PLACED.format(NODE))
        (folder / "data").mkdir(mode=0o700)
        self.hear(NODE, int(time.time()))

    @property
    def settings(self) -> Path:
        file = self.folder / "preau.toml"
        texts = [f"[{name}]\n{text}\n" for name, text in self.sections.items()]
        file.write_text("".join(texts))
        return file

    def declare(self, text: str) -> None:
        (self.folder / "estate.toml").write_text(text)

    def hear(self, node: str, at_s: int, received_s: int | None = None) -> None:
        """A reading of a node in the store."""
        record = {"bn": base_name_of(node), "bver": 26, "bt": at_s}
        payload = json.dumps([record | {"n": "temperature", "u": "Cel", "v": 19.5}]).encode()
        with closing(StoreWriter(self.folder / "data")) as store:
            received_ms = (received_s or at_s) * 1000
            Pipeline(store).take([Incoming(topic_of(node, "readings"), payload, received_ms)])

    def ask(self, status: int) -> list[dict[str, Any]]:
        """What `preau doctor --json` finds; it must end with this status."""
        self.capsys.readouterr()
        ended = run(["doctor", "--json", "--settings", str(self.settings)])
        answer = json.loads(self.capsys.readouterr().out)
        assert ended == status, answer
        assert answer["ok"] is (status == 0)
        return answer["findings"]

    def sick(self, status: int = 1) -> list[tuple[str, str, str, str]]:
        """(check, level, text, remedy) of what is not in order; what this machine lacks aside."""
        found = [
            (one["check"], one["level"], one["text"], one["remedy"])
            for one in self.ask(status)
            if one["level"] != "good" and one["check"] not in {"clock", "serial"}
        ]
        assert all(remedy for *_, remedy in found)
        return found


@pytest.fixture
def town(tmp_path, capsys, monkeypatch) -> Town:
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Town(tmp_path, capsys)


def test_where_all_is_in_order_each_check_is_one_line(town):
    assert town.sick(0) == []
    assert {one["check"] for one in town.ask(0)} == {
        *("broker", "clock", "data", "estate", "nodes", "ports", "serial", "tools")
    }
    assert run(["doctor", "--settings", str(town.settings)]) == 0
    lines = town.capsys.readouterr().out.splitlines()
    assert "✔ estate: the estate is valid: 1 rooms, 1 nodes" in lines
    assert not any(line.startswith("✘") for line in lines)


def test_each_mistake_in_the_settings_is_told_with_its_line(town):
    town.sections["http"] = "port = 80800"
    [(check, level, text, _)] = town.sick()
    assert (check, level) == ("settings", "failed")
    assert "preau.toml:4: http.port = 80800: must be at most 65535" in text


def test_a_mistake_in_the_estate_is_told_with_its_line(town):
    town.declare(ESTATE + PLACED.format(NODE).replace("cp-a", "cp-b"))
    found = town.sick()
    assert found[0][:2] == ("estate", "failed")
    assert 'node[0].placement[0].room = "ferry/cp-b": there is no such room' in found[0][2]


def test_a_town_without_estate_is_told_how_to_begin(town):
    (town.folder / "estate.toml").unlink()
    assert ("estate", "warning") in [one[:2] for one in town.sick(0)]
    assert any("preau init" in one[3] for one in town.sick(0))


def test_a_port_that_another_program_has_is_told_with_how_to_find_it(town):
    with closing(socket.create_server(("127.0.0.1", town.port))):
        [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("ports", "failed")
    assert f"127.0.0.1:{town.port} for the page: Address already in use" in text
    assert f"ss -ltnp 'sport = :{town.port}'" in remedy


def test_an_address_of_another_machine_is_no_place_to_listen(town):
    town.sections["http"] += '\nhost = "192.0.2.1"'
    [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("ports", "failed")
    assert "Cannot assign requested address" in text
    assert "http.host" in remedy


async def test_a_running_gateway_is_recognised_as_ours(tmp_path):
    gateway = Gateway(tmp_path, free_port(), estate=ESTATE, embedded=True)
    with running(gateway):
        await eventually(gateway.is_well)
        found = by_process(tmp_path / "preau.toml")
    texts = {one["check"]: one["text"] for one in found if one["level"] == "good"}
    assert texts["ports"] == f"the gateway runs on 127.0.0.1:{gateway.port} and is well"
    assert texts["broker"].endswith(" answers")


async def test_a_running_gateway_that_is_not_well_says_why(tmp_path):
    gateway = Gateway(tmp_path, free_port(), estate=ESTATE)
    with running(gateway):
        await eventually(lambda: "and says: " in told_of(tmp_path, "ports"))
        assert "can't be reached" in told_of(tmp_path, "broker")


def by_process(settings: Path) -> list[dict[str, Any]]:
    preau = Path(sys.executable).with_name("preau")
    command = [preau, "doctor", "--json", "--settings", settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)["findings"]


def told_of(folder: Path, check: str) -> str:
    found = by_process(folder / "preau.toml")
    return " ".join(one["text"] for one in found if one["check"] == check)


def test_a_broker_that_is_away_is_told(town):
    town.sections["broker"] = f'host = "127.0.0.1"\nport = {free_port()}'
    [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert "can't be reached" in text
    assert "systemctl status mosquitto" in remedy


async def test_what_is_no_broker_is_told(town):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        town.sections["broker"] = f'host = "127.0.0.1"\nport = {port}'
        [(check, level, text, _)] = await asyncio.to_thread(town.sick)
    assert (check, level) == ("broker", "failed")
    assert "does not speak MQTT" in text


@pytest.fixture
def secured(town) -> Iterator[TownBroker]:
    """The town's broker with TLS and accounts, as the settings name it."""
    broker = TownBroker(town.folder / "broker", [NODE])
    town.sections["broker"] = textwrap.dedent(f"""\
        host = "{HOST}"
        port = {broker.port}
        tls_ca = "{broker.ca}"
        username = "{GATEWAY}"
        password_file = "{broker.password_file(GATEWAY)}"
    """)
    town.sections["pki"] = f'dir = "{broker.ca.parent}"'
    with running(broker):
        yield broker


def test_a_broker_with_tls_and_accounts_lets_us_in_and_no_secret_is_shown(town, secured):
    assert town.sick(0) == []
    texts = {one["text"] for one in town.ask(0)}
    assert f"the broker {HOST}:{secured.port} answers over TLS and lets passerelle in" in texts
    assert secured.password(GATEWAY) not in json.dumps(town.ask(0))


def test_a_wrong_password_is_told_without_being_shown(town, secured):
    wrong = town.folder / "wrong.secret"
    wrong.write_text("0123456789abcdef\n")
    wrong.chmod(0o600)
    right = str(secured.password_file(GATEWAY))
    town.sections["broker"] = town.sections["broker"].replace(right, str(wrong))
    [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert f"the broker {HOST}:{secured.port} refuses passerelle" in text
    assert "broker.password_file" in remedy
    assert "0123456789abcdef" not in json.dumps(town.ask(1))


def test_a_broker_of_another_authority_is_told(town, secured):
    other = TownBroker(town.folder / "other", [NODE])
    town.sections["broker"] = town.sections["broker"].replace(str(secured.ca), str(other.ca))
    [(check, level, text, _)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert "its certificate is not accepted" in text


def test_a_tls_port_spoken_to_in_the_clear_and_the_reverse(town, secured):
    told = town.sections["broker"]
    town.sections["broker"] = "\n".join(
        line for line in told.splitlines() if not line.startswith("tls_ca")
    )
    [(check, level, _, remedy)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert "broker.tls_ca" in remedy

    with running(mosquitto_server(town.folder)) as plain:
        town.sections["broker"] = told.replace(str(secured.port), str(plain.port))
        [(check, level, _, remedy)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert "broker.tls_ca" in remedy


def test_a_password_file_that_others_may_read_is_told_with_the_command(town, secured):
    secured.password_file(GATEWAY).chmod(0o644)
    [(check, level, text, _)] = town.sick()
    assert (check, level) == ("broker", "failed")
    assert f"chmod 600 {secured.password_file(GATEWAY)}" in text


@pytest.mark.parametrize(
    ("age_days", "level", "said"),
    [(0, None, ""), (380, "warning", "ends in"), (3650, "failed", "has ended")],
)
def test_a_certificate_is_told_of_before_it_ends(town, secured, age_days, level, said):
    pki = secured.ca.parent
    now = datetime.now(UTC) - timedelta(days=age_days)
    if age_days:
        lasts = load_certificate(pki, "broker").not_valid_after_utc - datetime.now(UTC)
        now = datetime.now(UTC) - lasts + timedelta(days=20 if level == "warning" else -5)
    issue_server_certificate(pki, "spare", ("spare.trilport.fr",), now=now)
    found = town.sick(1 if level == "failed" else 0)
    if level is None:
        assert found == []
        return
    [(check, told_level, text, remedy)] = found
    assert (check, told_level) == ("certificates", level)
    assert f"certificate spare: {said}" in text
    assert "preau pki renew spare" in remedy


def test_the_certificate_that_a_broker_shows_is_told_of_before_it_ends(town, secured):
    given = given_of(load_settings(town.settings), 0)
    ends_at = load_certificate(secured.ca.parent, "broker").not_valid_after_utc
    later = replace(given, now_ms=int((ends_at - timedelta(days=20)).timestamp() * 1000))
    found = asyncio.run(broker_check.check(later))
    assert [one.level for one in found] == [Level.GOOD, Level.WARNING]
    assert "the certificate that the broker" in found[1].text


def test_a_clock_that_was_never_set_is_told(town):
    given = given_of(load_settings(town.settings), 946_684_800_000)
    [found] = asyncio.run(clock.check(given))
    assert found.level is Level.FAILED
    assert "2000-01-01" in found.text
    assert "timedatectl" in found.remedy


def test_a_clock_that_went_back_is_seen_by_what_was_received(town):
    town.hear(NODE, int(time.time()) + 60, received_s=int(time.time()) + 86_400)
    assert [one[0] for one in town.sick()] == ["nodes"]
    assert "the clock went back" in town.sick()[0][2]


def test_a_node_that_is_silent_is_named_with_its_room(town):
    town.declare(ESTATE + PLACED.format(NODE) + PLACED.format(OTHER))
    [(check, level, text, _)] = town.sick(0)
    assert (check, level) == ("nodes", "warning")
    assert text == f"1 of 2 nodes in a room are silent: {OTHER} (ferry/cp-a)"


def test_all_nodes_silent_at_once_is_a_failure(town):
    town.declare(ESTATE + PLACED.format(OTHER))
    found = town.sick()
    assert found[0][:2] == ("nodes", "failed")
    assert "the broker" in found[0][3]


def test_a_node_in_no_room_is_told_with_the_command_and_a_removed_one_is_not(town):
    town.hear(OTHER, int(time.time()))
    [(check, level, _, remedy)] = town.sick(0)
    assert (check, level) == ("nodes", "warning")
    assert remedy == f"preau node place {OTHER} SITE/ROOM"

    later = f'[[node]]\nid = "{OTHER}"\nremoved = 2030-01-01\n'
    town.declare(ESTATE + PLACED.format(NODE) + later)
    assert town.sick(0) == []


def test_little_room_is_a_warning(town):
    free_mib = shutil.disk_usage(town.folder).free // 2**20
    town.sections["store"] = f"min_free_mib = {min(free_mib + 1000, 1_000_000)}"
    [(check, level, text, _)] = town.sick(0)
    assert (check, level) == ("data", "warning")
    assert "less than store.min_free_mib" in text


def test_a_full_disk_is_a_failure(town):
    disk = town.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "preau", disk], check=True)
    try:
        town.sections["data"] = f'dir = "{disk / "data"}"'
        found = [one for one in town.sick() if one[0] == "data"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert found[0][1] == "failed"
    assert "nothing is taken in" in found[0][2]


def test_a_data_folder_that_others_may_look_into_is_told_with_the_command(town):
    (town.folder / "data").chmod(0o755)
    [(check, level, _, remedy)] = town.sick(0)
    assert (check, level) == ("data", "warning")
    assert remedy == f"chmod 700 {town.folder / 'data'}"


def test_a_secret_that_others_may_read_is_told_with_the_command(town):
    file = town.folder / "data" / "credentials" / f"{NODE}.setup"
    file.parent.mkdir(mode=0o700)
    file.write_text("secret\n")
    file.chmod(0o640)
    [(check, level, _, remedy)] = town.sick()
    assert (check, level) == ("data", "failed")
    assert remedy == f"chmod 600 {file}"


def as_another_user(code: str, *arguments: str) -> list[list[str]]:
    """Level, text and remedy of the findings of `code`, run by one who owns nothing here."""
    script = (
        "import asyncio, json, os, sys\nfrom pathlib import Path\n"
        "from gateway.checks import data_folder, serial_ports\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"found = {code}\nprint(json.dumps([[f.level, f.text, f.remedy] for f in found]))\n"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user of the machine reaches; pytest's own is closed to others."""
    made = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_a_data_folder_that_we_may_not_write_to_is_told_with_its_owner(open_folder):
    (open_folder / "data").mkdir()
    (open_folder / "data").chmod(0o500)
    code = "list(data_folder._permissions(Path(sys.argv[1])))"
    [[level, text, remedy]] = as_another_user(code, str(open_folder / "data"))
    assert level == "failed"
    assert text.endswith(f"may not write to {open_folder / 'data'}")
    assert "sudo -u " in remedy


def test_a_board_that_this_user_may_not_write_to_is_told_with_the_group(open_folder):
    port = open_folder / "ttyUSB0"
    port.touch()
    port.chmod(0)
    [[level, text, remedy]] = as_another_user(
        "serial_ports.ports_in(Path(sys.argv[1]))", str(open_folder)
    )
    assert level == "failed"
    assert str(port) in text
    assert remedy.startswith("sudo usermod -aG ")

    port.chmod(0o666)
    [[level, text, _]] = as_another_user(
        "serial_ports.ports_in(Path(sys.argv[1]))", str(open_folder)
    )
    assert (level, text) == ("good", f"this user may write to the board on {port}")


def test_an_influxdb_is_asked_for_its_database(town):
    with running(influxdb_server(town.folder)) as influx:
        town.sections["[forwarder]"] = (
            f'name = "town"\napi = "v1"\nurl = "http://127.0.0.1:{influx.port}"'
        )
        [(check, level, text, _)] = town.sick(0)
        assert (check, level) == ("influxdb", "warning")
        assert "has no database 'preau' yet" in text

        influx_query(influx.port, "CREATE DATABASE preau")
        assert town.sick(0) == []
    [(check, level, text, _)] = town.sick()
    assert (check, level) == ("influxdb", "failed")
    assert "can't be reached" in text


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (Answer(204), 0, ""),
        (Answer(400, '{"error": "writing requires points"}'), 0, ""),
        (Answer(401, '{"error": "unauthorized access"}'), 1, "unauthorized access"),
        (Answer(404, '{"error": "bucket not found"}'), 1, "bucket not found"),
        (Answer(302, ""), 1, "redirection"),
    ],
)
async def test_a_newer_influxdb_is_asked_for_token_and_bucket(town, answer, status, said):
    token = town.folder / "token"
    token.write_text("s3cret-t0ken\n")
    token.chmod(0o600)
    async with http_peer(rule=lambda _: answer) as peer:
        town.sections["[forwarder]"] = (
            f'name = "town"\napi = "v2"\nurl = "{peer.url}"\ntoken_file = "{token}"'
        )
        found = await asyncio.to_thread(town.sick, status)
        await eventually(lambda: not peer._open, what="a connection was left open")
    assert peer.requests[0].path.startswith("/api/v2/write?")
    assert [one[:2] for one in found] == [("influxdb", "failed")] * status
    assert said in json.dumps(found)
    assert "s3cret" not in json.dumps(found)

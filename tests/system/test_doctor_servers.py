"""`preau doctor` and the servers that a gateway needs: away, refusing, or soon out of date."""

import asyncio
import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.checks import broker as broker_check
from gateway.checks.finding import Level
from gateway.doctor import given_of
from gateway.pki.authority import issue_server_certificate, load_certificate
from gateway.settings import load_settings
from tests.doctor_town import NODE, DoctorTown, doctor_town
from tests.http_peer import Answer, http_peer
from tests.influx import influx_query, influxdb_server
from tests.servers import eventually, free_port, mosquitto_server, running
from tests.town_broker import GATEWAY, HOST, TownBroker


@pytest.fixture
def town(tmp_path, capsys, monkeypatch) -> DoctorTown:
    return doctor_town(tmp_path, capsys, monkeypatch)


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
        (Answer(400, "<html>Bad Request</html>"), 1, "no answer of an InfluxDB"),
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

"""`preau influxdb setup` against a peer that answers as InfluxDB 2."""

import stat
from pathlib import Path

import pytest

from gateway.influxdb_setup import READER, WRITER, InfluxSetup, TokenFile
from ingest.forwarder.errors import InfluxAwayError, InfluxSetupError
from ingest.forwarder.target import Target
from tests.http_peer import Answer, http_peer
from tests.influx2_peer import BUCKET_ID, ORG_ID, Influx2Peer
from tests.servers import free_port

OPERATOR = "chosen-by-the-town"


def target(url: str, **other: str) -> Target:
    given = {"database": "preau", "org": "preau", "token": OPERATOR} | other
    return Target(name="setup", api="v2", url=url, **given)


async def set_up(url: str, *wanted: TokenFile, **other: str) -> list[bool]:
    """As the command does it: whether each token had to be made."""
    async with InfluxSetup(target(url, **other)) as influx:
        await influx.begin("preau", "a password")
        place = await influx.place()
        await influx.map_database(place)
        return [await influx.provide(place, one) for one in wanted]


@pytest.fixture
def writer(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "gateway.token", WRITER)


@pytest.fixture
def reader(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "grafana.token", READER)


def token_in(wanted: TokenFile) -> str:
    return wanted.file.read_text().strip()


async def test_a_fresh_influxdb_gets_organisation_bucket_and_tokens(writer, reader):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        assert await set_up(peer.url, writer, reader) == [True, True]

    assert influxdb.setup == {
        "username": "preau",
        "password": "a password",
        "org": "preau",
        "bucket": "preau",
        "token": OPERATOR,
        "retentionPeriodSeconds": 0,
    }
    assert influxdb.rights(token_in(writer)) == {"read", "write"}
    assert influxdb.rights(token_in(reader)) == {"read"}


async def test_tokens_are_for_their_owner_alone(writer):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url, writer)
    assert stat.S_IMODE(writer.file.stat().st_mode) == 0o600


async def test_a_second_time_changes_nothing(writer, reader):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url, writer, reader)
        before = (dict(influxdb.tokens), token_in(writer), token_in(reader))

        assert await set_up(peer.url, writer, reader) == [False, False]

    assert (influxdb.tokens, token_in(writer), token_in(reader)) == before


async def test_another_program_gets_its_token_later(writer, reader):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url, writer)
        assert await set_up(peer.url, writer, reader) == [False, True]


@pytest.mark.parametrize("content", ["", "of-an-influxdb-that-is-gone\n"])
async def test_a_token_that_is_lost_or_refused_is_replaced_and_withdrawn(writer, content):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url, writer)
        lost = token_in(writer)
        writer.file.write_text(content)

        assert await set_up(peer.url, writer) == [True]

    assert influxdb.rights(lost) == set()
    assert influxdb.rights(token_in(writer)) == {"read", "write"}


async def test_what_was_begun_and_not_ended_is_ended(writer):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        async with InfluxSetup(target(peer.url)) as influx:
            assert await influx.begin("preau", "a password")
        assert await set_up(peer.url, writer) == [True]


async def test_where_influxql_would_not_find_the_bucket_it_is_mapped_once():
    influxdb = Influx2Peer(maps_by_itself=False)
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url)
        await set_up(peer.url)

    assert influxdb.mappings == [
        {
            "database": "preau",
            "retention_policy": "autogen",
            "default": True,
            "orgID": ORG_ID,
            "bucketID": BUCKET_ID,
        }
    ]


async def test_an_influxdb_of_another_operator_is_left_alone(writer):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url)
        with pytest.raises(InfluxSetupError, match="another operator token: put that one back"):
            await set_up(peer.url, writer, token="somebody else's")  # noqa: S106 - a test
    assert not writer.file.exists()


async def test_a_bucket_that_is_not_there_is_named():
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url)
        with pytest.raises(InfluxSetupError, match="no bucket 'other' of an organisation 'preau'"):
            await set_up(peer.url, database="other")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(200, "<html>"), InfluxSetupError),
        (Answer(200, "[]"), InfluxSetupError),
        (Answer(503, "starting"), InfluxAwayError),
        (Answer(200, "{}", cut=True), InfluxAwayError),
    ],
)
async def test_what_is_no_influxdb_is_told(answer, error):
    async with http_peer(rule=lambda _: answer) as peer:
        with pytest.raises(error):
            await set_up(peer.url)


async def test_nobody_there_is_told():
    with pytest.raises(InfluxAwayError, match="can't be reached: Connection refused"):
        await set_up(f"http://127.0.0.1:{free_port()}")


async def test_a_token_that_can_not_be_asked_about_is_not_replaced(writer):
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        await set_up(peer.url, writer)
        token = token_in(writer)
        peer.rule = lambda request: (
            Answer(500, "sorry") if BUCKET_ID in request.path else influxdb.rule(request)
        )
        with pytest.raises(InfluxAwayError):
            await set_up(peer.url, writer)
    assert token_in(writer) == token

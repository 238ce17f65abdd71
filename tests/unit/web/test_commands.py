"""Commands and firmware over HTTP: what is open, what needs the token, what is refused."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.firmware.bundle import Formats, Release, make_bundle
from tests.unit.web.town import NODES, TOKEN, Client, TownService

NODE = next(iter(NODES.values()))
PATH = f"/api/v1/nodes/{NODE}/commands"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
BUNDLE = make_bundle(
    Release("1.2.3", "esp32", 6, Formats(1, 1), Formats(1, 1)), {"app.mpy": bytes(range(256)) * 8}
)


@pytest.fixture
async def closed(town: TownService) -> AsyncIterator[Client]:
    """Not open for reading, with a signed bundle on its shelf."""
    town.read_without_account = False
    shelf = town.control().offers.shelf
    shelf.keys.create()
    shelf.put(shelf.keys.sign(BUNDLE))
    async with TestClient(TestServer(town.app())) as client:
        yield client


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
async def test_without_the_token_nothing_is_done(client: Client, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    async with client.post(PATH, json={"do": "identify"}, headers=headers) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"do": "dance"}',
        b'{"do": "identify", "more": 1}',
        b'{"do": "calibrate_co2"}',
        b'{"do": "calibrate_co2", "ppm": 9}',
        b'{"do": "identify", "timeout_s": 0}',
        b'{"do": "identify", "timeout_s": 1e9}',
        b'{"do": "update"}',
        b'{"do": "rotate"}',
        b'{"do": "rotate", "password": "short"}',
        # Its broker is not reached over TLS.
        b'{"do": "rotate", "password": "0123456789abcdef0123456789abcdef"}',
        b"\xff" * 40,
        b"[" * 4000,
    ],
)
async def test_what_is_no_command_is_refused(client: Client, body: bytes) -> None:
    async with client.post(PATH, data=body, headers=WITH_TOKEN) as answer:
        assert answer.status == 400, await answer.text()
        told = (await answer.json())["detail"]
        assert told
        assert "0123456789abcdef" not in told


async def test_a_large_body_is_refused(client: Client) -> None:
    async with client.post(PATH, data=b" " * 5000, headers=WITH_TOKEN) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("node", ["ffffffffffff", "none", "..%2f..", "3C71BF4A2B10"])
async def test_a_node_that_nobody_knows_is_not_commanded(client: Client, node: str) -> None:
    path = f"/api/v1/nodes/{node}/commands"
    async with client.post(path, json={"do": "identify"}, headers=WITH_TOKEN) as answer:
        assert answer.status == 404


async def test_only_who_has_the_token_has_a_node_forgotten(client: Client) -> None:
    path = f"/api/v1/nodes/{NODE}/forget"
    async with client.post(path) as answer:
        assert answer.status == 401
    async with client.post("/api/v1/nodes/none/forget", headers=WITH_TOKEN) as answer:
        assert answer.status == 404
    async with client.post(path, headers=WITH_TOKEN) as answer:
        assert answer.status == 503
        assert "no connection to the broker" in (await answer.json())["detail"]


async def test_without_a_broker_the_caller_is_told(client: Client) -> None:
    body = {"do": "identify", "timeout_s": 0.2}
    async with client.post(PATH, json=body, headers=WITH_TOKEN) as answer:
        assert answer.status == 504
        assert "no connection to the broker" in (await answer.json())["detail"]


async def test_a_bundle_that_is_not_there_is_told(client: Client) -> None:
    for bundle in ("none.bundle", "../keys/firmware.key"):
        body = {"do": "update", "bundle": bundle, "timeout_s": 0.2}
        async with client.post(PATH, json=body, headers=WITH_TOKEN) as answer:
            assert answer.status == 400
            assert "no bundle" in (await answer.json())["detail"]


async def test_the_token_opens_reading_where_it_is_closed(closed: Client) -> None:
    async with closed.get("/api/v1/nodes", headers=WITH_TOKEN) as answer:
        assert answer.status == 200
    async with closed.get("/api/v1/nodes") as answer:
        assert answer.status == 403


async def test_a_bundle_is_served_whole_and_in_ranges(closed: Client) -> None:
    path = f"/firmware/{BUNDLE.release.name}"
    async with closed.get(path) as answer:
        whole = await answer.read()
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-cache"
    assert whole.endswith(BUNDLE.files["app.mpy"])
    async with closed.get(path, headers={"Range": "bytes=100-199"}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
        assert await answer.read() == whole[100:200]
    async with closed.get(path, headers={"Range": f"bytes={len(whole)}-"}) as answer:
        assert answer.status == 416


@pytest.mark.parametrize(
    "name",
    ["", "..", "%2e%2e%2fkeys%2ffirmware.key", "..%2fpreau.db", "none.bundle", "%00.bundle", "a/b"],
)
async def test_nothing_else_of_the_data_folder_is_served(closed: Client, name: str) -> None:
    async with closed.get(f"/firmware/{name}") as answer:
        assert answer.status in {403, 404}
        assert b"KEY" not in await answer.read()


async def test_the_document_describes_the_command(client: Client) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        document = await answer.json()
    described = document["paths"]["/api/v1/nodes/{node}/commands"]["post"]
    assert described["security"] == [{"token": []}]
    schemas = document["components"]["schemas"]
    assert "calibrate_co2" in schemas["CommandRequest"]["properties"]["do"]["enum"]
    assert set(described["responses"]) >= {"200", "400", "401", "404", "504"}

"""A rollout over HTTP: who may order one, what is refused, how it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.firmware.bundle import Formats, Release, make_bundle
from tests.unit.web.town import NODES, TOKEN, Client, TownService

PATH = "/api/v1/rollout"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
BUNDLE = make_bundle(
    Release("1.2.3", "esp32", 6, Formats(1, 1), Formats(1, 1)), {"app.mpy": bytes(range(256))}
)
NAME = BUNDLE.release.name
SOME = sorted(NODES.values())[:3]


@pytest.fixture
async def client(town: TownService) -> AsyncIterator[Client]:
    """With a signed bundle on the shelf."""
    shelf = town.control().offers.shelf
    shelf.keys.create()
    shelf.put(shelf.keys.sign(BUNDLE))
    async with TestClient(TestServer(town.app())) as client:
        yield client


async def post(client: Client, body: object, path: str = PATH) -> tuple[int, dict[str, Any]]:
    async with client.post(path, json=body, headers=WITH_TOKEN) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", [PATH, f"{PATH}/stop"])
async def test_without_the_token_none_is_ordered_or_stopped(client: Client, path: str) -> None:
    async with client.post(path, json={"bundle": NAME}) as answer:
        assert answer.status == 401


async def test_before_the_first_there_is_none(client: Client) -> None:
    async with client.get(PATH) as answer:
        assert answer.status == 404
        assert "no rollout" in (await answer.json())["detail"]
    assert (await post(client, {}, f"{PATH}/stop"))[0] == 404


async def test_one_is_ordered_told_and_stopped(client: Client, town: TownService) -> None:
    status, order = await post(client, {"bundle": NAME, "nodes": SOME, "canary": 1})
    assert status == 200
    assert [(one["id"], one["step"]) for one in order["nodes"]] == [
        (node, step) for step, node in enumerate(SOME, 1)
    ]
    assert (order["state"], order["version"], order["trial_s"]) == ("running", "1.2.3", None)
    # Not the ids of its commands: who knows one could answer for the node.
    assert "command_id" not in str(order)
    status, refused = await post(client, {"bundle": NAME})
    assert status == 409
    assert NAME in refused["detail"]
    status, stopped = await post(client, {}, f"{PATH}/stop")
    assert (status, stopped["state"]) == (200, "stopped")
    assert stopped["problem"] == "stopped on order. 3 nodes were left as they are"
    async with client.get(PATH) as answer:
        assert await answer.json() == stopped
    assert (town.folder / "data" / "rollout.json").stat().st_mode & 0o077 == 0


async def test_a_large_order_is_read_whole(client: Client, town: TownService) -> None:
    nodes = [*SOME, *(f"{number:012x}" for number in range(9_000))]
    body = json.dumps({"bundle": NAME, "nodes": nodes}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]
            # The service is given its turn, and reads what has come.
            await asyncio.sleep(0)

    async with client.post(PATH, data=pieces(), headers=WITH_TOKEN) as answer:
        told = (await answer.json())["detail"]
        assert answer.status == 404, told
    assert "no node '000000000000' is declared or was heard" in told
    assert (await post(client, {"bundle": "x" * 200_000}))[0] == 413
    assert not (town.folder / "data" / "rollout.json").exists()


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"bundle": "none.bundle"},
        {"bundle": "../keys/firmware.key"},
        {"bundle": NAME, "nodes": ["3C71BF4A2B10"]},
        {"bundle": NAME, "canary": 0},
        {"bundle": NAME, "trial_s": 0},
        {"bundle": NAME, "more": 1},
    ],
)
async def test_what_is_no_rollout_is_refused(client: Client, body: object) -> None:
    status, refused = await post(client, body)
    assert status == 400, refused
    assert refused["detail"]

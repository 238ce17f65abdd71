"""Who may read, which headers go out, how assets and events are served."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from gateway.web import events
from tests.unit.web.town import NODES, NOW_MS, STRAY, Client, TownService, air, pack


@pytest.fixture
async def closed(town: TownService) -> AsyncIterator[Client]:
    town.read_without_account = False
    async with TestClient(TestServer(town.app())) as client:
        yield client


async def test_a_closed_page_says_why_and_shows_nothing(closed: Client) -> None:
    for path in ("/", "/salles/jules-ferry/tilleuls", f"/n/{STRAY}", "/nowhere"):
        async with closed.get(path) as answer:
            html = await answer.text()
            assert answer.status == 403
            assert "n’est pas publique" in html
            assert "read_without_account" in html
            assert "Tilleuls" not in html
            assert STRAY not in html.replace(f"/n/{STRAY}", "")


async def test_a_closed_api_answers_with_a_problem(closed: Client) -> None:
    for path in ("/api/v1/rooms", "/api/v1/openapi.json", "/fragments/town", "/metrics", "/events"):
        async with closed.get(path) as answer:
            assert answer.status == 403
            assert answer.content_type == "application/problem+json"


async def test_health_and_the_page_s_looks_are_open_nevertheless(closed: Client) -> None:
    async with closed.get("/healthz") as answer:
        assert answer.status == 200
    async with closed.get("/") as answer:
        style = re.search(r'href="(/static/[^"]+\.css)"', await answer.text())
    assert style is not None
    async with closed.get(style[1]) as answer:
        assert answer.status == 200


async def test_every_answer_carries_the_security_headers(client: Client) -> None:
    for path in ("/", "/api/v1/rooms", "/nowhere", "/healthz", "/static/x/y.js"):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Python" not in answer.headers["Server"]


async def test_no_page_asks_anything_of_another_server_or_runs_inline_scripts(
    client: Client,
) -> None:
    for path in ("/", "/salles/jules-ferry/tilleuls"):
        async with client.get(path) as answer:
            html = await answer.text()
        for address in re.findall(r'(?:src|href)="([^"]*)"', html):
            assert re.match(r"/(?!/)|#", address), address
        for script in re.findall(r"<script[^>]*>", html):
            assert "src=" in script or 'type="application/json"' in script
        assert not re.search(r"\son[a-z]+=|style=", html)


async def test_assets_are_packed_once_and_kept_for_a_year(client: Client) -> None:
    async with client.get("/salles/jules-ferry/tilleuls") as answer:
        addresses = re.findall(r'(/static/[^"]+)"', await answer.text())
    assert len(addresses) == 5
    for address in addresses:
        async with client.get(
            address, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
        ) as answer:
            packed = await answer.read()
            assert answer.status == 200
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "immutable" in answer.headers["Cache-Control"]
        async with client.get(address, headers={"Accept-Encoding": "identity"}) as answer:
            assert await answer.read() == gzip.decompress(packed)


async def test_an_address_of_another_version_is_not_answered(client: Client) -> None:
    for address in ("/static/0/preau.css", "/static/0/..%2Fapp.py", "/static/x/nothing"):
        async with client.get(address) as answer:
            assert answer.status == 404


async def next_event(answer: ClientResponse) -> bytes:
    async with asyncio.timeout(5):
        return await answer.content.readuntil(b"\n\n")


async def test_a_stored_reading_is_told_to_open_pages_at_most_once_a_second(
    town: TownService, client: Client
) -> None:
    async with client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert b"retry" in await next_event(answer)
        started = asyncio.get_running_loop().time()
        assert b"event: look" in await next_event(answer)  # what changed before it listened
        for second in range(20):
            town.take([pack(NODES["pasteur/petite"], NOW_MS + second * 1000, air(19, 40, 500))])
        assert b"event: look" in await next_event(answer)
        assert asyncio.get_running_loop().time() - started >= 0.9
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await answer.content.readuntil(b"\n\n")


async def test_listeners_are_bounded(town: TownService) -> None:
    streams = events.Events(town.changes, most=1)
    app = web.Application()
    app.router.add_get("/events", streams.handle)
    app.on_shutdown.append(streams.close)
    async with TestClient(TestServer(app)) as client, client.get("/events") as first:
        assert first.status == 200
        async with client.get("/events") as second:
            assert second.status == 503
            assert second.headers["Retry-After"] == "60"


async def test_open_streams_do_not_hold_up_the_end_of_the_service(town: TownService) -> None:
    async with town.serving() as url:
        client = TestClient(TestServer(town.app()))
        session = client.session
        answer = await session.get(f"{url}/events")
        assert b"retry" in await next_event(answer)
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 1.5
    answer.close()
    await client.close()


async def test_a_failure_inside_is_told_without_its_details(
    town: TownService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(town, "now_ms", "nonsense")
    async with client.get("/api/v1/rooms") as answer:
        assert answer.status == 500
        assert "nonsense" not in await answer.text()
    async with client.get("/salles/jules-ferry/tilleuls") as answer:
        assert answer.status == 500
        assert "continuent d’être enregistrées" in await answer.text()

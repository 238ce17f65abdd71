"""API v1: every answer against the OpenAPI document, every mistake against its words."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.web.schema import violations
from tests.unit.web.town import NODES, NOW_MS, REFS, STRAY, Client, TownService, air, pack

NODE = NODES["jules-ferry/tilleuls"]


async def ask(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(path) as answer:
        assert answer.status == status, await answer.text()
        kind = "application/json" if status == 200 else "application/problem+json"
        assert answer.content_type == kind
        return await answer.json(content_type=None)


async def documented(client: Client, path: str, status: int = 200) -> Any:
    """The answer to `path`, which holds what the OpenAPI document promises."""
    document = await ask(client, "/api/v1/openapi.json")
    route = path.partition("?")[0]
    response = document["paths"][route]["get"]["responses"][str(status)]
    (media,) = response["content"]
    async with client.get(path) as answer:
        assert answer.status == status
        assert answer.content_type == media
        body = await answer.json(content_type=None)
    assert violations(body, response["content"][media]["schema"], document) == []
    return body


async def test_every_route_for_programs_is_documented_and_the_other_way_round(
    town: TownService, client: Client
) -> None:
    document = await ask(client, "/api/v1/openapi.json")
    assert document["openapi"].startswith("3.1")
    served = {
        route.resource.canonical
        for route in town.app().router.routes()
        if route.method in ("GET", "POST") and route.resource is not None
    }
    for_programs = {
        path for path in served if path.startswith("/api/") or path in ("/healthz", "/metrics")
    }
    assert set(document["paths"]) == for_programs


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/sites",
        "/api/v1/rooms",
        "/api/v1/rooms?site=pasteur&limit=2",
        "/api/v1/nodes",
        "/api/v1/nodes?limit=3",
        f"/api/v1/readings?node={NODE}",
        f"/api/v1/readings?node={NODE}&quantity=co2&step=PT15M",
        "/api/v1/readings?room=jules-ferry/tilleuls&limit=5",
        "/api/v1/deadletters",
        "/healthz",
    ],
)
async def test_answers_are_what_the_document_promises(client: Client, path: str) -> None:
    assert await documented(client, path)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/readings", 400, "give either node or room"),
        (f"/api/v1/readings?node={NODE}&room=a/b", 400, "give either node or room"),
        ("/api/v1/readings?node=nonsense", 400, "12 lowercase hex digits"),
        ("/api/v1/readings?node=000000000000", 404, "neither declared nor has it ever been heard"),
        ("/api/v1/readings?room=jules-ferry/attic", 404, "the estate has none of that name"),
        (f"/api/v1/readings?node={NODE}&quantity=smell", 400, "must be one of temperature"),
        (f"/api/v1/readings?node={NODE}&from=yesterday", 400, "from: 'yesterday' is no time"),
        (f"/api/v1/readings?node={NODE}&from=2026-01-05&to=2026-01-05", 400, "earlier than to"),
        (f"/api/v1/readings?node={NODE}&step=P1M", 400, "step: 'P1M' is no step"),
        (f"/api/v1/readings?node={NODE}&limit=0", 400, "between 1 and 10000"),
        (f"/api/v1/readings?node={NODE}&limit=ten", 400, "must be a whole number"),
        (f"/api/v1/readings?node={NODE}&cursor=%00", 400, "take it from `next`"),
        (f"/api/v1/readings?node={NODE}&cursor=e30=", 400, "take it from `next`"),
        (f"/api/v1/readings?node={NODE}&nodes=1", 400, "unknown parameter 'nodes'"),
        (f"/api/v1/readings?node={NODE}&node={STRAY}", 400, "more than once"),
        ("/api/v1/rooms?site=nowhere", 400, "there is none of that id"),
        ("/api/v1/deadletters?after=-1", 400, "must be a whole number"),
    ],
)
async def test_a_mistake_gets_problem_details_with_what_would_be_right(
    client: Client, path: str, status: int, words: str
) -> None:
    problem = await documented(client, path, status)
    assert problem["status"] == status
    assert words in problem["detail"]


async def test_what_is_no_route_is_a_problem_too(client: Client) -> None:
    assert (await ask(client, "/api/v1/nothing", 404))["title"] == "Not found"
    async with client.post("/api/v1/sites") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.content_type == "application/problem+json"


async def test_sites_name_their_rooms(client: Client) -> None:
    answer = await ask(client, "/api/v1/sites")
    assert answer["name"] == "Trilport"
    named = [ref for site in answer["sites"] for each in site["buildings"] for ref in each["rooms"]]
    assert named == REFS


async def test_rooms_say_how_they_stand_and_why(client: Client) -> None:
    rooms = {room["ref"]: room for room in (await ask(client, "/api/v1/rooms"))["rooms"]}
    stale_air = rooms["jules-ferry/chenes"]
    assert stale_air["conditions"] == ["air_now"]
    assert stale_air["volume_m3"] == 180
    (co2,) = [each for each in stale_air["latest"] if each["quantity"] == "co2"]
    assert co2 == {
        "node": NODES["jules-ferry/chenes"],
        "quantity": "co2",
        "channel": "main",
        "unit": "ppm",
        "value": 1846,
        "quality": "good",
        "measured_at": "2026-01-06T09:39:00Z",
    }


async def test_nodes_are_declared_placed_and_heard_or_not(client: Client) -> None:
    nodes = {node["id"]: node for node in (await ask(client, "/api/v1/nodes"))["nodes"]}
    assert len(nodes) == 13
    assert nodes[NODE]["room"] == "jules-ferry/tilleuls"
    assert nodes[NODE]["firmware"] == "1.0.0"
    assert nodes[STRAY]["declared"] is False
    assert nodes[STRAY]["room"] is None
    assert nodes[STRAY]["last_heard_at"] == "2026-01-06T09:37:01Z"


async def test_pages_of_rooms_and_nodes_meet_without_gap_or_repeat(client: Client) -> None:
    for path, field, whole in (("rooms", "rooms", REFS), ("nodes", "nodes", None)):
        found: list[str] = []
        following: str | None = f"/api/v1/{path}?limit=5"
        while following:
            answer = await ask(client, following)
            found += [entry.get("ref", entry["id"]) for entry in answer[field]]
            following = answer["next"]
        assert found == (whole or sorted([*NODES.values(), STRAY]))


async def test_dead_letters_are_told_with_reason_and_payload(
    empty_town: TownService,
) -> None:
    good = pack(NODE, NOW_MS, air(19, 40, 500))
    empty_town.take(
        [
            good._replace(payload=b"not json"),
            good._replace(payload=b"\xff\xfe"),
            pack(NODE, NOW_MS, [("smell", "Cel", 1.0)]),
        ]
    )
    async with TestClient(TestServer(empty_town.app())) as client:
        letters = (await documented(client, "/api/v1/deadletters"))["dead_letters"]
        assert len(letters) == 3
        assert letters[0]["payload"] == {"encoding": "utf-8", "content": "not json", "length": 8}
        assert letters[1]["payload"]["encoding"] == "base64"
        first = await ask(client, f"/api/v1/deadletters?node={NODE}&limit=2")
        rest = await ask(client, first["next"])
        assert [each["id"] for each in first["dead_letters"] + rest["dead_letters"]] == [1, 2, 3]
        assert rest["next"] is None
        reason = letters[2]["reason"]
        only = await ask(client, f"/api/v1/deadletters?reason={reason}")
        assert [each["id"] for each in only["dead_letters"]] == [3]


async def test_health_is_503_with_its_problems(town: TownService, client: Client) -> None:
    assert (await documented(client, "/healthz"))["status"] == "ok"
    town.health.problems["store"] = "no room left"
    failing = await documented(client, "/healthz", 503)
    assert failing["problems"] == {"store": "no room left"}


async def test_metrics_are_prometheus_text(client: Client) -> None:
    async with client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert "preau_packs_total 1.0" in await answer.text()

"""`GET /api/v1/readings`: raw, averaged, paged, by node and by room."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.web.api.readings import _windows
from tests.unit.web.test_history import moved_at
from tests.unit.web.town import MINUTE_MS, NODES, NOW_MS, Client, TownService, air, pack

REF = "jules-ferry/tilleuls"
NODE = NODES[REF]
OTHER = NODES["jules-ferry/cantine"]


@pytest.fixture
async def api(empty_town: TownService) -> AsyncIterator[Client]:
    async with TestClient(TestServer(empty_town.app())) as client:
        yield client


async def readings(api: Client, **query: str) -> Any:
    async with api.get("/api/v1/readings", params=query) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def every_page(api: Client, field: str, **query: str) -> dict[tuple[str, ...], list[Any]]:
    """All entries by series, from as many pages as it takes."""
    found: dict[tuple[str, ...], list[Any]] = {}
    answer = await readings(api, **query)
    while True:
        for series in answer["series"]:
            key = (series["node"], series["quantity"], series["channel"])
            found.setdefault(key, []).extend(series[field])
        if answer["next"] is None:
            return found
        async with api.get(answer["next"]) as page:
            assert page.status == 200
            answer = await page.json()


async def test_a_reading_comes_back_as_it_was_measured(
    api: Client, empty_town: TownService
) -> None:
    empty_town.take([pack(NODE, NOW_MS, [("temperature", "Cel", 19.42), ("co2", "ppm", 840)])])
    answer = await readings(api, node=NODE, quantity="temperature")
    assert answer["series"] == [
        {
            "node": NODE,
            "room": None,
            "quantity": "temperature",
            "channel": "main",
            "unit": "Cel",
            "readings": [
                {
                    "measured_at": "2026-01-06T09:40:00Z",
                    "value": 19.42,
                    "quality": "good",
                    "received_at": "2026-01-06T09:40:01Z",
                    "time_source": "node",
                }
            ],
            "averages": None,
        }
    ]


async def test_quantities_and_channel_narrow_what_is_answered(
    api: Client, empty_town: TownService
) -> None:
    empty_town.take([pack(NODE, NOW_MS, [*air(19, 40, 500), ("temperature.wall", "Cel", 15.0)])])
    for query, expected in (
        (
            {},
            {
                ("co2", "main"),
                ("humidity", "main"),
                ("temperature", "main"),
                ("temperature", "wall"),
            },
        ),
        ({"quantity": "co2,humidity"}, {("co2", "main"), ("humidity", "main")}),
        ({"channel": "wall"}, {("temperature", "wall")}),
    ):
        answer = await readings(api, node=NODE, **query)
        assert {(each["quantity"], each["channel"]) for each in answer["series"]} == expected


async def test_from_is_included_and_to_is_not(api: Client, empty_town: TownService) -> None:
    for minute in range(4):
        empty_town.take([pack(NODE, NOW_MS + minute * MINUTE_MS, [("co2", "ppm", minute)])])
    answer = await readings(
        api, node=NODE, **{"from": "2026-01-06T10:41:00+01:00", "to": str(NOW_MS // 1000 + 180)}
    )
    assert [each["value"] for each in answer["series"][0]["readings"]] == [1, 2]
    assert answer["from"] == "2026-01-06T09:41:00Z"


async def test_a_day_until_now_is_the_default(api: Client, empty_town: TownService) -> None:
    for hour in (0, 23, 25):
        empty_town.take([pack(NODE, NOW_MS - hour * 60 * MINUTE_MS, [("co2", "ppm", hour)])])
    answer = await readings(api, node=NODE)
    assert [each["value"] for each in answer["series"][0]["readings"]] == [23, 0]


async def test_a_room_s_readings_follow_its_nodes(api: Client, empty_town: TownService) -> None:
    empty_town.declare(moved_at("10:00:00"))
    for minute in (10, 30, 50, 70):
        empty_town.take(
            [
                pack(node, NOW_MS - minute * MINUTE_MS, [("co2", "ppm", minute)])
                for node in (NODE, OTHER)
            ]
        )
    classroom = await readings(api, room=REF)
    assert [
        (each["node"], [r["value"] for r in each["readings"]]) for each in classroom["series"]
    ] == [
        (NODE, [70, 50, 30, 10]),
        (OTHER, [30, 10]),
    ]
    assert {each["room"] for each in classroom["series"]} == {REF}
    canteen = await readings(api, room="jules-ferry/cantine")
    assert [[r["value"] for r in each["readings"]] for each in canteen["series"]] == [[70, 50]]


async def test_steps_are_averaged_without_bad_values(api: Client, empty_town: TownService) -> None:
    for second, degrees in ((0, 19.0), (60, 20.0), (120, 85.0), (900, 22.0)):
        at_ms = NOW_MS - 10 * MINUTE_MS + second * 1000
        empty_town.take([pack(NODE, at_ms, [("temperature", "Cel", degrees)])])
    answer = await readings(
        api, node=NODE, step="PT15M", **{"from": "2026-01-06", "to": "2026-01-07"}
    )
    assert answer["step_s"] == 900
    assert answer["series"][0]["readings"] is None
    assert answer["series"][0]["averages"] == [
        {"start": "2026-01-06T09:30:00Z", "mean": 19.5, "min": 19, "max": 20, "count": 2},
        {"start": "2026-01-06T09:45:00Z", "mean": 22, "min": 22, "max": 22, "count": 1},
    ]


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
@pytest.mark.parametrize("step", [None, "PT10M"])
async def test_pages_meet_without_gap_or_repeat(
    api: Client, empty_town: TownService, limit: int, step: str | None
) -> None:
    empty_town.declare(moved_at("10:00:00"))
    for minute in range(0, 150, 3):
        empty_town.take(
            [pack(node, NOW_MS - minute * MINUTE_MS, air(20, 40, minute)) for node in (NODE, OTHER)]
        )
    query = {"room": REF, "quantity": "co2,humidity", **({"step": step} if step else {})}
    field = "averages" if step else "readings"
    whole = await every_page(api, field, limit="10000", **query)
    paged = await every_page(api, field, limit=str(limit), **query)
    assert paged == whole
    assert [len(entries) for entries in whole.values()] == (
        [16, 5, 16, 5] if step else [50, 14] * 2
    )


async def test_averages_over_all_time_end(api: Client, empty_town: TownService) -> None:
    empty_town.take(
        [pack(NODE, NOW_MS - minute * MINUTE_MS, air(20, 40, 500)) for minute in (0, 9)]
    )
    found = await every_page(api, "averages", node=NODE, step="60", **{"from": "0"})
    assert [len(entries) for entries in found.values()] == [2, 2, 2]


async def test_unfolded_readings_are_answered_too(api: Client, empty_town: TownService) -> None:
    empty_town.take([pack(NODE, NOW_MS, air(19, 40, 500))], fold=False)
    assert len((await readings(api, room=REF))["series"]) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10**12),
    st.integers(1, 10**11),
    st.integers(1, 366 * 86400).map(lambda seconds: seconds * 1000),
    st.integers(1, 10_000),
)
def test_the_stretches_of_a_page_cover_its_time_and_cut_no_step(
    from_ms: int, length_ms: int, step_ms: int, limit: int
) -> None:
    until_ms = from_ms + length_ms
    at_ms = from_ms
    for number, (start_ms, end_ms) in enumerate(_windows(from_ms, until_ms, step_ms, limit)):
        assert start_ms == at_ms < end_ms
        assert end_ms == until_ms or end_ms % step_ms == 0
        at_ms = end_ms
        if number == 100:
            return
    assert at_ms == until_ms

import asyncio
from contextlib import suppress

import pytest

from gateway.web.trends import Trend, Trends, refresh_loop
from ingest.latest import LatestReadings
from ingest.store.writer import PackToStore
from tests.unit.web.town import MINUTE_MS, NODES, NOW_MS, REFS, TownService, air, pack

NODE = NODES[REFS[0]]


def said(quantity: str, at_ms: int, value: float) -> PackToStore:
    return PackToStore(NODE, None, at_ms, [(quantity, "main", at_ms, value, 0, 0)])


def seen(per_hour: float, minutes: int, quantity: str = "temperature") -> Trend | None:
    """The trend after `minutes` of a reading every five."""
    trends, latest = Trends(), LatestReadings()
    for minute in range(0, minutes + 1, 5):
        at_ms = NOW_MS + minute * MINUTE_MS
        value = 20 + per_hour * minute / 60
        latest.update([said(quantity, at_ms, value)])
        trends.observe([NODE], latest)
    return trends.of(NODE, quantity, "main")


@pytest.mark.parametrize(
    ("per_hour", "quantity", "expected"),
    [
        (0.6, "temperature", Trend.UP),
        (0.3, "temperature", Trend.STEADY),
        (-0.6, "temperature", Trend.DOWN),
        (90, "co2", Trend.STEADY),
        (150, "co2", Trend.UP),
        (-8, "humidity", Trend.DOWN),
    ],
)
def test_a_trend_is_what_an_hour_changes(per_hour: float, quantity: str, expected: Trend) -> None:
    assert seen(per_hour, 60, quantity) is expected


def test_too_little_is_no_trend() -> None:
    assert seen(5.0, 15) is None
    assert seen(5.0, 20) is Trend.UP


def test_only_the_last_hour_counts() -> None:
    trends, latest = Trends(), LatestReadings()
    for minute in range(0, 300, 5):
        at_ms = NOW_MS + minute * MINUTE_MS
        value = 20 + min(minute, 200) * 0.1
        latest.update([said("temperature", at_ms, value)])
        trends.observe([NODE], latest)
    assert trends.of(NODE, "temperature", "main") is Trend.STEADY


def test_a_node_that_left_every_room_is_forgotten() -> None:
    trends, latest = Trends(), LatestReadings()
    latest.update([said("temperature", NOW_MS, 20)])
    trends.observe([NODE], latest)
    assert trends.unprimed() == {(NODE, "temperature", "main"): NOW_MS}
    trends.observe([], latest)
    assert trends.unprimed() == {}


async def test_after_a_start_the_last_hour_is_read_from_the_store(town: TownService) -> None:
    town.remember()
    trends = Trends()
    task = asyncio.create_task(
        refresh_loop(trends, lambda: list(NODES.values()), town.latest, town.readers)
    )
    try:
        async with asyncio.timeout(10):
            while trends.of(NODES["jules-ferry/chenes"], "co2", "main") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert trends.of(NODES["jules-ferry/chenes"], "co2", "main") is Trend.UP
    assert trends.of(NODES["jules-ferry/chenes"], "temperature", "main") is Trend.STEADY


def test_after_a_gap_what_was_missed_is_read_again(town: TownService) -> None:
    trends = Trends()
    trends.observe([NODE], town.latest)
    for key in trends.unprimed():
        trends.prime(key, [])
    assert trends.unprimed() == {}
    town.take([pack(NODE, NOW_MS + 40 * MINUTE_MS, air(22, 40, 700))])
    trends.observe([NODE], town.latest)
    assert len(trends.unprimed()) == 3

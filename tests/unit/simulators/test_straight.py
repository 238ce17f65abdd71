"""Years written straight into a store are what the nodes would have measured."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from ingest.quality import Quality
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter
from simulators.node import next_measurement_ms
from simulators.sensors import Sensors
from simulators.straight import HEALTH_EVERY, write_straight
from simulators.town import demo_town

END_MS = int(datetime(2026, 11, 20, 10, 7, tzinfo=UTC).timestamp() * 1000)
DAYS = 3
START_MS = END_MS - DAYS * 86_400_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    town, told = demo_town(5), []
    with StoreWriter(folder) as store:
        count = write_straight(store, town, START_MS, END_MS, told=told.append)
    return folder, town, count, told


def test_every_instant_of_every_node_is_there_once(filled):
    folder, town, count, told = filled
    with StoreReader(folder) as store:
        stored = 0
        for series in store.series():
            points = store.points(series, START_MS, END_MS, limit=10_000)
            stored += len(points)
            per_day = 288 if series.quantity in {"temperature", "humidity", "co2"} else 29
            assert len(points) == pytest.approx(DAYS * per_day, abs=2)
        assert stored == count
        assert {series.node for series in store.series()} == {room.node for room in town.rooms}
    assert told[-1] == END_MS
    assert told == sorted(told)


def test_values_are_those_that_the_node_reads(filled):
    folder, town, _, _ = filled
    room = town.rooms[3]
    sensors = Sensors(room.node, room.model)
    with StoreReader(folder) as store:
        for series in store.series():
            if series.node != room.node:
                continue
            for point in store.points(series, START_MS, END_MS, limit=10_000)[::37]:
                read = {r.quantity: r.value for r in sensors.read(point.measured_at_ms)}
                assert point.value == read[series.quantity]
                assert next_measurement_ms(room.node, 300, point.measured_at_ms - 1) == (
                    point.measured_at_ms
                )


def test_written_again_nothing_is_twice(filled):
    folder, town, count, _ = filled
    with StoreWriter(folder) as store:
        write_straight(store, town, START_MS, END_MS)
    with StoreReader(folder) as store:
        again = sum(
            len(store.points(series, START_MS, END_MS, limit=10_000)) for series in store.series()
        )
        assert again == count
        assert store.dead_letter_counts() == {}


def test_health_comes_with_every_tenth_pack_only(filled):
    folder, town, _, _ = filled
    with StoreReader(folder) as store:
        series = next(s for s in store.series(quantity="battery") if s.node == town.rooms[0].node)
        points = store.points(series, START_MS, END_MS, limit=10_000)
    gaps = {b.measured_at_ms - a.measured_at_ms for a, b in pairwise(points)}
    assert gaps == {HEALTH_EVERY * 300_000}
    assert all(point.quality == Quality.GOOD for point in points)

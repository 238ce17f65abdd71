import pytest

from gateway.web.room_state import Condition, Look, RoomState, room_state
from gateway.web.trends import Trend
from ingest.latest import LatestReadings
from ingest.store.writer import PackToStore
from tests.unit.web.town import MINUTE_MS, NODES, NOW_MS, ZONE, TownService, estate_text

REF = "jules-ferry/tilleuls"
NODE = NODES[REF]
SECOND = "3c71bf4a2be0"
SECOND_NODE = f"""
[[node]]
id = "{SECOND}"
[[node.placement]]
room = "{REF}"
since = 2025-10-01
"""


def said(
    quantity: str,
    value: float,
    back_min: float = 1,
    node: str = NODE,
    *,
    quality: int = 0,
    channel: str = "main",
) -> PackToStore:
    at_ms = int(NOW_MS - back_min * MINUTE_MS)
    return PackToStore(node, None, at_ms + 500, [(quantity, channel, at_ms, value, quality, 0)])


def state(town: TownService, *updates: PackToStore, now_ms: int = NOW_MS) -> RoomState:
    latest = LatestReadings()
    latest.update(updates)
    place = town.estate.room(REF)
    assert place is not None
    return room_state(place, Look(town.estate, latest, lambda *_: Trend.UP, now_ms, ZONE))


@pytest.mark.parametrize(
    ("co2", "expected"),
    [
        (390, Condition.GOOD),
        (800, Condition.GOOD),
        (801, Condition.AIR_SOON),
        (1500, Condition.AIR_SOON),
        (1501, Condition.AIR_NOW),
    ],
)
def test_air_is_judged_by_the_limits_of_2023(
    empty_town: TownService, co2: float, expected: Condition
) -> None:
    room = state(empty_town, said("temperature", 19.5), said("co2", co2))
    assert room.conditions == (expected,)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (4.0, Condition.FROST),
        (8.0, Condition.FROST),
        (15.9, Condition.COLD),
        (16.0, Condition.GOOD),
        (26.0, Condition.GOOD),
        (26.1, Condition.HOT),
        (28.1, Condition.VERY_HOT),
    ],
)
def test_temperature_is_judged_by_the_estate_s_thresholds(
    empty_town: TownService, degrees: float, expected: Condition
) -> None:
    assert state(empty_town, said("temperature", degrees)).conditions == (expected,)


def test_cold_at_night_is_no_news_where_the_hours_are_known(empty_town: TownService) -> None:
    hours = '[site.hours]\ntue = ["08:30-16:30"]\n[[site.building]]'
    empty_town.declare(estate_text().replace("[[site.building]]", hours, 1))
    cold = said("temperature", 12.0)
    evening_ms = NOW_MS + 9 * 3_600_000
    assert state(empty_town, cold).conditions == (Condition.COLD,)
    late = said("temperature", 12.0, back_min=-9 * 60 + 1)
    assert state(empty_town, late, now_ms=evening_ms).conditions == (Condition.GOOD,)
    frost = said("temperature", 6.0, back_min=-9 * 60 + 1)
    assert state(empty_town, frost, now_ms=evening_ms).conditions == (Condition.FROST,)


def test_several_conditions_stand_with_the_most_pressing_first(empty_town: TownService) -> None:
    room = state(empty_town, said("temperature", 14.0), said("co2", 1900))
    assert room.conditions == (Condition.AIR_NOW, Condition.COLD)


def test_a_room_is_silent_after_three_cadences_by_measured_time(empty_town: TownService) -> None:
    assert state(empty_town, said("temperature", 19.0, 15)).conditions == (Condition.GOOD,)
    silent = state(empty_town, said("temperature", 5.0, 15.1))
    assert silent.conditions == (Condition.SILENT,)
    assert silent.measures["temperature"].is_stale


def test_one_quantity_gone_quiet_asks_for_a_check(empty_town: TownService) -> None:
    room = state(empty_town, said("temperature", 19.0), said("co2", 2400, 60))
    assert room.conditions == (Condition.CHECK,)


def test_a_bad_value_warns_of_the_sensor_and_not_of_the_room(empty_town: TownService) -> None:
    room = state(empty_town, said("temperature", 85.0, quality=2), said("co2", 600))
    assert room.conditions == (Condition.CHECK,)
    assert room.measures["temperature"].is_bad


def test_without_a_reading_and_without_a_node_are_told_apart(empty_town: TownService) -> None:
    assert state(empty_town).conditions == (Condition.UNMEASURED,)
    empty_town.declare(
        estate_text().replace(NODE, "3c71bf4a2bd0").replace(f'"{REF}"', '"pasteur/petite"')
    )
    assert state(empty_town).conditions == (Condition.NO_NODE,)


def test_of_several_nodes_the_freshest_trusted_value_is_shown(empty_town: TownService) -> None:
    empty_town.declare(estate_text(SECOND_NODE))
    room = state(
        empty_town,
        said("temperature", 19.0, 4),
        said("temperature", 21.0, 2, SECOND),
        said("co2", 700, 1, SECOND, quality=2),
        said("co2", 650, 5),
    )
    assert room.nodes == (NODE, SECOND)
    assert room.measures["temperature"].value == 21.0
    assert room.measures["temperature"].node == SECOND
    assert room.measures["co2"].value == 650


def test_the_room_s_own_channel_comes_before_a_wall_s(empty_town: TownService) -> None:
    room = state(
        empty_town,
        said("temperature", 19.0, 3),
        said("temperature", 14.0, 1, channel="wall"),
    )
    assert room.measures["temperature"].value == 19.0


def test_what_a_node_measured_in_its_former_room_is_not_this_room_s(
    empty_town: TownService,
) -> None:
    moved = estate_text().replace(
        f'room = "{REF}"\nsince = 2025-09-01',
        f'room = "jules-ferry/cantine"\nsince = 2025-09-01\n'
        f'[[node.placement]]\nroom = "{REF}"\nsince = 2026-01-06T10:38:00',
    )
    empty_town.declare(moved)
    assert state(empty_town, said("temperature", 19.0, 3)).conditions == (Condition.UNMEASURED,)
    assert state(empty_town, said("temperature", 19.0, 1)).conditions == (Condition.GOOD,)


def test_a_node_that_sleeps_is_silent_only_when_it_does_not_wake_as_it_said(
    empty_town: TownService,
) -> None:
    latest = LatestReadings()
    latest.update([said("temperature", 19.5, back_min=50)])
    place = empty_town.estate.room(REF)
    assert place is not None

    def conditions(minutes_on: int) -> tuple[Condition, ...]:
        now_ms = NOW_MS + minutes_on * MINUTE_MS
        wakes_ms = NOW_MS + 10 * MINUTE_MS
        look = Look(
            empty_town.estate, latest, lambda *_: Trend.UP, now_ms, ZONE, lambda _: wakes_ms
        )
        return room_state(place, look).conditions

    assert conditions(0) == (Condition.GOOD,)
    assert conditions(20) == (Condition.GOOD,)
    assert conditions(60) == (Condition.SILENT,)

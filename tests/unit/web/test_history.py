from gateway.web.chart import chart_of, sentences_of, table_of
from gateway.web.formats import Formats
from gateway.web.history import Period, RoomHistory, room_history
from gateway.web.texts import texts_in
from ingest.estate.model import Thresholds
from ingest.store.reader import StoreReader
from tests.unit.web.town import (
    DAY_MS,
    MINUTE_MS,
    NODES,
    NOW_MS,
    ZONE,
    TownService,
    air,
    estate_text,
    pack,
)

REF = "jules-ferry/tilleuls"
NODE = NODES[REF]
OTHER = NODES["jules-ferry/cantine"]
FRENCH = Formats(texts_in("fr"), ZONE)


def history(town: TownService, period: Period = Period.DAY, ref: str = REF) -> RoomHistory:
    with StoreReader(town.folder / "data") as reader:
        return room_history(reader, town.estate.placements_of_room(ref), period, NOW_MS)


def moved_at(clock: str) -> str:
    """The canteen's node goes to the classroom at `clock` on the sixth of January."""
    return estate_text().replace(
        'room = "jules-ferry/cantine"\nsince = 2025-09-01',
        'room = "jules-ferry/cantine"\nsince = 2025-09-01\n'
        f'[[node.placement]]\nroom = "{REF}"\nsince = 2026-01-06T{clock}',
    )


def test_a_room_s_history_follows_the_nodes_that_were_in_it(empty_town: TownService) -> None:
    empty_town.declare(moved_at("10:00:00"))
    for minute in (10, 30, 50, 70):  # before now: 10:30, 10:10, 9:50, 9:30
        empty_town.take([pack(OTHER, NOW_MS - minute * MINUTE_MS, air(10 + minute, 40, 500))])
    classroom = [line for line in history(empty_town).lines if line.quantity == "temperature"]
    canteen = history(empty_town, ref="jules-ferry/cantine").lines
    assert [(line.node, [step.mean for step in line.steps]) for line in classroom] == [
        (OTHER, [40.0, 20.0])
    ]
    assert [step.mean for step in canteen[-1].steps] == [80.0, 60.0]


def test_readings_not_folded_yet_are_in_it(empty_town: TownService) -> None:
    empty_town.take([pack(NODE, NOW_MS, air(19, 40, 500))], fold=False)
    assert [len(line.steps) for line in history(empty_town).lines] == [1, 1, 1]


def test_a_day_is_told_by_the_hour_and_a_year_by_the_month(empty_town: TownService) -> None:
    for back_ms in (0, 30 * MINUTE_MS, 50 * MINUTE_MS):
        empty_town.take([pack(NODE, NOW_MS - back_ms, air(20 - back_ms / DAY_MS * 10, 40, 500))])
    empty_town.take([pack(NODE, NOW_MS - 40 * DAY_MS, air(12, 40, 500))])
    hours = table_of(history(empty_town), FRENCH)
    assert [row.when for row in hours] == ["mar. 6 janvier, 10:00", "mar. 6 janvier, 09:00"]
    assert hours[0].cells[0] == ("19,9", "19,8", "20,0")
    months = table_of(history(empty_town, Period.YEAR), FRENCH)
    assert [row.when for row in months] == ["janvier 2026", "novembre 2025"]


def test_the_sentences_give_least_most_and_mean_weighed_by_samples(
    empty_town: TownService,
) -> None:
    for minute, degrees in ((0, 18), (1, 18), (2, 18), (60, 22)):
        empty_town.take([pack(NODE, NOW_MS - minute * MINUTE_MS, air(degrees, 40, 500))])
    assert sentences_of(history(empty_town), FRENCH)[0] == (
        "Température : de 18,0\u00a0°C à 22,0\u00a0°C, 19,0\u00a0°C en moyenne."
    )


def test_a_gap_breaks_the_line(empty_town: TownService) -> None:
    for minute in (0, 5, 10, 200, 205):
        empty_town.take([pack(NODE, NOW_MS - minute * MINUTE_MS, air(20, 40, 500))])
    chart = chart_of(history(empty_town), FRENCH, Thresholds(), lambda _: 15 * MINUTE_MS)
    assert [panel["quantity"] for panel in chart["panels"]] == ["temperature", "co2", "humidity"]
    (line,) = chart["panels"][0]["lines"]
    assert line["mean"] == [20.0, 20.0, None, 20.0, 20.0, 20.0]
    assert line["x"][-1] == "2026-01-06T10:40"
    assert [limit["at"] for limit in chart["panels"][1]["limits"]] == [800, 1500]


def test_bad_values_are_in_no_mean(empty_town: TownService) -> None:
    empty_town.take([pack(NODE, NOW_MS - MINUTE_MS, [("temperature", "Cel", 85.0)])])
    empty_town.take([pack(NODE, NOW_MS, [("temperature", "Cel", 19.0)])])
    whole = history(empty_town).whole("temperature")
    assert whole is not None
    assert (whole.mean, whole.samples) == (19.0, 1)

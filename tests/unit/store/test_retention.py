"""What the window lets go: only what every forwarder has, and nothing of the summaries."""

from pathlib import Path

import pytest

from gateway.room import Level, Thresholds
from gateway.steady_clock import SteadyClock
from ingest.pipeline import Incoming, Pipeline
from ingest.readings import LogPosition
from ingest.store.ballast import Ballast
from ingest.store.cursors import advance_forwarder, set_forwarders
from ingest.store.filling import end_filling, note_filled
from ingest.store.reader import StoreReader
from ingest.store.retention import let_go_before_window, move_window
from ingest.store.summaries import DAY_MS, HOUR_MS, select_summaries, summarise
from ingest.store.writer import PackToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000 // DAY_MS * DAY_MS


def pack(seq: int, value: float = 20.0, *, late_ms: int = 900, log: str | None = "aa00aa00"):
    """Measured `seq` hours after T0."""
    at = T0 + seq * HOUR_MS
    position = LogPosition(log, seq, 1) if log else None
    return PackToStore(NODE, position, at + late_ms, [("co2", "main", at, value, 0, 0)])


@pytest.fixture
def store(tmp_path: Path):
    with StoreWriter(tmp_path) as writer:
        yield writer


def folded(store: StoreWriter, *packs: PackToStore) -> None:
    store.commit(packs)
    while store.fold().has_more:
        pass


def let_go(store: StoreWriter, hours: int, most: int = 5) -> int:
    """Let everything go from before `hours` after T0."""
    while store.change(summarise, T0 + 100 * DAY_MS):
        pass
    store.change(move_window, T0 + hours * HOUR_MS)
    total, series = 0, 0
    while series is not None:
        removed, series = store.change(let_go_before_window, series, most)
        total += removed
    return total


def hours_left(folder: Path) -> list[int]:
    with StoreReader(folder) as reader:
        return [
            (p.measured_at_ms - T0) // HOUR_MS
            for series in reader.series()
            for p in reader.points(series, 0, 2**60)
        ]


def summaries(folder: Path) -> list[tuple[int, int, float]]:
    with StoreReader(folder) as reader:
        (series,) = reader.series()
        found = reader.ask(select_summaries, series.id, 0, 2**60)
    return [((s.start_ms - T0) // HOUR_MS, s.samples, s.total) for s in found]


def test_what_is_older_than_the_window_goes_and_its_summaries_stay(store, tmp_path: Path):
    folded(store, *(pack(n) for n in range(1, 25)))
    assert let_go(store, 20) == 19
    assert hours_left(tmp_path) == [20, 21, 22, 23, 24]
    assert summaries(tmp_path) == [(n, 1, 20.0) for n in range(1, 25)]


def test_nothing_goes_that_any_forwarder_still_has_to_ship(store, tmp_path: Path):
    store.change(set_forwarders, ["town", "region"])
    folded(store, *(pack(n) for n in range(1, 11)))
    store.change(advance_forwarder, "town", 10)
    assert let_go(store, 20) == 0
    store.change(advance_forwarder, "region", 4)
    assert let_go(store, 20) == 4
    assert hours_left(tmp_path) == [5, 6, 7, 8, 9, 10]
    store.change(advance_forwarder, "region", 10)
    assert let_go(store, 20) == 6


def test_nothing_goes_until_a_forwarder_that_is_new_has_what_was_there_before(store, tmp_path):
    folded(store, *(pack(n) for n in range(1, 11)))
    while store.change(summarise, T0 + 100 * DAY_MS):
        pass
    begins = store.change(move_window, T0 + 5 * HOUR_MS)
    store.change(set_forwarders, ["town"])
    folded(store, pack(11))
    store.change(advance_forwarder, "town", 11)
    assert let_go(store, 20) == 0
    assert store.change(move_window, T0 + 6 * HOUR_MS) == begins
    store.change(note_filled, "town", NODE)
    assert let_go(store, 20) == 0
    store.change(end_filling, "town")
    assert let_go(store, 20) == 11


def test_what_is_not_sorted_in_yet_stays(store, tmp_path: Path):
    folded(store, pack(1))
    store.commit([pack(2)])
    assert let_go(store, 20) == 1
    assert hours_left(tmp_path) == [2]


def test_a_late_reading_is_kept_until_it_is_shipped_and_counts_in_the_summary(store, tmp_path):
    """Also one that was received by a clock that had stepped back."""
    store.change(set_forwarders, ["town"])
    folded(store, *(pack(n) for n in range(1, 11)))
    store.change(advance_forwarder, "town", 10)
    let_go(store, 20)
    received_before_it_was_measured = pack(12, 30.0, late_ms=-DAY_MS)
    folded(store, pack(11), pack(30), received_before_it_was_measured)
    assert let_go(store, 20) == 0
    assert (12, 1, 30.0) in summaries(tmp_path)
    store.change(advance_forwarder, "town", 13)
    assert let_go(store, 20) == 2
    assert hours_left(tmp_path) == [30]


def test_a_repeat_of_what_has_gone_is_told_by_its_number(store, tmp_path: Path):
    folded(store, *(pack(n) for n in range(1, 11)))
    let_go(store, 20)
    before = summaries(tmp_path)
    folded(store, pack(3), pack(4))
    assert hours_left(tmp_path) == []
    assert summaries(tmp_path) == before
    with StoreReader(tmp_path) as reader:
        assert reader.dead_letters() == []


def test_what_has_no_number_and_is_that_old_becomes_a_dead_letter_once(store, tmp_path: Path):
    folded(store, *(pack(n) for n in range(1, 11)))
    let_go(store, 20)
    before = summaries(tmp_path)
    for _ in range(2):
        folded(store, pack(3, log=None))
    assert summaries(tmp_path) == before
    with StoreReader(tmp_path) as reader:
        (letter,) = reader.dead_letters()
    assert (letter.reason, letter.times) == ("before_window", 2)
    assert b"co2" in letter.payload


def test_what_is_too_old_to_be_told_from_a_repeat_is_counted_and_said(store, caplog):
    folded(store, *(pack(n) for n in range(1, 11)))
    let_go(store, 20)
    at_s = (T0 + 3 * HOUR_MS) // 1000
    content = b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bt":%d,"n":"co2","u":"ppm","v":700}]' % at_s
    message = Incoming(f"preau/v1/{NODE}/readings", content, T0 + 2 * DAY_MS)
    outcome = Pipeline(store).take([message])
    assert outcome.dead_letters == {"before_window": 1}
    assert NODE in caplog.text


def test_the_window_never_goes_back_nor_beyond_the_summaries(store):
    folded(store, *(pack(n) for n in range(1, 11)))
    assert store.change(move_window, T0 + 5 * HOUR_MS) == 0
    while store.change(summarise, T0 + 4 * HOUR_MS + 600_000):
        pass
    assert store.change(move_window, T0 + 9 * HOUR_MS) == T0 + 4 * HOUR_MS
    assert store.change(move_window, T0) == T0 + 4 * HOUR_MS


def test_averages_go_on_where_readings_have_gone(store, tmp_path: Path):
    folded(store, *(pack(n, float(n)) for n in range(1, 25)))
    with StoreReader(tmp_path) as reader:
        (series,) = reader.series()
        before = reader.averages(series, T0, T0 + 2 * DAY_MS, 6 * HOUR_MS)
    let_go(store, 15)
    # A late one counts once, though it stands in the summary and, until it goes, as a reading.
    folded(store, pack(0, 0.0, late_ms=DAY_MS))
    with StoreReader(tmp_path) as reader:
        after = reader.averages(series, T0, T0 + 2 * DAY_MS, 6 * HOUR_MS)
    assert after[1:] == before[1:]
    assert (after[0].samples, after[0].minimum) == (before[0].samples + 1, 0.0)


def test_the_ballast_takes_its_room_and_gives_it_back(tmp_path: Path):
    ballast = Ballast(tmp_path, 3_000_000)
    assert ballast.owed == 3_000_000
    assert ballast.take()
    assert ballast.owed == 0
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 3_000_000
    ballast.give_up()
    assert ballast.owed == 3_000_000


def test_it_stops_below_one_bound_and_goes_on_above_another():
    bounds = Thresholds(low=100, stop=30)
    rooms = [200, 90, 29, 45, 59, 60, 120]
    levels, level = [], Level.ENOUGH
    for room in rooms:
        level = bounds.level(room, level)
        levels.append(level)
    low, stop = Level.LOW, Level.STOP
    assert levels == [Level.ENOUGH, low, stop, stop, stop, low, Level.ENOUGH]


def test_a_clock_that_has_jumped_is_not_believed_for_an_hour():
    clock = SteadyClock()
    assert not clock.is_steady(1000, 0)
    assert not clock.is_steady(4000, 3000)
    assert clock.is_steady(4700, 3700)
    assert not clock.is_steady(1e9, 3800)
    assert not clock.is_steady(1e9 + 3000, 6800)
    assert clock.is_steady(1e9 + 3700, 7500)

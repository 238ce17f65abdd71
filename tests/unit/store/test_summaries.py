"""Summaries equal what the readings say, however late and in whatever order these came."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ingest.readings import LogPosition
from ingest.store.reader import Series, StoreReader
from ingest.store.summaries import DAY_MS, HOUR_MS, Summary, select_summaries, summarise
from ingest.store.writer import PackToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000 // DAY_MS * DAY_MS

# More series than one turn over two days takes.
CHANNELS = [f"c{n}" for n in range(45)]
# Minutes of two days, values with exact sums, one quality in three bad.
READINGS = st.lists(
    st.tuples(
        st.integers(0, 2880),
        st.sampled_from([-1.5, 0.0, 19.25, 20.5]),
        st.integers(0, 2),
        st.sampled_from([CHANNELS[0], CHANNELS[22], CHANNELS[-1], "new"]),
    ),
    max_size=12,
)
STEPS = st.lists(st.one_of(READINGS, st.integers(0, 50)), max_size=8)


def pack(readings) -> PackToStore:
    return PackToStore(
        NODE,
        None,
        T0,
        [
            ("temperature", channel, T0 + minute * 60_000, value, quality, 0)
            for minute, value, quality, channel in readings
        ],
    )


def expected(reader: StoreReader, series: Series, step_ms: int) -> list[Summary]:
    rows = {}
    for p in reader.points(series, 0, 2**60):
        rows.setdefault(p.measured_at_ms // step_ms * step_ms, []).append(p)
    summaries = []
    for start, group in sorted(rows.items()):
        usable = [p.value for p in group if p.quality < 2]
        low, high = (min(usable), max(usable)) if usable else (None, None)
        bad = len(group) - len(usable)
        summaries.append(Summary(start, len(usable), sum(usable), low, high, bad))
    return summaries


@given(STEPS)
def test_each_reading_counts_once_whenever_it_is_folded(steps):
    """Hours are summarised in between, so that many readings come too late for theirs."""
    with tempfile.TemporaryDirectory() as name, StoreWriter(Path(name)) as store:
        store.commit([pack([(7, 19.25, 0, channel) for channel in CHANNELS])])
        store.fold()
        for step in steps:
            if isinstance(step, int):
                store.change(summarise, T0 + step * HOUR_MS)
            else:
                store.commit([pack(step)])
                store.fold()
        while store.change(summarise, T0 + 4 * DAY_MS):
            pass
        with StoreReader(Path(name)) as reader:
            for series in reader.series():
                found = reader.ask(select_summaries, series.id, 0, 2**60)
                assert found == expected(reader, series, HOUR_MS)
                found = reader.ask(select_summaries, series.id, 0, 2**60, daily=True)
                assert found == expected(reader, series, DAY_MS)


def test_an_hour_that_is_not_over_is_not_summarised(tmp_path: Path):
    with StoreWriter(tmp_path) as store:
        store.commit([pack([(0, 19.25, 0, "main"), (61, 20.5, 0, "main")])])
        store.fold()
        store.change(summarise, T0 + 119 * 60_000)
        with StoreReader(tmp_path) as reader:
            (series,) = reader.series()
            found = reader.ask(select_summaries, series.id, 0, 2**60)
    assert [s.start_ms for s in found] == [T0]


def test_a_repeat_that_comes_late_counts_once(tmp_path: Path):
    readings = pack([(5, 19.25, 0, "main")]).readings
    late = PackToStore(NODE, LogPosition("aa00aa00", 1, 1), T0, readings)
    with StoreWriter(tmp_path) as store:
        store.commit([pack([(90, 20.5, 0, "main")])])
        store.fold()
        store.change(summarise, T0 + DAY_MS)
        for _ in range(3):
            store.commit([late, late])
            store.fold()
        with StoreReader(tmp_path) as reader:
            (series,) = reader.series()
            found = reader.ask(select_summaries, series.id, 0, 2**60, daily=True)
    assert found == [Summary(T0, 2, 39.75, 19.25, 20.5, 0)]

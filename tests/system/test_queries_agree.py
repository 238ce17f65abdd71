"""The local store and a real InfluxDB 1.6.7 answer the same question alike."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.forwarder.batches import JournalBatches
from ingest.forwarder.placements import Placements, Tags
from ingest.forwarder.query import InfluxQuery
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.queries.influxql import answer_of, identifier, quoted, table_of, text_of
from ingest.queries.local import answer
from ingest.queries.question import SeriesQuestion
from ingest.store.cursors import set_forwarders
from ingest.store.reader import StoreReader
from ingest.store.writer import PackToStore, StoreWriter
from tests.influx import influxdb_server
from tests.servers import Server, running

NODE, OTHER = "3c71bf4a2b10", "3c71bf4a2b14"
MINUTE, DAY = 60_000, 86_400_000
T0 = 1_763_800_000_000 // DAY * DAY
# Moved from one room to another in the middle: no question is split by that.
PLACEMENTS = Placements(
    {NODE: [(T0, Tags("s", "b", "r1")), (T0 + 9 * DAY // 10, Tags("s", "b", "r2"))]}
)

SERIES = st.sampled_from(
    [("temperature", "main"), ("temperature", "wall"), ("motion", "main"), ("battery", "main")]
)
READINGS = st.lists(
    st.tuples(
        st.sampled_from([NODE, OTHER]),
        SERIES,
        st.integers(0, 2880),
        st.floats(-50, 90).map(lambda value: round(value, 2)),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda r: (r[0], r[1], r[2]),
)
PERIODS = st.tuples(st.integers(-10, 1500), st.integers(1, 3000))
STEPS = st.sampled_from([None, MINUTE, 15 * MINUTE, 60 * MINUTE, DAY])


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running(influxdb_server(tmp_path_factory.mktemp("influx"))) as server:
        yield target(server)


def target(server: Server) -> Target:
    return Target("town", "v1", f"http://127.0.0.1:{server.port}", "agree", gzip=False)


def packs(readings) -> list[PackToStore]:
    found = []
    for node, series, minute, value, quality in readings:
        stored = float(value > 0) if series[0] == "motion" else value
        reading = (*series, T0 + minute * MINUTE, stored, quality, 0)
        found.append(PackToStore(node, None, T0 + 3 * DAY, [reading]))
    return found


async def shipped(store: StoreWriter, influx: Target) -> None:
    async with InfluxV1(influx) as client:
        await client.query('CREATE DATABASE "agree"')
        for measurement in ("room_air", "node_health"):
            await client.query(f"DROP MEASUREMENT {measurement}")
        batch = store.change(JournalBatches(PLACEMENTS, 5000).after, 0)
        await client.write(b"\n".join(batch.lines))


async def asked(influx: Target, question: SeriesQuestion):
    async with InfluxQuery(influx) as client:
        return answer_of(question, await client.ask(text_of(question)))


@settings(max_examples=60, deadline=None)
@given(READINGS, SERIES, STEPS, PERIODS)
def test_both_answer_alike(influx: Target, readings, series, step_ms, period):
    first, minutes = period
    bounds = T0 + first * MINUTE, T0 + (first + minutes) * MINUTE
    question = SeriesQuestion(NODE, series[0], *bounds, series[1], step_ms)
    with tempfile.TemporaryDirectory() as folder, StoreWriter(Path(folder)) as store:
        store.change(set_forwarders, ["town"])
        store.commit(packs(readings))
        store.fold()
        asyncio.run(shipped(store, influx))
        with StoreReader(Path(folder)) as reader:
            local = answer(reader, question)
    found = asyncio.run(asked(influx, question))
    assert len(local) == len(found)
    for ours, theirs in zip(local, found, strict=True):
        assert tuple(ours) == pytest.approx(tuple(theirs), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_no_name_breaks_out_of_a_statement(influx: Target, name: str):
    """Neither as a string nor as an identifier: the server answers for that name, with nothing."""
    name += "'\" \\"

    async def ask():
        async with InfluxV1(influx) as client:
            await client.query('CREATE DATABASE "agree"')
        async with InfluxQuery(influx) as client:
            field = identifier(name)
            text = f"SELECT {field} FROM {field} WHERE node = {quoted(name)}"  # noqa: S608
            return await client.ask(text)

    assert list(table_of(asyncio.run(ask()))) == []

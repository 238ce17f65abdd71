"""What waits in the journal for forwarders: every new reading once, and nothing else."""

from pathlib import Path

import pytest

from ingest.readings import LogPosition
from ingest.store.cursors import (
    advance_forwarder,
    folded_rows,
    forwarder_cursors,
    set_forwarders,
    waiting_packs,
)
from ingest.store.encoding import decode_readings
from ingest.store.filling import next_to_fill
from ingest.store.writer import PackToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000


def pack(seq: int, value: float = 19.5, quality: int = 0) -> PackToStore:
    measured = T0 + 60_000 * seq
    readings = [("temperature", "main", measured, value, quality, 0)]
    return PackToStore(NODE, LogPosition("aa00aa00", seq, 1), measured + 900, readings)


def waiting(store: StoreWriter, after: int = 0) -> list[tuple[int, float, int]]:
    rows = store.change(lambda c: list(folded_rows(c, after, 1000)))
    return [
        ((at - T0) // 60_000, value, quality)
        for _, _, blob in rows
        for _, at, value, quality, _ in decode_readings(blob)
    ]


@pytest.fixture
def store(tmp_path: Path):
    with StoreWriter(tmp_path) as writer:
        yield writer


def test_a_forwarder_sees_what_is_folded_and_the_rows_go_when_all_have_passed(store: StoreWriter):
    assert store.change(set_forwarders, ["town", "region"]) == (["town", "region"], [])
    store.commit([pack(1), pack(2)])
    assert waiting(store) == []
    store.fold()
    assert waiting(store) == [(1, 19.5, 0), (2, 19.5, 0)]
    store.change(advance_forwarder, "town", 2)
    assert len(waiting(store)) == 2
    store.change(advance_forwarder, "region", 1)
    assert waiting(store) == [(2, 19.5, 0)]
    assert store.change(waiting_packs, "region") == 1
    assert store.change(waiting_packs, "town") == 0


def test_a_repeat_and_a_conflict_are_not_shipped(store: StoreWriter):
    """Not even with the quality that the repeat was given, nor from the same turn of the fold."""
    store.change(set_forwarders, ["town"])
    store.commit([pack(1), pack(1, quality=1), pack(2), pack(2, 30.0)])
    store.fold()
    store.commit([pack(1, quality=1), pack(2, 31.0), pack(3)])
    assert store.fold().conflicts == 1
    assert waiting(store) == [(1, 19.5, 0), (2, 19.5, 0), (3, 19.5, 0)]


def test_a_forwarder_that_is_no_longer_configured_holds_nothing_back(store: StoreWriter):
    store.change(set_forwarders, ["town", "region"])
    store.commit([pack(1)])
    store.fold()
    store.change(advance_forwarder, "town", 1)
    assert store.change(set_forwarders, ["town"]) == ([], ["region"])
    assert waiting(store) == []
    assert store.change(forwarder_cursors) == {"town": 1}


def test_a_new_forwarder_begins_with_what_is_folded_next_and_is_filled(store: StoreWriter):
    store.commit([pack(1)])
    store.fold()
    store.change(set_forwarders, ["town"])
    assert store.change(next_to_fill, "town") == NODE
    store.commit([pack(2)])
    store.fold()
    assert waiting(store) == [(2, 19.5, 0)]

"""Dead letters in the store: which are meant by what restricts them, and how they go."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.store.deadletters import (
    DeadLetter,
    LetterFilter,
    count_dead_letters,
    expire_dead_letters,
    insert_dead_letters,
    purge_dead_letters,
)
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"


def letter(text: str, at_ms: int, *, node: str = NODE, reason: str = "not_json") -> DeadLetter:
    return DeadLetter(node, f"preau/v1/{node}/readings", reason, "", text.encode(), at_ms)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path) as writer:
        yield writer


def kept(store: StoreWriter, **chosen) -> str:
    with StoreReader(store.path.parent) as reader:
        return "".join(one.payload.decode() for one in reader.dead_letters(**chosen))


def test_node_reason_and_period_restrict_together(store: StoreWriter):
    letters = [
        letter("a", 1000),
        letter("b", 2000),
        letter("c", 2000, reason="empty"),
        letter("d", 2000, node=OTHER),
        letter("e", 3000),
    ]
    store.commit([], letters)

    assert kept(store) == "abcde"
    assert kept(store, from_ms=2000) == "bcde"
    assert kept(store, to_ms=2000) == "a"
    assert kept(store, node=NODE, reason="not_json", from_ms=1001, to_ms=3000) == "b"
    chosen = LetterFilter(from_ms=2000, to_ms=3000)
    assert store.change(count_dead_letters, chosen) == {"empty": 1, "not_json": 2}


def test_the_period_is_of_the_first_reception(store: StoreWriter):
    store.commit([], [letter("a", 1000), letter("a", 9000)])
    assert kept(store, from_ms=5000) == ""
    assert kept(store, to_ms=5000) == "a"


def test_what_is_purged_is_gone_and_told_by_reason_and_the_rest_stays(store: StoreWriter):
    store.commit([], [letter("a", 1000), letter("b", 2000, reason="empty"), letter("c", 3000)])
    assert store.change(purge_dead_letters, LetterFilter(to_ms=3000)) == {
        "empty": 1,
        "not_json": 1,
    }
    assert kept(store) == "c"


def test_a_letter_expires_after_it_has_last_come_in_and_that_is_said(
    store: StoreWriter, caplog: pytest.LogCaptureFixture
):
    ahead = letter("c", 1000, reason="time_ahead")
    store.commit([], [letter("a", 1000), letter("b", 1000), letter("b", 9000), ahead])

    assert store.change(expire_dead_letters, 5000) == 2

    assert kept(store) == "b"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "2 dead letters" in record.message
    assert "not_json 1, time_ahead 1" in record.message


def test_nothing_to_expire_is_not_worth_a_word(
    store: StoreWriter, caplog: pytest.LogCaptureFixture
):
    store.commit([], [letter("a", 1000)])
    assert store.change(expire_dead_letters, 1000) == 0
    assert kept(store) == "a"
    assert caplog.records == []


@pytest.mark.parametrize(
    "reason", ["time_ahead", "conflict", "internal_error", "before_window", "forwarder_refused"]
)
def test_readings_that_may_be_right_are_never_let_go_for_the_quota(store: StoreWriter, reason):
    letters = [letter(f"{n}", n, reason=reason) for n in range(9)]
    store.change(insert_dead_letters, letters, quota=5)
    assert kept(store) == "012345678"

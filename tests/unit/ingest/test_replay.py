"""Replay: a dead letter is read again as it first came; what is usable now is stored, once."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from ingest.audit import audit
from ingest.pipeline import Incoming, Pipeline
from ingest.quantities import QUANTITIES, Quantity
from ingest.readings import Reading
from ingest.replay import Replay, Replayed, fold_all
from ingest.senml import decode, encode_pack
from ingest.store.cursors import set_forwarders
from ingest.store.deadletters import DeadLetter, LetterFilter
from ingest.store.reader import StoreReader
from ingest.store.writer import PackToStore, StoreWriter
from ingest.topics import base_name_of, topic_of

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
LOG = "5f3a9c01"
T0 = 1_763_800_000_000
MINUTE = 60_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path) as writer:
        yield writer


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch):
    """Add the quantity `radon` to the catalogue, as a later version would."""

    def add() -> None:
        radon = Quantity("radon", "Bq", 0, 10_000, 0)
        catalogue = MappingProxyType({**QUANTITIES, "radon": radon})
        for module in ("ingest.senml.decode", "ingest.pipeline", "ingest.store.letters"):
            monkeypatch.setattr(f"{module}.QUANTITIES", catalogue)

    return add


def radon_pack(seq: int, value: float = 80, *, at_ms: int | None = None) -> bytes:
    at_s = (T0 + seq * MINUTE if at_ms is None else at_ms) // 1000
    return (
        f'[{{"bn":"{base_name_of(NODE)}","bver":26,"bt":{at_s},"blog":"{LOG}","bseq":{seq},'
        f'"bfirst":1,"n":"temperature","u":"Cel","v":19.5}},'
        f'{{"n":"radon","u":"Bq","v":{value}}}]'
    ).encode()


def take(store: StoreWriter, payload: bytes, at_ms: int, node: str = NODE, **how: bool) -> None:
    Pipeline(store).take([Incoming(topic_of(node, "readings"), payload, at_ms, **how)])


def replay(store: StoreWriter, chosen: LetterFilter | None = None, **how) -> list[Replayed]:
    with StoreReader(store.path.parent) as reader:
        numbering = {log.node for log in reader.logs()}
    result = list(Replay(store, numbering, **how).run(chosen or LetterFilter()))
    fold_all(store)
    return result


def readings(store: StoreWriter, node: str = NODE) -> list[tuple[str, int, float, int]]:
    """(quantity, measured_at_ms, value, received_at_ms) of every reading."""
    with StoreReader(store.path.parent) as reader:
        return sorted(
            (s.quantity, p.measured_at_ms, p.value, p.received_at_ms)
            for s in reader.series(node)
            for p in reader.points(s, 0, 2**60)
        )


def reasons(store: StoreWriter) -> list[str]:
    with StoreReader(store.path.parent) as reader:
        return [letter.reason for letter in reader.dead_letters()]


def state_of_log(store: StoreWriter) -> tuple[list[tuple[int, int]], int, int]:
    with StoreReader(store.path.parent) as reader:
        account = audit(reader.logs(NODE))
        return list(reader.logs(NODE)[0].received), account.lost, account.missing


def test_a_record_of_a_quantity_that_is_known_now_is_stored_as_it_first_came(store, mend):
    take(store, radon_pack(1), T0 + 2 * MINUTE)
    take(store, radon_pack(1), T0 + 9 * MINUTE)
    mend()

    (told,) = replay(store)

    assert (told.reason, told.readings, told.refused) == ("unknown_quantity", 1, None)
    assert ("radon", T0 + MINUTE, 80.0, T0 + 2 * MINUTE) in readings(store)
    assert len(readings(store)) == 2
    assert reasons(store) == []


def test_what_is_still_refused_stays_and_the_reason_of_today_is_told(store, mend):
    take(store, radon_pack(1).replace(b'"Bq"', b'"pCi"'), T0 + 2 * MINUTE)
    mend()

    (told,) = replay(store)

    assert (told.reason, told.refused) == ("unknown_quantity", "wrong_unit")
    assert "pCi" in told.detail
    assert reasons(store) == ["unknown_quantity"]


def test_a_whole_pack_leaves_what_is_still_unusable_of_it(store, monkeypatch):
    newer = radon_pack(1).replace(b'"bver":26', b'"bver":27')
    take(store, newer, T0 + 2 * MINUTE)
    assert reasons(store) == ["version"]
    monkeypatch.setattr(decode, "VERSION", 27)

    (told,) = replay(store)

    assert (told.readings, told.letters, told.refused) == (1, 1, None)
    assert readings(store) == [("temperature", T0 + MINUTE, 19.5, T0 + 2 * MINUTE)]
    assert reasons(store) == ["unknown_quantity"]


def test_the_numbers_of_the_log_stay_accounted_for(store, monkeypatch):
    take(store, radon_pack(1).replace(b'"bver":26', b'"bver":27'), T0 + 2 * MINUTE)
    for seq, first in ((2, 1), (5, 4), (6, 6)):
        payload = encode_pack(
            NODE,
            [Reading("co2", "main", T0 + seq * MINUTE, 800)],
            log=LOG,
            seq=seq,
            first=first,
        )
        take(store, payload, T0 + seq * MINUTE)
    before = state_of_log(store)
    assert before == ([(1, 2), (5, 6)], 2, 0)
    monkeypatch.setattr(decode, "VERSION", 27)

    replay(store)

    assert reasons(store) == ["unknown_quantity"]
    assert state_of_log(store) == before


def test_a_dead_lettered_pack_is_no_repeat_though_its_readings_would_have_been_let_go(
    store, monkeypatch
):
    take(store, radon_pack(1).replace(b'"bver":26', b'"bver":27'), T0 + 2 * MINUTE)
    store.change(lambda c: c.execute("UPDATE horizon SET kept_from = ?", (T0 + 10 * MINUTE,)))
    monkeypatch.setattr(decode, "VERSION", 27)

    replay(store)

    assert [reading[0] for reading in readings(store)] == ["temperature"]


def test_a_contradiction_stays_a_dead_letter_and_changes_nothing(store, mend):
    for value in (80, 81):
        take(store, radon_pack(1, value), T0 + 2 * MINUTE)
    mend()

    first, second = replay(store)
    assert (first.refused, second.refused) == (None, None)
    assert [reading[2] for reading in readings(store)] == [80.0, 19.5]
    assert reasons(store) == ["conflict"], "the second value, told and kept"

    (again,) = replay(store)
    assert again.refused == "conflict"
    assert reasons(store) == ["conflict"]
    assert [reading[2] for reading in readings(store)] == [80.0, 19.5]


@pytest.mark.parametrize(
    ("reason", "kind"), [("bad_presence", "presence"), ("retained_without_time", "readings")]
)
def test_what_never_was_a_reading_at_a_known_time_stays(store, reason, kind):
    payload = f'[{{"bn":"{base_name_of(NODE)}","n":"co2","u":"ppm","v":800}}]'.encode()
    store.commit([], [DeadLetter(NODE, topic_of(NODE, kind), reason, "", payload, T0)])
    assert replay(store)[0].refused == reason
    assert readings(store) == []


def test_a_pack_that_holds_nothing_is_no_dead_letter_once_it_is_understood(store, monkeypatch):
    payload = f'[{{"bn":"{base_name_of(NODE)}","bver":27,"blog":"{LOG}","bseq":1}}]'.encode()
    take(store, payload, T0)
    monkeypatch.setattr(decode, "VERSION", 27)
    (told,) = replay(store)
    assert (told.readings, told.refused) == (0, None)
    assert reasons(store) == []


def test_a_letter_that_is_not_kept_whole_stays(store):
    whole = encode_pack(NODE, [Reading("co2", "main", T0, 800)], log=LOG, seq=1, first=1)
    padded = whole + b" " * 20_000
    store.commit([], [DeadLetter(NODE, topic_of(NODE, "readings"), "too_large", "", padded, T0)])

    (told,) = replay(store)

    assert told.refused == "too_large"
    assert "16384 of its" in told.detail
    assert readings(store) == []
    assert reasons(store) == ["too_large"]


def ahead(store: StoreWriter) -> None:
    """A reading that came while the gateway's clock was a year behind."""
    payload = encode_pack(NODE, [Reading("co2", "main", T0, 800)], log=LOG, seq=1, first=1)
    take(store, payload, T0 - 365 * 24 * 60 * MINUTE)
    assert reasons(store) == ["time_ahead"]


def test_waiting_does_not_make_a_time_ahead_right(store):
    ahead(store)
    (told,) = replay(store)
    assert told.refused == "time_ahead"
    assert readings(store) == []
    assert reasons(store) == ["time_ahead"]


def test_where_the_gateways_clock_was_wrong_the_node_is_right_by_the_clock_of_today(store):
    ahead(store)
    (told,) = replay(store, right_now_ms=T0 + 60 * MINUTE)
    assert told.refused is None
    assert readings(store) == [("co2", T0, 800.0, T0 + 60 * MINUTE)]
    assert reasons(store) == []


def test_what_did_not_seem_ahead_was_received_when_it_came(store, mend):
    take(store, radon_pack(1), T0 + 2 * MINUTE)
    mend()
    replay(store, right_now_ms=T0 + 60 * MINUTE)
    assert ("radon", T0 + MINUTE, 80.0, T0 + 2 * MINUTE) in readings(store)


def test_what_is_ahead_of_the_clock_of_today_too_stays(store):
    ahead(store)
    (told,) = replay(store, right_now_ms=T0 - 6 * MINUTE)
    assert told.refused == "time_ahead"
    assert reasons(store) == ["time_ahead"]


def without_time(node: str) -> bytes:
    return f'[{{"bn":"{base_name_of(node)}","n":"radon","u":"Bq","v":80}}]'.encode()


def test_a_device_without_clock_measured_when_its_message_first_came(store, mend, caplog):
    for at_ms in (T0, T0 + 5 * MINUTE):
        take(store, without_time(OTHER), at_ms, OTHER)
    mend()
    replay(store)
    assert readings(store, OTHER) == [("radon", T0, 80.0, T0)]
    assert "came 2 times alike" in caplog.text, "the second time is not known any more"


@pytest.mark.parametrize("why", ["numbered", "retained", "wrong clock"])
def test_no_time_is_invented(store, mend, why):
    payload = without_time(NODE)
    if why == "numbered":
        payload = radon_pack(1, at_ms=MINUTE)
    take(store, payload, T0, retained=why == "retained")
    mend()
    how = {"right_now_ms": T0 + MINUTE} if why == "wrong clock" else {}

    told = replay(store, **how)

    assert all(one.refused for one in told)
    assert readings(store) == []


def test_what_cannot_be_told_from_a_repeat_needs_someone_to_vouch_for_it(store):
    store.change(lambda c: c.execute("UPDATE horizon SET kept_from = ?", (T0 + MINUTE,)))
    store.commit([PackToStore(OTHER, None, T0, [("co2", "main", T0, 800.0, 0, 0)])])
    assert reasons(store) == ["before_window"]

    assert replay(store)[0].refused == "before_window"
    assert readings(store, OTHER) == []

    assert replay(store, are_no_repeats=True)[0].refused is None
    assert readings(store, OTHER) == [("co2", T0, 800.0, T0)]


def test_a_point_that_influxdb_refused_stays_with_its_remedy(store):
    line = b"room_air,node=3c71bf4a2b10 co2=800 1763800000000"
    store.commit([], [DeadLetter(NODE, "forwarder/town", "forwarder_refused", "400", line, T0)])
    (told,) = replay(store)
    assert "preau forward --from" in told.detail
    assert reasons(store) == ["forwarder_refused"]


def test_more_letters_than_go_into_one_commit_are_all_replayed_once(store, mend):
    for seq in range(1, 251):
        take(store, radon_pack(seq), T0 + seq * MINUTE)
    mend()
    assert len(replay(store, LetterFilter(to_ms=T0 + 241 * MINUTE))) == 240
    assert len(reasons(store)) == 10
    assert sum(reading[0] == "radon" for reading in readings(store)) == 240


def test_a_forwarder_still_has_to_ship_what_was_replayed(store, mend):
    take(store, radon_pack(1), T0 + 2 * MINUTE)
    fold_all(store)
    store.change(set_forwarders, ["town"])
    assert store.change(_journal_rows) == 0
    mend()
    replay(store)
    assert store.change(_journal_rows) == 1


def _journal_rows(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM journal").fetchone()[0]


def test_what_a_replay_sets_apart_is_not_read_again_by_it(store, monkeypatch):
    for seq in range(1, 121):
        take(store, radon_pack(seq).replace(b'"bver":26', b'"bver":27'), T0 + seq * MINUTE)
    monkeypatch.setattr(decode, "VERSION", 27)
    assert {one.reason for one in replay(store)} == {"version"}
    assert set(reasons(store)) == {"unknown_quantity"}


_KILLED = """
import os, signal, sys
from pathlib import Path
import ingest.senml.decode as decode
from ingest.replay import Replay
import ingest.store.writer
from ingest.store.writer import StoreWriter

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

decode.VERSION = 27
ingest.store.writer.remove_dead_letters = die
with StoreWriter(Path(sys.argv[1])) as store:
    list(Replay(store, ()).run())
"""


def test_killed_on_the_way_the_letter_is_there_and_its_readings_are_not(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    with StoreWriter(folder) as store:
        payload = encode_pack(NODE, [Reading("co2", "main", T0, 800)], log=LOG, seq=1, first=1)
        take(store, payload.replace(b'"bver":26', b'"bver":27'), T0)
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(folder)], cwd=root, env={**os.environ}, check=False
    )
    assert killed.returncode == -signal.SIGKILL

    with StoreWriter(folder) as store:
        assert readings(store) == []
        assert reasons(store) == ["version"]
        monkeypatch.setattr(decode, "VERSION", 27)
        replay(store)
        assert readings(store) == [("co2", T0, 800.0, T0)]
        assert reasons(store) == []

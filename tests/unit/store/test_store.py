"""The local store: what is committed is there once, in whatever order and however often it came."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ingest.errors import StoreError, StoreFullError, TransientError
from ingest.readings import LogPosition
from ingest.senml import decode_pack
from ingest.store.check import check_store
from ingest.store.database import FILE_NAME, open_for_reading
from ingest.store.deadletters import DeadLetter, insert_dead_letters
from ingest.store.reader import StoreReader
from ingest.store.writer import PackToStore, PresenceToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000


def pack(seq: int, value: float = 19.5, *, at: int | None = None, node: str = NODE, log="aa00aa00"):
    measured = T0 + 60_000 * seq if at is None else at
    position = LogPosition(log, seq, 1)
    return PackToStore(
        node, position, measured + 900, [("temperature", "main", measured, value, 0, 0)]
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path) as writer:
        yield writer


def values(folder: Path, node: str = NODE) -> list[tuple[int, float]]:
    with StoreReader(folder) as reader:
        points = [p for s in reader.series(node) for p in reader.points(s, 0, 2**60)]
    return [((p.measured_at_ms - T0) // 60_000, p.value) for p in points]


def test_a_committed_pack_is_read_before_and_after_folding(store: StoreWriter, tmp_path: Path):
    store.commit([pack(1), pack(2)])
    before = values(tmp_path)
    assert store.fold().readings == 2
    assert before == values(tmp_path) == [(1, 19.5), (2, 19.5)]


def test_a_repeat_is_not_stored_again(store: StoreWriter, tmp_path: Path):
    store.commit([pack(1)])
    store.fold()
    store.commit([pack(1), pack(1)])
    result = store.fold()
    assert (result.repeats, result.conflicts) == (2, 0)
    assert values(tmp_path) == [(1, 19.5)]


def test_a_contradiction_is_a_dead_letter_and_overwrites_nothing(
    store: StoreWriter, tmp_path: Path
):
    store.commit([pack(1, 19.5), pack(1, 20.5)])
    assert store.fold().conflicts == 1
    assert values(tmp_path) == [(1, 19.5)]
    with StoreReader(tmp_path) as reader:
        (letter,) = reader.dead_letters()
    assert letter.reason == "conflict"
    assert b"20.5" in letter.payload


def test_averages_count_folded_and_unfolded_readings_once(store: StoreWriter, tmp_path: Path):
    store.commit([pack(n, float(n)) for n in range(1, 5)])
    store.fold()
    store.commit([pack(n, float(n)) for n in range(4, 7)])
    with StoreReader(tmp_path) as reader:
        (series,) = reader.series(NODE, "temperature")
        (step,) = reader.averages(series, 0, 2**60, 10**10)
        assert (step.samples, step.mean, step.minimum, step.maximum) == (6, 3.5, 1, 6)


def test_bad_readings_are_shown_but_not_averaged(store: StoreWriter, tmp_path: Path):
    bad = PackToStore(NODE, None, T0 + 5, [("temperature", "main", T0, 85.0, 2, 0)])
    store.commit([bad, pack(1, 20)])
    with StoreReader(tmp_path) as reader:
        (series,) = reader.series(NODE)
        assert [p.quality for p in reader.points(series, 0, 2**60)] == [2, 0]
        assert [a.mean for a in reader.averages(series, 0, 2**60, 10**10)] == [20]


def test_latest_is_last_measured_not_last_received(store: StoreWriter, tmp_path: Path):
    store.commit([pack(9, 9.0)])
    store.fold()
    store.commit([pack(3, 3.0), pack(10, 10.0), pack(4, 4.0)])
    with StoreReader(tmp_path) as reader:
        ((_, point),) = reader.latest()
    assert point.value == 10


def test_missing_and_lost_numbers_are_told_apart(store: StoreWriter, tmp_path: Path):
    def position(seq: int, first: int) -> PackToStore:
        return PackToStore(NODE, LogPosition("aa00aa00", seq, first), T0, [])

    store.commit([position(1, 1), position(2, 1), position(6, 5), position(9, 5)])
    store.save_presences([PresenceToStore(NODE, T0, "{}", "aa00aa00", 5, 12)])
    with StoreReader(tmp_path) as reader:
        (log,) = reader.logs(NODE)
    assert log.lost() == [(3, 4)]
    assert log.missing() == [(5, 5), (7, 8), (10, 11)]


def test_a_dead_lettered_number_counts_as_received(store: StoreWriter, tmp_path: Path):
    store.commit([], [DeadLetter(NODE, "t", "not_json", "…", b"{", T0, "aa00aa00", 1)])
    with StoreReader(tmp_path) as reader:
        (log,) = reader.logs(NODE)
    assert list(log.received) == [(1, 1)]


def test_a_dead_letter_is_unique_by_content_and_counts_its_repeats(
    store: StoreWriter, tmp_path: Path
):
    for at in (T0, T0 + 1):
        store.commit([], [DeadLetter(NODE, "t", "not_json", "…", b"x" * 20_000, at)])
    with StoreReader(tmp_path) as reader:
        (letter,) = reader.dead_letters()
    assert (letter.times, letter.length, len(letter.payload)) == (2, 20_000, 16 * 1024)
    assert (letter.received_at_ms, letter.last_received_at_ms) == (T0, T0 + 1)


def test_a_node_over_its_quota_loses_its_oldest_letters_and_that_is_counted(tmp_path: Path):
    with StoreWriter(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    letters = [DeadLetter(NODE, "t", "r", "", str(n).encode(), T0) for n in range(7)]
    insert_dead_letters(connection, letters, quota=5)
    kept = [row[0] for row in connection.execute("SELECT payload FROM dead_letter ORDER BY id")]
    assert kept == [b"2", b"3", b"4", b"5", b"6"]
    assert connection.execute("SELECT * FROM dead_letter_overflow").fetchall() == [(NODE, 2)]
    connection.close()


def test_a_commit_without_room_is_refused_whole_and_can_be_tried_again(tmp_path: Path):
    with StoreWriter(tmp_path) as store:
        store.commit([pack(1)])
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [pack(n, node=f"{n:012x}") for n in range(2, 900)]
        with pytest.raises(StoreFullError):
            store.commit(many)
        assert values(tmp_path) == [(1, 19.5)]
        store._connection.execute("PRAGMA max_page_count = 1000000")
        store.commit(many)
        with StoreReader(tmp_path) as reader:
            assert len(reader.series()) == 899


def test_a_second_writer_is_refused_and_readers_are_not(store: StoreWriter, tmp_path: Path):
    with pytest.raises(StoreError, match="in use by another preau process"):
        StoreWriter(tmp_path)
    StoreReader(tmp_path).close()


def test_the_lock_and_everything_committed_survive_closing(tmp_path: Path):
    for n in (1, 2):
        with StoreWriter(tmp_path) as store:
            store.commit([pack(n)])
    assert values(tmp_path) == [(1, 19.5), (2, 19.5)]


def test_a_reader_cannot_write(store: StoreWriter, tmp_path: Path):
    connection = open_for_reading(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM journal")
    connection.close()


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one" * 40])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreError, match="preau"):
        StoreWriter(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content
    assert check_store(tmp_path)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path):
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreError, match="not a store of Préau"):
        StoreWriter(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path):
    StoreWriter(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match="newer preau"):
        StoreWriter(tmp_path)


def test_a_damaged_page_is_found_by_the_check(tmp_path: Path):
    with StoreWriter(tmp_path) as store:
        store.commit([pack(n, node=f"{n % 50:012x}") for n in range(5000)])
        while store.fold().packs:
            pass
    assert check_store(tmp_path) == []
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    assert check_store(tmp_path)


def test_readings_that_may_be_right_are_beyond_the_quota(tmp_path: Path):
    """A gateway whose clock is behind refuses good readings: none of them may be pushed out."""
    with StoreWriter(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    letters = [DeadLetter(NODE, "t", "time_ahead", "", str(n).encode(), T0) for n in range(20)]
    insert_dead_letters(connection, letters, quota=5)
    assert connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (20,)
    connection.close()


def test_a_conflict_of_a_boolean_can_be_read_again(store: StoreWriter, tmp_path: Path):
    for value in (0.0, 1.0):
        store.commit([PackToStore(NODE, None, T0, [("motion", "main", T0 - 500, value, 0, 0)])])
    store.fold()
    with StoreReader(tmp_path) as reader:
        (letter,) = reader.dead_letters()
    again = decode_pack(letter.payload, NODE, T0)
    assert [tuple(r[:4]) for r in again.readings] == [("motion", "main", T0 - 500, 1.0)]


def test_damage_found_while_running_is_told_as_such(tmp_path: Path):
    with StoreWriter(tmp_path) as store:
        store.commit([pack(n, node=f"{n:012x}") for n in range(2000)])
        while store.fold().has_more:
            pass
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path = tmp_path / FILE_NAME
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * (size - 8192))
        with StoreReader(tmp_path) as reader, pytest.raises(StoreError, match="can't be read"):
            list(reader.latest())
        store._connection.execute("PRAGMA shrink_memory")
        with pytest.raises(StoreError, match="can't be read"):
            store.commit([pack(n, node=f"{n:012x}", log="cc00cc00") for n in range(3000)])


def test_a_locked_file_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    StoreWriter(tmp_path).close()
    monkeypatch.setattr("ingest.store.database.BUSY_TIMEOUT_S", 0.1)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match="another program"):
        StoreWriter(tmp_path)
    other.close()


class StoreMachine(RuleBasedStateMachine):
    """Any mixture of commits, repeats, folds and restarts holds each reading once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="preau-store-"))
        self.store = StoreWriter(self.folder)
        self.model: dict[tuple[str, int], float] = {}
        self.numbers: dict[tuple[str, str], set[int]] = {}

    @rule(
        seqs=st.lists(st.integers(1, 12), min_size=1, max_size=6),
        node=st.sampled_from(["00000000000a", "00000000000b"]),
        log=st.sampled_from(["aa00aa00", "bb00bb00"]),
    )
    def commit(self, seqs: list[int], node: str, log: str) -> None:
        self.store.commit([pack(seq, float(seq), node=node, log=log) for seq in seqs])
        self.model.update({(node, seq): float(seq) for seq in seqs})
        self.numbers.setdefault((node, log), set()).update(seqs)

    @rule(packs=st.integers(1, 5))
    def fold(self, packs: int) -> None:
        assert self.store.fold(packs).conflicts == 0

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = StoreWriter(self.folder)

    @invariant()
    def every_reading_is_there_once(self) -> None:
        for node in ("00000000000a", "00000000000b"):
            expected = sorted((seq, v) for (n, seq), v in self.model.items() if n == node)
            assert values(self.folder, node) == expected

    @invariant()
    def every_number_is_accounted_for(self) -> None:
        with StoreReader(self.folder) as reader:
            logs = {(log.node, log.log): log for log in reader.logs()}
        assert logs.keys() == self.numbers.keys()
        for key, numbers in self.numbers.items():
            inside = {n for first, last in logs[key].received for n in range(first, last + 1)}
            assert inside == numbers

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase


def test_what_was_forgotten_of_many_nodes_is_read_again(tmp_path: Path, monkeypatch):
    """Series and ranges are remembered of the last nodes only; nothing depends on that."""
    monkeypatch.setattr("ingest.forgetting.forget_oldest.__defaults__", (4,))
    nodes = [f"{n:012x}" for n in range(10)]
    with StoreWriter(tmp_path) as store:
        for seq in (1, 3, 2, 4):
            for node in nodes:
                reading = ("co2", "main", T0 + seq, 800.0, 0, 0)
                store.commit([PackToStore(node, LogPosition("aa00aa00", seq, 1), T0, [reading])])
                known = (len(store._series), len(store._logs))
                assert max(known) <= 5
        store.fold()
    with StoreReader(tmp_path) as reader:
        assert [list(log.received) for log in reader.logs()] == [[(1, 4)]] * 10
        assert len(reader.series()) == 10


def test_a_log_of_which_a_node_holds_nothing_any_more_has_lost_what_is_missing(
    store: StoreWriter, tmp_path: Path
):
    def position(log: str, seq: int) -> PackToStore:
        return PackToStore(NODE, LogPosition(log, seq, 1), T0, [])

    def account() -> dict[str, tuple[object, object]]:
        with StoreReader(tmp_path) as reader:
            return {log.log: (log.lost(), log.missing()) for log in reader.logs(NODE)}

    store.commit([position("aa00aa00", 1), position("aa00aa00", 4)])
    store.save_presences([PresenceToStore(NODE, T0, "{}", "aa00aa00", 1, 7)])
    # Its end was damaged: it goes on with another log, and still has packs of the first.
    store.save_presences([PresenceToStore(NODE, T0, "{}", "bb00bb00", 1, 2, ("aa00aa00",))])
    assert account()["aa00aa00"] == ([], [(2, 3), (5, 6)])
    store.commit([position("aa00aa00", 2)])
    store.save_presences([PresenceToStore(NODE, T0, "{}", "bb00bb00", 1, 2)])
    assert account()["aa00aa00"] == ([], [(3, 3), (5, 6)]), "it has not said that it holds none"
    store.save_presences([PresenceToStore(NODE, T0, "{}", "bb00bb00", 1, 2, ())])
    assert account() == {"aa00aa00": ([(3, 3), (5, 6)], []), "bb00bb00": ([], [(1, 1)])}
    # What comes after all is no longer lost.
    store.commit([position("aa00aa00", 5)])
    assert account()["aa00aa00"] == ([(3, 3), (6, 6)], [])

"""A store of every earlier schema is upgraded and opens again; a damaged one is left alone."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.errors import PreauError, StoreError
from ingest.readings import LogPosition
from ingest.store.check import check_store
from ingest.store.database import APPLICATION_ID, FILE_NAME, schema_files
from ingest.store.encoding import encode_readings
from ingest.store.reader import StoreReader
from ingest.store.summaries import HOUR_MS, select_summaries, summarise
from ingest.store.writer import PackToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000 // HOUR_MS * HOUR_MS


def old_store(folder: Path, version: int) -> None:
    """A store as that version left it: one reading sorted in, one still in the journal."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute("PRAGMA journal_mode = WAL")
    for number, sql in schema_files():
        if number <= version:
            connection.executescript(sql)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("INSERT INTO series VALUES (1, ?, 'temperature', 'main')", (NODE,))
    connection.execute("INSERT INTO reading VALUES (1, ?, 19.5, 0, 900, 0)", (T0,))
    blob = encode_readings([(1, T0 + 60_000, 20.5, 0, 0)])
    connection.execute("INSERT INTO journal VALUES (1, ?, ?)", (T0 + 60_900, blob))
    connection.execute("INSERT INTO log VALUES (1, ?, 'aa00aa00', 1, 3)", (NODE,))
    connection.execute("INSERT INTO received_range VALUES (1, 1, 2)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", [number for number, _ in schema_files()])
def test_a_store_of_an_earlier_schema_opens_and_opens_again(tmp_path: Path, version: int):
    old_store(tmp_path, version)
    for seq in (3, 4):
        with StoreWriter(tmp_path) as store:
            reading = ("temperature", "main", T0 + seq * 120_000, 21.0, 0, 0)
            store.commit([PackToStore(NODE, LogPosition("aa00aa00", seq, 1), T0, [reading])])
            store.fold()
            store.change(summarise, T0 + 2 * HOUR_MS)
    assert check_store(tmp_path) == []
    with StoreReader(tmp_path) as reader:
        (series,) = reader.series()
        assert [p.value for p in reader.points(series, 0, 2**60)] == [19.5, 20.5, 21.0, 21.0]
        (summary,) = reader.ask(select_summaries, series.id, 0, 2**60)
        assert (summary.samples, summary.total) == (4, 82.0)
        assert reader.logs()[0].received.count() == 4


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path):
    newer = schema_files()[-1][0] + 1
    with StoreWriter(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(StoreError, match="install a newer preau"):
        StoreWriter(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_damaged_store_is_refused_with_what_to_do_and_never_overwritten(tmp_path: Path):
    old_store(tmp_path, 1)
    file = tmp_path / FILE_NAME
    content = file.read_bytes()
    damaged = content[:100] + b"\xff" * (len(content) - 100)
    file.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(StoreError, match="keep a copy"):
            StoreWriter(tmp_path)
        assert file.read_bytes() == damaged


@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(b""), Path.unlink])
def test_what_a_lost_store_has_left_in_its_wal_is_never_thrown_away(tmp_path: Path, harm):
    """SQLite itself would delete it, and begin anew."""
    code = (
        "import os, sys; from pathlib import Path; from tests.unit.store.test_migration import *\n"
        "store = StoreWriter(Path(sys.argv[1]))\n"
        "reading = ('co2', 'main', T0, 800.0, 0, 0)\n"
        "store.commit([PackToStore(NODE, LogPosition('aa00aa00', 1, 1), T0, [reading])])\n"
        "os._exit(0)\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, timeout=60, cwd=root)
    wal = tmp_path / f"{FILE_NAME}-wal"
    content = wal.read_bytes()
    harm(tmp_path / FILE_NAME)
    for _ in range(2):
        with pytest.raises(StoreError, match="bytes of readings"):
            StoreWriter(tmp_path)
        assert wal.read_bytes() == content
    with pytest.raises(StoreError, match="bytes of readings"):
        StoreReader(tmp_path)
    assert "bytes of readings" in check_store(tmp_path)[0]


def test_a_step_that_fails_halfway_changes_nothing(tmp_path: Path, monkeypatch):
    old_store(tmp_path, 1)
    steps = [*schema_files(), (9, "CREATE TABLE half (x INTEGER); SELECT no_such_function();")]
    monkeypatch.setattr("ingest.store.database.schema_files", lambda: steps)
    with pytest.raises(PreauError, match="no_such_function"):
        StoreWriter(tmp_path)
    monkeypatch.undo()
    with StoreWriter(tmp_path):
        pass
    with StoreReader(tmp_path) as reader:
        assert reader.ask(lambda c: c.execute("PRAGMA user_version").fetchone())[0] < 9
        assert not reader.ask(
            lambda c: c.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall()
        )


def test_an_upgrade_without_room_changes_nothing_and_is_done_once_there_is(tmp_path: Path):
    """The room of a process, by a limit of the system: no file may grow beyond 1,000 bytes."""
    old_store(tmp_path, 1)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from ingest.errors import TransientError; from ingest.store.writer import StoreWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    StoreWriter(Path(sys.argv[1]))\n"
        "except TransientError as error:\n    print(error)\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, timeout=60)
    assert FILE_NAME in done.stdout
    assert check_store(tmp_path) != [], "it is not upgraded yet"
    with StoreWriter(tmp_path):
        pass
    assert check_store(tmp_path) == []
    with StoreReader(tmp_path) as reader:
        (series,) = reader.series()
        assert [p.value for p in reader.points(series, 0, 2**60)] == [19.5, 20.5]

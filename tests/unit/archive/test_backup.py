"""A backup comes back as it was, or is refused; what stands already is never written over."""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest.archive import store_copy
from ingest.store.check import check_store
from ingest.store.database import APPLICATION_ID, FILE_NAME, schema_files
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter
from tests.unit.archive.backups import (
    ESTATE,
    NODE,
    SETTINGS,
    SITE,
    back_up,
    files_of,
    pack,
    restore,
    told,
    unpacked,
)


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_store_estate_and_settings_come_back_as_they_were(town: Path, name: str, capsys):
    before = told(town / "data")
    assert back_up(town, name) == 0
    assert "passwords" in capsys.readouterr().out
    assert (Path(name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    assert restore(Path("new"), name) == 0
    assert told(Path("new/data")) == before
    assert check_store(Path("new/data")) == []
    assert files_of(Path("new")) == {
        "preau.toml",
        "town.toml",
        "town.d/école.toml",
        f"data/{FILE_NAME}",
    }
    assert Path("new/town.d/école.toml").read_text() == SITE
    assert Path("new/preau.toml").read_text() == SETTINGS
    with StoreWriter(Path("new/data")) as store:
        store.commit([pack(155)])


def test_what_is_not_folded_or_checkpointed_while_a_writer_is_open_is_in_it(town: Path):
    with StoreWriter(town / "data") as store:
        store.commit([pack(n) for n in range(155, 160)])
        before = told(town / "data")
        assert back_up(town) == 0
        store.commit([pack(170)])
        store.fold()
    assert restore(Path("new")) == 0
    assert told(Path("new/data")) == before


def test_the_index_tells_what_is_in_it(town: Path):
    assert back_up(town) == 0
    index = json.loads(unpacked(Path("b.tar"))["backup.json"][0])
    assert (index["format"], index["schema"]) == (1, schema_files()[-1][0])
    assert set(index["files"]) == {
        FILE_NAME,
        "preau.toml",
        "estate.toml",
        "estate.d/école.toml",
    }
    assert set(index) == {"format", "schema", "preau", "made_at", "files"}


def test_only_its_owner_may_read_what_is_written(town: Path):
    before = os.umask(0)
    try:
        back_up(town)
        restore(Path("new"))
    finally:
        os.umask(before)
    for file in ("b.tar", f"new/data/{FILE_NAME}", "new/preau.toml", "new/town.toml"):
        assert Path(file).stat().st_mode & 0o777 == 0o600, file


def test_a_file_that_is_there_is_replaced_only_by_force(town: Path, capsys):
    Path("b.tar").write_text("mine")
    assert back_up(town) == 2
    assert "already there" in capsys.readouterr().err
    assert Path("b.tar").read_text() == "mine"
    assert back_up(town, "b.tar", "--force") == 0
    assert restore(Path("new")) == 0


@pytest.mark.parametrize("target", ["town", "nowhere/b.tar"])
def test_a_name_that_can_be_no_file_is_refused(town: Path, target: str):
    assert back_up(town, target) == 2
    assert {path.name for path in Path().iterdir()} == {"town"}


def test_what_the_system_refuses_is_told_in_a_line(town: Path, capsys):
    too_long = "b" * 300
    assert back_up(town, too_long) == 1
    back_up(town)
    assert restore(Path(too_long)) == 1
    assert capsys.readouterr().err.count("can't be used: File name too long\n") == 2


def test_a_folder_without_a_store_is_told(town: Path, capsys):
    shutil.rmtree(town / "data")
    assert back_up(town) == 1
    assert "no gateway has run" in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"town"}


def test_a_disk_without_room_is_told_before_anything_is_written(town, monkeypatch, capsys):
    size = (town / "data" / FILE_NAME).stat().st_size
    left = SimpleNamespace(free=2 * size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: left)
    assert back_up(town) == 0
    Path("b.tar").unlink()
    left.free = size
    assert back_up(town) == 1
    assert "no room in" in capsys.readouterr().err
    # On the disk of the store, what keeps the gateway going stays free as well.
    left.free = 2 * size
    (town / "preau.toml").write_text(SETTINGS.replace("min_free_mib = 0", "min_free_mib = 1"))
    assert back_up(town) == 1
    assert {path.name for path in Path().iterdir()} == {"town"}


def when(doing: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Act each time a backup tells that it is doing that."""

    def tell(now_doing: str, _done: int, _total: int) -> None:
        if now_doing == doing:
            act()

    @contextlib.contextmanager
    def watched():
        yield tell

    monkeypatch.setattr(store_copy, "_LOOK_S", 0)
    monkeypatch.setattr("gateway.commands.backup.told_progress", watched)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("at", ["copying", "checking", "packing"])
def test_nothing_is_left_of_a_backup_that_is_broken_off(town, monkeypatch, error, at: str):
    def break_off() -> None:
        raise error

    when(at, break_off, monkeypatch)
    Path("b.tar").write_text("mine")
    assert back_up(town, "b.tar", "--force") == (130 if error is KeyboardInterrupt else 1)
    assert {path.name for path in Path().iterdir()} == {"town", "b.tar"}
    assert Path("b.tar").read_text() == "mine"


def test_a_file_that_came_meanwhile_is_left(town, monkeypatch):
    when("packing", lambda: Path("b.tar").write_text("mine") and None, monkeypatch)
    assert back_up(town) == 2
    assert Path("b.tar").read_text() == "mine"


def test_a_damaged_store_makes_no_backup(town: Path, capsys):
    store = town / "data" / FILE_NAME
    content = bytearray(store.read_bytes())
    content[4096 * 3 : 4096 * 8] = b"\xa5" * (4096 * 5)
    store.write_bytes(content)
    assert back_up(town) == 1
    assert "preau check" in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"town"}


def test_a_store_of_an_earlier_schema_is_backed_up_and_upgraded_when_it_opens(town: Path):
    shutil.rmtree(town / "data")
    (town / "data").mkdir()
    connection = sqlite3.connect(town / "data" / FILE_NAME)
    connection.executescript(schema_files()[0][1])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO series VALUES (1, ?, 'temperature', 'main')", (NODE,))
    connection.commit()
    connection.close()
    assert back_up(town) == 0
    assert restore(Path("new")) == 0
    with StoreWriter(Path("new/data")), StoreReader(Path("new/data")) as reader:
        assert [series.node for series in reader.series()] == [NODE]


@pytest.mark.parametrize("left", [FILE_NAME, f"{FILE_NAME}-wal"])
def test_a_folder_with_a_store_or_a_rest_of_one_is_left_alone(town: Path, left: str, capsys):
    back_up(town)
    Path("new/data").mkdir(parents=True)
    (Path("new/data") / left).write_bytes(b"theirs")
    assert restore(Path("new")) == 1
    assert "already holds a store" in capsys.readouterr().err
    assert files_of(Path("new")) == {f"data/{left}"}
    assert (Path("new/data") / left).read_bytes() == b"theirs"


def test_a_running_service_is_told_to_be_stopped(town: Path, capsys):
    back_up(town)
    with StoreWriter(town / "data"):
        assert restore(town) == 1
    assert "in use by another preau process" in capsys.readouterr().err


def test_estate_and_settings_that_are_there_are_left_and_that_is_told(town: Path, capsys):
    back_up(town)
    Path("new/town.d").mkdir(parents=True)
    Path("new/preau.toml").write_text(f"{SETTINGS}# another\n")
    Path("new/town.d/lycee.toml").write_text(SITE.replace("école", "lycee"))
    assert restore(Path("new")) == 0
    output = capsys.readouterr().out
    assert output.count("was left") == 2
    assert files_of(Path("new")) == {"preau.toml", "town.d/lycee.toml", f"data/{FILE_NAME}"}
    assert Path("new/preau.toml").read_text().endswith("# another\n")


def test_what_a_restore_cut_short_has_put_back_does_not_hinder_the_next(town: Path, capsys):
    back_up(town)
    Path("new").mkdir()
    Path("new/town.toml").write_text(ESTATE)
    assert restore(Path("new")) == 0
    assert "was left" not in capsys.readouterr().out
    assert Path("new/town.d/école.toml").read_text() == SITE


def test_estate_and_settings_can_be_written_elsewhere(town: Path):
    back_up(town)
    shutil.rmtree(town / "data")
    (town / "town.toml").write_text('name = "Newer"\n')
    assert restore(town, "b.tar", "--estate-to", "old") == 0
    assert files_of(Path("old")) == {"preau.toml", "estate.toml", "estate.d/école.toml"}
    assert (town / "town.toml").read_text() == 'name = "Newer"\n'
    shutil.rmtree(town / "data")
    assert restore(town, "b.tar", "--estate-to", "old") == 2
    assert not (town / "data" / FILE_NAME).exists()


def test_what_was_put_back_goes_again_where_the_store_cannot_be(town: Path, monkeypatch):
    def refuse(_staged: object) -> None:
        raise KeyboardInterrupt

    back_up(town)
    monkeypatch.setattr("ingest.archive.backup.StagedStore.put_in_place", refuse)
    assert restore(Path("new")) == 130
    assert files_of(Path("new")) == set()


@pytest.mark.timeout(20)
def test_a_long_statement_ends_when_its_caller_is_interrupted(monkeypatch: pytest.MonkeyPatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store_copy, "_LOOK_S", 0.01)
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    endless = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with contextlib.closing(connection), pytest.raises(KeyboardInterrupt):
        store_copy._watched(connection, endless, (), interrupt)

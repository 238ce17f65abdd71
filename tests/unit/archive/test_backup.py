"""A backup comes back as it was, or is refused; what stands already is never written over."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from gateway.cli import run
from ingest.archive import store_copy
from ingest.readings import LogPosition
from ingest.store.check import check_store
from ingest.store.database import APPLICATION_ID, FILE_NAME, schema_files
from ingest.store.deadletters import DeadLetter
from ingest.store.reader import StoreReader
from ingest.store.summaries import HOUR_MS, summarise
from ingest.store.writer import PackToStore, PresenceToStore, StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000 // HOUR_MS * HOUR_MS
SETTINGS = '[data]\ndir = "data"\n[estate]\nfile = "town.toml"\n[store]\nmin_free_mib = 0\n'
ESTATE = 'name = "Trilport"\n'
SITE = '[[site]]\nid = "école"\nname = "École"\n'
Copy = dict[str, tuple[bytes, tarfile.TarInfo]]


def pack(seq: int) -> PackToStore:
    at = T0 + seq * 60_000
    readings = [("co2", "main", at, 400.0 + seq, 0, 0), ("temperature", "wall", at, 19.5, 1, 0)]
    return PackToStore(NODE, LogPosition("aa00aa00", seq, 1), at + 900, readings)


def fill(store: StoreWriter) -> None:
    """Something in every table: sorted in, still in the journal, summed up, refused, announced."""
    store.commit([pack(n) for n in range(1, 150)])
    while store.fold().has_more:
        pass
    store.change(summarise, T0 + HOUR_MS)
    letter = DeadLetter(NODE, "t", "not_json", "…", b"\x00{\xff", T0, "aa00aa00", 160)
    store.commit([pack(n) for n in range(150, 155)], [letter])
    store.save_presences([PresenceToStore(NODE, T0, '{"online": true}', "aa00aa00", 1, 161)])


def told(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, and what a reader tells."""
    connection = sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    rows = {
        name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608
        for (name,) in tables
    }
    connection.close()
    with StoreReader(folder) as reader:
        rows["points"] = [
            (series, point)
            for series in reader.series()
            for point in reader.points(series, 0, 2**60)
        ]
        rows["letters"] = [*reader.dead_letters()]
        rows["logs"] = [(log.log, log.missing(), list(log.received)) for log in reader.logs()]
        rows["presences"] = sorted(reader.presences().items())
    return rows


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREAU_SETTINGS", raising=False)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """The folder of a gateway that is stopped: settings, estate and store."""
    folder = tmp_path / "town"
    (folder / "town.d").mkdir(parents=True)
    (folder / "preau.toml").write_text(SETTINGS)
    (folder / "town.toml").write_text(ESTATE)
    (folder / "town.d" / "école.toml").write_text(SITE)
    with StoreWriter(folder / "data") as store:
        fill(store)
    return folder


def back_up(town: Path, target: str = "b.tar", *options: str) -> int:
    return run(["backup", "--settings", str(town / "preau.toml"), target, *options])


def restore(place: Path, source: str = "b.tar", *options: str) -> int:
    return run(["restore", "--settings", str(place / "preau.toml"), source, *options])


def files_of(folder: Path) -> set[str]:
    """What lies there, but the lock."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith("preau.lock")}


def unpacked(file: Path) -> Copy:
    with tarfile.open(file) as archive:
        return {
            member.name: (archive.extractfile(member).read(), member)
            for member in archive.getmembers()
        }


def packed(file: Path, copy: Copy) -> None:
    with tarfile.open(file, "w") as archive:
        for content, member in copy.values():
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))


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


def with_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        copy[f"another {name}"] = (b"x" if kind == tarfile.REGTYPE else b"", member)

    return change


def without(name: str) -> Callable[[Copy], None]:
    return lambda copy: copy.pop(name) and None


def indexed(**values: object) -> Callable[[Copy], None]:
    def change(copy: Copy) -> None:
        content, member = copy["backup.json"]
        copy["backup.json"] = (json.dumps(json.loads(content) | values).encode(), member)

    return change


def as_link(copy: Copy) -> None:
    content, member = copy["estate.toml"]
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    copy["estate.toml"] = (content, member)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("backup.json"), "is no backup"),
        (without(FILE_NAME), "preau.db is missing"),
        (without("estate.toml"), "estate.toml is missing"),
        (with_member("/etc/cron.d/x.toml"), "no file of a backup"),
        (with_member("estate.d/../../x.toml"), "no file of a backup"),
        (with_member("../x.toml"), "no file of a backup"),
        (with_member("notes.txt"), "no file of a backup"),
        (with_member("estate.d", tarfile.DIRTYPE), "no file of a backup"),
        (with_member("estate.d/x.toml"), "unannounced"),
        (with_member("estate.toml"), "twice"),
        (with_member("estate.d/x.toml", tarfile.LNKTYPE, "/etc/passwd"), "no plain file"),
        (as_link, "no plain file"),
        (indexed(format=2), "install a newer preau"),
        (indexed(schema=999), "install a newer preau"),
        (indexed(schema=1), "another schema"),
        (indexed(files={}), "names no preau.db"),
        (indexed(files=7), "is damaged"),
    ],
)
def test_an_archive_that_is_no_whole_backup_is_refused(town: Path, change, words: str, capsys):
    back_up(town)
    copy = unpacked(Path("b.tar"))
    change(copy)
    packed(Path("b.tar"), copy)
    assert restore(Path("new")) == 1
    assert words in capsys.readouterr().err
    assert files_of(Path("new")) == set()


@pytest.mark.parametrize("content", [b"", b"not a tar at all" * 100, b"\x1f\x8bno gzip"])
def test_a_file_that_is_no_archive_is_refused(content: bytes, capsys):
    Path("b.tar").write_bytes(content)
    assert restore(Path("new")) == 1
    assert "is no backup of Préau" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(capsys):
    assert restore(Path("new")) == 2
    assert "can't be read" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
@pytest.mark.parametrize("part", [0.0001, 0.01, 0.3, 0.7, 0.85])
def test_a_backup_cut_short_is_refused(town: Path, name: str, part: float, capsys):
    back_up(town, name)
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: int(len(content) * part)])
    assert restore(Path("new"), name) == 1
    assert ("is damaged" in (words := capsys.readouterr().err)) or "is no backup" in words
    assert files_of(Path("new")) == set()


@pytest.mark.parametrize("name", ["backup.json", "preau.toml", "estate.d/école.toml", FILE_NAME])
def test_a_flipped_byte_in_any_file_is_found(town: Path, name: str, capsys):
    back_up(town)
    copy = unpacked(Path("b.tar"))
    _, member = copy[name]
    content = bytearray(Path("b.tar").read_bytes())
    # In the index, of a hash; in others, anywhere.
    at = copy[name][0].index(b'sha256": "') + 12 if name == "backup.json" else member.size // 2
    content[member.offset_data + at] ^= 1
    Path("b.tar").write_bytes(content)
    assert restore(Path("new")) == 1
    assert "is damaged" in capsys.readouterr().err
    assert files_of(Path("new")) == set()


def test_a_flipped_byte_anywhere_is_refused_or_does_no_harm(town: Path):
    random = Random(3)
    back_up(town)
    before, whole = told(town / "data"), Path("b.tar").read_bytes()
    headers = [m.offset + k for _, m in unpacked(Path("b.tar")).values() for k in range(512)]
    for at in (*random.sample(headers, 120), *random.sample(range(len(whole)), 40)):
        content = bytearray(whole)
        content[at] ^= random.randrange(1, 256)
        Path("b.tar").write_bytes(content)
        status = restore(Path("new"))
        assert status in {0, 1}, at
        if status == 0:
            assert told(Path("new/data")) == before, at
        else:
            assert files_of(Path("new")) == set(), at
        shutil.rmtree("new", ignore_errors=True)


def exchanged(name: str, content: bytes) -> Callable[[Copy], None]:
    """A file of another content, announced as if it had been packed so."""

    def change(copy: Copy) -> None:
        files = json.loads(copy["backup.json"][0])["files"]
        files[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        copy[name] = (content, copy[name][1])
        indexed(files=files)(copy)

    return change


def test_settings_of_a_backup_that_this_version_refuses_are_told_with_their_place(town, capsys):
    back_up(town)
    copy = unpacked(Path("b.tar"))
    exchanged("preau.toml", b"[data]\ndirectory = 'x'\n")(copy)
    packed(Path("b.tar"), copy)
    assert restore(Path("new")) == 2
    assert "b.tar: preau.toml:2" in capsys.readouterr().err
    assert files_of(Path("new")) == set()


def test_a_store_that_sqlite_finds_damaged_is_not_put_back(town: Path, capsys):
    back_up(town)
    copy = unpacked(Path("b.tar"))
    store = bytearray(copy[FILE_NAME][0])
    # The number of free pages: no statement stumbles over it, only the check counts them.
    store[36:40] = (5).to_bytes(4, "big")
    exchanged(FILE_NAME, bytes(store))(copy)
    packed(Path("b.tar"), copy)
    assert restore(Path("new")) == 1
    assert "is not whole" in capsys.readouterr().err
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

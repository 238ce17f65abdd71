"""A stopped gateway's folder, the two commands, and what a store or an archive holds."""

import io
import sqlite3
import tarfile
from pathlib import Path

from gateway.cli import run
from ingest.readings import LogPosition
from ingest.store.database import FILE_NAME
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

"""What is no whole backup of ours is refused, and nothing of it is put in place."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from ingest.store.database import FILE_NAME
from tests.unit.archive.backups import Copy, back_up, files_of, packed, restore, told, unpacked


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
def test_a_file_that_is_no_archive_is_refused(here: None, content: bytes, capsys):
    Path("b.tar").write_bytes(content)
    assert restore(Path("new")) == 1
    assert "is no backup of Préau" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(here: None, capsys):
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

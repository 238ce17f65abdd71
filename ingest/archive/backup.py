"""A backup: one tar of the store, as it was at one moment, and of the texts that belong to it.

First stands `backup.json`, which names every other file with its size and SHA-256. It knows what
an archive may hold, neither settings nor where an estate belongs.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated, BinaryIO, Final

import msgspec

from ingest.archive.disk import (
    flush_to_disk,
    new_file,
    require_room,
    sync_folder,
    told_errors,
    told_mb,
)
from ingest.archive.store_copy import (
    OriginalStore,
    Progress,
    require_known,
    require_whole,
    untold,
)
from ingest.errors import ConfigurationError, StoreError
from ingest.store.database import FILE_NAME, DataFolderLock

FORMAT: Final = 1
INDEX: Final = "backup.json"
SETTINGS: Final = "preau.toml"
ESTATE: Final = "estate.toml"
ESTATE_FOLDER: Final = "estate.d"
_TEXT_NAME: Final = re.compile(r"preau\.toml|estate\.toml|estate\.d/[^/.\0][^/\0]*\.toml")
_COMPRESSED: Final = (".tar.gz", ".tgz")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_LONGEST_TEXT: Final = 16 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
# What damage makes tarfile and the decompressor raise; a damaged header in between is taken for
# the end, so that a file is missing.
_DAMAGE: Final = (tarfile.TarError, EOFError, OverflowError, ValueError, zlib.error)


class PackedFile(msgspec.Struct, frozen=True):
    """What one file of a backup is to be."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: str


class Index(msgspec.Struct, frozen=True):
    """`backup.json`: what the archive holds, by which version, of when."""

    format: int
    preau: str
    schema: int
    made_at: str
    files: dict[str, PackedFile]


class _AnyFormat(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive whose files are all there, each with the hash that it is to have."""

    file: Path
    index: Index
    texts: Mapping[str, bytes]
    """Every file but the store, by its name in the archive."""


def write_backup(
    target: Path,
    folder: Path,
    texts: Mapping[str, bytes],
    *,
    made_at: datetime,
    spare_bytes: int = 0,
    replace: bool = False,
    progress: Progress = untold,
) -> Index:
    """Copy the store of `folder` as it is at one moment, and `texts`, into the new file `target`.

    The store may be written to meanwhile. `spare_bytes` of the disk are left free. On any exception
    nothing is left behind, and `target` is as it was. Raises `ConfigurationError` where `target`
    can't be that file, `StoreFullError` without room, and `StoreError`.
    """
    with told_errors(target):
        _require_usable(target, replace=replace)
    with told_errors(target), closing(OriginalStore(folder / FILE_NAME)) as store:
        # The copy, and the archive that it goes into.
        needed = 2 * store.size + sum(map(len, texts.values())) + spare_bytes
        require_room(target.parent, needed, f"a backup of {told_mb(store.size)}")
        with TemporaryDirectory(
            prefix=f"{target.name}.", suffix=".part", dir=target.parent
        ) as work:
            copy, packed = Path(work) / FILE_NAME, Path(work) / INDEX
            store.copy(copy, progress)
            require_whole(copy, store.schema, "nothing was kept; run `preau check`", progress)
            index = Index(
                format=FORMAT,
                preau=version("preau"),
                schema=store.schema,
                made_at=f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                files=_described(texts, copy),
            )
            is_compressed = target.name.endswith(_COMPRESSED)
            _pack(packed, index, texts, copy, progress, is_compressed=is_compressed)
            _require_usable(target, replace=replace)
            packed.replace(target)
        sync_folder(target.parent)
    return index


def _require_usable(target: Path, *, replace: bool) -> None:
    if target.is_dir() or not target.parent.is_dir():
        where = "is a folder" if target.is_dir() else "is in a folder that does not exist"
        raise ConfigurationError(f"{target} {where}: name a file, such as preau.tar")
    if target.exists() and not replace:
        raise ConfigurationError(f"{target} is already there and was left (--force replaces it)")


def _described(texts: Mapping[str, bytes], copy: Path) -> dict[str, PackedFile]:
    files = {
        name: PackedFile(len(text), hashlib.sha256(text).hexdigest())
        for name, text in texts.items()
    }
    with copy.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return files | {FILE_NAME: PackedFile(copy.stat().st_size, digest)}


def _pack(
    target: Path,
    index: Index,
    texts: Mapping[str, bytes],
    copy: Path,
    told: Progress,
    *,
    is_compressed: bool,
) -> None:
    small = {INDEX: msgspec.json.format(msgspec.json.encode(index), indent=2), **texts}
    made_at = datetime.fromisoformat(index.made_at).timestamp()
    size = index.files[FILE_NAME].size
    with new_file(target) as stream:
        with ExitStack() as stack:
            inner = stack.enter_context(_compressed(stream)) if is_compressed else stream
            archive = stack.enter_context(tarfile.open(fileobj=inner, mode="w"))
            store = stack.enter_context(copy.open("rb"))
            for name, text in small.items():
                archive.addfile(_member(name, len(text), made_at), BytesIO(text))
            counted = _Counted(store, size, told)
            archive.addfile(_member(FILE_NAME, size, made_at), counted)
        flush_to_disk(stream)


def _compressed(stream: BinaryIO) -> gzip.GzipFile:
    # Level 9, tarfile's own, takes several times as long and saves next to nothing.
    return gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6)


def _member(name: str, size: int, made_at: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, made_at
    return member


class _Counted:
    """A stream that tells how far it has been read."""

    def __init__(self, stream: IO[bytes], size: int, told: Progress) -> None:
        self._stream, self._size, self._told, self._read = stream, size, told, 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._read += len(chunk)
        self._told("packing", self._read, self._size)
        return chunk


def read_backup(file: Path, progress: Progress = untold) -> Backup:
    """Look all of an archive over, and write nothing.

    Raises `StoreError` where it is no backup, is not whole, or is of a later version.
    """
    texts: dict[str, bytes] = {}
    found = set()
    with told_errors(file), _opened(file) as (index, members):
        for name, content in members:
            into = BytesIO() if name != FILE_NAME else None
            _take(content, index.files[name], into, progress)
            if into is not None:
                texts[name] = into.getvalue()
            found.add(name)
        missing = sorted(index.files.keys() - found)
        if missing:
            raise _DamageError(f"{missing[0]} is missing")
    return Backup(file, index, texts)


@contextmanager
def staged_store(
    backup: Backup, folder: Path, progress: Progress = untold
) -> Iterator["StagedStore"]:
    """Unpack the store of `backup` beside its place in `folder`; gone again unless put in place.

    Holds the folder's lock. Raises `StoreError` where a store is there already, or where another
    process has the folder; `StoreFullError` without room.
    """
    with told_errors(folder):
        lock = DataFolderLock(folder)
    try:
        _require_empty(folder)
        size = backup.index.files[FILE_NAME].size
        with told_errors(folder):
            require_room(folder, size, "the store of the backup")
            work = TemporaryDirectory(prefix="restore.", suffix=".part", dir=folder)
        with work as name:
            file = Path(name) / FILE_NAME
            with told_errors(folder):
                _unpack_store(backup, file, progress)
                remedy = f"{backup.file} is of no use, take another"
                require_whole(file, backup.index.schema, remedy, progress)
            yield StagedStore(file, folder / FILE_NAME)
    finally:
        lock.release()


class StagedStore:
    """A restored store, whole and checked, on its disk but not yet in its place."""

    def __init__(self, file: Path, place: Path) -> None:
        self._file = file
        self.place = place

    def put_in_place(self) -> None:
        """From here on it is the store of its folder."""
        with told_errors(self.place):
            self._file.rename(self.place)
            sync_folder(self.place.parent)


def _require_empty(folder: Path) -> None:
    """A -wal file left alone counts too: SQLite would play it into the restored store."""
    names = [f"{FILE_NAME}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")]
    found = [name for name in names if (folder / name).exists()]
    if found:
        raise StoreError(
            f"{folder} already holds a store ({', '.join(found)}): move that away, or choose "
            "another data folder; nothing was restored"
        )


def _unpack_store(backup: Backup, into: Path, progress: Progress) -> None:
    with _opened(backup.file) as (_, members), new_file(into) as stream:
        for name, content in members:
            if name == FILE_NAME:
                _take(content, backup.index.files[name], stream, progress)
        flush_to_disk(stream)


class _DamageError(Exception):
    """What is wrong with an archive."""


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Index, Iterator[tuple[str, IO[bytes]]]]]:
    """The index of an archive, and then its other files, in their order."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    with stream:
        mode = "r:gz" if stream.read(2) == _GZIP_MAGIC else "r:"
        stream.seek(0)
        try:
            archive = tarfile.open(fileobj=stream, mode=mode)  # type: ignore[call-overload] # noqa: SIM115
        except (*_DAMAGE, OSError) as error:
            raise StoreError(f"{file} is no backup of Préau ({error})") from error
        with archive:
            try:
                index = _index_of(archive, file)
                yield index, _members(archive, index)
            except (_DamageError, *_DAMAGE, gzip.BadGzipFile) as error:
                raise StoreError(
                    f"{file} is damaged ({error}): take another backup; nothing was restored"
                ) from error


def _index_of(archive: tarfile.TarFile, file: Path) -> Index:
    member = archive.next()
    if member is None or member.name != INDEX or not member.isreg():
        raise StoreError(f"{file} is no backup of Préau: {INDEX} does not stand first in it")
    text = _stream_of(archive, member).read(_LONGEST_TEXT)
    try:
        found = msgspec.json.decode(text, type=_AnyFormat).format
        if found > FORMAT:
            raise StoreError(
                f"{file} has format {found}, this version knows {FORMAT}: install a newer preau"
            )
        index = msgspec.json.decode(text, type=Index)
    except msgspec.MsgspecError as error:
        raise _DamageError(f"{INDEX}: {error}") from error
    require_known(index.schema, file)
    if FILE_NAME not in index.files:
        raise _DamageError(f"{INDEX} names no {FILE_NAME}")
    return index


def _members(archive: tarfile.TarFile, index: Index) -> Iterator[tuple[str, IO[bytes]]]:
    """Files by the names that a backup may hold, each once: no paths, no links, nothing else."""
    seen = set()
    while (member := archive.next()) is not None:
        name = member.name
        if name != FILE_NAME and not _TEXT_NAME.fullmatch(name):
            raise _DamageError(f"it holds {name!r}, which is no file of a backup")
        if not member.isreg() or member.issparse():
            raise _DamageError(f"{name!r} is no plain file in it")
        if name in seen or name not in index.files:
            raise _DamageError(f"it holds {name!r} {'twice' if name in seen else 'unannounced'}")
        if member.size != index.files[name].size or (
            name != FILE_NAME and member.size > _LONGEST_TEXT
        ):
            raise _DamageError(f"{name!r} has {member.size} bytes")
        seen.add(name)
        yield name, _stream_of(archive, member)


def _stream_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise _DamageError(f"{member.name!r} has no content")
    return stream


def _take(
    content: IO[bytes], packed: PackedFile, into: IO[bytes] | None, progress: Progress
) -> None:
    """Read a file to its end, into `into` if given, and compare its hash."""
    digest = hashlib.sha256()
    done = 0
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        done += len(chunk)
        if into is not None:
            into.write(chunk)
        progress("reading", done, packed.size)
    if (done, digest.hexdigest()) != (packed.size, packed.sha256):
        raise _DamageError("a file in it has not the content that was packed")

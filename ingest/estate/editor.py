"""Edits the files of an estate: declares nodes, places them, takes them out of service.

Everything else in the files stays as people wrote it. The result is read by the loader before it
takes the place of the file, so no edit leaves an estate that can't be used; edits by several
programs follow each other. It decides what an edit means; who asks for it, and what else has to
happen outside the estate, it must not know.
"""

import difflib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingest.estate.editor_file import folder_locked, replace_file
from ingest.estate.editor_text import (
    EditError,
    with_changed_node,
    with_changed_placement,
    with_node,
    with_placement,
    without_node,
    written_time,
)
from ingest.estate.fields import DEFAULT_ZONE
from ingest.estate.load import EstateError, estate_files, load_estate
from ingest.estate.model import Estate, Node, Placement
from ingest.estate.rooms import find_room
from ingest.estate.source import Source, source_of

PATIENCE_S: Final = 30.0
# Two of the twelve digits.
_ALIKE: Final = 0.8
_BYTE_ORDER_MARK: Final = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did: `file` is `None` where everything was already as asked."""

    said: str
    """A clause for people, after the node's name: `is in ferry/cp-a since 2026-09-01`."""
    file: Path | None


class EstateEditor:
    """Edits the estate whose main file is `path`. Every method raises `EditError` or another
    `ConfigurationError` for what can't be done, and `TransientError` where another program edits
    the estate at the same time; nothing is changed then.
    """

    def __init__(
        self, path: Path, zone: ZoneInfo = DEFAULT_ZONE, patience_s: float = PATIENCE_S
    ) -> None:
        self._path = path
        self._zone = zone
        self._patience_s = patience_s

    def add(
        self,
        node: str,
        *,
        since: datetime,
        room: str | None = None,
        name: str | None = None,
        model: str | None = None,
        cadence_s: int | None = None,
    ) -> Edit:
        """Declare a node that is not declared yet, in the file of its room's site."""
        with self._editing() as files:
            if (known := files.estate.node(node)) is not None:
                place = files.place_of(node)
                raise EditError(f"{node} is declared already at {place}: {_whereabouts(known)}")
            values: dict[str, Any] = {"id": node, "name": name, "model": model}
            values["cadence_s"] = cadence_s
            values = {key: value for key, value in values.items() if value is not None}
            said, site = "is declared, in no room yet", None
            if room is not None:
                found = find_room(files.estate, room)
                values["placement"] = [self._placement(found.ref, since)]
                said, site = self._said_of(found.ref, since), found.site.id
            return files.replace(
                files.file_of_site(site), lambda text: with_node(text, values), said
            )

    def place(self, node: str, room: str, since: datetime, *, heard: Collection[str] = ()) -> Edit:
        """Say that a node is in a room from `since` on. Its earlier placement ends there.

        A node that is not declared and is among those `heard` is declared; any other is most likely
        a typing mistake, and refused with the one that may be meant. The room of a placement that
        begins at the same instant is corrected. `EditError` for a time before the last placement.
        """
        with self._editing() as files:
            ref = find_room(files.estate, room).ref
            known = files.estate.node(node)
            if known is None:
                if node not in heard:
                    raise EditError(_unknown(node, files.estate, heard))
                values = {"id": node, "placement": [self._placement(ref, since)]}
                file = files.file_of_site(ref.partition("/")[0])
                said = self._said_of(ref, since)
                return files.replace(file, lambda text: with_node(text, values), said)
            last = _last(known)
            if last is not None and since < last[1].since:
                at = written_time(last[1].since, self._zone)
                raise EditError(
                    f"{node} is in {last[1].room} since {at}: a placement that begins before that "
                    f"is written by hand, at {files.place_of(node)}"
                )
            if last is not None and _still_in(last[1], ref, known):
                return Edit(self._said_of(ref, last[1].since), None)
            return self._move(files, known, last, ref, since)

    def remove(self, node: str, at: datetime, *, has_spoken: bool) -> Edit:
        """Take a node out of service from `at` on: its placement ends, and it is marked as removed.

        Its table stays, since its readings belong to the rooms where it was. One that has neither
        been placed nor spoken is taken out of the file.
        """
        with self._editing() as files:
            known = files.estate.node(node)
            if known is None:
                if not has_spoken:
                    raise EditError(f"{node} is neither declared nor has it spoken")
                values = {"id": node, "removed": written_time(at, self._zone)}
                said = f"is out of service since {values['removed']}"
                return files.replace(self._path, lambda text: with_node(text, values), said)
            if known.removed is not None:
                since = written_time(known.removed, self._zone)
                return Edit(f"is out of service since {since}", None)
            file, index = files.whereabouts(node)
            last = _last(known)
            if last is None and not has_spoken:
                said = "is no longer declared; it was never placed and never spoke"
                return files.replace(file, lambda text: without_node(text, index), said)
            return self._retire(files, known, last, at)

    def _move(
        self,
        files: "_Files",
        known: Node,
        last: tuple[int, Placement] | None,
        ref: str,
        since: datetime,
    ) -> Edit:
        file, index = files.whereabouts(known.id)

        def change(text: str) -> str:
            if known.removed is not None:
                text = with_changed_node(text, index, {"removed": None})
            if last is not None and last[1].since == since:
                return with_changed_placement(text, index, last[0], {"room": ref, "until": None})
            if last is not None and last[1].until is not None and last[1].until > since:
                ended = {"until": written_time(since, self._zone)}
                text = with_changed_placement(text, index, last[0], ended)
            return with_placement(text, index, self._placement(ref, since))

        return files.replace(file, change, self._said_of(ref, since))

    def _retire(
        self, files: "_Files", known: Node, last: tuple[int, Placement] | None, at: datetime
    ) -> Edit:
        file, index = files.whereabouts(known.id)
        written = written_time(at, self._zone)
        if last is not None and at <= last[1].since:
            since = written_time(last[1].since, self._zone)
            raise EditError(f"{known.id} is in {last[1].room} since {since}: name a later time")

        def change(text: str) -> str:
            if last is not None and (last[1].until is None or last[1].until > at):
                text = with_changed_placement(text, index, last[0], {"until": written})
            return with_changed_node(text, index, {"removed": written})

        return files.replace(file, change, f"is out of service since {written}")

    def _placement(self, ref: str, since: datetime) -> dict[str, Any]:
        return {"room": ref, "since": written_time(since, self._zone)}

    def _said_of(self, ref: str, since: datetime) -> str:
        return f"is in {ref} since {written_time(since, self._zone)}"

    @contextmanager
    def _editing(self) -> Iterator["_Files"]:
        with folder_locked(self._path.absolute().parent, self._patience_s):
            yield _Files(self._path, self._zone)


class _Files:
    """The files of an estate that is valid, as they were when the lock was taken."""

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        self._path = path
        self._zone = zone
        # Read once: what is decided on one content must not be done to another.
        self._contents = dict(_contents_of(path))
        self.estate: Estate = load_estate(path, zone, self._contents)
        self._sources: dict[Path, Source] = {
            file: source_of(file, content) for file, content in self._contents.items()
        }

    def whereabouts(self, node: str) -> tuple[Path, int]:
        """The file of a declared node, and its number there."""
        for file, source in self._sources.items():
            for index, entry in enumerate(source.data.get("node", ())):
                if entry["id"] == node:
                    return file, index
        raise EditError(f"{node} is not declared")

    def place_of(self, node: str) -> str:
        """File and line of a declared node."""
        file, index = self.whereabouts(node)
        return self._sources[file].place(("node", index))

    def file_of_site(self, site: str | None) -> Path:
        """The file that describes a site; the main file for none."""
        for file, source in self._sources.items():
            if any(entry["id"] == site for entry in source.data.get("site", ())):
                return file
        return self._path

    def replace(self, file: Path, change: Callable[[str], str], said: str) -> Edit:
        """Put the changed text in the place of the file, once the estate is valid with it."""
        was = self._contents[file]
        mark = _BYTE_ORDER_MARK if was.startswith(_BYTE_ORDER_MARK) else b""
        try:
            changed = change(was.removeprefix(mark).decode())
        except EditError as error:
            raise EditError(f"{file}: {error}") from error
        content = mark + changed.encode()
        try:
            load_estate(self._path, self._zone, self._contents | {file: content})
        except EstateError as error:
            raise EditError(
                f"nothing was changed, since the estate would be invalid:\n{error}"
            ) from error
        replace_file(file, was, content)
        return Edit(said, file)


def _contents_of(path: Path) -> Iterator[tuple[Path, bytes]]:
    for file in estate_files(path):
        try:
            yield file, file.read_bytes()
        except OSError:
            # The loader comes upon it as well, and tells why.
            continue


def _unknown(node: str, estate: Estate, heard: Collection[str]) -> str:
    known = [*(one.id for one in estate.nodes), *heard]
    near = difflib.get_close_matches(node, known, n=1, cutoff=_ALIKE)
    remedy = f"did you mean {near[0]}?" if near else f"`preau node add {node}` declares it"
    return f"{node} is neither declared nor has it spoken: {remedy}"


def _last(node: Node) -> tuple[int, Placement] | None:
    """The placement that begins last, and its number in the file."""
    numbered = list(enumerate(node.placements))
    return max(numbered, key=lambda one: one[1].since, default=None)


def _still_in(placement: Placement, ref: str, node: Node) -> bool:
    return placement.room == ref and placement.until is None and node.removed is None


def _whereabouts(node: Node) -> str:
    if node.removed is not None:
        return "out of service; `preau node place` brings it back"
    last = _last(node)
    if last is None:
        return "in no room yet; `preau node place` says where it is"
    return f"{last[1].room} is its last room; `preau node place` says where it is now"

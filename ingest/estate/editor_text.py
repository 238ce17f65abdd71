"""The `[[node]]` tables of an estate file as text: found, changed, added, taken away.

Only the table that an edit is about goes through tomlkit, and the rest of the file keeps every
byte. So an edit costs the same in a file of 20,000 nodes, which tomlkit reads in 15 s. It reads no
file and does not judge what the tables say; the loader does that afterwards.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import tomlkit
from tomlkit.items import AoT, InlineTable

from ingest.errors import ConfigurationError
from ingest.estate.lines import Lines

_BLANK_OR_COMMENT: Final = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n?")
_COMMENT: Final = re.compile(r"[ \t]*#[^\n]*\n?")


class EditError(ConfigurationError):
    """An edit of the estate can't be made. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Where one node's tables stand in a text: from its header to the end of its last key."""

    start: int
    end: int


def written_time(at: datetime, zone: ZoneInfo) -> datetime | date:
    """An instant as people write it: local, a midnight as its day. In the hour that an autumn night
    has twice it carries its offset.
    """
    local = at.astimezone(zone).replace(microsecond=0)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return datetime.fromisoformat(local.isoformat())
    plain = local.replace(tzinfo=None)
    return plain.date() if plain.time() == datetime.min.time() else plain


def with_node(text: str, values: Mapping[str, Any]) -> str:
    """`text` and a new node, after the last one that is there."""
    block = tomlkit.dumps({"node": [values]}).strip("\n") + "\n"
    parts = list(_parts(text).values())
    at = _after_comments(text, max(part.end for part in parts)) if parts else len(text)
    before, after = text[:at], text[at:]
    if before and not before.endswith("\n"):
        before += "\n"
    gap = "\n" if before.strip() else ""
    return before + _in_newlines_of(text, gap + block) + after


def with_placement(text: str, index: int, values: Mapping[str, Any]) -> str:
    """`text`, in which the node has one placement more."""
    part = _part(text, index)
    segment = text[part.start : part.end]
    document = tomlkit.parse(segment)
    written = _node_in(document).get("placement")
    if written is None or isinstance(written, AoT):
        block = tomlkit.dumps({"node": [{"placement": [values]}]}).partition("[[node]]\n")[2]
        end = "" if segment.endswith("\n") else "\n"
        return _put(text, part, segment + _in_newlines_of(text, f"{end}\n" + block.strip() + "\n"))
    written.append(_inline(values))
    return _put(text, part, tomlkit.dumps(document))


def with_changed_placement(text: str, index: int, which: int, values: Mapping[str, Any]) -> str:
    """`text`, in which placement number `which` of the node has these values among its own; `None`
    takes a key away.
    """
    part = _part(text, index)
    document = tomlkit.parse(text[part.start : part.end])
    _set(_node_in(document)["placement"][which], values)
    return _put(text, part, tomlkit.dumps(document))


def with_changed_node(text: str, index: int, values: Mapping[str, Any]) -> str:
    """`text`, in which the node has these values among its own; `None` takes a key away."""
    part = _part(text, index)
    document = tomlkit.parse(text[part.start : part.end])
    _set(_node_in(document), values)
    return _put(text, part, tomlkit.dumps(document))


def without_node(text: str, index: int) -> str:
    """`text` without the node, and without the comment that stands right above it."""
    part = _part(text, index)
    start = part.start
    while start and _COMMENT.fullmatch(text, text.rfind("\n", 0, start - 1) + 1, start):
        start = text.rfind("\n", 0, start - 1) + 1
    after = text[_after_comments(text, part.end) :]
    before = text[:start]
    return before + (
        after.lstrip("\r\n") if not before.strip() or before.endswith("\n\n") else after
    )


def _part(text: str, index: int) -> _Part:
    part = _parts(text).get(index)
    if part is None:
        raise EditError(
            f"node[{index}] is written inside an array: write it as [[node]], or edit it by hand"
        )
    return part


def _parts(text: str) -> dict[int, _Part]:
    """The nodes that have a header of their own, by their number in the file."""
    lines = Lines(text)
    found: dict[int, _Part] = {}
    current: int | None = None
    for (path, offset), (_, following) in pairwise([*lines.headers(), ((), len(text))]):
        match path:
            case ("node", int(index)):
                current = index
                start = text.rfind("\n", 0, offset) + 1
                found[index] = _Part(start, _end_of_keys(text, following))
            case ("node", int(index), *_) if index == current:
                found[index] = _Part(found[index].start, _end_of_keys(text, following))
            case ("node", int(index), *_):
                raise EditError(
                    f"line {lines.line_of(path)}: this table of node[{index}] stands apart from its"
                    " [[node]]; put them together first"
                )
            case _:
                current = None
    return found


def _end_of_keys(text: str, end: int) -> int:
    """Back from `end`, past the blank lines and comments that belong to what follows."""
    end = text.rfind("\n", 0, end) + 1 if end < len(text) else end
    while end:
        start = text.rfind("\n", 0, end - 1) + 1
        if not _BLANK_OR_COMMENT.fullmatch(text, start, end):
            return end
        end = start
    return end


def _after_comments(text: str, at: int) -> int:
    """Past the comments right below, up to the first blank line or table."""
    while at < len(text) and (comment := _COMMENT.match(text, at)):
        at = comment.end()
    return at


def _node_in(document: tomlkit.TOMLDocument) -> Any:
    return document["node"][0]


def _set(table: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def _inline(values: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(values)
    return table


def _put(text: str, part: _Part, segment: str) -> str:
    return text[: part.start] + _in_newlines_of(text, segment) + text[part.end :]


def _in_newlines_of(text: str, piece: str) -> str:
    if "\r\n" not in text:
        return piece
    return piece.replace("\r\n", "\n").replace("\n", "\r\n")

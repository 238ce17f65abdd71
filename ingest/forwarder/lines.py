"""Readings as points of InfluxDB's line protocol: measurements, tags, fields and their escaping.

Pure. One point holds all that one node measured on one channel at one instant. The catalogue fixes
the type of each field: numbers are floats, booleans the integers 0 and 1, qualities integers. Times
are milliseconds.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ingest.forwarder.placements import Placements, Tags
from ingest.queries.names import is_boolean, measurement_of
from ingest.store.encoding import StoredReading

_ESCAPES: Final = str.maketrans(
    # The protocol has no escape for a backslash, and one before a comma would swallow it.
    {",": "\\,", "=": "\\=", " ": "\\ ", "\\": "/", "\n": "\\ ", "\r": "\\ ", "\t": "\\ "}
)


class SeriesName(NamedTuple):
    """What one series is called in the store."""

    node: str
    quantity: str
    channel: str


def escape_tag(value: str) -> str:
    """A tag's value as it stands in a line; never empty, which InfluxDB refuses.

    A backslash, which the protocol can't express everywhere, becomes a slash; line breaks and tabs
    become spaces.
    """
    return value.translate(_ESCAPES) or "-"


def head_of(measurement: str, tags: Tags, node: str, channel: str) -> str:
    """Measurement and tags of a line, the tags in the order that InfluxDB stores fastest."""
    return (
        f"{measurement},building={escape_tag(tags.building)},channel={escape_tag(channel)},"
        f"node={escape_tag(node)},room={escape_tag(tags.room)},site={escape_tag(tags.site)}"
    )


_UNNAMED: Final = -1
# A comma within a tag has a backslash before it.
_NODE: Final = re.compile(rb"(?<!\\),node=([0-9a-f]{12}),")


class LineWriter:
    """Turns readings into lines under one state of the placements; keeps what it has worked out.

    Ids of series are dense, so that what is known of 50,000 of them fits into two arrays: to which
    group a series belongs, all of one group having the same tags, and which quantity it is of.
    """

    def __init__(self, placements: Placements) -> None:
        self._placements = placements
        self._group_of = array("l")
        self._quantity_of = array("l")
        self._quantities: dict[str, int] = {}
        self._kinds: list[tuple[str, bool]] = []
        self._groups: dict[tuple[str, str, str], int] = {}
        self._names: list[tuple[str, str, str]] = []
        self._heads: dict[int, tuple[int, float, str]] = {}

    def knows(self, series: int) -> bool:
        """Whether `name` was called for it."""
        return series < len(self._group_of) and self._group_of[series] != _UNNAMED

    def name(self, names: Mapping[int, SeriesName]) -> None:
        """Tell what series are called, before readings of them are written."""
        missing = max(names, default=0) + 1 - len(self._group_of)
        self._group_of.extend([_UNNAMED] * missing)
        self._quantity_of.extend([_UNNAMED] * missing)
        for series, (node, quantity, channel) in names.items():
            key = (measurement_of(quantity), node, channel)
            group = self._groups.setdefault(key, len(self._names))
            if group == len(self._names):
                self._names.append(key)
            kind = self._quantities.setdefault(quantity, len(self._kinds))
            if kind == len(self._kinds):
                self._kinds.append((quantity, is_boolean(quantity)))
            self._group_of[series] = group
            self._quantity_of[series] = kind

    def lines(self, readings: Iterable[StoredReading]) -> list[bytes]:
        """One line a point, in the order in which each point was first met."""
        points: dict[tuple[int, int], list[str]] = {}
        groups, quantities, kinds = self._group_of, self._quantity_of, self._kinds
        for series, at, value, quality, _ in readings:
            group = groups[series]
            quantity, boolean = kinds[quantities[series]]
            number = f"{int(value)}i" if boolean else repr(value)
            fields = f"{quantity}={number},{quantity}_quality={quality}i"
            point = points.get((group, at))
            if point is None:
                points[group, at] = [fields]
            else:
                point.append(fields)
        head = self._head
        return [
            f"{head(group, at)} {','.join(fields)} {at}".encode()
            for (group, at), fields in points.items()
        ]

    def _head(self, group: int, at_ms: int) -> str:
        known = self._heads.get(group)
        if known is not None and known[0] <= at_ms < known[1]:
            return known[2]
        measurement, node, channel = self._names[group]
        stay = self._placements.at(node, at_ms)
        head = head_of(measurement, stay.tags, node, channel)
        self._heads[group] = (stay.since_ms, stay.until_ms, head)
        return head


def split_fields(line: bytes) -> Iterator[tuple[str, bytes]]:
    """(quantity, line with its fields alone) of each quantity of a line that `LineWriter` made."""
    # Neither fields nor time hold a space; tags may, with a backslash.
    head, fields, at = line.rsplit(b" ", 2)
    parts = fields.split(b",")
    for number, quality in zip(parts[::2], parts[1::2], strict=True):
        quantity = number.partition(b"=")[0].decode()
        yield quantity, b" ".join((head, number + b"," + quality, at))


def node_of(line: bytes) -> str | None:
    """The node of a line that `LineWriter` made."""
    found = _NODE.search(line)
    return None if found is None else found[1].decode()


def time_of(line: bytes) -> int:
    """The time of a line, in milliseconds."""
    return int(line.rsplit(b" ", 1)[1])

"""Goes through stores and an estate, and gives the rows of an export, one table at a time.

Rows come by node, quantity, channel and time, whatever store they lie in, so that the same content
always makes the same file. It writes nothing and knows no file format.
"""

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple

from ingest.archive.tables import QUALITIES, TIME_SOURCES, Row, unit_of
from ingest.estate.model import Estate
from ingest.forwarder.placements import UNPLACED, Placements
from ingest.store.forwarded import kept_from
from ingest.store.reader import Point, Series, StoreReader
from ingest.store.summaries import HOUR_MS, select_summaries

_PAGE: Final = 10_000


class _Kept(NamedTuple):
    """Since when a store keeps all readings, and how many older ones of a series, by hour."""

    from_ms: int
    older: Mapping[int, int]


_Key = tuple[str, str, str]
"""(node, quantity, channel)"""


@dataclass
class Extract:
    """What is asked of `stores`: readings measured from `from_ms` to before `to_ms`.

    `nodes` are all if empty. One store is one gateway's: a node's readings lie in one of them, or,
    if it has moved from one gateway to another, in several.
    """

    stores: Sequence[StoreReader]
    placements: Placements
    from_ms: int
    to_ms: int
    nodes: Sequence[str] = ()
    told: Callable[[int, int], None] = lambda _done, _all: None
    """Is told how many of all series are written."""
    _kept: dict[tuple[int, int], "_Kept"] = field(default_factory=dict, init=False)
    """By store and series, as its readings were written."""
    contradictions: int = field(default=0, init=False)
    """Readings of one time that two stores hold with different values: the first one's are kept."""

    def readings(self) -> Iterator[Row]:
        """Rows of the table `readings`."""
        series = list(self._series())
        for number, (key, found) in enumerate(series):
            self.told(number, len(series))
            node, quantity, channel = key
            unit = unit_of(quantity)
            place, until = ("", "", ""), float("-inf")
            for point in self._merged([_points(*one, self) for one in found]):
                if point.measured_at_ms >= until:
                    stay = self.placements.at(node, point.measured_at_ms)
                    place, until = stay.tags, stay.until_ms
                    if stay.tags == UNPLACED:
                        place = ("", "", "")
                yield (
                    node,
                    quantity,
                    channel,
                    point.measured_at_ms,
                    point.value,
                    unit,
                    QUALITIES[point.quality],
                    *place,
                    point.received_at_ms,
                    TIME_SOURCES[point.time_source],
                )

    def hours(self) -> Iterator[Row]:
        """Rows of the table `hours`: what the stores had let go one by one.

        Ask for `readings` first: what these hold is in no hour, though it may be let go meanwhile.
        """
        for (node, quantity, channel), found in self._series():
            for reader, series in found:
                kept = self._kept[id(reader), series.id]
                let_go = min(self.to_ms, kept.from_ms)
                rows = reader.ask(select_summaries, series.id, self.from_ms, let_go)
                for start, count, total, low, high, bad in rows:
                    unit = unit_of(quantity)
                    # What a forwarder still needs is there one by one, however old.
                    if count + bad > kept.older.get(start, 0):
                        yield (node, quantity, channel, start, unit, count, total, low, high, bad)

    def has_let_go(self) -> bool:
        """Whether any of the stores no longer has all readings one by one."""
        return any(reader.ask(kept_from) > self.from_ms for reader in self.stores)

    def first_page(self, reader: StoreReader, series: Series) -> list[Point]:
        """The oldest readings of a series, and noted since when they are kept."""
        kept, page = _Kept(-1, {}), list[Point]()
        # A window that has moved in between would leave readings out, or have them twice.
        while (now := reader.ask(_kept_of, series.id)) != kept:
            kept = now
            page = reader.points(series, self.from_ms, self.to_ms, _PAGE)
        self._kept[id(reader), series.id] = kept
        return page

    def _series(self) -> Iterator[tuple[_Key, list[tuple[StoreReader, Series]]]]:
        found: dict[_Key, list[tuple[StoreReader, Series]]] = {}
        for reader in self.stores:
            for series in reader.series():
                if not self.nodes or series.node in self.nodes:
                    key = (series.node, series.quantity, series.channel)
                    found.setdefault(key, []).append((reader, series))
        return iter(sorted(found.items(), key=lambda item: item[0]))

    def _merged(self, sources: Sequence[Iterator[Point]]) -> Iterator[Point]:
        """By time, of one time once."""
        if len(sources) == 1:
            yield from sources[0]
            return
        last: Point | None = None
        for point in heapq.merge(*sources, key=attrgetter("measured_at_ms")):
            if last is None or point.measured_at_ms != last.measured_at_ms:
                yield point
                last = point
            elif point.value != last.value:
                self.contradictions += 1


def _kept_of(connection: sqlite3.Connection, series: int) -> _Kept:
    kept_ms = kept_from(connection)
    older = connection.execute(
        "SELECT measured_at / ?1 * ?1 AS hour, count(*) FROM reading"
        " WHERE series = ?2 AND measured_at < ?3 GROUP BY hour",
        (HOUR_MS, series, kept_ms),
    )
    return _Kept(kept_ms, dict(older.fetchall()))


def _points(reader: StoreReader, series: Series, extract: Extract) -> Iterator[Point]:
    """Page by page, so that the store's writer is never held up."""
    page = extract.first_page(reader, series)
    while True:
        yield from page
        if len(page) < _PAGE:
            return
        page = reader.points(series, page[-1].measured_at_ms + 1, extract.to_ms, _PAGE)


def rows_of_rooms(estate: Estate) -> Iterator[Row]:
    """Rows of the table `rooms`, in the order of the estate."""
    for site, building, room in estate.rooms():
        yield (
            site.id,
            site.name,
            building.id,
            building.name,
            room.id,
            room.name,
            room.profile,
            room.area_m2,
            room.volume_m3,
            None if room.exposure is None else str(room.exposure),
            room.seats,
        )


def rows_of_placements(estate: Estate) -> Iterator[Row]:
    """Rows of the table `placements`, by node in the order of the estate, then by time."""
    for node in estate.nodes:
        for stay in estate.placements_of_node(node.id):
            site, _, room = stay.room.partition("/")
            yield (node.id, site, room, stay.since_ms, stay.until_ms)

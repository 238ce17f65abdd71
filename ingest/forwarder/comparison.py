"""Compares the local store with one InfluxDB, by counts of each series and hour.

Both sides go on while it looks. So what differs is looked at once more, and only what differs every
time is told. What waits to be shipped, and what the server has refused, is no difference.
"""

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingest.forwarder.errors import InfluxRefusedError
from ingest.forwarder.lines import split_fields, time_of
from ingest.queries.influxql import Rows, identifier, period, quoted, table_of
from ingest.queries.names import MEASUREMENTS, quantity_of
from ingest.store.cursors import fold_cursor, forwarder_cursor
from ingest.store.encoding import decode_readings
from ingest.store.filling import filled_up_to
from ingest.store.forwarded import kept_from, series_names
from ingest.store.reader import StoreReader
from ingest.store.summaries import DAY_MS, HOUR_MS

_LOOKS: Final = 4
_BETWEEN_LOOKS_S: Final = 1.0
_TAGS: Final = re.compile(rb",channel=((?:[^,\\]|\\.)*),node=([0-9a-f]{12}),")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

_HELD: Final = (
    "SELECT node, quantity, channel, measured_at / ?1 * ?1 AS hour, count(*)"
    " FROM series s CROSS JOIN reading r ON r.series = s.id"
    " AND measured_at >= ?2 AND measured_at < ?3 WHERE ?4 IS NULL OR node = ?4"
    " GROUP BY s.id, hour"
)
_SUMMARISED: Final = (
    "SELECT node, quantity, channel, start, count + bad, ?1"
    " FROM series s CROSS JOIN summary_hour h ON h.series = s.id"
    " AND start >= ?2 AND start < ?3 WHERE ?4 IS NULL OR node = ?4"
)

Ask = Callable[[str], Awaitable[Rows]]
"""Asks InfluxDB a statement of InfluxQL."""


class SeriesHour(NamedTuple):
    """One hour of one series; `hour_ms` is its beginning."""

    node: str
    quantity: str
    channel: str
    hour_ms: int


class Difference(NamedTuple):
    """How many readings of an hour the store has shipped, and how many InfluxDB holds."""

    at: SeriesHour
    shipped: int
    found: int


@dataclass(slots=True)
class Comparison:
    """What was compared. `waiting` and `refused` are readings that explain themselves."""

    readings: int = 0
    waiting: int = 0
    refused: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Excused:
    """Readings that the store holds and InfluxDB need not."""

    waiting: Counter[SeriesHour]
    refused: Counter[SeriesHour]
    filled_up_to: str | None = None
    """Of nodes after that one the forwarder has not got yet what was there before it."""

    def still_to_come(self, at: SeriesHour, held: int) -> int:
        """How many of the `held` readings of an hour need not be there yet."""
        if self.filled_up_to is not None and at.node > self.filled_up_to:
            return held
        return self.waiting[at]


@dataclass(slots=True)
class Comparer:
    """Compares the store of `reader` with the InfluxDB behind `ask`, to which `forwarder` ships."""

    reader: StoreReader
    ask: Ask
    forwarder: str
    node: str | None = None
    is_shared: bool = False
    """Other gateways ship there too, and what they have of a node that has moved is not here."""
    _excused: _Excused | None = None

    async def compare(
        self,
        from_ms: int,
        to_ms: int,
        now_ms: int,
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Comparison:
        """Compare what was measured from `from_ms` to before `to_ms`, day by day.

        `told` is told how many of all days are done. Raises `PreauError` where InfluxDB does not
        answer.
        """
        result = Comparison()
        remembered_ms = await self._remembered_from(now_ms)
        # Whole hours: of what has been let go nothing finer is known.
        to_ms = -(-to_ms // HOUR_MS) * HOUR_MS
        days = list(self._days(max(from_ms, remembered_ms), to_ms))
        for number, bounds in enumerate(days, 1):
            await self._compare_day(bounds, result)
            told(number, len(days))
        return result

    async def _compare_day(self, bounds: tuple[int, int], result: Comparison) -> None:
        """Add up a day, and what differs at every look at it."""
        standing: dict[SeriesHour, Difference] = {}
        for look in range(_LOOKS):
            excused = await self._excuses(anew=look > 0)
            held = await asyncio.to_thread(self.reader.ask, _held, bounds, self.node)
            known = await asyncio.to_thread(self.reader.ask, _nodes)
            found = await self._found(bounds, known)
            differing = _differing(held, found, excused, is_shared=self.is_shared)
            standing = (
                differing
                if look == 0
                else {at: one for at, one in differing.items() if at in standing}
            )
            if not standing:
                break
            if look + 1 < _LOOKS:
                await asyncio.sleep(_BETWEEN_LOOKS_S)
        result.readings += held.total()
        result.waiting += sum(excused.still_to_come(at, held[at]) for at in held)
        result.refused += sum(max(0, held[at] - found[at]) for at in held.keys() & excused.refused)
        result.differences += sorted(standing.values())

    async def _excuses(self, *, anew: bool) -> _Excused:
        """What InfluxDB need not hold; read once, since a backlog may be long, until in doubt."""
        if anew or self._excused is None:
            self._excused = await asyncio.to_thread(self.reader.ask, _excused, self.forwarder)
        return self._excused

    async def _found(self, bounds: tuple[int, int], known: Container[str]) -> Counter[SeriesHour]:
        """How many values InfluxDB holds of `known` nodes, under whatever rooms.

        Of others it may hold any: several gateways, or towns, share one.
        """
        counts: Counter[SeriesHour] = Counter()
        of_node = f" AND {identifier('node')} = {quoted(self.node)}" if self.node else ""
        for measurement in MEASUREMENTS:
            text = (
                f"SELECT count(*) FROM {identifier(measurement)} WHERE {period(*bounds)}{of_node}"  # noqa: S608 - quoted
            )
            hourly = f"GROUP BY time({HOUR_MS}ms), {identifier('node')}, {identifier('channel')}"
            series = await self.ask(f"{text} {hourly} fill(none)")
            for tags, row in table_of(series):
                for column, count in row.items():
                    quantity = column.removeprefix("count_")
                    if column == "time" or not count or tags["node"] not in known:
                        continue
                    if quantity == quantity_of(quantity):
                        at = SeriesHour(tags["node"], quantity, tags["channel"], row["time"])
                        counts[at] += count
        return counts

    def _days(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """The days between in which the store holds anything, the first from `from_ms` on."""
        low, high = self.reader.ask(_extent)
        if low is None or high is None:
            return
        begin = max(from_ms // HOUR_MS * HOUR_MS, low // DAY_MS * DAY_MS)
        while begin < min(to_ms, high + 1):
            end = (begin // DAY_MS + 1) * DAY_MS
            yield begin, min(end, to_ms)
            begin = end

    async def _remembered_from(self, now_ms: int) -> int:
        """Since when the database is set to remember anything; 0 where it does not tell."""
        try:
            policies = await self.ask("SHOW RETENTION POLICIES")
        except InfluxRefusedError:
            return 0
        kept = [_duration_ms(row["duration"]) for _, row in table_of(policies) if row["default"]]
        return now_ms - kept[0] + HOUR_MS if kept and kept[0] else 0


def _differing(
    held: Counter[SeriesHour],
    found: Counter[SeriesHour],
    excused: _Excused,
    *,
    is_shared: bool,
) -> dict[SeriesHour, Difference]:
    differing = {}
    for at in held.keys() | found.keys():
        shipped = held[at] - excused.still_to_come(at, held[at])
        # What waits may be there already: a corrected placement sends it ahead of its turn.
        is_missing = found[at] < shipped - excused.refused[at]
        if is_missing or (found[at] > held[at] and not is_shared):
            differing[at] = Difference(at, shipped, found[at])
    return differing


def _nodes(connection: sqlite3.Connection) -> frozenset[str]:
    """Every node that the store has, or had, readings of."""
    return frozenset(node for (node,) in connection.execute("SELECT DISTINCT node FROM series"))


def _held(
    connection: sqlite3.Connection, bounds: tuple[int, int], node: str | None
) -> Counter[SeriesHour]:
    """How many readings the store holds or held, whatever their quality; only what is sorted in."""
    from_ms, to_ms = bounds
    kept_ms = kept_from(connection)
    counts: Counter[SeriesHour] = Counter()
    statements = {
        _HELD: (max(from_ms, kept_ms), to_ms),
        _SUMMARISED: (from_ms, min(to_ms, kept_ms)),
    }
    for statement, period_ms in statements.items():
        for row in connection.execute(statement, (HOUR_MS, *period_ms, node)):
            counts[SeriesHour(*row[:4])] += row[4]
    return counts


def _excused(connection: sqlite3.Connection, forwarder: str) -> _Excused:
    """What is sorted in and not shipped yet, and what the server has refused."""
    names = series_names(connection)
    waiting: Counter[SeriesHour] = Counter()
    cursor = forwarder_cursor(connection, forwarder) or 0
    rows = connection.execute(
        "SELECT readings FROM journal WHERE id > ? AND id <= ?", (cursor, fold_cursor(connection))
    )
    for (blob,) in rows:
        for series, at_ms, *_ in decode_readings(blob):
            waiting[SeriesHour(*names[series], at_ms // HOUR_MS * HOUR_MS)] += 1
    letters = connection.execute(
        "SELECT payload FROM dead_letter WHERE reason = 'forwarder_refused' AND topic = ?",
        (f"forwarder/{forwarder}",),
    )
    refused = Counter(at for (line,) in letters for at in _readings_of(line))
    return _Excused(waiting, refused, filled_up_to(connection, forwarder))


def _readings_of(line: bytes) -> Iterator[SeriesHour]:
    """Which readings a refused line held."""
    tags = _TAGS.search(line)
    if tags is not None:
        hour_ms = time_of(line) // HOUR_MS * HOUR_MS
        for quantity, _ in split_fields(line):
            yield SeriesHour(tags[2].decode(), quantity, tags[1].decode(), hour_ms)


def _extent(connection: sqlite3.Connection) -> tuple[int | None, int | None]:
    """When the oldest and the newest reading were measured, those let go included."""
    row: tuple[int | None, int | None] = connection.execute(
        "SELECT min(min(coalesce(summarised, first), coalesce(first, summarised))), max(last)"
        " FROM (SELECT (SELECT start FROM summary_hour WHERE series = s.id ORDER BY start LIMIT 1)"
        " AS summarised, (SELECT measured_at FROM reading WHERE series = s.id"
        " ORDER BY measured_at LIMIT 1) AS first, coalesce((SELECT measured_at FROM reading"
        " WHERE series = s.id ORDER BY measured_at DESC LIMIT 1), (SELECT start + ? FROM"
        " summary_hour WHERE series = s.id ORDER BY start DESC LIMIT 1)) AS last FROM series s)",
        (HOUR_MS,),
    ).fetchone()
    return row


def _duration_ms(text: str) -> int:
    """`168h0m0s`, as InfluxDB writes a duration; 0 is for ever."""
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000

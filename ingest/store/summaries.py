"""Summaries by hour and day, by node and quantity: what stays when the readings have gone.

It works on a connection inside the caller's transaction. An hour is summarised once it is over, a
few series at a time, so that nothing that is to be committed waits for long; what is folded for it
later is added, so each reading counts exactly once.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from ingest.readings import Quality

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
GRACE_MS: Final = 300_000
"""An hour is summarised five minutes after its end, when most of it has arrived."""
_MOST_MS: Final = 7 * DAY_MS
_SERIES_HOURS_A_TURN: Final = 1000
"""Some 20 ms, which is what a commit may wait; all of 10,000 nodes at once took 10 s."""
_ROWS_PER_STATEMENT: Final = 4000
_TABLES: Final = (("summary_hour", HOUR_MS), ("summary_day", DAY_MS))

# Aggregates of SQLite leave out NULL; `bad` counts apart.
_AGGREGATES: Final = (
    "count(*) FILTER (WHERE quality < :bad), coalesce(sum(value) FILTER (WHERE quality < :bad), 0),"
    " min(value) FILTER (WHERE quality < :bad), max(value) FILTER (WHERE quality < :bad),"
    " count(*) FILTER (WHERE quality >= :bad)"
)
_ADDED: Final = (
    " ON CONFLICT (series, start) DO UPDATE SET count = count + excluded.count,"
    " sum = sum + excluded.sum, bad = bad + excluded.bad,"
    " minimum = min(coalesce(minimum, excluded.minimum), coalesce(excluded.minimum, minimum)),"
    " maximum = max(coalesce(maximum, excluded.maximum), coalesce(excluded.maximum, maximum))"
)


class Summary(NamedTuple):
    """The readings of one step of one series; minimum and maximum are `None` if all are bad."""

    start_ms: int
    samples: int
    total: float
    minimum: float | None
    maximum: float | None
    bad: int


class _Horizon(NamedTuple):
    """How far the summaries reach: `until` for all series, `going` for those up to `series`."""

    until: int
    going: int
    series: int

    def holds(self, series: int, measured_at_ms: int) -> bool:
        """Whether the hour of a reading of `series` stands in the summaries."""
        return measured_at_ms < (self.going if self.going and series <= self.series else self.until)


def summarised_until(connection: sqlite3.Connection) -> int:
    """Hours that end by this time, in Unix milliseconds, stand in the summaries."""
    return _horizon(connection).until


def summarise(connection: sqlite3.Connection, now_ms: int) -> bool:
    """Summarise the oldest hours that are over, of a few series; whether there is more to do."""
    due = (now_ms - GRACE_MS) // HOUR_MS * HOUR_MS
    horizon = _horizon(connection)
    if not horizon.going:
        # Most stores begin long after 1970, and one that was switched off has a gap.
        first = _first_measured(connection, horizon.until)
        if first is None or first >= due:
            if horizon.until < due:
                _set_horizon(connection, _Horizon(due, 0, 0))
            return False
        begin = max(horizon.until, first // HOUR_MS * HOUR_MS)
        horizon = _Horizon(begin, min(due, begin + _MOST_MS), 0)
    last = _last_of_turn(connection, horizon)
    if last is None:
        _set_horizon(connection, _Horizon(horizon.going, 0, 0))
        return horizon.going < due
    _summarise_series(connection, horizon, last)
    _set_horizon(connection, horizon._replace(series=last))
    return True


def add_late(
    connection: sqlite3.Connection, rows: Sequence[tuple[int, int, float, int, int, int]]
) -> None:
    """Add readings that are new in the store to the summaries that they come too late for.

    Each is (series, measured_at, value, quality, …).
    """
    horizon = _horizon(connection)
    late = [row for row in rows if horizon.holds(row[0], row[1])]
    if not late:
        return
    for table, step_ms in _TABLES:
        _add(connection, table, _summed(late, step_ms))


def select_summaries(
    connection: sqlite3.Connection, series: int, from_ms: int, to_ms: int, *, daily: bool = False
) -> list[Summary]:
    """Summaries whose step begins at from_ms or later and before to_ms, by time."""
    table = "summary_day" if daily else "summary_hour"
    rows = connection.execute(
        f"SELECT start, count, sum, minimum, maximum, bad FROM {table}"  # noqa: S608 - names of ours
        " WHERE series = ? AND start >= ? AND start < ? ORDER BY start",
        (series, from_ms, to_ms),
    )
    return [Summary(*row) for row in rows]


def _summed(
    rows: Sequence[tuple[int, int, float, int, int, int]], step_ms: int
) -> list[tuple[int, int, int, float, float | None, float | None, int]]:
    groups: defaultdict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    for series, at, value, quality, *_ in rows:
        groups[series, at // step_ms * step_ms].append((value, quality))
    summed = []
    for (series, start), readings in groups.items():
        usable = [value for value, quality in readings if quality < Quality.BAD]
        lowest, highest = (min(usable), max(usable)) if usable else (None, None)
        bad = len(readings) - len(usable)
        summed.append((series, start, len(usable), sum(usable, 0.0), lowest, highest, bad))
    return summed


def _add(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    for at in range(0, len(rows), _ROWS_PER_STATEMENT):
        chunk = rows[at : at + _ROWS_PER_STATEMENT]
        values = ",".join(["(?,?,?,?,?,?,?)"] * len(chunk))
        connection.execute(
            f"INSERT INTO {table} VALUES {values}{_ADDED}",  # noqa: S608 - placeholders only
            [field for row in chunk for field in row],
        )


def _first_measured(connection: sqlite3.Connection, since: int) -> int | None:
    """When the oldest reading from `since` on was measured."""
    (first,) = connection.execute(
        "SELECT min((SELECT measured_at FROM reading WHERE series = s.id AND measured_at >= ?"
        " ORDER BY measured_at LIMIT 1)) FROM series s",
        (since,),
    ).fetchone()
    return None if first is None else int(first)


def _last_of_turn(connection: sqlite3.Connection, horizon: _Horizon) -> int | None:
    """The last series of the next turn; `None` where all have been summarised."""
    most = max(1, _SERIES_HOURS_A_TURN * HOUR_MS // (horizon.going - horizon.until))
    (last,) = connection.execute(
        "SELECT max(id) FROM (SELECT id FROM series WHERE id > ? ORDER BY id LIMIT ?)",
        (horizon.series, most),
    ).fetchone()
    return None if last is None else int(last)


def _summarise_series(connection: sqlite3.Connection, horizon: _Horizon, last: int) -> None:
    """Summarise the hours of `horizon` for the series after its own, up to `last`."""
    for table, step_ms in _TABLES:
        connection.execute(
            f"INSERT INTO {table} SELECT s.id, measured_at / :step * :step AS start, {_AGGREGATES}"  # noqa: S608 - names of ours
            # The join makes SQLite go to each series' part of the table instead of through all.
            " FROM series s CROSS JOIN reading r ON r.series = s.id"
            " AND measured_at >= :since AND measured_at < :until"
            " WHERE s.id > :after AND s.id <= :last GROUP BY s.id, start" + _ADDED,
            {
                "step": step_ms,
                "since": horizon.until,
                "until": horizon.going,
                "after": horizon.series,
                "last": last,
                "bad": int(Quality.BAD),
            },
        )


def _horizon(connection: sqlite3.Connection) -> _Horizon:
    query = "SELECT summarised_until, summarising_until, summarised_series FROM horizon"
    return _Horizon(*connection.execute(query).fetchone())


def _set_horizon(connection: sqlite3.Connection, horizon: _Horizon) -> None:
    connection.execute(
        "UPDATE horizon SET summarised_until = ?, summarising_until = ?, summarised_series = ?",
        horizon,
    )

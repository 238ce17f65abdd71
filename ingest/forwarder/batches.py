"""Cuts what waits in the journal, or in a period of the store, into batches of lines.

It reads; what becomes of the batches it must not know. Every function takes a connection, so that
the caller decides on which thread.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.forwarder.lines import LineWriter, SeriesName
from ingest.forwarder.placements import Placements, Tags
from ingest.store.cursors import folded_rows, forwarder_cursor
from ingest.store.encoding import StoredReading, decode_readings
from ingest.store.forwarded import forwarded_placements, next_readings, series_names

_WINDOW_MS: Final = 86_400_000
_ROWS_AT_ONCE: Final = 2000
_READINGS_A_POINT: Final = 8
"""A pack of a node is one or two points of a few readings each."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines to ship together; `last_id` is the journal row up to which they tell everything."""

    last_id: int
    lines: list[bytes]
    readings: int
    received_at_ms: int
    """When the last of them was received."""
    is_full: bool


class JournalBatches:
    """The journal of one forwarder in batches, under one state of the placements."""

    def __init__(self, placements: Placements, points: int) -> None:
        self._writer = LineWriter(placements)
        self._points = points

    def after(self, connection: sqlite3.Connection, after_id: int) -> Batch | None:
        """The next batch beyond `after_id`, of about `points`; `None` where nothing waits."""
        most = min(self._points, _ROWS_AT_ONCE)
        readings: list[StoredReading] = []
        rows, last_id, received_at_ms = 0, after_id, 0
        for last_id, received_at_ms, blob in folded_rows(connection, after_id, most):  # noqa: B007
            readings += decode_readings(blob)
            rows += 1
            # Not by rows alone: an import's rows hold thousands of readings each.
            if len(readings) >= _READINGS_A_POINT * self._points:
                break
        if not rows:
            return None
        name_series(connection, self._writer, readings)
        lines = self._writer.lines(readings)
        is_full = rows == most or len(readings) >= _READINGS_A_POINT * self._points
        return Batch(last_id, lines, len(readings), received_at_ms, is_full)


def name_series(
    connection: sqlite3.Connection, writer: LineWriter, readings: list[StoredReading]
) -> None:
    """Tell `writer` what the series of `readings` are called."""
    unknown = [id_ for id_ in {reading[0] for reading in readings} if not writer.knows(id_)]
    if unknown:
        names = series_names(connection, unknown)
        writer.name({series: SeriesName(*name) for series, name in names.items()})


def period_of_node(
    connection: sqlite3.Connection, writer: LineWriter, node: str, from_ms: int, to_ms: float
) -> tuple[list[bytes], int | None]:
    """The lines of a node's first day with readings in a period, and where to go on."""
    readings, next_ms = next_readings(connection, node, from_ms, to_ms, _WINDOW_MS)
    name_series(connection, writer, readings)
    return writer.lines(readings), next_ms


def placements_as_forwarded(connection: sqlite3.Connection, name: str) -> Placements:
    """The tags under which a forwarder has shipped so far."""
    stored = forwarded_placements(connection, name)
    return Placements(
        {node: [(at, Tags(*place)) for at, place in changes] for node, changes in stored.items()}
    )


def begin(connection: sqlite3.Connection, name: str) -> tuple[int, Placements]:
    """Where a forwarder goes on: its cursor, and the tags it has used."""
    return forwarder_cursor(connection, name) or 0, placements_as_forwarded(connection, name)


def in_parts(lines: Sequence[bytes], points: int) -> Iterator[Sequence[bytes]]:
    """`lines` in parts of at most `points`."""
    return (lines[at : at + points] for at in range(0, len(lines), points))

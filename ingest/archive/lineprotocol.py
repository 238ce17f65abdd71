"""Reads the line protocol of an InfluxDB, as its tools export it, line by line.

What the points mean the mapping says; the syntax is a library's.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from line_protocol_parser import LineFormatError, parse_line

from ingest.archive.mapping import Point, PointError, PointMapping, Precision
from ingest.archive.record import Check, Record, RefusedLine

_NOT_DATA: Final = (b"#", b"CREATE DATABASE ")
"""Comments, and what `influx_inspect export` writes above the data."""


class LineError(PointError):
    """A line is no line protocol."""


def parse_point(line: bytes) -> Point:
    """The point of one line. Raises `LineError`."""
    try:
        # A NUL ends the text for the library, and what is behind it would vanish.
        if b"\0" in line:
            raise LineError("holds a NUL byte")
        read = parse_line(line.decode())
    except UnicodeDecodeError as error:
        raise LineError("is not UTF-8") from error
    except LineFormatError as error:
        raise LineError(f"is no line protocol: {error}") from error
    if read is None:
        raise LineError("holds no point")
    return Point(read["measurement"], read["tags"], read["fields"], read["time"])


class LineReader:
    """Reads one file."""

    def __init__(self, mapping: PointMapping, precision: Precision, check: Check) -> None:
        self.ignored = 0
        """Fields so far of which the mapping says nothing."""
        self._mapping = mapping
        self._precision = precision
        self._check = check

    def read(self, lines: Iterable[bytes]) -> Iterator[Record | RefusedLine]:
        """Its records, and what can't be taken in: a line, or some of its fields."""
        for number, line in enumerate(lines, 1):
            content = line.rstrip(b"\r\n")
            if not content.strip() or content.lstrip().startswith(_NOT_DATA):
                continue
            for found in self._records(content):
                if isinstance(found, Record):
                    yield found
                else:
                    yield RefusedLine(number, content, found)

    def _records(self, line: bytes) -> Iterator[Record | str]:
        """Records, or why something is none."""
        try:
            point = parse_point(line)
        except LineError as error:
            yield str(error)
            return
        self.ignored += self._mapping.ignored(point)
        for found in self._mapping.records(point, self._precision):
            if isinstance(found, PointError):
                yield str(found)
            else:
                yield self._check(found) or found

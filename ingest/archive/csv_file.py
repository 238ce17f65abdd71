"""CSV as RFC 4180 has it but for the line ends, which are one character: tables out, records in.

Times are ISO 8601 in UTC with milliseconds. It knows no store.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ingest.archive.record import Check, Record, RefusedLine
from ingest.archive.tables import QUALITIES, TIME_SOURCES, Row, Table
from ingest.errors import ConfigurationError, PermanentError
from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, is_channel
from ingest.topics import is_node_id

DIALECT: Final = {"delimiter": ",", "lineTerminator": "\n", "quoteChar": '"', "doubleQuote": True}
"""As a Data Package says it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_YES_NO: Final = {"true": 1.0, "false": 0.0}


class FieldError(PermanentError):
    """A field of a row can't be read; the words are for who wrote the file."""


class CsvWriter:
    """Writes the rows of one table into a file."""

    def __init__(self, file: Path, table: Table) -> None:
        self._file = file.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(table.header)
        self._times = [at for at, column in enumerate(table.columns) if column.kind == "datetime"]
        self._second = -1
        self._text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows; how many."""
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last one is the number of rows
            fields: list[Any] = list(row)
            for at in self._times:
                if fields[at] is not None:
                    fields[at] = self._time(fields[at])
            self._writer.writerow(fields)
        return count

    def _time(self, at_ms: int) -> str:
        second, milliseconds = divmod(at_ms, 1000)
        if second != self._second:
            self._second = second
            self._text = (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{milliseconds:03d}Z"


def read_csv(first: bytes, lines: Iterable[bytes], check: Check) -> Iterator[Record | RefusedLine]:
    """The readings of a CSV file: `first` is its header, in any order; unknown columns are skipped.

    Also as a French spreadsheet saves it: with semicolons, decimal commas, a byte order mark.
    Raises `ConfigurationError` where the header says that this is no table of readings.
    """
    header, delimiter = _header(first)
    for number, line in enumerate(lines, 2):
        content = line.rstrip(b"\r\n")
        if not content:
            continue
        try:
            text = content.decode()
            fields = next(csv.reader([text], delimiter=delimiter, strict=True))
            if len(fields) < len(header):
                raise FieldError(f"{len(fields)} fields, the header has {len(header)}")  # noqa: TRY301
            record = _record(dict(zip(header, fields, strict=False)), delimiter)
            reason = check(record)
        except UnicodeDecodeError:
            reason = "is not UTF-8"
        except (FieldError, csv.Error) as error:
            reason = str(error)
        if reason is None:
            yield record
        else:
            yield RefusedLine(number, content, reason)


def _header(line: bytes) -> tuple[Sequence[str], str]:
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigurationError("line 1 is not UTF-8: save the file as UTF-8") from error
    delimiter = ";" if ";" in text and "," not in text else ","
    header = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    missing = [name for name in ("node", "quantity", "measured_at", "value") if name not in header]
    if missing:
        raise ConfigurationError(
            f"line 1 must name the columns: {', '.join(missing)} missing in {text[:100]!r}"
        )
    return header, delimiter


def _record(fields: dict[str, str], delimiter: str) -> Record:
    node = fields["node"].strip().lower()
    if not is_node_id(node):
        raise FieldError(f"node is {fields['node']!r}: must be 12 hex digits")
    quantity = QUANTITIES.get(fields["quantity"])
    if quantity is None:
        raise FieldError(f"quantity is {fields['quantity']!r}: is not in the catalogue")
    channel = fields.get("channel") or MAIN_CHANNEL
    if not is_channel(channel):
        raise FieldError(f"channel is {channel!r}: must be 1 to 16 of a-z, 0-9 and -")
    unit = fields.get("unit")
    if unit and unit != quantity.unit:
        raise FieldError(f"unit is {unit!r}: {quantity.name} is in {quantity.unit!r}")
    received = fields.get("received_at")
    return Record(
        node,
        quantity.name,
        _time("measured_at", fields["measured_at"]),
        _number(fields["value"], delimiter),
        channel,
        _index(fields, "quality", QUALITIES),
        _time("received_at", received) if received else None,
        _index(fields, "time_source", TIME_SOURCES) or 0,
    )


def _number(text: str, delimiter: str) -> float:
    plain = text.strip().lower()
    if delimiter == ";":
        plain = plain.replace(",", ".")
    try:
        value = _YES_NO[plain] if plain in _YES_NO else float(plain)
    except ValueError as error:
        raise FieldError(f"value is {text!r}: must be a number, with a decimal point") from error
    # float() takes inf and nan, and these are none.
    if not abs(value) < float("inf"):
        raise FieldError(f"value is {text!r}: must be a finite number")
    return value


def _time(name: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise FieldError(f"{name} is {text!r}: write it like 2026-01-05T08:00:00Z") from error
    if at.tzinfo is None:
        raise FieldError(f"{name} is {text!r}: without Z or an offset no one knows when that is")
    return (at - _EPOCH) // _MILLISECOND


def _index(fields: dict[str, str], name: str, names: Sequence[str]) -> int | None:
    text = fields.get(name)
    if not text:
        return None
    if text not in names:
        raise FieldError(f"{name} is {text!r}: must be one of {', '.join(names)}")
    return names.index(text)

"""Parquet through pyarrow, which is an extra: tables out, compressed, a row group at a time.

It knows no store.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ingest.archive.tables import Row, Table
from ingest.errors import ConfigurationError

_ROWS_A_GROUP: Final = 100_000


class ParquetWriter:
    """Writes the rows of one table into a file. Raises `ConfigurationError` without pyarrow."""

    def __init__(self, file: Path, table: Table) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra, and 100 MB in memory
            from pyarrow import parquet  # noqa: PLC0415 - as above
        except ImportError as error:
            raise ConfigurationError(
                "Parquet needs the package pyarrow: pip install 'preau[parquet]', or export CSV"
            ) from error
        types = {
            "datetime": pa.timestamp("ms", tz="UTC"),
            "string": pa.string(),
            "number": pa.float64(),
            "integer": pa.int64(),
        }
        fields = [
            pa.field(
                column.name,
                types[column.kind],
                nullable=not column.required,
                metadata={"description": column.description},
            )
            for column in table.columns
        ]
        self._pa: Any = pa
        self._schema = pa.schema(fields, metadata={"title": table.title})
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows; how many."""
        remaining = iter(rows)
        count = 0
        while group := list(islice(remaining, _ROWS_A_GROUP)):
            columns = zip(self._schema, zip(*group, strict=True), strict=True)
            arrays = [self._pa.array(values, type=field.type) for field, values in columns]
            self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
            count += len(group)
        return count

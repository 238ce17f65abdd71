"""An export as a folder: a Data Package of tables, with the estate's own files beside them.

`datapackage.json` says what is in it (Frictionless Data Package, Table Schema), so that a program
that has never heard of Préau can read it. The folder is there whole or not at all.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from ingest.archive.csv_file import DIALECT, CsvWriter
from ingest.archive.parquet_file import ParquetWriter
from ingest.archive.rows import Extract, rows_of_placements, rows_of_rooms
from ingest.archive.tables import HOURS, PLACEMENTS, READINGS, ROOMS, Row, Table
from ingest.errors import ConfigurationError, StoreFullError
from ingest.estate.load import estate_files
from ingest.estate.model import Estate

Format = Literal["csv", "parquet"]

ESTATE_FOLDER: Final = "estate"
_CSV: Final = {"mediatype": "text/csv", "encoding": "utf-8", "dialect": DIALECT}
_PARQUET: Final = {"mediatype": "application/vnd.apache.parquet"}


def write_package(
    folder: Path, extract: Extract, estate: Estate, estate_file: Path, form: Format
) -> dict[str, int]:
    """Write everything into `folder`, which must not exist or be empty; rows by table.

    Raises `ConfigurationError` where it may not be written, `StoreFullError` where the disk is
    full; then nothing is left behind.
    """
    tables: list[tuple[Table, Iterable[Row]]] = [
        (READINGS, extract.readings()),
        (ROOMS, rows_of_rooms(estate)),
        (PLACEMENTS, rows_of_placements(estate)),
    ]
    with _whole_or_nothing(folder) as unfinished:
        rows = {table.name: _write(unfinished, table, found, form) for table, found in tables}
        if extract.has_let_go():
            tables.append((HOURS, extract.hours()))
            rows[HOURS.name] = _write(unfinished, *tables[-1], form)
        description = _description([table for table, _ in tables], rows, form)
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        (unfinished / "datapackage.json").write_text(text, encoding="utf-8")
        _copy_estate(unfinished / ESTATE_FOLDER, estate_file)
    return rows


def _write(folder: Path, table: Table, rows: Iterable[Row], form: Format) -> int:
    file = folder / f"{table.name}.{form}"
    writer = CsvWriter(file, table) if form == "csv" else ParquetWriter(file, table)
    with writer:
        return writer.write(rows)


def _description(tables: list[Table], rows: dict[str, int], form: Format) -> dict[str, Any]:
    return {
        "profile": "tabular-data-package" if form == "csv" else "data-package",
        "name": "preau-export",
        "title": "Temperature and air of public buildings, measured by Préau",
        "resources": [
            {
                "name": table.name,
                "title": table.title,
                "path": f"{table.name}.{form}",
                "format": form,
                **({"profile": "tabular-data-resource"} | _CSV if form == "csv" else _PARQUET),
                "rows": rows[table.name],
                "schema": table.schema(),
            }
            for table in tables
        ],
    }


def _copy_estate(folder: Path, estate_file: Path) -> None:
    for file in estate_files(estate_file):
        target = folder / file.relative_to(estate_file.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    unfinished = folder.with_name(f".{folder.name}.unfinished-{os.getpid()}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigurationError(
                f"{folder} exists: name a folder that does not, or an empty one"
            )
        # What is measured in a school is nobody else's on this machine.
        unfinished.mkdir(mode=0o700, parents=True)
        yield unfinished
        unfinished.replace(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreFullError(f"no room on the disk for {folder}: {error.strerror}") from error
        raise ConfigurationError(f"{folder} can't be written: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)

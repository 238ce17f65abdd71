"""`preau import`: takes readings back from CSV, or out of another InfluxDB's line protocol."""

import gzip
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import click

from gateway.commands.options import settings_option
from gateway.settings import Settings, load_settings
from ingest.archive.csv_file import read_csv
from ingest.archive.intake import ArchiveIntake, Taken, refusal
from ingest.archive.lineprotocol import LineReader
from ingest.archive.mapping import OWN, PRECISIONS, PointMapping, Precision, load_mapping
from ingest.archive.record import Check, Record, RefusedLine
from ingest.archive.rejected import Format, RejectedLines
from ingest.errors import ConfigurationError
from ingest.store.writer import StoreWriter

_REASONS_SHOWN: Final = 10
_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".lp": "line-protocol",
    ".line": "line-protocol",
}
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(
    epilog="Example: preau import school-year/readings.csv",
    short_help="Take readings in from CSV or from another InfluxDB.",
)
@settings_option
@click.argument("file", type=_EXISTING)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "line-protocol"]),
    help="Else by the name: .csv or .lp, both also with .gz behind.",
)
@click.option(
    "--mapping",
    "mapping_file",
    type=_EXISTING,
    help="TOML: which measurement, tag and field is which node and quantity. "
    "Without it: Préau's own measurements.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="ns",
    show_default=True,
    help="The unit of time of the line protocol.",
)
@click.option(
    "--rejected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where lines go that can't be taken in; else FILE.rejected.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in, and what refused.")
def command(
    settings_file: Path | None,
    *,
    file: Path,
    form: Format | None,
    mapping_file: Path | None,
    precision: Precision,
    rejected: Path | None,
    dry_run: bool,
) -> int:
    """Take the readings of FILE into the store.

    What the store has already is recognised, so it may be done again. Lines that can't be taken in
    are written to FILE.rejected, each with its reason, and can be mended there and imported.

    The service must be stopped. Exits 1 if a line was refused or contradicts the store.
    """
    settings = load_settings(settings_file)
    mapping = OWN if mapping_file is None else load_mapping(mapping_file)
    form = form or _format_of(file)
    with _opened(file) as lines:
        header = next(lines, b"") if form == "csv" else b""
        work = _Import(lines, header, form, mapping, precision)
        with RejectedLines(rejected or Path(f"{file}.rejected"), form, header) as refused:
            run = work.tried if dry_run else work.stored
            taken = run(settings, refused)
    _tell(work, taken, refused, dry_run=dry_run)
    return 1 if refused.count or taken.conflicts else 0


@dataclass
class _Import:
    """One file on its way in."""

    lines: Iterator[bytes]
    header: bytes
    form: Format
    mapping: PointMapping
    precision: Precision
    ignored: int = 0

    def stored(self, settings: Settings, refused: RejectedLines) -> Taken:
        """Into the store of `settings`."""
        with StoreWriter(settings.data.dir) as store:
            intake = ArchiveIntake(store, _now_ms())
            intake.take(refused.without(self._records(intake.check)))
            return intake.taken

    def tried(self, _settings: Settings, refused: RejectedLines) -> Taken:
        """Nowhere."""
        now_ms = _now_ms()
        records = refused.without(self._records(lambda record: refusal(record, now_ms)))
        return Taken(sum(1 for _ in records))

    def _records(self, check: Check) -> Iterable[Record | RefusedLine]:
        if self.form == "csv":
            yield from read_csv(self.header, self.lines, check)
            return
        reader = LineReader(self.mapping, self.precision, check)
        yield from reader.read(self.lines)
        self.ignored = reader.ignored


def _format_of(file: Path) -> Format:
    suffix = file.with_suffix("").suffix if file.suffix == ".gz" else file.suffix
    try:
        return _FORMATS[suffix.lower()]
    except KeyError as error:
        raise ConfigurationError(
            f"{file}: its name does not tell its format; say --format csv or --format line-protocol"
        ) from error


@contextmanager
def _opened(file: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file, which may be compressed, with a bar of progress."""
    with (
        file.open("rb") as raw,
        click.progressbar(
            length=file.stat().st_size,
            label=file.name,
            file=sys.stderr,
            hidden=not sys.stderr.isatty(),
        ) as bar,
    ):
        packed = file.suffix == ".gz"
        lines = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        try:
            yield _told(lines, raw, bar.update)
        except (gzip.BadGzipFile, EOFError) as error:
            raise ConfigurationError(f"{file} is no whole gzip file: {error}") from error


def _told(lines: IO[bytes], raw: IO[bytes], update: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    for number, line in enumerate(lines):
        if number % 10_000 == 0:
            at = raw.tell()
            update(at - done)
            done = at
        yield line


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tell(work: _Import, taken: Taken, refused: RejectedLines, *, dry_run: bool) -> None:
    if dry_run:
        click.echo(f"{taken.records} readings could be taken in, {refused.count} lines refused")
    else:
        click.echo(
            f"{taken.stored} readings taken in, {taken.repeats} were there already, "
            f"{taken.conflicts} contradict the store, {refused.count} lines refused"
        )
    if work.ignored:
        click.echo(f"{work.ignored} fields are not in the mapping and were left out")
    for reason, count in refused.reasons.most_common(_REASONS_SHOWN):
        click.echo(f"refused {count} times: {ascii(reason)[1:-1]}", err=True)
    if refused.count:
        click.echo(f"the refused lines are in {refused.file}", err=True)
    if taken.conflicts:
        click.echo("what contradicts the store is kept: `preau deadletters list`", err=True)

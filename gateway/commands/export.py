"""`preau export`: everything that was measured, in files that any program reads."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.commands.period import bounds, checked_nodes
from gateway.commands.progress import told_parts
from gateway.settings import load_settings
from ingest.archive.package import Format, write_package
from ingest.archive.rows import Extract
from ingest.estate.load import load_estate
from ingest.forwarder.placements import Placements
from ingest.store.reader import StoreReader


@click.command(
    epilog="Example: preau export --from 2026-09-01 --to 2027-07-05 school-year",
    short_help="Write all readings as CSV or Parquet.",
)
@settings_option
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Parquet needs the extra: pip install 'preau[parquet]'.",
)
@click.option("--from", "from_text", metavar="TIME", help="Measured from then on: 2026-09-01.")
@click.option("--to", "to_text", metavar="TIME", help="Measured before then.")
@click.option("--node", "nodes", multiple=True, metavar="ID", help="Only of this; may be repeated.")
@click.option(
    "--store",
    "stores",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A data folder, instead of the settings'; several are taken together.",
)
def command(
    settings_file: Path | None,
    *,
    folder: Path,
    form: Format,
    from_text: str | None,
    to_text: str | None,
    nodes: Sequence[str],
    stores: Sequence[Path],
) -> int:
    """Write readings, rooms and placements into a new FOLDER, with a description for programs.

    FOLDER then holds readings.csv, rooms.csv, placements.csv, datapackage.json, which says what
    each column means, and a copy of the estate's files. Where readings are no longer kept one by
    one, hours.csv holds their sums. `preau import` takes readings.csv back.

    The service may run meanwhile.
    """
    settings = load_settings(settings_file)
    from_ms, to_ms = bounds(from_text, to_text, settings.zone)
    estate = load_estate(settings.estate_file, settings.zone)
    with ExitStack() as opened:
        readers = [
            opened.enter_context(StoreReader(store)) for store in stores or [settings.data.dir]
        ]
        extract = Extract(readers, Placements.of(estate), from_ms, to_ms, checked_nodes(nodes))
        with told_parts("series") as extract.told:
            rows = write_package(folder, extract, estate, settings.estate_file, form)
    click.echo(f"{folder}: " + ", ".join(f"{count} {name}" for name, count in rows.items()))
    if extract.contradictions:
        click.echo(
            f"{extract.contradictions} readings stand in two stores with different values: "
            "those of the store named first were written",
            err=True,
        )
    return 1 if extract.contradictions else 0

"""`preau deadletters show`: everything that is known of one dead letter."""

import json
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from gateway.commands.letters import (
    has_store,
    letter_as_json,
    plain,
    readable_payload,
    told_time,
)
from gateway.commands.options import json_option, settings_option
from gateway.settings import load_settings
from ingest.errors import PermanentError
from ingest.store.deadletters import StoredDeadLetter, find_dead_letter
from ingest.store.reader import StoreReader


@click.command(
    epilog="Example: preau deadletters show 17",
    short_help="Show one dead letter, with its whole payload.",
)
@click.argument("id_", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@settings_option
@json_option
def command(id_: int, settings_file: Path | None, *, as_json: bool) -> None:
    """Show the dead letter ID: reason, times, place in its node's log, and what was received.

    A payload of over 16 KiB is shown as far as it is kept. The service may run meanwhile.
    """
    settings = load_settings(settings_file)
    letter = None
    if has_store(settings.data.dir):
        with StoreReader(settings.data.dir) as reader:
            letter = reader.ask(find_dead_letter, id_)
    if letter is None:
        raise PermanentError(f"no dead letter has the id {id_}: preau deadletters list shows them")
    if as_json:
        click.echo(json.dumps(letter_as_json(letter), indent=2))
        return
    for name, value in _facts(letter, settings.zone):
        click.echo(f"{name:<10}{plain(value)}")
    click.echo(readable_payload(letter.payload))


def _facts(letter: StoredDeadLetter, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    yield "id", str(letter.id)
    yield "node", letter.node or "not known"
    yield "topic", letter.topic
    yield "reason", letter.reason
    yield "detail", letter.detail
    if letter.log is not None:
        yield "pack", f"number {letter.seq} of log {letter.log}"
    yield "received", told_time(letter.received_at_ms, zone)
    if letter.times > 1:
        last = told_time(letter.last_received_at_ms, zone)
        yield "again", f"{letter.times} times in all, the last one {last}"
    kept = len(letter.payload)
    cut = f", of which the first {kept} are kept" if kept < letter.length else ""
    yield "payload", f"{letter.length} bytes{cut}"

"""`preau deadletters list`: what could not be used, and why."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from gateway.commands.letters import (
    NO_STORE,
    chosen_options,
    has_store,
    letter_as_json,
    letter_filter,
    plain,
    told_counts,
    told_time,
)
from gateway.commands.options import json_option
from gateway.settings import load_settings
from ingest.store.deadletters import StoredDeadLetter, count_dead_letters, select_dead_letters
from ingest.store.reader import StoreReader

_SHOWN_BYTES = 200


@click.command(
    epilog="Example: preau deadletters list --node 3c71bf4a2b10 --reason wrong_unit",
    short_help="List messages that could not be used, with the reason.",
)
@chosen_options
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="At most so many, the oldest first.",
)
@click.option(
    "--after",
    "after_id",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    help="Only those beyond this id.",
)
@json_option
def command(
    settings_file: Path | None,
    *,
    node: str | None,
    reason: str | None,
    from_text: str | None,
    to_text: str | None,
    limit: int,
    after_id: int,
    as_json: bool,
) -> None:
    """List dead letters: messages, or single records of them, that could not be used.

    They are kept with their reason, so nothing is lost without a trace. The service may run
    meanwhile.
    """
    settings = load_settings(settings_file)
    chosen = letter_filter(settings, node, reason, from_text, to_text)
    if not has_store(settings.data.dir):
        click.echo("[]" if as_json else NO_STORE)
        return
    with StoreReader(settings.data.dir) as reader:
        letters = reader.ask(select_dead_letters, chosen, after_id=after_id, limit=limit)
        counts = reader.ask(count_dead_letters, chosen)
    if as_json:
        click.echo(json.dumps([letter_as_json(letter) for letter in letters], indent=2))
        return
    for letter in letters:
        click.echo(_line(letter, settings.zone))
    click.echo(told_counts(counts))
    if len(letters) == limit:
        click.echo(f"Shown up to {letters[-1].id}; for the next ones: --after {letters[-1].id}")


def _line(letter: StoredDeadLetter, zone: ZoneInfo) -> str:
    when = told_time(letter.received_at_ms, zone)
    shown = plain(letter.payload[:_SHOWN_BYTES].decode(errors="backslashreplace"))
    times = f" x{letter.times}" if letter.times > 1 else ""
    head = f"{letter.id}  {when}  {letter.node or plain(letter.topic)}  {plain(letter.reason)}"
    return f"{head}{times}: {plain(letter.detail)}\n    {shown}"

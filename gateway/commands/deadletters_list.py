"""`preau deadletters list`: what could not be used, and why."""

import json
import time
from pathlib import Path

import click

from gateway.commands.options import json_option, settings_option
from gateway.settings import load_settings
from ingest.store.database import FILE_NAME
from ingest.store.deadletters import StoredDeadLetter
from ingest.store.reader import StoreReader

_SHOWN_BYTES = 200


@click.command(
    epilog="Example: preau deadletters list --node 3c71bf4a2b10 --reason wrong_unit",
    short_help="List messages that could not be used, with the reason.",
)
@settings_option
@click.option("--node", help="Only of this node.")
@click.option("--reason", help="Only with this reason, such as not_json.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="At most so many, the oldest first.",
)
@click.option(
    "--after", "after_id", type=click.IntRange(0), default=0, help="Only those beyond this id."
)
@json_option
def command(
    settings_file: Path | None,
    node: str | None,
    reason: str | None,
    limit: int,
    after_id: int,
    *,
    as_json: bool,
) -> None:
    """List dead letters: messages, or single records of them, that could not be used.

    They are kept with their reason, so nothing is lost without a trace.
    """
    folder = load_settings(settings_file).data.dir
    if not (folder / FILE_NAME).exists():
        # As with `node list`: nothing has run here yet, which is no error.
        click.echo("[]" if as_json else "0 dead letters: no gateway has run with this data folder.")
        return
    with StoreReader(folder) as reader:
        letters = reader.dead_letters(node=node, reason=reason, after_id=after_id, limit=limit)
        counts = reader.dead_letter_counts()
    if as_json:
        click.echo(json.dumps([_as_json(letter) for letter in letters], indent=2))
        return
    for letter in letters:
        click.echo(_line(letter))
    total = ", ".join(f"{reason} {number}" for reason, number in sorted(counts.items()))
    click.echo(f"{sum(counts.values())} dead letters" + (f": {total}" if total else ""))


def _as_json(letter: StoredDeadLetter) -> dict[str, object]:
    fields = {name: getattr(letter, name) for name in StoredDeadLetter.__dataclass_fields__}
    return fields | {"payload": letter.payload.decode(errors="backslashreplace")}


def _line(letter: StoredDeadLetter) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.received_at_ms / 1000))
    # A payload may hold anything, escape sequences for the terminal too.
    shown = ascii(letter.payload[:_SHOWN_BYTES].decode(errors="backslashreplace"))
    times = f" x{letter.times}" if letter.times > 1 else ""
    head = f"{letter.id}  {when}  {letter.node or letter.topic}  {letter.reason}{times}"
    return f"{head}: {ascii(letter.detail)[1:-1]}\n    {shown}"

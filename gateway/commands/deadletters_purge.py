"""`preau deadletters purge`: removes dead letters for ever, after asking."""

import json
from pathlib import Path

import click

from gateway.commands.letters import (
    NO_STORE,
    chosen_options,
    has_store,
    letter_filter,
    told_counts,
)
from gateway.commands.options import json_option
from gateway.settings import load_settings
from ingest.errors import ConfigurationError
from ingest.store.deadletters import (
    ALL_LETTERS,
    count_dead_letters,
    purge_dead_letters,
)
from ingest.store.writer import StoreWriter


@click.command(
    epilog="Example: preau deadletters purge --reason not_json --to 2026-09-01",
    short_help="Remove dead letters for ever.",
)
@chosen_options
@click.option("--all", "is_all", is_flag=True, help="Every dead letter there is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    settings_file: Path | None,
    *,
    node: str | None,
    reason: str | None,
    from_text: str | None,
    to_text: str | None,
    is_all: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Remove for ever the dead letters that the options name, after telling how many these are.

    The service must be stopped. Their pack numbers stay accounted for. Exits 1 if the answer is
    no.
    """
    settings = load_settings(settings_file)
    chosen = letter_filter(settings, node, reason, from_text, to_text)
    if (chosen == ALL_LETTERS) != is_all:
        raise ConfigurationError(
            "say which: --all, or any of --node, --reason, --from and --to; nothing was purged"
        )
    if not has_store(settings.data.dir):
        click.echo("{}" if as_json else NO_STORE)
        return 0
    with StoreWriter(settings.data.dir) as store:
        counts = store.change(count_dead_letters, chosen)
        if counts and not yes and not _confirmed(told_counts(counts)):
            click.echo("nothing was purged", err=True)
            return 1
        purged = store.change(purge_dead_letters, chosen)
    click.echo(json.dumps(purged) if as_json else f"purged {told_counts(purged)}")
    return 0


def _confirmed(told: str) -> bool:
    click.echo(told, err=True)
    try:
        return click.confirm("Remove them for ever?", err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise ConfigurationError(
                "nobody answers: --yes purges without asking; nothing was purged"
            ) from abort
        raise

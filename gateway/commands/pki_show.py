"""`preau pki show`: which certificate ends when."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.commands.options import json_option, settings_option
from gateway.commands.pki_options import folder_option, pki_settings
from gateway.pki.expiry import CertificateState, certificate_states


@click.command(
    epilog="Example: preau pki show --json | jq '.[] | select(.days_left < 90)'",
    short_help="Show which certificate ends when.",
)
@settings_option
@folder_option
@json_option
def command(settings_file: Path | None, folder: Path | None, *, as_json: bool) -> int:
    """Show the authority and the server certificates: for whom, until when.

    Exits 1 if one has ended, ends within 30 days, or does not fit its key or the authority.
    """
    folder = pki_settings(settings_file, folder).pki.dir
    states = certificate_states(folder, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps([_told(state) for state in states], ensure_ascii=False, indent=2))
    else:
        for state in states:
            click.echo(_line(state))
            if state.problem:
                click.echo(f"{state.file}: {state.problem}", err=True)
    return 1 if any(state.problem for state in states) else 0


def _told(state: CertificateState) -> dict[str, object]:
    return asdict(state) | {"ends_at": state.ends_at.isoformat(), "problem": state.problem or None}


def _line(state: CertificateState) -> str:
    hosts = ", ".join(state.hosts) or "-"
    return f"{state.name:<8}  {state.ends_at:%Y-%m-%d}  {state.days_left:>6} days  {hosts}"

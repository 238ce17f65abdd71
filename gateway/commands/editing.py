"""What commands share that edit the estate: the editor, the time, and what is told at the end."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from gateway.commands.period import instant
from gateway.settings import Settings
from ingest.estate.editor import Edit, EstateEditor


def editor_of(settings: Settings) -> EstateEditor:
    """The editor of the estate that the settings name."""
    return EstateEditor(settings.estate_file, settings.zone)


def moment(option: str, text: str | None, settings: Settings) -> datetime:
    """The instant of an option, else now, to the minute: nobody hangs a node up by the second.

    Raises `ConfigurationError`.
    """
    if text is None:
        return datetime.now(UTC).replace(second=0, microsecond=0)
    at_ms = instant(option, text, settings.zone, 0)
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def tell(node: str, edit: Edit, also: Sequence[str] = (), *, as_json: bool) -> None:
    """Say what was done to the estate, or that there was nothing to do, and what else was done."""
    file = str(edit.file) if edit.file is not None else None
    if as_json:
        told = {"node": node, "said": edit.said, "changed_file": file, "also": list(also)}
        click.echo(json.dumps(told, indent=2))
        return
    if file is None:
        click.echo(f"{node} {edit.said} already; nothing was changed")
    else:
        click.echo(f"{node} {edit.said} ({file})")
    for sentence in also:
        click.echo(f"{node}: {sentence}")

"""`preau doctor`: everything that a newcomer stumbles on, each with its remedy."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from gateway.checks.finding import Level, failed
from gateway.clock import now_ms
from gateway.commands.options import json_option, settings_option
from gateway.doctor import Checked, examine, given_of
from gateway.settings import load_settings
from ingest.estate.problems import ProblemsError

_SIGNS: Final = MappingProxyType({Level.GOOD: "✔", Level.WARNING: "!", Level.FAILED: "✘"})


@click.command(
    epilog="Example: preau doctor --settings /etc/preau/preau.toml",
    short_help="Look for what does not work, and tell the remedy.",
)
@settings_option
@json_option
def command(settings_file: Path | None, *, as_json: bool) -> int:
    """Look at settings, estate, clock, disk, ports, broker, certificates, InfluxDB, serial ports,
    tools and nodes. Each is one line: ✔ in order, ! will trouble you, ✘ does not work; what is not
    in order has its remedy below. Nothing is changed.

    It may run beside the service; type it as the service's user. Exits 1 if something fails.
    """
    checked = look(settings_file)
    if as_json:
        click.echo(_as_json(checked))
    else:
        for one in checked:
            click.echo(_line(one))
    return 1 if any(one.is_failed for one in checked) else 0


def look(settings_file: Path | None) -> list[Checked]:
    """All findings; of settings that can't be used, only their mistakes."""
    try:
        settings = load_settings(settings_file)
    except ProblemsError as error:
        return [
            Checked("settings", failed(str(problem), "mend it; the rest is looked at after that"))
            for problem in error.problems
        ]
    return asyncio.run(examine(given_of(settings, now_ms())))


def _line(one: Checked) -> str:
    finding = one.finding
    remedy = f"\n    → {finding.remedy}" if finding.remedy else ""
    return f"{_SIGNS[finding.level]} {one.check}: {finding.text}{remedy}"


def _as_json(checked: Sequence[Checked]) -> str:
    findings = [
        {
            "check": one.check,
            "level": one.finding.level,
            "text": one.finding.text,
            "remedy": one.finding.remedy or None,
        }
        for one in checked
    ]
    ok = not any(one.is_failed for one in checked)
    return json.dumps({"ok": ok, "findings": findings}, ensure_ascii=False, indent=2)

"""`preau check`: are settings, estate and store in order? It changes none of them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from gateway.clock import now_ms
from gateway.commands.options import json_option, settings_option
from gateway.settings import Settings, load_settings
from gateway.share import share_of, share_problems
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from ingest.estate.model import Estate
from ingest.estate.problems import Problem, ProblemsError
from ingest.estate.watch import estate_is_written
from ingest.store.check import check_store
from ingest.store.database import FILE_NAME


@dataclass
class Findings:
    """What the check found. `good` are sentences; the others keep the gateway from its work."""

    good: list[str] = field(default_factory=list)
    configuration: list[Problem] = field(default_factory=list)
    store: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status: 2 for a mistake in a file, 1 for a store that is not whole."""
        return 2 if self.configuration else 1 if self.store else 0


@click.command(
    epilog="Example: preau check --settings /etc/preau/preau.toml --json",
    short_help="Check settings, estate and store.",
)
@settings_option
@json_option
def command(settings_file: Path | None, *, as_json: bool) -> int:
    """Check settings, estate and store, and tell every problem with file, line and reason.

    Reading the whole store takes about 3 s a GB. Exits 2 if settings or estate can't be used, and
    1 if the store is damaged.
    """
    findings = check_all(settings_file)
    if as_json:
        click.echo(_as_json(findings))
    else:
        for sentence in findings.good:
            click.echo(sentence)
        for problem in (*findings.configuration, *findings.store):
            click.echo(str(problem), err=True)
    return findings.status


def check_all(settings_file: Path | None) -> Findings:
    """Check everything; what comes after unusable settings can't be checked."""
    findings = Findings()
    try:
        settings = load_settings(settings_file)
    except ProblemsError as error:
        findings.configuration += error.problems
        return findings
    findings.configuration += _secret_problems(settings)
    if not findings.configuration:
        findings.good.append("settings: in order")
    _check_estate(settings, findings)
    found = check_store(settings.data.dir)
    findings.store += found
    if not found:
        exists = (settings.data.dir / FILE_NAME).exists()
        findings.good.append(f"store: {'in order' if exists else 'none yet'}")
    return findings


def _secret_problems(settings: Settings) -> Iterator[Problem]:
    """Files that the settings name and that only the service would open."""
    try:
        settings.broker.address().tls_context()
    except ConfigurationError as error:
        yield Problem("settings", None, "broker", str(error))


def _check_estate(settings: Settings, findings: Findings) -> None:
    if not estate_is_written(settings.estate_file):
        findings.good.append(
            f"estate: none yet at {settings.estate_file}; every node is to be placed"
        )
        return
    try:
        estate = load_estate(settings.estate_file, settings.zone)
    except ProblemsError as error:
        findings.configuration += error.problems
        return
    findings.good.append(f"estate: in order, {_counted(estate)}")
    share = share_of(settings.share)
    unfit = list(share_problems(share, estate))
    findings.configuration += unfit
    if not share.is_whole and not unfit:
        findings.good.append(f"share: {_share_told(settings, estate)}")


def _share_told(settings: Settings, estate: Estate) -> str:
    share = share_of(settings.share)
    own = len(share.part(estate, now_ms()).own)
    strangers = ", and every node that is placed nowhere" if share.strangers else ""
    return f"{own} of {len(estate.nodes)} nodes, at {', '.join(settings.share.sites)}{strangers}"


def _counted(estate: Estate) -> str:
    numbers = {
        "site": len(estate.sites),
        "room": sum(1 for _ in estate.rooms()),
        "node": len(estate.nodes),
    }
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for word, n in numbers.items())


def _as_json(findings: Findings) -> str:
    problems = [asdict(problem) for problem in findings.configuration]
    problems += [{"file": "store", "reason": text} for text in findings.store]
    return json.dumps(
        {"ok": findings.status == 0, "found": findings.good, "problems": problems},
        ensure_ascii=False,
        indent=2,
    )

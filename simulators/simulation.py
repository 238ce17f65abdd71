"""What `preau simulate` does with its options: loads, refuses, plays, tells.

It needs the packages of the extra `simulators`.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from gateway.commands.progress import told_parts
from ingest.errors import ConfigurationError
from simulators.scenario import load, report
from simulators.scenario.external import Target, parse_target, perform_against, refuse_own_servers
from simulators.scenario.model import Speed
from simulators.scenario.perform import Outcome, perform
from simulators.scenario.script import Scenario


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command."""

    scenario: str
    seed: int | None = None
    nodes: int | None = None
    speed: Speed | None = None
    short: bool = False
    target: str | None = None
    page: str | None = None
    report: Path | None = None
    as_json: bool = False


def simulate(options: Options) -> int:
    """Play, print, and say how it ended. Raises `ConfigurationError` before anything is started."""
    if options.report is not None and not options.report.absolute().parent.is_dir():
        raise ConfigurationError(f"--report {str(options.report)!r}: there is no such folder")
    path = load.find_scenario(options.scenario)
    script = load.load_scenario(path, short=options.short).with_head(
        seed=options.seed, nodes=options.nodes, speed=options.speed
    )
    target = None if options.target is None else parse_target(options.target, options.page)
    if target is not None:
        refuse_own_servers(script)
    outcome = _told(script, target)
    if options.report is not None:
        options.report.write_text(report.as_junit(outcome), encoding="utf-8")
    click.echo(report.as_json(outcome) if options.as_json else report.as_table(outcome))
    return 0 if outcome.holds else 1


def _told(script: Scenario, target: Target | None) -> Outcome:
    """Play it, and tell on standard error how far it is."""
    seconds = (script.end_ms - script.begin_ms) // 1000
    with told_parts(script.name) as tell:

        def told(at_ms: int) -> None:
            tell((at_ms - script.begin_ms) // 1000, seconds)

        if target is None:
            return asyncio.run(perform(script, told=told))
        return asyncio.run(perform_against(script, target, told=told))

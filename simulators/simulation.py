"""What `preau simulate` does with its options: loads, refuses, plays, tells.

It needs the packages of the extra `simulators`.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from gateway.clock import RELEASED_AT_MS
from gateway.commands.progress import told_parts
from ingest.errors import ConfigurationError
from simulators.replay import first_ms_of, last_ms_of, moved, read_recording, replay_of
from simulators.scenario import load, report
from simulators.scenario.cast import Cast, cast_of
from simulators.scenario.external import Target, parse_target, perform_against
from simulators.scenario.model import Speed
from simulators.scenario.perform import Outcome, perform
from simulators.scenario.script import Scenario

_HOUR_MS: Final = 3_600_000
_LINE_EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command."""

    scenario: str | None
    replay: Path | None = None
    shift: str | None = None
    seed: int | None = None
    nodes: int | None = None
    speed: Speed | None = None
    shared_session: bool = False
    short: bool = False
    target: str | None = None
    page: str | None = None
    ca: Path | None = None
    passwords: Path | None = None
    lists_nodes: bool = False
    report: Path | None = None
    as_json: bool = False

    @property
    def sessions(self) -> str | None:
        """What the scenario's own word is replaced by, if it is."""
        return "shared" if self.shared_session else None


@dataclass(frozen=True, slots=True)
class _Play:
    """What is played: with other nodes than the town's, or other times, where these are given."""

    script: Scenario
    cast: Cast | None = None
    shift_ms: int | None = None


def simulate(options: Options) -> int:
    """Play, print, and say how it ended. Raises `ConfigurationError` before anything is started."""
    if options.report is not None and not options.report.absolute().parent.is_dir():
        raise ConfigurationError(f"--report {str(options.report)!r}: there is no such folder")
    _refuse_strays(options)
    target = _target(options)
    play = _replay(options) if options.replay is not None else _scenario(options)
    play = replace(
        play,
        script=replace(play.script, asked=_asked(options), is_recording=options.replay is not None),
    )
    if options.lists_nodes:
        cast = play.cast or cast_of(play.script)
        click.echo("\n".join(stand.node for stand in cast.stands))
        return 0
    outcome = _told(play, target)
    if options.report is not None:
        options.report.write_text(report.as_junit(outcome), encoding="utf-8")
    click.echo(report.as_json(outcome) if options.as_json else report.as_table(outcome))
    return 0 if outcome.holds else 1


def _refuse_strays(options: Options) -> None:
    """An option that would do nothing. Raises `ConfigurationError`."""
    if options.replay is None:
        if options.shift is not None:
            raise ConfigurationError("--shift goes with --replay")
        return
    for name, given in (("--nodes", options.nodes is not None), ("--short", options.short)):
        if given:
            raise ConfigurationError(f"{name} goes with a scenario, not with --replay")


def _asked(options: Options) -> tuple[str, ...]:
    """What else was typed that makes a difference to the play."""
    words: list[str] = []
    for name in ("target", "page", "ca", "passwords"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    if options.shift is not None:
        words += ["--shift", options.shift]
    return tuple(words)


def _target(options: Options) -> Target | None:
    if options.target is not None:
        return parse_target(
            options.target, options.page, ca=options.ca, passwords=options.passwords
        )
    for name in ("page", "ca", "passwords"):
        if getattr(options, name) is not None:
            raise ConfigurationError(f"--{name} goes with --target")
    return None


def _scenario(options: Options) -> _Play:
    path = load.find_scenario(options.scenario or "")
    script = load.load_scenario(path, short=options.short, own_gateway=options.target is None)
    changed = script.with_head(
        seed=options.seed, nodes=options.nodes, speed=options.speed, sessions=options.sessions
    )
    return _Play(load.checked(changed, own_gateway=options.target is None))


def _replay(options: Options) -> _Play:
    file = options.replay or Path()
    recordings = read_recording(file)
    shift_ms = _shift_ms(options.shift)
    own = options.target is None
    if own:
        # A gateway of our own goes by the recording's clock, so the recording itself is moved.
        by_ms = time.time_ns() // 1_000_000 - last_ms_of(recordings)
        # Of a long one the beginning would lie before any clock that a gateway believes.
        by_ms = max(by_ms, RELEASED_AT_MS + _HOUR_MS - first_ms_of(recordings))
        recordings = moved(recordings, by_ms // 1000 * 1000 if shift_ms is None else shift_ms)
    script, cast = replay_of(file, recordings, own_gateway=own)
    changed = script.with_head(seed=options.seed, speed=options.speed, sessions=options.sessions)
    return _Play(changed, cast, shift_ms)


def _shift_ms(shift: str | None) -> int | None:
    """Milliseconds; `None` for "so that it ends now"."""
    if shift is None or shift == "now":
        return None
    try:
        return int(shift) * 1000
    except ValueError as error:
        raise ConfigurationError(
            f"--shift {shift!r}: must be now, or a whole number of seconds, 0 for none"
        ) from error


def _boards(script: Scenario) -> str:
    """How many nodes run the real firmware, for whoever waits: they take as long as life."""
    firmware = script.head.firmware_of(script.head.nodes or len(script.measured_rooms()))
    return f" ({firmware} with the real firmware)" if firmware else ""


def _told(play: _Play, target: Target | None) -> Outcome:
    """Play it, and tell on standard error how far it is."""
    begin_ms, seconds = play.script.begin_ms, (play.script.end_ms - play.script.begin_ms) // 1000
    title = play.script.name + _boards(play.script)
    with told_parts(title, lines_every_s=_LINE_EVERY_S) as tell:

        def told(at_ms: int) -> None:
            tell((at_ms - begin_ms) // 1000, seconds)

        if target is None:
            return asyncio.run(perform(play.script, cast=play.cast, told=told))
        work = perform_against(
            play.script, target, cast=play.cast, shift_ms=play.shift_ms, told=told
        )
        return asyncio.run(work)

"""Plays a scenario against somebody else's broker and gateway.

Nodes measure the scenario's air and tell times of now: its period is moved so that it ends when the
run does. What is there is asked for over the API, where its address is given.
"""

import asyncio
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.endpoint import public_address
from gateway.mqtt.address import BrokerAddress
from ingest.errors import ConfigurationError, PreauError, TransientError
from ingest.estate.fields import to_ms
from ingest.estate.problems import ProblemsError
from simulators.scenario.api_records import ApiRecords
from simulators.scenario.boards import Bench, require
from simulators.scenario.cast import Cast, cast_of
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.descriptors import make_room
from simulators.scenario.evidence import Evidence
from simulators.scenario.judge import Judge, Verdict, name_of
from simulators.scenario.model import ExpectTable, HostilePayloads, Memory, Overview
from simulators.scenario.perform import Outcome, connections_of, outcome_of
from simulators.scenario.play import Player, Told
from simulators.scenario.script import Entry, Scenario
from simulators.scenario.weight import UNKNOWN, Weight
from simulators.target import check_broker, parse_broker, read_passwords

_LATER_MS: Final = 60_000
_UNSEEN: Final = "can't be seen from here: give the gateway's address with --page"


@dataclass(frozen=True, slots=True)
class Target:
    """A broker, and the page of the gateway behind it where that may be asked.

    `passwords` is a folder with NODE.password for each node.
    """

    address: BrokerAddress
    page: str | None = None
    passwords: Path | None = None

    def page_context(self) -> ssl.SSLContext:
        """A page over TLS may have a certificate of the broker's authority, or of the system's."""
        context = ssl.create_default_context()
        if self.address.ca is not None:
            context.load_verify_locations(self.address.ca)
        return context

    def check(self) -> None:
        """Whether it runs is for its owner to say."""

    def weight(self) -> Weight:
        """Not to be told from here."""
        return UNKNOWN

    async def take_away(self, server: str) -> None:
        """Refused: the checks have let no such fault through."""
        raise ConfigurationError(f"the {server} is not ours to end")

    async def bring_back(self, server: str, *, until_well: bool) -> None:
        """Refused likewise."""
        raise ConfigurationError(f"the {server} is not ours to start ({until_well=})")

    async def ask(self, path: str, **query: str) -> Any:
        """What the gateway's API answers; no rooms where it may not be asked."""
        if self.page is None:
            return {"rooms": []}
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{self.page}{path}", params=query, ssl=self.page_context()) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            raise TransientError(f"{self.page}{path} does not answer: {error}") from error


def parse_target(
    target: str, page: str | None, *, ca: Path | None = None, passwords: Path | None = None
) -> Target:
    """A broker's and a page's address, with what opens them. Raises `ConfigurationError`."""
    address = parse_broker(target, ca)
    try:
        return Target(address, None if page is None else public_address(page), passwords)
    except ValueError as error:
        raise ConfigurationError(f"--page {page!r}: {error}") from error


async def perform_against(
    scenario: Scenario,
    target: Target,
    *,
    cast: Cast | None = None,
    shift_ms: int | None = None,
    told: Told = lambda _at_ms: None,
) -> Outcome:
    """Play a scenario against `target` and judge what can be seen of it.

    Nodes tell times `shift_ms` after those of the scenario: so that it ends with the run, if that
    is left open. Raises `ConfigurationError`, and starts nothing, where the broker is known not to
    let them in.
    """
    begun_s = time.perf_counter()
    if cast is None:
        cast = await asyncio.to_thread(cast_of, scenario)
    boards = sum(stand.is_firmware for stand in cast.stands)
    require(boards)
    if boards and target.address.tls:
        raise ConfigurationError("firmware: boards of a scenario speak no TLS to a broker yet")
    if shift_ms is None:
        shift_ms = shift_of(scenario, time.time_ns() // 1_000_000)
    names = [stand.node for stand in cast.stands]
    passwords = read_passwords(target.passwords, target.address, names)
    if passwords is not None:
        if scenario.head.sessions == "shared":
            raise ConfigurationError("one shared session has one account: leave --passwords out")
        _refuse_strangers(scenario)
    make_room(connections_of(scenario, len(names)))
    await check_broker(target.address, names, passwords)
    with (
        tempfile.TemporaryDirectory(prefix="preau-scenario-") as folder,
        ScenarioClock(Path(folder) / "clock", scenario.begin_ms) as clock,
    ):

        def shifted_s() -> float:
            return clock.now_s() + shift_ms / 1000

        bench = Bench(Path(folder))
        nodes = await bench.nodes(
            scenario, cast, target.address, shifted_s, shift_ms=shift_ms, passwords=passwords
        )
        player = Player(scenario, cast, nodes, clock, target, told)
        broke: str | None = None
        verdicts: list[Verdict] = []
        try:
            await player.run()
            records = ApiRecords(
                target.page or "",
                [node.node for node in nodes],
                since_ms=scenario.begin_ms,
                # Boards measure on while they hand over, by the gateway's own clock.
                until_ms=clock.now_ms() + scenario.head.interval_s * 1000 + _LATER_MS
                if boards
                else scenario.end_ms + 1,
                shift_ms=shift_ms,
                context=target.page_context(),
            )
            judge = Judge(scenario, cast, Evidence(records, nodes), player.overviews, UNKNOWN)
            verdicts = await asyncio.to_thread(_seen, judge, target)
        except PreauError as error:
            broke = str(error)
        return outcome_of(player, verdicts, broke, begun_s)


def _refuse_strangers(scenario: Scenario) -> None:
    """Where each node has an account nobody else gets in. Raises `ProblemsError`."""
    reason = "needs a broker that lets one client write for all nodes: leave --passwords out"
    problems = [
        scenario.source.problem(("fault", entry.index, "what"), reason, entry.table.what)
        for entry in scenario.faults
        if isinstance(entry.table, HostilePayloads)
    ]
    if problems:
        raise ProblemsError(problems)


def shift_of(scenario: Scenario, now_ms: int) -> int:
    """By how much its times have to be moved to end when the run does, in whole intervals."""
    speed = scenario.head.speed
    lasts_ms = scenario.end_ms - scenario.begin_ms
    ends_ms = now_ms if speed == "full" else now_ms + round(lasts_ms / float(speed))
    interval_ms = scenario.head.interval_s * 1000
    # Rounded down: a node whose times lie ahead of the gateway's is refused.
    return (ends_ms - scenario.end_ms) // interval_ms * interval_ms


def _seen(judge: Judge, target: Target) -> list[Verdict]:
    """The verdicts, `None` for what only a gateway of our own would show."""
    if target.page is not None:
        expected = zip(judge.scenario.expectations, judge.verdicts(), strict=True)
        return [_if_seen(judge, entry, verdict) for entry, verdict in expected]
    verdicts = []
    for entry in judge.scenario.expectations:
        place = judge.scenario.source.place(("expect", entry.index))
        if entry.table.what == "nothing_missing":
            packs = sum(node.receipted for node in judge.evidence.nodes)
            holds: bool | None = not any(node.held for node in judge.evidence.nodes)
            found = f"{packs} packs have their receipt"
        else:
            holds, found = None, _UNSEEN
        verdicts.append(Verdict(name_of(entry.table), holds, found, place))
    return verdicts


def _if_seen(judge: Judge, entry: Entry[ExpectTable], verdict: Verdict) -> Verdict:
    table, why = entry.table, None
    if isinstance(table, Memory) or table.what == "influxdb_has_all":
        why = "only of a gateway of its own"
    elif isinstance(table, Overview):
        # Its clock shows now all the time, and what was measured before is old to it.
        if table.at is not None and to_ms(table.at) != judge.scenario.end_ms:
            why = "of somebody else's gateway only when the scenario ends"
        elif entry.index not in judge.overviews:
            why = f"that gateway's estate has no room {table.room}"
    return verdict if why is None else Verdict(verdict.name, None, why, verdict.place)

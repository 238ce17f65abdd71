"""Plays a scenario against somebody else's broker and gateway.

Nodes measure the scenario's air and tell times of now: its period is moved so that it ends when the
run does. What is there is asked for over the API, where its address is given.
"""

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from gateway.endpoint import public_address, valid_host
from gateway.mqtt.address import BrokerAddress
from ingest.errors import ConfigurationError, PreauError, TransientError
from ingest.estate.fields import to_ms
from simulators.scenario.api_records import ApiRecords
from simulators.scenario.cast import Cast, cast_of
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.evidence import Evidence
from simulators.scenario.judge import Judge, Verdict, name_of
from simulators.scenario.model import ExpectTable, Memory, Overview
from simulators.scenario.perform import Outcome, outcome_of
from simulators.scenario.play import Player, Told
from simulators.scenario.script import Entry, Scenario
from simulators.scenario.weight import Weight

PASSWORD_VARIABLE: Final = "PREAU_SIMULATE_PASSWORD"  # noqa: S105 - its name, not its value
_PORT: Final = 1883
_UNSEEN: Final = "can't be seen from here: give the gateway's address with --page"


@dataclass(frozen=True, slots=True)
class Target:
    """A broker, and the page of the gateway behind it where that may be asked."""

    address: BrokerAddress
    page: str | None = None

    def check(self) -> None:
        """Whether it runs is for its owner to say."""

    def weight(self) -> Weight:
        """Not to be told from here."""
        return Weight()

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
                client.get(f"{self.page}{path}", params=query) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            raise TransientError(f"{self.page}{path} does not answer: {error}") from error


def parse_target(target: str, page: str | None) -> Target:
    """`mqtt://user@host:1883` and a page's address. `ConfigurationError` for anything else.

    A password is taken from PREAU_SIMULATE_PASSWORD: on a command line anybody could read it.
    """
    try:
        parts = urlsplit(target)
        port = parts.port or _PORT
        host = valid_host(parts.hostname or "")
        page = None if page is None else public_address(page)
    except ValueError as error:
        raise ConfigurationError(f"--target {target!r}, --page {page!r}: {error}") from error
    if parts.scheme != "mqtt" or parts.path not in {"", "/"} or parts.query:
        raise ConfigurationError(f"--target {target!r}: must look like mqtt://127.0.0.1:1883")
    if parts.password is not None:
        raise ConfigurationError(f"--target: put the password into {PASSWORD_VARIABLE}")
    password = os.environ.get(PASSWORD_VARIABLE) if parts.username else None
    return Target(BrokerAddress(host, port, parts.username, password), page)


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
    is left open.
    """
    begun_s = time.perf_counter()
    if cast is None:
        cast = await asyncio.to_thread(cast_of, scenario)
    if shift_ms is None:
        shift_ms = shift_of(scenario, time.time_ns() // 1_000_000)
    with (
        tempfile.TemporaryDirectory(prefix="preau-scenario-") as folder,
        ScenarioClock(Path(folder) / "clock", scenario.begin_ms) as clock,
    ):

        def shifted_s() -> float:
            return clock.now_s() + shift_ms / 1000

        nodes = cast.nodes(scenario, target.address, shifted_s, shift_ms=shift_ms)
        player = Player(scenario, cast, nodes, clock, target, told)
        broke: str | None = None
        verdicts: list[Verdict] = []
        try:
            await player.run()
            records = ApiRecords(
                target.page or "",
                [node.node for node in nodes],
                since_ms=scenario.begin_ms,
                until_ms=scenario.end_ms + 1,
                shift_ms=shift_ms,
            )
            judge = Judge(scenario, cast, Evidence(records, nodes), player.overviews, Weight())
            verdicts = await asyncio.to_thread(_seen, judge, target)
        except PreauError as error:
            broke = str(error)
        return outcome_of(player, verdicts, broke, begun_s)


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

"""What the tables of a scenario say of each other and of the estate: rooms, periods, servers.

Pure: a scenario goes in, its problems come out.
"""

import difflib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Final, get_args

from gateway.clock import RELEASED_AT_MS
from gateway.web.room_state import Condition
from ingest.estate.fields import DEFAULT_ZONE
from ingest.estate.problems import Problem
from ingest.reasons import REASONS
from simulators.chips import CATALOGUE
from simulators.scenario.firmware_checks import firmware_problems
from simulators.scenario.model import (
    BatteryFault,
    BuildingFaultTable,
    ChipFaultTable,
    ClockFault,
    DisconnectedFault,
    ExpectTable,
    FaultTable,
    HeadTable,
    IconeExpected,
    Judged,
    Letters,
    Level,
    NodesFault,
    OfRoom,
    Overview,
    RoomFault,
    ShareFault,
    SystemFault,
    ValveFault,
)
from simulators.scenario.script import Entry, Scenario
from simulators.sensors import USUAL

OWN_SERVERS: Final = get_args(SystemFault.model_fields["what"].annotation)
"""Faults that only servers of a scenario's own may have."""
_MOST_DAYS: Final = 400
_OF_ESTATE: Final = frozenset({"room", "building"})
_STATES: Final = (
    BatteryFault,
    BuildingFaultTable,
    ChipFaultTable,
    ClockFault,
    DisconnectedFault,
    ShareFault,
    ValveFault,
)
"""Faults that are nothing unless they last."""
_KEY_OF: Final = {"ppm_a_year": "baseline_drift", "height": "spikes"}
"""Keys that one alone of the faults of their table has."""
_SPOILS: Final = {"baseline_drift": "co2", "power_on_value": "temperature"}
"""Faults of one quantity only."""


def problems_of(scenario: Scenario) -> Iterator[Problem]:
    """All that is wrong with it, in the order of its tables."""
    source = scenario.source
    if scenario.end_ms - scenario.begin_ms > _MOST_DAYS * 86_400_000:
        yield source.problem(("end",), f"must lie at most {_MOST_DAYS} days after `begin`")
    yield from _of_rooms(scenario)
    for fault in scenario.faults:
        yield from _of_fault(scenario, fault)
    for expected in scenario.expectations:
        yield from _of_expectation(scenario, expected)
    yield from firmware_problems(scenario)


def own_gateway_problems(scenario: Scenario) -> Iterator[Problem]:
    """What keeps it from being played with a gateway that goes by its clock."""
    if scenario.begin_ms < RELEASED_AT_MS:
        since = datetime.fromtimestamp(RELEASED_AT_MS / 1000, UTC).date()
        reason = f"must not be before {since}: a gateway takes no clock from before its release"
        yield scenario.source.problem(("begin",), reason)


def other_gateway_problems(scenario: Scenario) -> Iterator[Problem]:
    """What keeps it from being played against somebody else's servers."""
    for entry in scenario.faults:
        if entry.table.what in OWN_SERVERS:
            reason = "needs servers of its own: leave --target out"
            yield scenario.source.problem(("fault", entry.index, "what"), reason)


def _of_rooms(scenario: Scenario) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, room in enumerate(scenario.rooms):
        yield from _unknown(scenario, ("room", index, "ref"), room.ref, _refs(scenario), "room")
        if room.ref in seen:
            yield scenario.source.problem(("room", index, "ref"), "is described twice", room.ref)
        seen.add(room.ref)


def _of_fault(scenario: Scenario, entry: Entry[FaultTable]) -> Iterator[Problem]:
    fault, place = entry.table, ("fault", entry.index)
    for key in ("since", "until"):
        yield from _outside(scenario, (*place, key), getattr(fault, key), scenario.written)
    if isinstance(fault, RoomFault):
        yield from _unknown(scenario, (*place, "room"), fault.room, _refs(scenario), "room")
        yield from _no_node(scenario, (*place, "room"), fault.room)
        yield from _chip(scenario, entry, fault)
    if isinstance(fault, NodesFault):
        for room in fault.rooms:
            yield from _unknown(scenario, (*place, "rooms"), room, _refs(scenario), "room")
            yield from _no_node(scenario, (*place, "rooms"), room)
    if isinstance(fault, _STATES) and fault.times is not None and not fault.lasting_s:
        reason = f"is missing: how long each {fault.what} lasts"
        yield scenario.source.problem((*place, "lasting_s"), reason)
    if isinstance(fault, BuildingFaultTable):
        known = {f"{p.site.id}/{p.building.id}" for p in scenario.estate.rooms()}
        yield from _unknown(scenario, (*place, "building"), fault.building, known, "building")
    if fault.what == "influxdb_down" and not scenario.head.influxdb:
        yield scenario.source.problem((*place, "what"), "needs `influxdb = true`", fault.what)
    if fault.what == "power_cut" and scenario.head.power == "battery":
        reason = 'needs `power = "mains"`: a node on batteries sleeps through it'
        yield scenario.source.problem((*place, "what"), reason, fault.what)


def _chip(scenario: Scenario, entry: Entry[FaultTable], fault: RoomFault) -> Iterator[Problem]:
    place, source = ("fault", entry.index), scenario.source
    for key, what in _KEY_OF.items():
        if key in fault.model_fields_set and fault.what != what:
            yield source.problem((*place, key), f"goes with {what}, not with {fault.what}")
    chip = getattr(fault, "chip", None)
    if chip is None:
        return
    fitted = _fitted(scenario, fault.room)
    spoilt = _SPOILS.get(fault.what)
    if chip not in fitted:
        reason = f"is no chip of that room: {', '.join(fitted)}"
        yield source.problem((*place, "chip"), reason, chip)
    elif spoilt is not None and spoilt not in _measured([chip]):
        reason = f"measures no {spoilt}, which is what {fault.what} spoils"
        yield source.problem((*place, "chip"), reason, chip)


def _fitted(scenario: Scenario, room: str) -> Collection[str]:
    of_room = next((one.chips for one in scenario.rooms if one.ref == room), None)
    return of_room or USUAL


def _measured(chips: Collection[str]) -> set[str]:
    return {channel.quantity for chip in chips for channel in CATALOGUE[chip].channels}


def _of_expectation(scenario: Scenario, entry: Entry[ExpectTable]) -> Iterator[Problem]:
    expected, place = entry.table, ("expect", entry.index)
    if isinstance(expected, OfRoom | Overview):
        yield from _unknown(scenario, (*place, "room"), expected.room, _refs(scenario), "room")
        yield from _no_node(scenario, (*place, "room"), expected.room)
    for key in ("since", "until", "at"):
        yield from _outside(scenario, (*place, key), getattr(expected, key, None), scenario.head)
    if isinstance(expected, IconeExpected) or getattr(expected, "when", "always") != "always":
        found = scenario.estate.room(getattr(expected, "room", ""))
        if found is not None and found.hours is None:
            yield scenario.source.problem((*place, "room"), "has no opening hours in the estate")
    if isinstance(expected, Level | Judged | IconeExpected):
        yield from _unmeasured(scenario, place, expected)
    if isinstance(expected, Overview):
        yield from _condition(scenario, place, expected)
    if isinstance(expected, Letters) and expected.reason is not None:
        yield from _unknown(scenario, (*place, "reason"), expected.reason, REASONS, "reason")
    if expected.what == "influxdb_has_all" and not scenario.head.influxdb:
        reason = "needs `influxdb = true`"
        yield scenario.source.problem((*place, "what"), reason, expected.what)


def _unmeasured(
    scenario: Scenario, place: tuple[str, int], expected: Level | Judged | IconeExpected
) -> Iterator[Problem]:
    quantity = "co2" if isinstance(expected, IconeExpected) else expected.what
    if isinstance(expected, Judged):
        quantity = expected.quantity
    fitted = _fitted(scenario, expected.room)
    # A node's battery needs no chip.
    if quantity != "battery" and quantity not in _measured(fitted):
        reason = f"has no chip that measures {quantity}, only {', '.join(fitted)}"
        yield scenario.source.problem((*place, "room"), reason, expected.room)


def _condition(scenario: Scenario, place: tuple[str, int], expected: Overview) -> Iterator[Problem]:
    key = "says" if expected.says is not None else "says_not"
    known = [condition.value for condition in Condition]
    yield from _unknown(scenario, (*place, key), getattr(expected, key), known, "condition")


def _refs(scenario: Scenario) -> list[str]:
    return [place.ref for place in scenario.estate.rooms()]


def _unknown(
    scenario: Scenario, path: tuple[str, int, str], name: str, known: Collection[str], kind: str
) -> Iterator[Problem]:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    where = " of the estate" if kind in _OF_ESTATE else ""
    yield scenario.source.problem(path, f"is no {kind}{where}; {hint}", name)


def _no_node(scenario: Scenario, path: tuple[str, int, str], room: str) -> Iterator[Problem]:
    if scenario.estate.room(room) is None:
        return
    measured = scenario.measured_rooms()
    if room not in measured:
        yield scenario.source.problem(path, "has no node when the scenario begins", room)
    elif room not in measured[: scenario.head.nodes]:
        first = scenario.head.nodes
        reason = f"has no node: only the first {first} of {len(measured)} take part"
        yield scenario.source.problem(path, reason, room)


def _outside(
    scenario: Scenario, path: tuple[str, int, str], at: datetime | None, head: HeadTable
) -> Iterator[Problem]:
    """A fault has to lie in the whole scenario, an expectation in what is played of it."""
    if at is None:
        return
    remedy = "" if head is scenario.written else "; `short = false` leaves it out of the short form"
    if at < head.begin:
        reason = f"is before the scenario begins, {_shown(head.begin)}{remedy}"
        yield scenario.source.problem(path, reason)
    elif at > head.end:
        reason = f"is after the scenario ends, {_shown(head.end)}{remedy}"
        yield scenario.source.problem(path, reason)


def _shown(at: datetime) -> str:
    # Local, as it stands in the file.
    return at.astimezone(DEFAULT_ZONE).strftime("%Y-%m-%dT%H:%M")

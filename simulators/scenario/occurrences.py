"""When the faults of a scenario befall it: as written, or drawn by its seed.

Pure: the same scenario and seed give the same times.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ingest.estate.fields import to_ms
from simulators import faults as of_town
from simulators.faults import Fault
from simulators.scenario.model import (
    BatteryFault,
    BuildingFaultTable,
    ChipFaultTable,
    ClockFault,
    DisconnectedFault,
    FaultTable,
    HostilePayloads,
    NodesFault,
    RoomFault,
    ShareFault,
    SystemFault,
    ValveFault,
)
from simulators.scenario.script import Scenario
from simulators.seeds import key_of, uniform

_CHIP_FAULTS: Final[dict[str, tuple[type[of_town.ChipFault], tuple[str, ...]]]] = {
    "frozen": (of_town.Frozen, ()),
    "baseline_drift": (of_town.BaselineDrift, ("ppm_a_year",)),
    "spikes": (of_town.Spikes, ("share", "height")),
    "power_on_value": (of_town.PowerOnValue, ("share",)),
    "checksum_errors": (of_town.ChecksumErrors, ("share",)),
    "disconnected": (of_town.Disconnected, ("value",)),
}
"""By name: the fault of the town, and what its table tells of it."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a fault befalls a scenario, from `since_ms` to before `until_ms`."""

    fault: FaultTable
    since_ms: int
    until_ms: int


def occurrences(scenario: Scenario) -> list[Occurrence]:
    """All of them that touch its period, by time."""
    found: list[Occurrence] = []
    for entry in scenario.faults:
        fault = entry.table
        if fault.since is not None:
            since_ms = to_ms(fault.since)
            until_ms = _end_ms(scenario, fault, since_ms)
            # A short form may begin when something is wrong already, or be over before it is.
            if since_ms < scenario.end_ms and until_ms >= scenario.begin_ms:
                found.append(Occurrence(fault, since_ms, until_ms))
            continue
        lasting_ms = fault.lasting_s * 1000
        room_ms = max(0, scenario.end_ms - scenario.begin_ms - lasting_ms)
        drawn = uniform(
            key_of("scenario", scenario.seed, "fault", entry.index),
            np.arange(fault.times or 0, dtype=np.int64),
        )
        for share in sorted(drawn.tolist()):
            since_ms = scenario.begin_ms + round(share * room_ms)
            found.append(Occurrence(fault, since_ms, since_ms + lasting_ms))
    return sorted(found, key=lambda one: one.since_ms)


def _end_ms(scenario: Scenario, fault: FaultTable, since_ms: int) -> int:
    """A server or power comes back at once if nothing else is said; all else stays broken."""
    if fault.until is not None:
        return to_ms(fault.until)
    comes_back = isinstance(fault, SystemFault | HostilePayloads) or fault.what == "power_cut"
    return since_ms if comes_back else scenario.end_ms


def of_air_and_nodes(scenario: Scenario) -> list[Fault]:
    """What goes wrong with buildings, chips, batteries and clocks, as the town knows it."""
    return [fault for one in occurrences(scenario) for fault in _as_fault(scenario, one)]


def _as_fault(scenario: Scenario, one: Occurrence) -> list[Fault]:
    table = one.fault
    if (
        isinstance(table, SystemFault | NodesFault | HostilePayloads)
        or one.until_ms <= one.since_ms
    ):
        return []
    when = {"since_ms": one.since_ms, "until_ms": one.until_ms}
    if isinstance(table, BuildingFaultTable):
        kinds = {
            "clock_on_winter_time": of_town.ClockOnWinterTime,
            "boiler_down": of_town.BoilerDown,
            "heating_left_on": of_town.HeatingLeftOn,
        }
        return [kinds[table.what](building=table.building, **when)]
    if isinstance(table, ValveFault):
        return [of_town.StuckValve(room=table.room, opening=table.opening, **when)]
    if isinstance(table, RoomFault):
        nodes = scenario.estate.nodes_of(table.room, one.since_ms)
        return [_of_node(table, node, when) for node in nodes]
    return []


def _of_node(table: RoomFault, node: str, when: dict[str, int]) -> Fault:
    match table:
        case ClockFault():
            return of_town.WrongClock(node=node, ahead_s=table.ahead_s, **when)
        case BatteryFault():
            return of_town.WornBattery(node=node, resistance=table.resistance, **when)
        case ChipFaultTable() | ShareFault() | DisconnectedFault():
            return _of_chip(table, node, when)
        case _:
            raise TypeError(f"{table.what!r} is no fault of a node")


def _of_chip(
    table: ChipFaultTable | ShareFault | DisconnectedFault, node: str, when: dict[str, int]
) -> Fault:
    kind, keys = _CHIP_FAULTS[table.what]
    given = {key: getattr(table, key) for key in keys}
    fault: Fault = kind(node=node, chip=table.chip, **given, **when)
    return fault

"""What can't be played with nodes that run the real firmware, and why.

Pure: a scenario goes in, its problems come out.
"""

from collections.abc import Iterator

from ingest.estate.problems import Problem
from simulators.scenario.fitted import CHECKED
from simulators.scenario.model import (
    BatteryFault,
    ClockFault,
    DisconnectedFault,
    ExpectTable,
    FaultTable,
    Judged,
    Level,
    ShareFault,
)
from simulators.scenario.script import Entry, Scenario


def firmware_problems(scenario: Scenario) -> Iterator[Problem]:
    """All of them; none where every node is a virtual one."""
    head, source = scenario.head, scenario.source
    if head.firmware is None:
        return
    measured = scenario.measured_rooms()
    nodes = head.nodes or len(measured)
    if head.speed != 1:
        reason = "needs `speed = 1`: chips, watchdog and MQTT of a board keep the time of day"
        yield source.problem(("firmware",), reason, head.firmware)
    if head.power == "battery":
        reason = 'needs `power = "mains"`: boards that sleep are not played yet'
        yield source.problem(("firmware",), reason, head.firmware)
    if head.firmware_of(nodes) > nodes:
        reason = f"is more than the {nodes} nodes that take part"
        yield source.problem(("firmware",), reason, head.firmware)
    rooms = set(measured[: head.firmware_of(nodes)])
    for fault in scenario.faults:
        yield from _of_fault(scenario, fault, rooms)
    for expected in scenario.expectations:
        yield from _of_expectation(scenario, expected, rooms)


def _of_fault(scenario: Scenario, entry: Entry[FaultTable], rooms: set[str]) -> Iterator[Problem]:
    fault, place = entry.table, ("fault", entry.index)
    if getattr(fault, "room", None) not in rooms:
        return
    where = f"the node in {getattr(fault, 'room', '')} runs the real firmware"
    match fault:
        case ClockFault():
            reason = f"can't befall it: {where}, which has its time from the gateway"
            yield scenario.source.problem((*place, "what"), reason, fault.what)
        case BatteryFault():
            reason = f"can't befall it: {where}, on mains"
            yield scenario.source.problem((*place, "what"), reason, fault.what)
        case DisconnectedFault(value=float() as value):
            reason = f"can't be told: {where}, which says nothing for a chip that does not answer"
            yield scenario.source.problem((*place, "value"), reason, value)
        case ShareFault(what="checksum_errors", chip=chip) if chip not in CHECKED:
            reason = f"can't be garbled on a board: {where}; {', '.join(CHECKED)} can"
            yield scenario.source.problem((*place, "chip"), reason, chip)
        case _:
            pass


def _of_expectation(
    scenario: Scenario, entry: Entry[ExpectTable], rooms: set[str]
) -> Iterator[Problem]:
    expected = entry.table
    quantity = expected.quantity if isinstance(expected, Judged) else expected.what
    if isinstance(expected, Level | Judged) and quantity == "battery" and expected.room in rooms:
        key = "what" if isinstance(expected, Level) else "quantity"
        reason = f"is not measured: the node in {expected.room} runs the real firmware, on mains"
        yield scenario.source.problem(("expect", entry.index, key), reason, quantity)

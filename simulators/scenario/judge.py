"""Whether what was expected of a scenario has come true, and where it has not: what, when, where.

It reads the evidence and starts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Final
from zoneinfo import ZoneInfo

from gateway.indicators.icone import icone
from gateway.web.api.names import QUALITIES
from ingest.estate.calendar import OccupancyCalendar
from ingest.estate.fields import DEFAULT_ZONE, to_ms
from ingest.quantities import QUANTITIES
from ingest.readings import Quality
from ingest.store.reader import Point
from simulators.scenario.boards import FirmwareNode
from simulators.scenario.cast import Cast
from simulators.scenario.evidence import Evidence, Key
from simulators.scenario.model import (
    Bounded,
    ExpectTable,
    IconeExpected,
    Judged,
    Letters,
    Level,
    Memory,
    OfRoom,
    Overview,
)
from simulators.scenario.script import Entry, Scenario
from simulators.scenario.weight import Weight

_SHOWN: Final = 3
# As people write them; the contract has SenML's.
_UNITS: Final = {"temperature": "°C", "humidity": "%"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """An expectation, whether it holds, what was found, and where it was written.

    `holds` is `None` where nobody could look.
    """

    name: str
    holds: bool | None
    found: str
    place: str


@dataclass(frozen=True)
class Judge:
    """Judges a scenario that is over."""

    scenario: Scenario
    cast: Cast
    evidence: Evidence
    overviews: dict[int, dict[str, object]]
    weight: Weight
    zone: ZoneInfo = DEFAULT_ZONE

    def verdicts(self) -> list[Verdict]:
        """One for each expectation, in the order of the file."""
        return [self._verdict(entry) for entry in self.scenario.expectations]

    def _verdict(self, entry: Entry[ExpectTable]) -> Verdict:
        holds, found = self._found(entry)
        place = self.scenario.source.place(("expect", entry.index))
        return Verdict(name_of(entry.table), holds, found, place)

    def _found(self, entry: Entry[ExpectTable]) -> tuple[bool, str]:
        match entry.table:
            case Level() as level:
                found = self._level(level)
            case IconeExpected() as expected:
                found = self._icone(expected)
            case Judged() as judged:
                found = self._judged(judged)
            case Letters() as letters:
                found = self._letters(letters)
            case Memory() as memory:
                found = self._memory(memory)
            case Overview() as overview:
                found = self._overview(overview, self.overviews.get(entry.index))
            case table:
                found = self._account(table.what)
        return found

    def _account(self, what: str) -> tuple[bool, str]:
        if what == "nothing_missing":
            return self._missing()
        return self._twice() if what == "nothing_twice" else self._influxdb()

    def _memory(self, memory: Memory) -> tuple[bool, str]:
        mib = self.weight.kib / 1024
        if mib == 0:
            return False, "this system does not tell how much memory the gateway takes"
        found = f"the gateway took up to {mib:.0f} MiB"
        if not self.weight.is_peak:
            found += " when looked at: this system does not tell its peak"
        return mib <= memory.at_most_mib, found

    def _letters(self, letters: Letters) -> tuple[bool, str]:
        counts = self.evidence.records.letter_counts()
        count = counts.get(letters.reason, 0) if letters.reason else sum(counts.values())
        return _within(letters, count), f"{count} dead letters, {_listed(counts)}"

    def _missing(self) -> tuple[bool, str]:
        wrong = [f"{n.node} still holds {n.held} packs" for n in self.evidence.nodes if n.held]
        for node in self.evidence.nodes:
            received = self.evidence.records.received(node)
            if received != node.numbered:
                wrong.append(
                    f"{node.node} took packs {_packs(node.numbered)}, "
                    f"received are {_packs(received)}"
                )
            if isinstance(node, FirmwareNode) and node.untaken:
                wrong.append(f"the firmware of {node.node} {node.untaken}")
        missing = self.evidence.comparison().missing
        if missing:
            wrong.insert(0, f"{len(missing)} readings are missing: {self._shown(missing)}")
        taken = sum(node.taken for node in self.evidence.nodes)
        return not wrong, "; ".join(wrong[:_SHOWN]) or f"{taken} packs, all accounted for"

    def _twice(self) -> tuple[bool, str]:
        strange = self.evidence.comparison().unexplained
        if strange:
            return (
                False,
                f"{len(strange)} stored readings that no node took: {self._shown(strange)}",
            )
        for node in self.evidence.nodes:
            if isinstance(node, FirmwareNode) and node.misdated:
                return False, f"the firmware of {node.node} {node.misdated}"
        return True, "each reading once, as it was taken"

    def _influxdb(self) -> tuple[bool, str]:
        lacking: list[tuple[str, Key]] = []
        count = 0
        for node in self.evidence.nodes:
            stored = self.evidence.records.stored(node.node)
            shipped = self.evidence.in_influx(node.node)
            count += len(stored)
            lacking += [
                (node.node, key) for key, value in stored.items() if shipped.get(key) != value
            ]
        if lacking:
            found = f"{len(lacking)} of {count} readings are not in InfluxDB"
            return False, f"{found}: {self._shown(lacking)}"
        return True, f"InfluxDB has all {count} readings"

    def _shown(self, keys: Sequence[tuple[str, Key]]) -> str:
        first = min(keys, key=lambda one: one[1][2])
        last = max(keys, key=lambda one: one[1][2])
        nodes = len({node for node, _ in keys})
        node, (quantity, _, at_ms) = first
        return (
            f"of {nodes} nodes, from {self._time(at_ms)} ({quantity} of {node}, "
            f"{self._where(node)}) to {self._time(last[1][2])}"
        )

    def _level(self, level: Level) -> tuple[bool, str]:
        unit = _UNITS.get(level.what) or QUANTITIES[level.what].unit
        points = [point for _, point in self._good(level, level.what, level.when)]
        if not points:
            return False, f"nothing was measured in {level.room} then"
        values = [point.value for point in points]
        if level.of == "mean":
            mean = fmean(values)
            return _within(level, mean), f"{mean:.1f} {unit} on average, of {len(values)} readings"
        low, high = min(points, key=_value), max(points, key=_value)
        shown = {"highest": high, "lowest": low}.get(level.of)
        if shown is not None:
            found = f"{level.of} {shown.value:g} {unit}, at {self._time(shown.measured_at_ms)}"
            return _within(level, shown.value), found
        outside = [point for point in points if not _within(level, point.value)]
        if not outside:
            return True, f"{low.value:g} to {high.value:g} {unit}, {len(values)} readings"
        first = outside[0]
        return False, (
            f"{first.value:g} {unit} in {level.room} at {self._time(first.measured_at_ms)}, "
            f"{len(outside)} of {len(values)} readings are outside; all: {low.value:g} to "
            f"{high.value:g} {unit}"
        )

    def _icone(self, expected: IconeExpected) -> tuple[bool, str]:
        since_ms, until_ms = self._period(expected)
        occupied = [
            (stretch.start_ms, stretch.end_ms)
            for stretch in self._calendar().stretches(expected.room, since_ms, until_ms)
            if stretch.state == "occupied"
        ]
        points = [(p.measured_at_ms, p.value) for _, p in self._good(expected, "co2", "always")]
        index = icone(points, occupied)
        if index is None:
            return False, f"no CO2 was measured in {expected.room} while people were in"
        return _within(expected, index.level), f"ICONE {index.level} ({index.value:.2f})"

    def _judged(self, judged: Judged) -> tuple[bool, str]:
        wanted = QUALITIES.index(judged.quality)
        since_ms, until_ms = self._period(judged)
        points = [
            point
            for node in self._nodes(judged.room)
            for point in self.evidence.records.points(node, judged.quantity, since_ms, until_ms)
        ]
        if not points:
            return False, f"nothing was measured in {judged.room} then"
        count = sum(point.quality == wanted for point in points)
        return _within(judged, count), f"{count} of {len(points)} readings are {judged.quality}"

    def _overview(self, overview: Overview, room: dict[str, object] | None) -> tuple[bool, str]:
        at_ms = self.scenario.end_ms if overview.at is None else to_ms(overview.at)
        if room is None:
            return False, f"the overview was not seen at {self._time(at_ms)}"
        conditions = room["conditions"]
        said = ", ".join(conditions) if isinstance(conditions, list) else ""
        found = f"{overview.room} is {said} at {self._time(at_ms)}"
        words = said.split(", ")
        if overview.says is not None:
            return overview.says in words, found
        return overview.says_not not in words, found

    def _good(self, of_room: OfRoom, quantity: str, when: str) -> list[tuple[str, Point]]:
        """Good readings of a room by time, in part of the time where that is asked for."""
        since_ms, until_ms = self._period(of_room)
        found = [
            (node, point)
            for node in self._nodes(of_room.room)
            for point in self.evidence.records.points(node, quantity, since_ms, until_ms)
            if point.quality == Quality.GOOD
        ]
        if when != "always":
            calendar = self._calendar()
            found = [
                (node, point)
                for node, point in found
                if calendar.at_ms(of_room.room, point.measured_at_ms).state == when
            ]
        return sorted(found, key=lambda one: one[1].measured_at_ms)

    def _period(self, of_room: OfRoom) -> tuple[int, int]:
        since_ms = self.scenario.begin_ms if of_room.since is None else to_ms(of_room.since)
        until_ms = self.scenario.end_ms if of_room.until is None else to_ms(of_room.until)
        return since_ms, until_ms

    def _calendar(self) -> OccupancyCalendar:
        return self.cast.town.air.calendar

    def _nodes(self, ref: str) -> list[str]:
        """Of the estate itself, not of its copies."""
        return [one.node for one in self.cast.stands if one.ref == ref and one.copy == 1]

    def _where(self, node: str) -> str:
        stand = next(one for one in self.cast.stands if one.node == node)
        return f"{stand.ref}, firmware" if stand.is_firmware else stand.ref

    def _time(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self.zone).strftime("%Y-%m-%d %H:%M")


def name_of(table: ExpectTable) -> str:
    """An expectation in one line."""
    parts = [table.what]
    for key, value in table.model_dump(exclude_defaults=True, mode="json").items():
        if key in {"room", "of", "when", "reason", "quality", "quantity"}:
            parts.append(str(value))
        elif key in {"at_least", "at_most", "at_most_mib", "says", "says_not"}:
            parts.append(
                f"{key.replace('_', ' ')} {value:g}" if key[0] == "a" else f"{key} {value}"
            )
    return " ".join(parts).replace("says_not", "says not")


def _within(bounds: Bounded, value: float) -> bool:
    if bounds.at_least is not None and value < bounds.at_least:
        return False
    return bounds.at_most is None or value <= bounds.at_most


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())) or "none"


def _packs(numbers: dict[str, list[tuple[int, int]]]) -> str:
    """Of one log as a rule, which then needs no name."""
    told = [
        (f"log {log}: " if len(numbers) > 1 else "")
        + ", ".join(f"{low} to {high}" for low, high in ranges)
        for log, ranges in sorted(numbers.items())
    ]
    return "; ".join(told) or "none"


def _value(point: Point) -> float:
    return point.value

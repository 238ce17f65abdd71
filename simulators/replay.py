"""A recording of a real town, played again: `readings.csv` of `preau export`, as nodes of ours.

Each node says at the recorded times what it has said then, in a log of its own. It starts nothing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from gateway.mqtt.address import BrokerAddress
from ingest.archive.csv_file import read_csv
from ingest.archive.record import Record, RefusedLine
from ingest.errors import ConfigurationError
from ingest.estate.source import source_of
from ingest.readings import Reading
from simulators.history import log_of
from simulators.node import VirtualNode
from simulators.room import RoomState
from simulators.scenario.cast import BRISK, Cast, Stand
from simulators.scenario.load import script_of
from simulators.scenario.script import Scenario
from simulators.shared import SharedSession
from simulators.target import address_for
from simulators.town import demo_town

_MOST_READINGS: Final = 20_000_000
_MOST_NODES: Final = 20_000

Recording = Mapping[int, Sequence[Reading]]
"""What one node said, by the time at which it was measured, in order of time."""


class _NoAir:
    """A node that plays a recording asks its room nothing."""

    def state_at(self, unix_s: float) -> RoomState:
        """There is none."""
        raise LookupError(f"a recorded node asks for the air at {unix_s}")


class RecordedNode(VirtualNode):
    """A node that measures what a recording says, when the recording says it."""

    def __init__(
        self,
        node: str,
        recording: Recording,
        broker: BrokerAddress,
        *,
        log: str,
        begin_ms: int,
        clock: Callable[[], float],
        shift_ms: int,
        is_brisk: bool,
        shared: SharedSession | None = None,
    ) -> None:
        super().__init__(
            node,
            _NoAir(),
            broker,
            log=log,
            pace=BRISK if is_brisk else None,
            clock=clock,
            measures_from_ms=begin_ms,
            shift_ms=shift_ms,
            shared=shared,
        )
        self._recording = recording
        self._instants = list(recording)

    def due_between(self, after_ms: int, until_ms: int) -> Sequence[int]:
        """The recorded times in that period, its begin left out."""
        first = bisect_right(self._instants, after_ms)
        return self._instants[first : bisect_right(self._instants, until_ms)]

    def sensed(self, at_ms: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[list[Reading]]:
        """What it said at each of these times."""
        return [list(self._recording[at]) for at in at_ms.tolist()]


@dataclass(frozen=True, slots=True)
class RecordedCast(Cast):
    """The nodes of a recording; they stand in no room that is known here."""

    recordings: Mapping[str, Recording]

    def nodes(
        self,
        scenario: Scenario,
        broker: BrokerAddress,
        clock: Callable[[], float],
        *,
        shift_ms: int = 0,
        passwords: Mapping[str, str] | None = None,
    ) -> list[VirtualNode]:
        """The nodes, not yet started."""
        shared = SharedSession(broker) if scenario.head.sessions == "shared" else None
        return [
            RecordedNode(
                node,
                recording,
                address_for(node, broker, passwords),
                log=log_of(node, scenario.seed, scenario.begin_ms + shift_ms),
                begin_ms=scenario.begin_ms,
                clock=clock,
                shift_ms=shift_ms,
                is_brisk=scenario.head.speed != 1,
                shared=shared,
            )
            for node, recording in self.recordings.items()
        ]


def read_recording(file: Path) -> dict[str, Recording]:
    """The recorded nodes. Raises `ConfigurationError` with the first line that can't be played."""
    by_node: defaultdict[str, defaultdict[int, list[Reading]]]
    by_node = defaultdict(lambda: defaultdict(list))
    try:
        with file.open("rb") as lines:
            records = read_csv(next(lines, b""), lines, _playable)
            for number, record in enumerate(_taken(file, records), 1):
                if number > _MOST_READINGS:
                    raise ConfigurationError(
                        f"{file}: more than {_MOST_READINGS} readings; `preau export --from --to` "
                        "writes a part"
                    )
                by_node[record.node][record.measured_at_ms].append(
                    Reading(record.quantity, record.channel, record.measured_at_ms, record.value)
                )
    except OSError as error:
        raise ConfigurationError(f"--replay {str(file)!r}: {error.strerror}") from error
    if not by_node:
        raise ConfigurationError(f"{file}: there is no reading in it")
    if len(by_node) > _MOST_NODES:
        raise ConfigurationError(f"{file}: {len(by_node)} nodes: at most {_MOST_NODES} are played")
    return {node: dict(sorted(instants.items())) for node, instants in sorted(by_node.items())}


def moved(recordings: Mapping[str, Recording], by_ms: int) -> dict[str, Recording]:
    """The same, measured so much later."""
    return {
        node: {
            at + by_ms: [one._replace(measured_at_ms=at + by_ms) for one in readings]
            for at, readings in recording.items()
        }
        for node, recording in recordings.items()
    }


def first_ms_of(recordings: Mapping[str, Recording]) -> int:
    """When its first reading was measured."""
    return min(next(iter(recording)) for recording in recordings.values())


def last_ms_of(recordings: Mapping[str, Recording]) -> int:
    """When its last reading was measured."""
    return max(next(reversed(list(recording))) for recording in recordings.values())


def replay_of(
    file: Path, recordings: Mapping[str, Recording], *, own_gateway: bool
) -> tuple[Scenario, RecordedCast]:
    """A scenario that lasts as long as the recording and expects that all of it arrives."""
    first_ms = first_ms_of(recordings)
    last_ms = last_ms_of(recordings)
    text = (
        f"begin = {_toml_time(first_ms // 1000 - 1)}\nend = {_toml_time(last_ms // 1000 + 1)}\n"
        "interval_s = 1\n"
        '[[expect]]\nwhat = "nothing_missing"\n[[expect]]\nwhat = "nothing_twice"\n'
    )
    scenario = script_of(source_of(file, text.encode()), own_gateway=own_gateway)
    air = _NoAir()
    stands = tuple(Stand(node, "", 1, air, ()) for node in recordings)
    return scenario, RecordedCast(demo_town(), (), stands, recordings)


def _playable(_record: Record) -> str | None:
    return None


def _taken(file: Path, records: Iterable[Record | RefusedLine]) -> Iterable[Record]:
    for record in records:
        if isinstance(record, RefusedLine):
            raise ConfigurationError(f"{file}:{record.number}: {record.reason}")
        yield record


def _toml_time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

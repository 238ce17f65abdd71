"""What a scenario has left behind: in the gateway's store, in InfluxDB, in its nodes' memory.

It reads and compares; what that means for an expectation it does not know. Where the gateway is
somebody else's, `api_records` stands in for the store.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from ingest.readings import MAIN_CHANNEL
from ingest.store.reader import Point, StoreReader
from simulators.scenario.boards import Node

_ALL: Final = 2**60
_MOST: Final = 10_000_000
_LETTERS: Final = 500
_TIMEOUT_S: Final = 60.0

Key = tuple[str, str, int]
"""(quantity, channel, measured_at_ms)"""


class Comparison(NamedTuple):
    """What a node took beside what is stored of it: (node, key), in order of time."""

    missing: list[tuple[str, Key]]
    unexplained: list[tuple[str, Key]]
    """Stored, but taken by nobody, or with another value."""


class Records(Protocol):
    """What a gateway has, however it is asked. Raises `PreauError` where it can't be."""

    def points(self, node: str, quantity: str, since_ms: int, until_ms: int) -> list[Point]:
        """The readings of a node's main channel, of any quality, by time of the scenario."""
        ...

    def stored(self, node: str) -> dict[Key, float]:
        """Every reading of a node, at the times that it told."""
        ...

    def letters(self, node: str) -> set[Key]:
        """The readings of a node that lie among the dead letters."""
        ...

    def letter_counts(self) -> dict[str, int]:
        """Dead letters by reason."""
        ...

    def received(self, node: Node) -> dict[str, list[tuple[int, int]]]:
        """The pack numbers of a node that were received, by log, as inclusive ranges."""
        ...


class StoreRecords:
    """Reads the data folder of a gateway, which may be running."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def points(self, node: str, quantity: str, since_ms: int, until_ms: int) -> list[Point]:
        """The readings of a node's main channel, of any quality, by time."""
        with StoreReader(self._data) as reader:
            found = [
                point
                for series in reader.series(node, quantity)
                if series.channel == MAIN_CHANNEL
                for point in reader.points(series, since_ms, until_ms, limit=_MOST)
            ]
        return sorted(found)

    def stored(self, node: str) -> dict[Key, float]:
        """Every reading of a node."""
        with StoreReader(self._data) as reader:
            return {
                (series.quantity, series.channel, point.measured_at_ms): point.value
                for series in reader.series(node)
                for point in reader.points(series, 0, _ALL, limit=_MOST)
            }

    def letters(self, node: str) -> set[Key]:
        """The readings of a node that lie among the dead letters."""
        keys: set[Key] = set()
        with StoreReader(self._data) as reader:
            after = 0
            while page := reader.dead_letters(node=node, after_id=after, limit=_LETTERS):
                for letter in page:
                    keys.update(keys_of(letter.payload))
                after = page[-1].id
        return keys

    def letter_counts(self) -> dict[str, int]:
        """Dead letters by reason."""
        with StoreReader(self._data) as reader:
            return reader.dead_letter_counts()

    def received(self, node: Node) -> dict[str, list[tuple[int, int]]]:
        """The pack numbers of a node's logs that the store has."""
        with StoreReader(self._data) as reader:
            logs = reader.logs(node.node)
        # Others may come from whoever attacks.
        ours = (log for log in logs if log.log in node.numbered)
        return {log.log: list(log.received) for log in ours}


class Evidence:
    """All of it, each part read when it is asked for."""

    def __init__(
        self, records: Records, nodes: Sequence[Node], influx_port: int | None = None
    ) -> None:
        self.records = records
        self.nodes = nodes
        self._influx_port = influx_port
        self.comparison = cache(self._compared)

    def in_influx(self, node: str) -> dict[Key, float]:
        """Every value of a node that InfluxDB holds, under whatever tags."""
        found: dict[Key, float] = {}
        for measurement in ("room_air", "node_health"):
            for series in self._query(measurement, node):
                for row in series["values"]:
                    values = dict(zip(series["columns"], row, strict=True))
                    for name, value in values.items():
                        if value is not None and f"{name}_quality" in values:
                            key = (name, series["tags"]["channel"], values["time"])
                            found[key] = float(value)
        return found

    def _query(self, measurement: str, node: str) -> list[dict[str, Any]]:
        # Both come from ourselves: a name of ours, and twelve hex digits.
        text = f"SELECT * FROM {measurement} WHERE node = '{node}' GROUP BY channel"  # noqa: S608
        query = urllib.parse.urlencode({"db": "preau", "q": text, "epoch": "ms"}).encode()
        url = f"http://127.0.0.1:{self._influx_port}/query"
        with urllib.request.urlopen(url, query, timeout=_TIMEOUT_S) as answer:
            (result,) = json.load(answer)["results"]
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def _compared(self) -> Comparison:
        comparison = Comparison([], [])
        for node in self.nodes:
            taken = {
                (r.quantity, r.channel, r.measured_at_ms): r.value for r in node.all_readings()
            }
            stored = self.records.stored(node.node)
            lacking = taken.keys() - stored.keys()
            if lacking:
                lacking -= self.records.letters(node.node)
            strange = {
                key for key, value in stored.items() if key not in taken or taken[key] != value
            }
            comparison.missing.extend((node.node, key) for key in sorted(lacking, key=_at))
            comparison.unexplained.extend((node.node, key) for key in sorted(strange, key=_at))
        return comparison


def _at(key: Key) -> tuple[int, str, str]:
    return key[2], key[0], key[1]


def keys_of(payload: bytes) -> Iterator[Key]:
    """The readings that a dead letter would have been, as far as it can be read."""
    try:
        records = json.loads(payload)
    except (ValueError, RecursionError):
        return
    base_s = 0
    for record in records if isinstance(records, list) else ():
        if not isinstance(record, dict):
            continue
        base_s = record.get("bt", base_s)
        quantity, _, channel = str(record.get("n", "")).partition(".")
        at_s = record.get("t", 0)
        if isinstance(base_s, int) and isinstance(at_s, int | float):
            yield quantity, channel or MAIN_CHANNEL, base_s * 1000 + round(at_s * 1000)

"""What a scenario has left behind: in the gateway's store, in InfluxDB, in its nodes' memory.

It reads and compares; what that means for an expectation it does not know.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingest.readings import MAIN_CHANNEL
from ingest.store.reader import LogState, Point, StoreReader
from simulators.node import VirtualNode

_ALL: Final = 2**60
_MOST: Final = 10_000_000
_TIMEOUT_S: Final = 60.0

Key = tuple[str, str, int]
"""(quantity, channel, measured_at_ms)"""


class Comparison(NamedTuple):
    """What a node took beside what is stored of it: (node, key), in order of time."""

    missing: list[tuple[str, Key]]
    unexplained: list[tuple[str, Key]]
    """Stored, but taken by nobody, or with another value."""


class Evidence:
    """All of it, read once each. The gateway may still be running."""

    def __init__(self, data: Path, nodes: Sequence[VirtualNode], influx_port: int | None) -> None:
        self.nodes = nodes
        self._data = data
        self._influx_port = influx_port
        self.comparison = cache(self._compared)
        self.stored = cache(self._stored)
        self.letters = cache(self._letters)

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

    def numbers(self, node: VirtualNode) -> LogState | None:
        """What the store knows of a node's log."""
        with StoreReader(self._data) as reader:
            return next((log for log in reader.logs(node.node) if log.log == node.log), None)

    def letter_counts(self) -> dict[str, int]:
        """Dead letters by reason."""
        with StoreReader(self._data) as reader:
            return reader.dead_letter_counts()

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
        with urllib.request.urlopen(url, query, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - ours
            (result,) = json.load(answer)["results"]
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def _stored(self, node: str) -> dict[Key, float]:
        with StoreReader(self._data) as reader:
            return {
                (series.quantity, series.channel, point.measured_at_ms): point.value
                for series in reader.series(node)
                for point in reader.points(series, 0, _ALL, limit=_MOST)
            }

    def _letters(self, node: str) -> set[Key]:
        """The readings that lie among the dead letters."""
        keys: set[Key] = set()
        with StoreReader(self._data) as reader:
            after = 0
            while page := reader.dead_letters(node=node, after_id=after, limit=500):
                for letter in page:
                    keys.update(_keys_of(letter.payload))
                after = page[-1].id
        return keys

    def _compared(self) -> Comparison:
        comparison = Comparison([], [])
        for node in self.nodes:
            taken = {(r.quantity, r.channel, r.measured_at_ms): r.value for r in node.all_readings()}
            stored = self._stored(node.node)
            lacking = taken.keys() - stored.keys()
            if lacking:
                lacking -= self._letters(node.node)
            strange = {
                key for key, value in stored.items() if key not in taken or taken[key] != value
            }
            comparison.missing.extend((node.node, key) for key in sorted(lacking, key=_at))
            comparison.unexplained.extend((node.node, key) for key in sorted(strange, key=_at))
        return comparison


def _at(key: Key) -> tuple[int, str, str]:
    return key[2], key[0], key[1]


def _keys_of(payload: bytes) -> Iterator[Key]:
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

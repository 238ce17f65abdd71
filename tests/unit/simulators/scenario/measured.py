"""What a scenario's nodes measure, judged as the gateway does, without the way there: for tests of
verdicts that need no servers.
"""

import numpy as np

from ingest.quality import History, judge
from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, TimeSource
from ingest.store.reader import Point
from simulators.scenario.cast import Cast
from simulators.scenario.evidence import Key
from simulators.scenario.script import Scenario
from simulators.sensors import Sensors


class Measured:
    """The records of a gateway that has received all of it at once."""

    def __init__(self, scenario: Scenario, cast: Cast) -> None:
        self.scenario = scenario
        self.sensors = {
            stand.node: Sensors(
                stand.node, stand.air, chips=stand.chips, faults=cast.faults, seed=scenario.seed
            )
            for stand in cast.stands
        }
        self.taken: dict[str, dict[str, list[Point]]] = {}

    def points(self, node: str, quantity: str, since_ms: int, until_ms: int) -> list[Point]:
        if node not in self.taken:
            self.taken[node] = self.all_of(node)
        return [p for p in self.taken[node][quantity] if since_ms <= p.measured_at_ms < until_ms]

    def stored(self, node: str) -> dict[Key, float]:
        points = self.taken.setdefault(node, self.all_of(node))
        return {
            (quantity, MAIN_CHANNEL, point.measured_at_ms): point.value
            for quantity, several in points.items()
            for point in several
        }

    def all_of(self, node: str) -> dict[str, list[Point]]:
        step_ms = self.scenario.head.interval_s * 1000
        at_ms = np.arange(self.scenario.begin_ms, self.scenario.end_ms, step_ms, dtype=np.int64)
        found: dict[str, list[Point]] = {}
        for column in self.sensors[node].columns(at_ms):
            kind = QUANTITIES[column.quantity]
            history = History() if kind.has_history else None
            found[column.quantity] = [
                Point(at, value, int(judge(kind, value, at, history)), at, int(TimeSource.NODE))
                for at, value in zip(at_ms.tolist(), column.values.tolist(), strict=True)
                if not np.isnan(value)
            ]
        return found

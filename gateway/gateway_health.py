"""Writes how the gateway and its nodes are to InfluxDB, as the measurement `gateway_health`.

Once a minute and best effort: a minute that could not be written is not written later. A silent
node vanishes from what it sent, so its silence is written here, in cadences.
"""

import asyncio
import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.heard import last_heard_ms
from gateway.metrics import Metrics
from gateway.nodes import NodeRegistry, Presence
from gateway.settings_forwarder import ForwarderSettings
from ingest.errors import PreauError
from ingest.estate.model import Estate, Node
from ingest.forwarder.client import InfluxClient
from ingest.forwarder.forwarder import Forwarder
from ingest.forwarder.lines import escape_tag
from ingest.forwarder.placements import Placements
from ingest.latest import LatestReadings

_log = logging.getLogger(__name__)

MEASUREMENT: Final = "gateway_health"
EVERY_S: Final = 60.0
_DEFAULT_CADENCE_S: Final = Node.model_fields["cadence_s"].default
_COUNTERS: Final = {
    "packs": "packs_total",
    "readings": "readings_total",
    "repeats": "repeats_total",
    "receipts": "receipts_total",
    "commit_retries": "commit_retries_total",
    "commits": "commit_seconds_count",
    "mqtt_received": "mqtt_received",
    "mqtt_reconnects": "mqtt_reconnects",
}


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """What is known of the gateway and its nodes, as lines."""

    estate: Callable[[], Estate]
    placements: Callable[[], Placements]
    latest: LatestReadings
    nodes: NodeRegistry
    metrics: Metrics
    forwarders: Sequence[Forwarder]
    is_own: Callable[[str], bool] = lambda _: True
    """Whether a node is served here, and not by another gateway."""
    gateway: str = platform.node()

    def lines(self, at_ms: int) -> list[bytes]:
        """One line of the gateway, one of each forwarder, one of each node that is known and in
        service.
        """
        found = chain((self._of_gateway(),), self._of_forwarders(), self._of_nodes(at_ms))
        return [f"{MEASUREMENT},{line} {at_ms}".encode() for line in found]

    def _of_gateway(self) -> str:
        fields = [f"{name}={self.metrics.value(of):.0f}i" for name, of in _COUNTERS.items()]
        fields += [
            f"commit_seconds={self.metrics.value('commit_seconds_sum')!r}",
            f"dead_letters={self.metrics.sum_of('preau_dead_letters_total'):.0f}i",
            f"nodes_online={self._online()}i",
            f"room_bytes={self.metrics.value('store_room_bytes'):.0f}i",
        ]
        return f"gateway={escape_tag(self.gateway)} {','.join(fields)}"

    def _online(self) -> int:
        return sum(said.online for said in self.nodes.all() if self.is_own(said.node))

    def _of_forwarders(self) -> Iterator[str]:
        for one in self.forwarders:
            tags = f"forwarder={escape_tag(one.name)},gateway={escape_tag(self.gateway)}"
            yield (
                f"{tags} waiting_packs={one.waiting}i,points={one.state.points}i,"
                f"retries={one.state.retries}i,refused_points={one.state.refused}i"
            )

    def _of_nodes(self, at_ms: int) -> Iterator[str]:
        estate, placements = self.estate(), self.placements()
        declared = {node.id: node for node in estate.nodes}
        for node in filter(self.is_own, sorted({*declared, *self.latest.nodes()})):
            known = declared.get(node)
            if known is not None and known.is_gone(last_heard_ms(node, self.latest, self.nodes)):
                continue
            cadence_ms = (_DEFAULT_CADENCE_S if known is None else known.cadence_s) * 1000
            presence = self.nodes.get(node)
            fields = [f"online={int(presence is not None and presence.online)}i"]
            if presence is not None:
                fields += _said(presence)
            points = self.latest.of_node(node).values()
            if points:
                silence_ms = max(0, at_ms - max(point.measured_at_ms for point in points))
                fields.append(f"silence_cadences={silence_ms / cadence_ms!r}")
            tags = placements.at(node, at_ms).tags
            yield (
                f"building={escape_tag(tags.building)},gateway={escape_tag(self.gateway)},"
                f"node={node},room={escape_tag(tags.room)},site={escape_tag(tags.site)} "
                f"{','.join(fields)}"
            )


def _said(presence: Presence) -> Iterator[str]:
    """What a node said of itself, as far as it did; a version is a string in InfluxDB."""
    if presence.firmware is not None:
        quoted = presence.firmware.replace("\\", "/").replace('"', "'").replace("\n", " ")
        yield f'firmware="{quoted}"'
    for name in ("boots", "dropped", "rejected", "lost"):
        count = getattr(presence, name)
        if count is not None:
            yield f"{name}={count}i"


async def gateway_health_loop(
    health: GatewayHealth,
    settings: ForwarderSettings,
    client: InfluxClient,
    clock_ms: Callable[[], int],
    every_s: float = EVERY_S,
) -> None:
    """Write `health` to one InfluxDB until cancelled; what fails is told in the log, not kept."""
    async with client:
        while True:
            lines = health.lines(clock_ms())
            try:
                for at in range(0, len(lines), settings.batch_points):
                    await client.write(b"\n".join(lines[at : at + settings.batch_points]))
            except PreauError as error:
                _log.info("%s: gateway_health is not written: %s", settings.name, error)
            await asyncio.sleep(every_s)

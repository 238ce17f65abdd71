"""Which nodes have been heard, and when last: by a reading or by a presence."""

from pathlib import Path

from gateway.nodes import NodeRegistry
from ingest.latest import LatestReadings
from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader


def nodes_heard(data_folder: Path) -> list[str]:
    """Every node of which a store knows. A folder without one knows none. Raises `StoreError`."""
    if not (data_folder / FILE_NAME).exists():
        return []
    with StoreReader(data_folder) as reader:
        return reader.nodes()


def last_heard_ms(node: str, latest: LatestReadings, nodes: NodeRegistry) -> int | None:
    """When a node was last heard; `None` if never, or if all that it sent was refused."""
    times = [point.received_at_ms for point in latest.of_node(node).values()]
    presence = nodes.get(node)
    if presence is not None:
        times.append(presence.received_at_ms)
    return max(times, default=None)

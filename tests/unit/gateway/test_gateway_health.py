"""What is written of nodes to InfluxDB: those in service, silent ones too."""

from collections.abc import Iterable

from gateway.gateway_health import GatewayHealth
from gateway.metrics import Metrics
from gateway.nodes import NodeRegistry, Presence
from ingest.estate.load import load_estate
from ingest.estate.model import Estate
from ingest.forwarder.placements import Placements
from ingest.latest import LatestReadings

NOW_MS = 1_796_000_000_000
NODES = ["3c71bf4a2b10", "3c71bf4a2b11", "3c71bf4a2b12"]


def written(estate: Estate, presences: Iterable[Presence]) -> list[str]:
    """All lines."""
    metrics = Metrics()
    metrics.gauge("store_room_bytes", "", lambda: 1e9)
    health = GatewayHealth(
        estate=lambda: estate,
        placements=lambda: Placements.of(estate),
        latest=LatestReadings(),
        nodes=NodeRegistry(presences),
        metrics=metrics,
        forwarders=[],
        gateway="passerelle",
    )
    return [line.decode() for line in health.lines(NOW_MS)]


def written_of(estate: Estate, heard: dict[str, int]) -> list[str]:
    """The nodes of which there is a line."""
    lines = written(
        estate,
        (Presence(node=node, online=False, received_at_ms=at_ms) for node, at_ms in heard.items()),
    )
    return [node for node in NODES if any(f"node={node}," in line for line in lines)]


def test_all_that_a_node_counts_goes_along(tmp_path):
    file = tmp_path / "estate.toml"
    file.write_text(f'[[node]]\nid = "{NODES[0]}"\n')
    said = Presence(node=NODES[0], online=True, boots=3, dropped=1, rejected=2, lost=4)
    [line] = [line for line in written(load_estate(file), [said]) if NODES[0] in line]
    assert "boots=3i,dropped=1i,rejected=2i,lost=4i" in line


def test_a_node_out_of_service_is_not_silent_but_gone_until_it_speaks_again(tmp_path):
    file = tmp_path / "estate.toml"
    removed = "removed = 2026-11-01T12:00:00Z"
    file.write_text(
        f'[[node]]\nid = "{NODES[0]}"\n'
        f'[[node]]\nid = "{NODES[1]}"\n{removed}\n'
        f'[[node]]\nid = "{NODES[2]}"\n{removed}\n'
    )
    heard = {NODES[1]: NOW_MS - 86_400_000 * 60, NODES[2]: NOW_MS - 1000}
    assert written_of(load_estate(file), heard) == [NODES[0], NODES[2]]

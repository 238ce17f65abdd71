"""Names that somebody invents take neither all memory nor the place of those that are known."""

import pytest

from gateway.nodes import NodeRegistry, Presence
from ingest.latest import LatestReadings
from ingest.store.writer import PackToStore

T0 = 1_763_800_000_000
NODES = [f"{n:012x}" for n in range(9)]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.forgetting.SHOWN_AT_MOST", 4)


def pack(node: str, at: int) -> PackToStore:
    return PackToStore(node, None, T0 + at, [("co2", "main", T0 + at, 800.0 + at, 0, 0)])


def test_the_page_goes_on_with_those_that_came_first():
    latest = LatestReadings()
    latest.update(pack(node, 1) for node in NODES)
    latest.update(pack(node, 2) for node in reversed(NODES))
    assert latest.nodes() == NODES[:4]
    assert [latest.of_node(node)["co2", "main"].value for node in NODES[:4]] == [802.0] * 4
    assert not latest.of_node(NODES[8])


def test_presences_of_those_that_came_first_are_followed():
    nodes = NodeRegistry()
    for online in (True, False):
        for node in NODES:
            nodes.take(Presence(node=node, online=online))
    assert [said.node for said in nodes.all()] == NODES[:4]
    assert not any(said.online for said in nodes.all())

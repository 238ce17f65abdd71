"""The same seed puts the same bytes on the wire, node by node; and they are of now."""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mqtt.address import BrokerAddress
from ingest.topics import topic_of
from simulators.scenario.external import Target, perform_against, shift_of
from simulators.scenario.load import load_scenario
from simulators.scenario.script import Scenario
from tests.gateway import Gateway
from tests.servers import Server, eventually, running

MORNING = (
    "begin = 2027-01-12T06:00:00\nend = 2027-01-12T12:00:00\nnodes = 4\nstride_s = 1800\n"
    '[[fault]]\nwhat = "link_cut"\nrooms = ["prevert/cp"]\ntimes = 2\nlasting_s = 2400\n'
    '[[fault]]\nwhat = "spikes"\nroom = "prevert/ce1"\nchip = "sht4x"\n'
    "times = 1\nlasting_s = 9000\n"
    '[[expect]]\nwhat = "nothing_missing"\n'
)


class Wire:
    """What nodes publish, by node; a pack that is sent again counts once."""

    def __init__(self, port: int) -> None:
        self.packs: defaultdict[str, set[bytes]] = defaultdict(set)
        self.client = Client(CallbackAPIVersion.VERSION2, "wire")
        self.client.on_message = self._take
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topic_of("+", "readings"), 1)
        self.client.loop_start()

    def _take(self, _client, _userdata, message) -> None:
        self.packs[message.topic.split("/")[2]].add(message.payload)

    def taken(self) -> dict[str, set[bytes]]:
        packs, self.packs = dict(self.packs), defaultdict(set)
        return packs


@pytest.fixture
def wire(mosquitto: Server) -> Iterator[Wire]:
    wire = Wire(mosquitto.port)
    yield wire
    wire.client.disconnect()
    wire.client.loop_stop()


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path) -> Iterator[Gateway]:
    with running(Gateway(tmp_path / "gateway", mosquitto.port)) as started:
        yield started


async def test_the_same_seed_gives_the_same_packs_node_by_node_and_they_end_now(
    mosquitto: Server, gateway: Gateway, wire: Wire, tmp_path: Path
):
    await eventually(gateway.is_well, what="the gateway is not connected")
    file = tmp_path / "morning.toml"
    file.write_text(MORNING)
    script = load_scenario(file, own_gateway=False)
    target = Target(BrokerAddress(port=mosquitto.port))
    begun_ms = time.time_ns() // 1_000_000
    shift_ms = shift_of(script, begun_ms)

    async def played(one: Scenario) -> dict[str, set[bytes]]:
        outcome = await perform_against(one, target, shift_ms=shift_ms)
        assert outcome.holds, outcome.verdicts
        await eventually(
            lambda: sum(map(len, wire.packs.values())) == outcome.packs, what="packs are missing"
        )
        return wire.taken()

    first = await played(script)
    again = await played(script)
    shared = await played(script.with_head(sessions="shared"))
    other = await played(script.with_head(seed=2))
    assert {node: len(packs) for node, packs in first.items()} == dict.fromkeys(first, 72)
    assert len(first) == 4
    for node, packs in first.items():
        assert packs == again[node] == shared[node], node
        assert not packs & other[node], node
        last_ms = max(at_ms for _, _, at_ms, _ in gateway.stored(node))
        assert begun_ms - 2 * 300_000 < last_ms <= begun_ms

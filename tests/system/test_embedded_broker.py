"""The gateway with the broker that it brings: a town without Mosquitto."""

import os
import signal
from pathlib import Path

from gateway.mqtt.address import BrokerAddress
from simulators.node import VirtualNode
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import eventually, free_port, running

NODE = "3c71bf4a2b10"


def broker_of(gateway: Gateway) -> int | None:
    """The process id of the gateway's broker."""
    assert gateway.process is not None
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    for child in children.read_text().split():
        if b"gateway.mqtt.embedded" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return None


async def test_a_killed_broker_is_started_again_and_nothing_is_missing(tmp_path: Path):
    port = free_port()
    gateway = Gateway(tmp_path / "gateway", port, embedded=True)
    node = VirtualNode(
        NODE, demo_town().rooms[0].model, BrokerAddress("127.0.0.1", port), interval_s=3600
    )
    with running(gateway):
        await eventually(gateway.is_well)
        node.start()
        node.measure(1_763_800_000_000)
        await eventually(lambda: node.receipted == 1)
        broker = broker_of(gateway)
        assert broker is not None
        os.kill(broker, signal.SIGKILL)
        node.measure(1_763_800_300_000)
        await eventually(lambda: node.receipted == 2, 40)
        assert broker_of(gateway) not in (None, broker)
        await node.stop()
        with gateway.reader() as reader:
            (log,) = reader.logs(NODE)
        assert list(log.received) == [(1, 2)]

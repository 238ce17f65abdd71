"""A publisher faster than what it feeds: packs of many nodes, QoS 1, every packet prepared first.

`python -m tests.bench.publisher PORT PACKS NODES` prints "ready", waits for a line on standard
input, publishes, and prints the seconds until the last PUBACK of the broker.
"""

import socket
import sys
import time
from collections.abc import Iterator

from gateway.mqtt.packets import Version, encode_publish
from ingest.readings import Reading
from ingest.senml import encode_pack
from ingest.topics import topic_of

BLOCK = 500
_WINDOW = 3 * BLOCK
_CONNECT = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03pub"
_PUBACK_BYTES = 4
LOG = "be4c0001"


def node_id(number: int) -> str:
    """The id of the n-th node of a bench."""
    return f"3c71{number:08x}"


def packets(packs: int, nodes: int, start_s: int) -> Iterator[bytes]:
    """PUBLISH packets: five records a pack, each node's numbers in order, a minute apart."""
    for i in range(packs):
        node, seq = node_id(i % nodes), i // nodes + 1
        at_ms = (start_s + seq) * 1000
        readings = [
            Reading("temperature", "main", at_ms, 19 + seq % 100 / 100),
            Reading("humidity", "main", at_ms, 45.1),
            Reading("co2", "main", at_ms, 600.0 + seq % 400),
            Reading("battery", "main", at_ms, 3.92),
            Reading("rssi", "main", at_ms, -67.0),
        ]
        payload = encode_pack(node, readings, log=LOG, seq=seq, first=seq)
        topic = topic_of(node, "readings").encode()
        mid = i % 60_000 + 1
        yield encode_publish(topic, payload, Version.MQTT_311, mid=mid, retain=False)


def main(port: int, packs: int, nodes: int) -> None:
    start_s = int(time.time()) - packs // nodes - 10
    prepared = list(packets(packs, nodes, start_s))
    blocks = [b"".join(prepared[at : at + BLOCK]) for at in range(0, packs, BLOCK)]
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(_CONNECT)
        link.recv(4)
        print("ready", flush=True)
        sys.stdin.readline()
        started = time.perf_counter()
        sent = acknowledged = 0
        while acknowledged < packs * _PUBACK_BYTES:
            while sent < packs and sent - acknowledged // _PUBACK_BYTES <= _WINDOW:
                link.sendall(blocks[sent // BLOCK])
                sent += BLOCK
            acknowledged += len(link.recv(65536))
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))

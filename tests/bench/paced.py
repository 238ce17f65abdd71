"""A publisher at a given pace: packs of five records, QoS 1, made as they are sent.

`python -m tests.bench.paced PORT PACKS_PER_S SECONDS NODES [FIRST_SEQ [START_S]]` prints how many
packs the broker has acknowledged. It falls behind rather than hurry.
"""

import select
import socket
import sys
import time

from gateway.mqtt.packets import Version, encode_publish
from ingest.topics import base_name_of, topic_of
from tests.bench.publisher import LOG, node_id

_TICK_S = 0.02
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05paced"


class Packs:
    """Packs of `nodes` in turn, numbered from `first_seq`; each node measures a second apart.

    From `start_s` on, a day ago unless told otherwise: at the present time many packs of a node
    would fall into one second, and what is measured twice at one time is a conflict.
    """

    def __init__(self, nodes: int, first_seq: int = 1, start_s: int | None = None) -> None:
        self._nodes = nodes
        self._first_seq = first_seq
        self._start_s = int(time.time()) - 86_400 if start_s is None else start_s
        self._heads = [
            (topic_of(node_id(n), "readings").encode(), base_name_of(node_id(n)))
            for n in range(nodes)
        ]

    def payload(self, number: int) -> tuple[bytes, bytes]:
        """(topic, payload) of the pack with this number among all."""
        topic, base = self._heads[number % self._nodes]
        seq = self._first_seq + number // self._nodes
        at = self._start_s + seq
        return topic, (
            f'[{{"bn":"{base}","bver":26,"bt":{at},"blog":"{LOG}","bseq":{seq},"bfirst":{seq},'
            f'"n":"temperature","u":"Cel","v":{19 + seq % 100 / 100}}},'
            f'{{"n":"humidity","u":"%RH","v":45.1}},{{"n":"co2","u":"ppm","v":{600 + seq % 400}}},'
            '{"n":"battery","u":"V","v":3.92},{"n":"rssi","u":"dBm","v":-67}]'
        ).encode()


def publish(port: int, rate: float, seconds: float, packs: Packs) -> int:
    """Publish `rate` packs a second; how many the broker has acknowledged."""
    total = int(rate * seconds)
    acknowledged = sent = 0
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(_CONNECT)
        link.recv(4)
        begun = time.perf_counter()
        while acknowledged < total:
            due = min(total, int((time.perf_counter() - begun) * rate) + 1)
            block = bytearray()
            while sent < due and sent - acknowledged < 20_000:
                topic, payload = packs.payload(sent)
                mid = sent % 60_000 + 1
                block += encode_publish(topic, payload, Version.MQTT_311, mid=mid, retain=False)
                sent += 1
            link.sendall(block)
            while select.select([link], [], [], _TICK_S if sent >= due else 0)[0]:
                acknowledged += len(link.recv(65536)) // 4
                if acknowledged >= total or sent < due:
                    break
    return acknowledged


def main() -> None:
    port, rate, seconds, nodes, *first = sys.argv[1:]
    packs = Packs(int(nodes), *map(int, first))
    print(publish(int(port), float(rate), float(seconds), packs))


if __name__ == "__main__":
    main()

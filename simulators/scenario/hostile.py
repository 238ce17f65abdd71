"""What somebody sends who means no good, or whose program is broken: payloads by seed.

None of them is a pack of ours that could be taken for true.
"""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mqtt.address import BrokerAddress
from ingest.errors import TransientError
from ingest.topics import topic_of

_STRANGER: Final = "00000badf00d"
_DEEP: Final = 200
_LARGE: Final = 20_000
_SENT_WITHIN_S: Final = 60.0


def hostile_messages(
    nodes: Sequence[str], count: int, seed: object, now_s: int
) -> Iterator[tuple[str, bytes]]:
    """(topic, payload) of `count` messages, most under the names of `nodes`."""
    rng = Random(f"hostile/{seed}")  # noqa: S311 - a simulation
    makers = [_noise, _cut, _deep, _large, _of_another, _wrong_unit, _ahead, _unknown_field]
    for number in range(count):
        node = rng.choice(nodes) if rng.random() < 0.8 else _STRANGER
        kind = "presence" if rng.random() < 0.1 else "readings"
        # In turn, so that a short attack has all of them too.
        payload = makers[number % len(makers)](rng, node, now_s)
        yield topic_of(node, kind), payload


def publish_all(broker: BrokerAddress, messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish as an unknown client, and return when the broker has it all. Blocks.

    Raises `TransientError` where the broker does not take it.
    """
    client = Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    if broker.password is not None:
        client.username_pw_set(broker.username, broker.password)
    tls = broker.tls_context()
    if tls is not None:
        client.tls_set_context(tls)
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos=1) for topic, payload in messages]
        for one in sent:
            _wait_until_taken(one)
        client.disconnect()
    except (OSError, RuntimeError, ValueError) as error:
        raise TransientError(f"broker {broker}: can't publish to it: {error}") from error
    finally:
        client.loop_stop()


def _wait_until_taken(message: MQTTMessageInfo) -> None:
    message.wait_for_publish(_SENT_WITHIN_S)
    # It returns all the same when the time is up.
    if not message.is_published():
        raise RuntimeError(f"it acknowledges nothing in {_SENT_WITHIN_S:g} s")


def _noise(rng: Random, _node: str, _now_s: int) -> bytes:
    return rng.randbytes(rng.randrange(1, 400))


def _cut(rng: Random, node: str, now_s: int) -> bytes:
    whole = json.dumps(_pack(node, now_s, "temperature", "Cel", 20.0)).encode()
    return whole[: rng.randrange(1, len(whole) - 1)]


def _deep(_rng: Random, _node: str, _now_s: int) -> bytes:
    return b"[" * _DEEP + b"]" * _DEEP


def _large(rng: Random, node: str, now_s: int) -> bytes:
    return json.dumps(_pack(node, now_s, "x" * _LARGE, "Cel", rng.random())).encode()


def _of_another(rng: Random, _node: str, now_s: int) -> bytes:
    other = f"{rng.getrandbits(48):012x}"
    return json.dumps(_pack(other, now_s, "temperature", "Cel", 20.0)).encode()


def _wrong_unit(rng: Random, node: str, now_s: int) -> bytes:
    return json.dumps(_pack(node, now_s, "temperature", "K", 200 + rng.random())).encode()


def _ahead(rng: Random, node: str, now_s: int) -> bytes:
    ahead_s = rng.randrange(86_400, 10**8)
    return json.dumps(_pack(node, now_s + ahead_s, "co2", "ppm", 500.0)).encode()


def _unknown_field(rng: Random, node: str, now_s: int) -> bytes:
    pack = _pack(node, now_s, "temperature", "Cel", 20.0)
    pack[0][f"x{rng.randrange(1000)}_"] = 1
    return json.dumps(pack).encode()


def _pack(node: str, at_s: int, name: str, unit: str, value: float) -> list[dict[str, object]]:
    base = f"urn:dev:mac:{node[:6]}fffe{node[6:]}_"
    return [{"bn": base, "bver": 26, "bt": at_s, "n": name, "u": unit, "v": value}]

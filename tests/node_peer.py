"""A node's other end: the test as the gateway, over a real Mosquitto."""

import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho

NODE = "3c71bf4a2b10"
BASE = f"preau/v1/{NODE}/"


class Gateway:
    """Hears all that the node says; answers presence and gives receipts where it is told to."""

    def __init__(self, port: int) -> None:
        self.presences: list[dict[str, Any]] = []
        self.packs: list[bytes] = []
        self.replies: list[dict[str, Any]] = []
        self.answers = True
        self.receipts = True
        self.now: Callable[[], int] = lambda: int(time.time())
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._heard
        self._client.on_connect = lambda *_: self._client.subscribe(f"{BASE}#", 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, message: object, *, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._client.publish(BASE + topic, payload, 1, retain)

    def receipt(self, log: str, *stored: list[int], hello: str = "") -> None:
        self.send("receipts", {"hello": hello, "now": self.now(), "log": log, "stored": stored})

    def command(self, **fields: Any) -> None:
        self.send("commands", {"until": int(time.time()) + 60} | fields)

    def numbers(self) -> list[int]:
        return [json.loads(pack)[0]["bseq"] for pack in self.packs]

    def _heard(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        name = message.topic.removeprefix(BASE)
        if name == "readings":
            self.packs.append(message.payload)
            head = json.loads(message.payload)[0]
            if self.receipts:
                self.receipt(head["blog"], [head["bseq"], head["bseq"]])
        elif name == "presence":
            presence = json.loads(message.payload)
            self.presences.append(presence)
            if presence["online"] and self.answers:
                self.receipt(presence["log"], hello=presence["hello"])
        elif name == "replies":
            self.replies.append(json.loads(message.payload))


def values(pack: bytes) -> dict[str, object]:
    return {record["n"]: record.get("v", record.get("vb")) for record in json.loads(pack)}


def heap_free(packs: list[bytes]) -> Any:
    """Of the latest pack that tells it, or None."""
    return next((v["heap_free"] for v in map(values, reversed(packs)) if "heap_free" in v), None)

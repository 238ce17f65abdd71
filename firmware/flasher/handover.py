"""Hands packs to the gateway as the node itself would: under its own account, until the receipts.

What has no receipt stays with whoever calls; to hand it over again is a repeat that the gateway
recognises. It knows the topics of the contract and nothing of boards.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from firmware.flasher.errors import FlashError
from firmware.flasher.old_outbox import WaitingPack
from gateway.mqtt.address import BrokerAddress
from ingest.topics import topic_of

IN_FLIGHT: Final = 32
"""The contract's: so many packs at most are without receipt."""
_CONNECT_S: Final = 15.0
_AGAIN_S: Final = 0.5

Key = tuple[str, int]
"""A pack's log and number."""


class Handover:
    """One node's way to the gateway. `receipted` grows while `give` runs and is right after it,
    also where that has failed.
    """

    def __init__(self, node: str, broker: BrokerAddress, patience_s: float = 30.0) -> None:
        """`patience_s`: for so long no receipt at all may come."""
        self.receipted: set[Key] = set()
        self._node = node
        self._broker = broker
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._answer: str | None = None
        self._is_listening = False

    def give(self, packs: Sequence[WaitingPack], told: Callable[[int, int], None]) -> None:
        """Publish all and return when all are receipted; `told` gets how many are, and of how many.

        Raises `FlashError` where the broker lets nobody in or the gateway gives no receipts.
        """
        wanted = {(pack.log, pack.seq) for pack in packs}
        unsent = deque(packs)
        topic = topic_of(self._node, "readings")
        with self._connected() as client, self._changed:
            last = self._moved_at()
            while open_ := wanted - self.receipted:
                told(len(wanted) - len(open_), len(wanted))
                while unsent and len(open_) - len(unsent) < IN_FLIGHT:
                    client.publish(topic, unsent.popleft().payload, qos=1)
                before = len(self.receipted)
                self._changed.wait(_AGAIN_S)
                last = self._moved_at() if len(self.receipted) > before else last
                if time.monotonic() - last > self._patience_s:
                    raise FlashError(
                        f"the gateway gave no receipt for {len(open_)} of the {len(wanted)} packs "
                        f"that {self._node} holds: is it running? Nothing was overwritten; repeat "
                        "the command, or give --discard to lose them"
                    )
        told(len(wanted), len(wanted))

    @staticmethod
    def _moved_at() -> float:
        return time.monotonic()

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        """Connected and subscribed. A broker that has just been told of the account may need a
        moment.
        """
        client = self._client()
        deadline_s = time.monotonic() + _CONNECT_S
        try:
            while not self._is_in(client, deadline_s):
                if time.monotonic() > deadline_s:
                    raise FlashError(
                        f"the broker at {self._broker} does not let {self._node} in "
                        f"({self._answer or 'no answer'}); nothing was overwritten"
                    )
                time.sleep(_AGAIN_S)
            yield client
        finally:
            client.disconnect()
            client.loop_stop()

    def _is_in(self, client: Client, deadline_s: float) -> bool:
        self._answer = None
        try:
            client.connect(self._broker.host, self._broker.port)
        except (OSError, ValueError) as error:
            self._answer = str(error)
            return False
        client.loop_start()
        with self._changed:
            left_s = max(0.0, deadline_s - time.monotonic())
            self._changed.wait_for(lambda: self._is_listening or self._answer is not None, left_s)
        if not self._is_listening:
            client.loop_stop()
        return self._is_listening

    def _client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._node,
            protocol=MQTTv311,
            reconnect_on_failure=False,
        )
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        context = self._broker.tls_context()
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    # -- called by paho, on its thread -----------------------------------------------------

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _: Any) -> None:
        if reason.is_failure:
            with self._changed:
                self._answer = str(reason)
                self._changed.notify_all()
        else:
            client.subscribe(topic_of(self._node, "receipts"), qos=0)

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._is_listening = True
            self._changed.notify_all()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            found = json.loads(message.payload)
            log, ranges = found["log"], [(int(first), int(last)) for first, last in found["stored"]]
        except (ValueError, KeyError, TypeError):
            return  # No receipt: what has none is handed over again.
        with self._changed:
            for first, last in ranges:
                self.receipted.update((log, seq) for seq in range(first, last + 1))
            self._changed.notify_all()

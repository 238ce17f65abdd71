"""A gateway with the mistake that its peers make: it acknowledges first and stores a moment later.

It is what shows that the verdict over a chaos run can fail. `python -m tests.chaos.eager_gateway
SETTINGS FILE`, as `gateway_with_clock`.
"""

import threading

import gateway.service
from ingest.store.deadletters import DeadLetter
from ingest.store.writer import StoreWriter
from tests.chaos import gateway_with_clock

LATER_S = 2.0


class EagerWriter(StoreWriter):
    """Says that packs are durable, and makes them so two seconds later."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self._promised: list[tuple[tuple, dict]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_promises)
        self._thread.start()

    def commit(self, *arguments, **named) -> list[DeadLetter]:
        self._promised.append((arguments, named))
        return []

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        super().close()

    def _keep_promises(self) -> None:
        while not self._closing.wait(LATER_S):
            self._store()
        self._store()

    def _store(self) -> None:
        while self._promised:
            arguments, named = self._promised.pop(0)
            super().commit(*arguments, **named)


if __name__ == "__main__":
    gateway.service.StoreWriter = EagerWriter
    gateway_with_clock.main()

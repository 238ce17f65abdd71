"""The gateway of a scenario that forgets: of a hundred packs that it acknowledges it stores 99.

Run as `simulators.scenario.gateway_process` is.
"""

from itertools import count

import gateway.service
from ingest.store.writer import StoreWriter
from simulators.scenario import gateway_process

LOST_EVERY = 100


class ForgetfulWriter(StoreWriter):
    """Leaves a pack out of a commit now and then."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self._count = count(1)

    def commit(self, packs, *arguments, **named):
        kept = [pack for pack in packs if next(self._count) % LOST_EVERY]
        return super().commit(kept, *arguments, **named)


if __name__ == "__main__":
    gateway.service.StoreWriter = ForgetfulWriter
    gateway_process.main()

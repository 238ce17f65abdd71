"""The broker of a service: somebody else's, or the embedded one, kept running."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.settings import Settings
from ingest.backoff import backoff_s
from ingest.errors import PreauError

_log = logging.getLogger(__name__)

_STEADY_S: Final = 60.0
"""A broker that ran for so long was a good one: its next end starts a new count."""


@asynccontextmanager
async def broker_of(
    settings: Settings,
) -> AsyncIterator[tuple[BrokerAddress, EmbeddedBroker | None]]:
    """The address of the broker, and the embedded one, which runs as long as the block."""
    address = settings.broker.address()
    if not settings.broker.embedded:
        yield address, None
        return
    credentials = {address.username: address.password or ""} if address.username else None
    async with EmbeddedBroker(address.host, address.port, credentials=credentials) as broker:
        yield broker.address, broker


async def keep_broker_loop(broker: EmbeddedBroker) -> None:
    """Start the embedded broker again when its process has died; nodes keep what it held."""
    pauses, loop = backoff_s(), asyncio.get_running_loop()
    while True:
        begun_at_s = loop.time()
        await broker.wait()
        if loop.time() - begun_at_s > _STEADY_S:
            pauses = backoff_s()
        pause_s = next(pauses)
        _log.warning("the embedded broker has ended, starting it again in %.1f s", pause_s)
        await asyncio.sleep(pause_s)
        try:
            await broker.start()
        except (PreauError, OSError) as error:
            # A full disk is one reason: the next try may find room.
            _log.warning("the embedded broker does not start: %s", error)

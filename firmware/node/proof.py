"""Waits for the proof that a new password or a new authority works. Loaded for that and dropped.

It must not know which it is.
"""

import asyncio

import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from link import Link
    from mqtt import Client

_LOOK_MS = const(100)


async def prove(link: Link, client: Client, *then: Any) -> None:
    """Once the gateway answers in this session, runs `then`: a module, its function, arguments."""
    while client.opened:
        if link.session.answered:
            try:
                seldom.run(*then)
            except (OSError, ValueError) as error:
                # The next session tries again; both are still there.
                note("link: flash:", error)
            return
        await asyncio.sleep_ms(_LOOK_MS)

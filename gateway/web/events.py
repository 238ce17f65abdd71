"""Tells open pages to look again, by server-sent events: at most one a second to each.

A page that falls behind skips, nothing queues. Listeners are bounded; beyond the bound a page is
told to come back later, and asks at intervals meanwhile.
"""

import asyncio
from contextlib import suppress
from typing import Final

from aiohttp import web

from gateway.changes import Changes

MOST_LISTENERS: Final = 200
AT_MOST_EVERY_S: Final = 1.0
# Ages on a page grow, and a silence is noticed, without any reading: look again anyway.
_AT_LEAST_EVERY_S: Final = 30.0


class Events:
    """The open event streams of one application."""

    def __init__(self, changes: Changes, most: int = MOST_LISTENERS) -> None:
        self._changes = changes
        self._most = most
        self._streams: set[asyncio.Task[None]] = set()

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._streams)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`GET /events`"""
        if len(self._streams) >= self._most:
            return web.Response(
                status=503,
                text=f"{self._most} pages listen already; ask again later\n",
                headers={"Retry-After": "60"},
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        stream = asyncio.create_task(self._stream(request, response), name="web-events")
        self._streams.add(stream)
        try:
            await stream
        except asyncio.CancelledError:
            # The stream was ended by `close`; a request that is cancelled itself passes on.
            stream.cancel()
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
        finally:
            self._streams.discard(stream)
        return response

    async def close(self, _app: web.Application) -> None:
        """End every stream, so that the server need not wait for pages that stay open."""
        for stream in list(self._streams):
            stream.cancel()

    async def _stream(self, request: web.Request, response: web.StreamResponse) -> None:
        with self._changes.listening() as changed:
            try:
                await response.prepare(request)
                await response.write(b"retry: 5000\n\n")
                # Something may have changed between the page and its stream.
                changed.set()
                while True:
                    await _wait(changed)
                    # What changes meanwhile is in the same look.
                    await asyncio.sleep(AT_MOST_EVERY_S)
                    changed.clear()
                    await response.write(b"event: look\ndata:\n\n")
            except ConnectionError:
                return


async def _wait(changed: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_AT_LEAST_EVERY_S):
            await changed.wait()

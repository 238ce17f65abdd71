"""The way from one board to its broker through the air, which may be cut.

A relay on the loopback: a broker sees a node vanish, and the node sees nothing, as it is when a
wireless network goes away. It knows no MQTT.
"""

import asyncio
from contextlib import suppress
from typing import Final

_CHUNK: Final = 16_384


class Radio:
    """Carries connections to a broker, from a port that `start` gives."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._near: set[asyncio.StreamWriter] = set()
        self._far: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.is_cut = False

    async def start(self) -> int:
        """Listen on the loopback; the port, the same for good."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def cut(self) -> None:
        """Carry nothing any more: what the node says is lost, and nobody tells it so."""
        self.is_cut = True
        for writer in self._far:
            writer.transport.abort()

    def mend(self) -> None:
        """Carry again. The broker has given up the connections of before, and says so now."""
        self.is_cut = False
        for writer in self._near:
            writer.transport.abort()

    def _accept(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(near, near_writer), name="radio")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        self._near.add(near_writer)
        try:
            if not self.is_cut:
                await self._carry_both(near, near_writer)
            while self.is_cut and await near.read(_CHUNK):
                pass  # Into the air.
        except OSError:
            pass  # One side has ended it, and the other is told below.
        finally:
            self._near.discard(near_writer)
            near_writer.transport.abort()

    async def _carry_both(
        self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter
    ) -> None:
        far, far_writer = await asyncio.open_connection(self._host, self._port)
        self._far.add(far_writer)
        ways = [
            asyncio.create_task(self._carry(near, far_writer), name="radio up"),
            asyncio.create_task(self._carry(far, near_writer), name="radio down"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._far.discard(far_writer)
            far_writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while not self.is_cut and (chunk := await source.read(_CHUNK)):
                sink.write(chunk)
                await sink.drain()

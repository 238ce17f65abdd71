"""A TCP proxy that misbehaves on demand: it stalls, cuts in the middle of a chunk, and resets."""

import asyncio
import contextlib
import socket
import struct
from typing import Self

from tests.servers import free_port


class TcpProxy:
    """Passes connections on from `port` to `target`, on the loopback, until told otherwise."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.target = target
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._halving = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self._flowing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def stall(self, seconds: float) -> None:
        """Carry nothing, in neither direction, for a while; connections stay open."""
        self._flowing.clear()
        await asyncio.sleep(seconds)
        self._flowing.set()

    def halve(self) -> None:
        """Of the next chunk of each direction carry one half, then reset the connection."""
        self._halving = True

    def reset(self) -> None:
        """Reset every connection now."""
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(near_writer)
            self._tasks.discard(task)
            return
        self._writers |= {near_writer, far_writer}
        try:
            await asyncio.gather(self._carry(near, far_writer), self._carry(far, near_writer))
        except (OSError, asyncio.CancelledError):
            # The end of a connection, or of the proxy: nobody waits for this task.
            pass
        finally:
            for writer in (near_writer, far_writer):
                self._writers.discard(writer)
                _reset(writer)
            self._tasks.discard(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(16_384):
            await self._flowing.wait()
            if self._halving and len(chunk) > 1:
                self._halving = False
                sink.write(chunk[: len(chunk) // 2])
                await sink.drain()
                raise ConnectionResetError
            sink.write(chunk)
            await sink.drain()
        raise ConnectionResetError


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: the other side learns that it was no regular end."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if not writer.transport.is_closing():
        writer.transport.abort()

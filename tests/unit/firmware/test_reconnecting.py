"""A node that connects for months to brokers that refuse it or leave it needs no more heap."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.servers import free_port
from tests.unit.firmware.conftest import Drive

NODE = "3c71bf4a2b10"
_CONNECT, _PUBLISH, _SUBSCRIBE = 0x10, 0x30, 0x80
_ACCEPTED = b"\x20\x02\x00\x00"
_WAYS = (
    "hangs up",
    "resets",
    "says nothing of MQTT",
    "refuses",
    "cut in its answer",
    "cut in a packet",
    "oversized",
    "subscription refused",
    "served and left",
)


class BadBroker:
    """Ends each session, one way after the other; `ended` counts them."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self._turn = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = _WAYS[self._turn % len(_WAYS)]
        self._turn += 1
        try:
            async with asyncio.timeout(10):
                await self._end(way, reader, writer)
            self.ended[way] += 1
        finally:
            writer.close()

    async def _end(
        self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if way == "hangs up":
            return
        if way == "resets":
            writer.transport.abort()
            return
        assert (await packet(reader))[0] == _CONNECT
        match way:
            case "says nothing of MQTT":
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            case "refuses":
                writer.write(b"\x20\x02\x00\x05")
            case "cut in its answer":
                writer.write(_ACCEPTED[:3])
            case "cut in a packet":
                writer.write(_ACCEPTED + b"\x30\x40\x00\x10preau")
            case "oversized":
                writer.write(_ACCEPTED + b"\x30\xff\xff\xff\x7f")
            case "subscription refused":
                writer.write(_ACCEPTED)
                await until(reader, _SUBSCRIBE)
                writer.write(b"\x90\x05\x00\x01\x80\x80\x80")
            case "served and left":
                writer.write(_ACCEPTED)
                presence = await until(reader, _PUBLISH)
                said = json.loads(presence[presence.index(b"{") :])
                writer.write(answer(said["hello"]))
                # It takes the time from the answer, and sends what it holds.
                await until(reader, _PUBLISH)
        await writer.drain()


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and content of the next packet."""
    first = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first & 0xF0, await reader.readexactly(size)


async def until(reader: asyncio.StreamReader, kind: int) -> bytes:
    """The content of the next packet of that kind."""
    while True:
        found, content = await packet(reader)
        if found == kind:
            return content


def answer(hello: str) -> bytes:
    """The gateway's answer to presence, as the broker delivers it."""
    topic = f"preau/v1/{NODE}/receipts".encode()
    said = {"hello": hello, "now": int(time.time()), "log": "00000007", "stored": []}
    body = bytes((0, len(topic))) + topic + json.dumps(said).encode()
    assert len(body) < 128
    return bytes((_PUBLISH, len(body))) + body


@asynccontextmanager
async def bad_broker() -> AsyncIterator[tuple[BadBroker, int]]:
    broker = BadBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    async with server:
        yield broker, server.sockets[0].getsockname()[1]


async def test_five_hundred_connections_that_fail_or_end_need_no_more_heap(
    run: Drive, tmp_path: Path
) -> None:
    async with bad_broker() as (broker, port):
        brokers: list[dict[str, Any]] = [
            {"host": "127.0.0.1", "port": port},
            # Nobody listens there.
            {"host": "127.0.0.1", "port": free_port()},
        ]
        config = {"wifi": [{"ssid": "preau", "password": "none needed"}], "brokers": brokers}
        (tmp_path / "config.json").write_text(json.dumps(config))
        lines = await run("reconnect.py", "5", "102")
    # 51 at each broker; where it was served it asks the same again.
    rounds = [list(map(int, line[1:].split())) for line in lines if line.startswith("=")]
    assert len(rounds) == 5, lines[-20:]
    assert all(broker.ended[way] >= 25 for way in _WAYS), broker.ended
    assert sum(served for _, served, _ in rounds) == broker.ended["served and left"]
    heap = [used for _, _, used in rounds]
    assert max(heap[1:]) - heap[0] < 1024, heap
    assert not any("defect" in line for line in lines), lines

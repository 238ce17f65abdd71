"""A board's way to its broker, cut and mended: what either side sees of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from simulators.board.radio import Radio
from tests.servers import eventually


class Broker:
    """Answers every line; `heard` has what came, `ended` counts connections that are over."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(b"+" + line)
        except ConnectionError:
            pass
        self.ended += 1
        writer.close()


@pytest.fixture
async def broker() -> AsyncIterator[tuple[Broker, Radio, int]]:
    broker = Broker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    radio = Radio("127.0.0.1", server.sockets[0].getsockname()[1])
    yield broker, radio, await radio.start()
    await radio.stop()
    server.close()
    await server.wait_closed()


async def say(writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line)
    await writer.drain()


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Once it is, in order or with a reset; both tell a node."""
    try:
        return await asyncio.wait_for(reader.read(1), 30) == b""
    except ConnectionError:
        return True


async def test_while_it_is_cut_the_broker_is_left_and_the_node_hears_nothing(broker):
    server, radio, port = broker
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await say(writer, b"one\n")
    assert await reader.readline() == b"+one\n"
    radio.cut()
    await eventually(lambda: server.ended == 1)
    await say(writer, b"two\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.3)
    # Nor does a connection that is opened meanwhile come through.
    late_reader, late = await asyncio.open_connection("127.0.0.1", port)
    await say(late, b"three\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late_reader.read(1), 0.3)
    radio.mend()
    assert await is_over(reader)
    assert await is_over(late_reader)
    assert server.heard == [b"one\n"]
    again, anew = await asyncio.open_connection("127.0.0.1", port)
    await say(anew, b"four\n")
    assert await again.readline() == b"+four\n"
    for each in (writer, late, anew):
        each.close()


async def test_a_broker_that_is_away_is_one_to_the_node_too():
    radio = Radio("127.0.0.1", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", await radio.start())
    assert await asyncio.wait_for(reader.read(1), 30) == b""
    writer.close()
    await radio.stop()

"""What is sent to the set-up page by whoever means no good: bounded in memory and in time, never
the end of the node, and it goes on to measure and to report.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import pytest

from firmware.flasher.bundle import build_bundle, flash_files
from simulators.board.access_point import ADDRESS
from simulators.board.board import VirtualBoard
from tests.node_peer import Gateway
from tests.servers import Server, eventually
from tests.setup_network import (
    BUTTON,
    CODE,
    MINUTE_MS,
    ask,
    closed,
    config_of,
    goes_on_sampling,
    is_clean,
    opened,
    said,
    setup_board,
    without_a_gap,
)


@pytest.fixture
def gateway(mosquitto: Server) -> Iterator[Gateway]:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


@pytest.fixture
async def board(tmp_path: Path, mosquitto: Server, gateway: Gateway) -> AsyncIterator[VirtualBoard]:
    """In session with its broker, where its heap is fullest, and its set-up network open."""
    async with setup_board(tmp_path, mosquitto.port, button=BUTTON) as board:
        await eventually(lambda: gateway.packs)
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        configured = config_of(board)
        yield board
        # It is whole, and nothing of it was taken.
        before = len(gateway.packs)
        await eventually(lambda: len(gateway.packs) >= before + 3)
        assert (await ask(board))[0] == 200
        assert config_of(board) == configured
        assert board.starts == 1
        await eventually(lambda: without_a_gap(gateway.numbers()))
    is_clean(board)


class Visitor:
    """A connection to the page, as raw as it gets."""

    def __init__(self, board: VirtualBoard) -> None:
        self._port = config_of(board)["setup_port"]

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(ADDRESS, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        # It closes what it has not read to the end.
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> bytes:
        """All that comes until it hangs up; nothing where it does so without a word."""
        with contextlib.suppress(ConnectionError):
            return await self._reader.read()
        return b""


async def status(board: VirtualBoard, data: bytes) -> int | None:
    """Of the answer to what is sent, or None."""
    async with Visitor(board) as visitor:
        with contextlib.suppress(ConnectionError):
            await visitor.send(data)
        answer = await visitor.answer()
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.0 ") else None


def post(body: bytes, *lines: bytes, size: int | None = None) -> bytes:
    length = b"Content-Length: %d" % (len(body) if size is None else size)
    return b"\r\n".join([b"POST / HTTP/1.1", length, *lines, b"", body])


def form(value: bytes, name: bytes = b"ssid") -> bytes:
    return post(b"code=%s&%s=%s" % (CODE.encode(), name, value))


# Where it hangs up before all is sent, the answer may be lost on the way.
TOO_MUCH: dict[str, bytes] = {
    "body": post(b"x" * 100_000),
    "form": form(b"%41" * 300),
    "line": b"GET /" + b"x" * 100_000,
    "head": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000,
}
ANSWERED: dict[str, tuple[int, bytes]] = {
    "a length": (400, post(b"", size=10**18)),
    "negative length": (400, post(b"", size=-1)),
    "no length": (400, b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
    "bytes as length": (400, b"POST / HTTP/1.1\r\nContent-Length: \xff\r\n\r\n"),
    "escape": (400, form(b"%zz")),
    "half an escape": (400, form(b"%")),
    "signed escape": (400, form(b"%+1")),
    "escaped, no UTF-8": (400, form(b"%ff%fe")),
    "no UTF-8": (400, form(b"\xff\xfe")),
    "zeros": (400, post(b"\x00" * 700)),
    "names only": (400, post(b"&".join(b"%x" % number for number in range(200)))),
    "no names": (403, post(b"&=" * 380)),
    "a line in the name": (400, form(b"a%0d%0aSet-Cookie:%20x=y")),
    "a line in the address": (400, form(b"a%0d%0aX:%20y", b"host")),
    "an address that is none": (400, form(b"http://evil/", b"host")),
    "port": (400, form(b"123456789%0a", b"port")),
    "a key that the chip would cut": (400, form(b"a&key=%c3%a9%c3%a9%c3%a9%c3%a9" + b"x" * 56)),
    "a key for no network": (400, form(b"longenough", b"key")),
    "get": (200, b"GET /?code=%s&ssid=evil HTTP/1.1\r\n\r\n" % CODE.encode()),
    "put": (200, b"PUT /" + post(b"code=%s&ssid=evil" % CODE.encode())[4:]),
    "TLS": (200, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"),
    "nothing": (200, b"\r\n\r\n"),
    "endless lines": (200, b"GET / HTTP/1.1\r\nCookie: " + b"x" * 3000 + b"\r\n\r\n"),
}


async def test_nonsense_is_answered_and_changes_nothing(board: VirtualBoard) -> None:
    answers = {name: await status(board, data) for name, (_, data) in ANSWERED.items()}
    assert answers == {name: expected for name, (expected, _) in ANSWERED.items()}


async def test_too_much_is_cut_off_and_changes_nothing(board: VirtualBoard) -> None:
    for name, data in TOO_MUCH.items():
        assert await status(board, data) in {400, None}, name
    await goes_on_sampling(board)


async def test_in_a_heap_that_is_full_of_names_a_form_that_is_full_is_taken(
    tmp_path: Path, mosquitto: Server, gateway: Gateway
) -> None:
    """From its flash, in session, after every command: a node never knows more names than then, and
    there is no room for the table of the next ones.
    """
    board = setup_board(tmp_path, mosquitto.port, button=BUTTON)
    board._flashed = flash_files(build_bundle(), b"\0" * 64)
    async with board:
        await eventually(lambda: gateway.packs)
        for do in ("send_log", "identify", "calibrate_co2", "dance"):
            gateway.command(id=do, do=do)
            await eventually(lambda do=do: any(reply["id"] == do for reply in gateway.replies))
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        assert (await ask(board))[0] == 200
        assert (await ask(board, code="WRONG123"))[0] == 403
        ssid, key, host = "é" * 16, "&" * 63, "h" * 253
        answer = await ask(board, code="k7qd-2m9x", ssid=ssid, key=key, host=host, port="65535")
        assert answer[0] == 200
        await eventually(lambda: board.starts == 2)
        assert config_of(board)["wifi"][0] == {"ssid": ssid, "password": key}
        assert config_of(board)["broker"] == {"host": host, "port": 65535, "password": None}
    is_clean(board)


async def test_nothing_that_was_sent_comes_back(board: VirtualBoard) -> None:
    marked = b"marked-%3Cscript%3E"
    sent = post(b"code=%s&ssid=%s" % (marked, marked), b"X-Marked: marked-header")
    async with Visitor(board) as visitor:
        await visitor.send(sent)
        answer = await visitor.answer()
    assert answer.startswith(b"HTTP/1.0 403 ")
    assert b"marked" not in answer
    assert "secret" not in answer.decode()


async def test_who_sends_nothing_is_hung_up_on(board: VirtualBoard) -> None:
    async with Visitor(board) as silent:
        # There is room for one more.
        assert (await ask(board))[0] == 200
        async with asyncio.timeout(40):
            assert await silent.answer() == b""


async def test_who_sends_slowly_is_hung_up_on(board: VirtualBoard) -> None:
    async with Visitor(board) as slow:

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await slow.send(b"x")
                    await asyncio.sleep(0.5)  # The pace of who means to be slow.

        dripping = asyncio.create_task(drip())
        try:
            async with asyncio.timeout(40):
                assert await slow.answer() == b""
        finally:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
    await goes_on_sampling(board)


async def test_many_at_once_are_turned_away(board: VirtualBoard) -> None:
    async with contextlib.AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(board)) for _ in range(30)]
        await goes_on_sampling(board)
        for visitor in visitors:
            with contextlib.suppress(ConnectionError):
                # No end of the line in sight: it must not be kept while it comes.
                await visitor.send(b"GET / HTTP/1.1\r\nCookie: " + b"x" * 3900)
        async with asyncio.timeout(60):
            await asyncio.gather(*(visitor.answer() for visitor in visitors))
        await goes_on_sampling(board)


async def test_who_is_still_there_when_it_closes_is_hung_up_on(board: VirtualBoard) -> None:
    async with Visitor(board) as visitor:
        await visitor.send(b"GET / HTTP/1.1\r\n")
        board.surroundings.ahead_ms = 10 * MINUTE_MS
        await closed(board)
        assert await visitor.answer() == b""
    board.surroundings.release(BUTTON)
    await goes_on_sampling(board, 2)
    board.surroundings.drive(BUTTON, 0)
    await opened(board)


async def test_a_flash_that_fails_keeps_what_was_configured(board: VirtualBoard) -> None:
    """A folder is where the new file is to be written."""
    (board.flash / "config.json.new").mkdir()
    answer = await ask(board, code=CODE, ssid="école", key="un bon mot de passe")
    assert answer[0] == 500
    assert said(board, "set-up: config.json")
    (board.flash / "config.json.new").rmdir()


async def test_a_damaged_configuration_is_not_written_over(board: VirtualBoard) -> None:
    config = board.flash / "config.json"
    whole = config.read_text()
    async with Visitor(board) as visitor:
        config.write_text(whole[:-9])
        await visitor.send(form(b"ecole"))
        assert (await visitor.answer()).startswith(b"HTTP/1.0 500 ")
    assert config.read_text() == whole[:-9]
    config.write_text(whole)

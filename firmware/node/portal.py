"""The set-up network: for ten minutes the node is an access point with one small page, which takes
Wi-Fi and broker. Loaded when nothing is configured, or after a long press, and dropped.

Both the network's password and the page ask for the code that came with the node on a slip. It
knows the access point and requests; what stands on the page is `portal_page`, and a form goes
through `portal_decode`, `portal_check` and `portal_form`. What any client sends or fails to send is
bounded in memory and in time.

Few names are of its own: each that MicroPython sees for the first time it keeps for good, and the
table for the next hundreds of them would take the rest of the heap. Texts of up to ten characters
are names as well; bytes are none.
"""

import asyncio
import gc
import time

import machine
import network
import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from node_types import AnyApp, SetupState

_OPEN_MS = const(600_000)
_TIMEOUT_MS = const(10_000)
_CODE_MIN = const(8)
# A browser opens a spare connection. Each takes 2 KiB of the heap, of which the rest of the node
# must keep enough.
_SERVED_MAX = const(2)
_FREE_MIN = const(5_120)
_PIECE = const(128)
_LINE_KEPT = const(32)
_HEAD_MAX = const(4096)
# Everything filled in to its limit, with every character escaped that a browser escapes.
_BODY_MAX = const(768)


def _server(
    state: SetupState, tasks: list[asyncio.Task[None]]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    """What serves a connection. `state` is the code, how many wrong ones were sent, and what ends
    it early: 1 where something was saved, 2 after too many wrong codes.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            gc.collect()
            if len(tasks) <= _SERVED_MAX and gc.mem_free() >= _FREE_MIN:
                answer: tuple[bytes, str] = await asyncio.wait_for_ms(
                    _answer(reader, state), _TIMEOUT_MS
                )
                seldom.run("portal_page", "encode", writer, *answer)
                await asyncio.wait_for_ms(writer.drain(), _TIMEOUT_MS)
        except (OSError, EOFError, MemoryError, asyncio.TimeoutError) as error:
            note("set-up: request", repr(error))
        finally:
            tasks.remove(task)
            writer.close()
            await writer.wait_closed()

    return serve


async def _answer(reader: asyncio.StreamReader, state: SetupState) -> tuple[bytes, str]:
    """(status, sentence) for one request."""
    body: Any
    try:
        method, size, body = await _head(reader)
        if method != b"POST":
            return b"200 OK", "Seuls les champs remplis sont modifiés."
        if not 0 <= size <= _BODY_MAX:
            raise ValueError
        body += await reader.readexactly(max(0, size - len(body)))
        # One after the other: in a heap that is in use there is no room for all of it.
        form = body = seldom.run("portal_decode", "decode", body[:size])
    except ValueError:
        return b"400 Bad Request", "Rien n'est enregistré : demande illisible."
    refusal = seldom.run("portal_check", "check", state, form)
    return refusal or seldom.run("portal_form", "save", state, form)


async def _head(reader: asyncio.StreamReader) -> tuple[bytes | None, int, bytes]:
    """(method, size of the body, what of it came along). Of a line only its beginning is kept: the
    heap of a node must not be at the mercy of who may send to it. Raises ValueError.
    """
    method, size, read, rest = None, 0, 0, b""
    while True:
        at = rest.find(b"\n")
        if at < 0:
            piece = await reader.read(_PIECE)
            read += len(piece)
            if not piece:
                raise EOFError
            if read > _HEAD_MAX:
                raise ValueError
            rest = rest[:_LINE_KEPT] + piece
            continue
        line, rest = rest[:at].strip(), rest[at + 1 :]
        if method is None:
            method = line.split(b" ")[0]
        elif not line:
            return method, size, rest
        elif line[:15].lower() == b"content-length:":
            size = int(line[15:])


def _open_point(name: str, code: str) -> str:
    """Its address."""
    point = network.WLAN(network.AP_IF)
    # An ESP32 takes no configuration before that. It is open for a moment, with nothing on it.
    point.active(True)
    point.config(ssid=name, key=code, security=network.AUTH_WPA2_PSK)
    return point.ifconfig()[0]


async def run(app: AnyApp) -> None:
    """Returns after ten minutes, or ten wrong codes; restarts the node when something was set."""
    code = app.settings.setup_code
    if not isinstance(code, str) or len(code) < _CODE_MIN:
        note("set-up: no code of {} characters in config.json, no network".format(_CODE_MIN))
        return
    state = [code, 0, 0]
    tasks: list[asyncio.Task[None]] = []
    server = None
    app.link.held = True
    try:
        address = _open_point("preau-" + app.node[-6:], code)
        # Not on all addresses: from the building's network there is no page.
        server = await asyncio.start_server(_server(state, tasks), address, app.settings.setup_port)
        note("set-up: network open for ten minutes")
        until = time.ticks_add(time.ticks_ms(), _OPEN_MS)
        while not state[2] and time.ticks_diff(until, time.ticks_ms()) > 0:
            await asyncio.sleep_ms(500)
        if state[2]:
            await asyncio.sleep_ms(1000)  # The answer is on its way.
    finally:
        app.link.held = False
        if server:
            server.close()
            await server.wait_closed()
        await _end(tasks)
        network.WLAN(network.AP_IF).active(False)
    if state[2] == 1:
        note("set-up: done, restarting")
        open("asked", "w").close()
        machine.reset()
    note("set-up: network closed")


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """None of them may outlive this module."""
    await asyncio.sleep_ms(0)  # One that was just accepted begins.
    while tasks:
        for task in tasks:
            task.cancel()
        await asyncio.sleep_ms(20)

"""Fetches a bundle over plain HTTP, in ranges, and goes on where a cut link or power left off.

It trusts nothing of what comes: that is `update_apply`'s business. Only the size is bounded here.
"""

import asyncio
import json
import os

import machine
import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import AnyApp, Json

_REQUEST = "GET {} HTTP/1.1\r\nHost: {}:{}\r\nRange: bytes={}-{}\r\nConnection: close\r\n\r\n"
JOB = "update.json"
PART = "update.part"
READY = "update.ready"
_TRIES_MAX = const(20)
_RANGE = const(4096)
_PIECE = const(256)
_HEAD_MAX = const(4096)
_TIMEOUT_MS = const(60_000)
_WAIT_FIRST_MS = const(1_000)
_WAIT_MAX_MS = const(300_000)
_FAILURES_MAX = const(30)


async def run(app: AnyApp) -> None:
    """Carries the job on, from wherever it was: ends with a restart into `update_apply`, or with
    the reason why not.
    """
    try:
        with open(JOB) as file:
            job = json.loads(file.read())
    except ValueError:
        note("update: the job is damaged, and given up")
        seldom.load("update_apply").forget()
        return
    ended = seldom.load("slots").read().get("update")
    if ended and ended.get("id") == job["id"]:
        # Only tidying up was cut off; what was installed and came back must not go on.
        seldom.load("update_apply").forget()
        return
    app.update = {"id": job["id"], "version": job["version"], "state": "fetching"}
    app.session.changed()
    try:
        job["tries"] += 1
        if job["tries"] > _TRIES_MAX:
            raise ValueError("given up after {} starts".format(_TRIES_MAX))
        _write(JOB, json.dumps(job))
        await _fetch(job)
        _write(READY, "")
    except (ValueError, OSError) as error:
        # OSError here is a flash that takes nothing more.
        app.update["state"] = "refused"
        app.update["error"] = str(error)[:160]
        seldom.load("slot_changes").report(app.update)
        seldom.load("update_apply").forget()
    except MemoryError as error:
        # It goes on from here in a heap that is whole again.
        note("update:", error)
    open("asked", "w").close()
    machine.reset()


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
    os.rename(path + ".new", path)


async def _fetch(job: Json) -> None:
    """Returns once all is there. Raises ValueError where the server refuses, or after 30 attempts
    in a row that brought nothing.
    """
    failures = 0
    wait_ms = _WAIT_FIRST_MS
    while True:
        had = _size(PART)
        if had >= job["size"]:
            return
        try:
            await asyncio.wait_for_ms(_fetch_range(job, PART, had), _TIMEOUT_MS)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            note("update: fetching:", repr(error))
            if _size(PART) > had:
                failures, wait_ms = 0, _WAIT_FIRST_MS
            failures += 1
            if failures >= _FAILURES_MAX:
                raise ValueError("not fetched: {!r}".format(error))
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _WAIT_MAX_MS)
        else:
            failures, wait_ms = 0, _WAIT_FIRST_MS


def _size(path: str) -> int:
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


async def _fetch_range(job: Json, path: str, start: int) -> None:
    host, port, target = _split(job["url"])
    end = min(start + _RANGE, job["size"])
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_REQUEST.format(target, host, port, start, end - 1).encode())
        await writer.drain()
        rest = await _head(reader, "bytes {}-{}/{}".format(start, end - 1, job["size"]))
        await _body(reader, rest, path, end - start)
    finally:
        writer.close()
        await writer.wait_closed()


def _split(url: str) -> tuple[str, int, str]:
    address, _, target = url[7:].partition("/")
    host, _, port = address.partition(":")
    return host, int(port or 80), "/" + target


async def _head(reader: asyncio.StreamReader, expected: str) -> bytes:
    """Reads the head of the answer line by line; what of the body came with it."""
    buffer, left, status, found = b"", _HEAD_MAX, None, None
    while True:
        line, end, rest = buffer.partition(b"\r\n")
        if not end:
            piece = await reader.read(_PIECE)
            left -= len(piece)
            if not piece:
                raise EOFError
            if left < 0:
                raise ValueError("the answer's head is over {} bytes".format(_HEAD_MAX))
            buffer += piece
            continue
        buffer = rest
        if status is None:
            status = line.partition(b" ")[2][:3]
        elif not line:
            break
        elif line[:14].lower() == b"content-range:":
            found = line[14:].strip()
    if status[:1] == b"5":
        raise OSError("the server answers {!r}".format(status))
    if status != b"206" or found != expected.encode():
        told = "the server answers {!r} with {!r}, not {}"
        raise ValueError(told.format(status, found, expected))
    return buffer


async def _body(reader: asyncio.StreamReader, rest: bytes, path: str, left: int) -> None:
    with open(path, "ab") as file:
        while True:
            file.write(rest[:left])
            left -= len(rest)
            if left <= 0:
                return
            rest = await reader.read(min(_PIECE, left))
            if not rest:
                raise EOFError

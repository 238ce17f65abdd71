"""An HTTP server that answers as a test has written down: a real one's worst days."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.servers import free_port


@dataclass
class Answer:
    """What is sent back: a status with body and headers, or less than that.

    `hang` never answers, `cut` closes in the middle of the answer.
    """

    status: int = 204
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.body.split(b"\n") if self.body else []


class HttpPeer:
    """Answers by `script`: one answer after the other, then by `rule`, else 204."""

    def __init__(
        self, script: Sequence[Answer] = (), rule: Callable[[Request], Answer | None] | None = None
    ) -> None:
        self.script = list(script)
        self.rule = rule
        self.requests: list[Request] = []
        self.accepted: list[bytes] = []
        """Lines of requests that were answered with 204."""
        self.port = free_port()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer_one(self, reader, writer) -> bool:
        request = await _read(reader)
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else None
        if answer is None and self.rule is not None:
            answer = self.rule(request)
        answer = answer or Answer()
        if answer.hang:
            await asyncio.sleep(3600)
        if answer.status == 204:
            self.accepted += request.lines
        body = answer.body.encode()
        head = f"HTTP/1.1 {answer.status} X\r\n"
        headers = answer.headers | ({} if answer.status == 204 else {"Content-Length": len(body)})
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        sent = head.encode() + body
        writer.write(sent[: len(sent) // 2] if answer.cut else sent)
        await writer.drain()
        return not answer.cut

    async def close(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Request(method, path, headers, body)


@asynccontextmanager
async def http_peer(*script: Answer, rule=None) -> AsyncIterator[HttpPeer]:
    peer = HttpPeer(script, rule)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", peer.port)
    try:
        yield peer
    finally:
        server.close()
        await peer.close()
        await server.wait_closed()

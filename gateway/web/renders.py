"""Keeps what was just rendered for a moment, so that many open pages cost one rendering.

After a reading arrives every open page looks again within the same second. An entry is made once
even when many ask at the same time, and is bounded in age and number.
"""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from aiohttp import web

T = TypeVar("T")

_MOST: Final = 64
_WORTH_PACKING_BYTES: Final = 1400


class Shortly(Generic[T]):
    """Results by key, each for `kept_s` of the loop's clock."""

    def __init__(self, kept_s: float, most: int = _MOST) -> None:
        self._kept_s = kept_s
        self._most = most
        self._entries: OrderedDict[Hashable, tuple[float, asyncio.Future[T]]] = OrderedDict()

    async def get(
        self, key: Hashable, make: Callable[[], Awaitable[T]], kept_s: float | None = None
    ) -> T:
        """What `make` returned for `key` a moment ago, or returns now."""
        loop = asyncio.get_running_loop()
        entry = self._entries.get(key)
        if entry is not None and loop.time() < entry[0]:
            return await asyncio.shield(entry[1])
        made = asyncio.ensure_future(make())
        until = loop.time() + (self._kept_s if kept_s is None else kept_s)
        self._entries[key] = (until, made)
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)
        made.add_done_callback(lambda done: self._forget_failed(key, done))
        return await asyncio.shield(made)

    def _forget_failed(self, key: Hashable, made: asyncio.Future[T]) -> None:
        entry = self._entries.get(key)
        failed = made.cancelled() or made.exception() is not None
        if failed and entry is not None and entry[1] is made:
            del self._entries[key]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page or a piece of one, plain and compressed, and the tag by which it is recognised."""

    plain: bytes
    packed: bytes | None
    tag: str

    @classmethod
    def of(cls, text: str) -> "Rendered":
        """`text` encoded, and compressed where that is worth it."""
        plain = text.encode()
        packed = gzip.compress(plain, 1, mtime=0) if len(plain) > _WORTH_PACKING_BYTES else None
        return cls(plain, packed, f'W/"{hashlib.blake2b(plain, digest_size=8).hexdigest()}"')

    def response(self, request: web.Request, headers: dict[str, str]) -> web.Response:
        """The answer to `request`: 304 where the browser has the same already."""
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding, Accept-Language, Cookie",
            "ETag": self.tag,
            **headers,
        }
        if request.headers.get("If-None-Match") == self.tag:
            return web.Response(status=304, headers=headers)
        if self.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.plain, headers=headers)

"""InfluxDB 1.x over `/write` and `/query`: what Debian and Raspberry Pi OS install by name.

The database is made where it is missing. Secrets stand in a header, not in the address.
"""

import asyncio
import gzip
import json
import time
from typing import Any, Final, Self

import aiohttp

from ingest.forwarder.errors import InfluxRefusedError, InfluxSetupError, error_of
from ingest.forwarder.http import away, open_session
from ingest.forwarder.placements import Correction
from ingest.forwarder.target import Target
from ingest.queries.influxql import identifier, quoted

_READ_BYTES: Final = 64 * 1024
# Twice as fast as the default, for a tenth more bytes.
_GZIP_LEVEL: Final = 1


class InfluxV1:
    """A client of `target`; see `InfluxClient`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._target)
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def write(self, lines: bytes) -> None:
        """As `InfluxClient.write`."""
        status, words, retry_after = await self._post_lines(lines)
        if status == 404 and "database not found" in words:
            await self._create_database()
            status, words, retry_after = await self._post_lines(lines)
        # Anything but 204 is not InfluxDB saying yes, whatever it is that answers there.
        if status == 204:
            return
        if 200 <= status < 300:
            raise InfluxSetupError(f"HTTP {status} instead of 204: is that an InfluxDB?")
        raise error_of(status, words, retry_after, time.time())

    async def delete(self, measurement: str, wrong: Correction) -> None:
        """As `InfluxClient.delete`."""
        tags = {
            "node": wrong.node,
            "site": wrong.wrong.site,
            "building": wrong.wrong.building,
            "room": wrong.wrong.room,
        }
        where = [f'"{key}" = {quoted(value)}' for key, value in tags.items()]
        where += _period(wrong)
        conditions = " AND ".join(where)
        await self.query(f'DELETE FROM "{measurement}" WHERE {conditions}')  # noqa: S608 - quoted

    async def query(self, text: str) -> Any:
        """The answer to an InfluxQL statement that may change something."""
        status, words, retry_after = await self._post(
            "/query", {"db": self._target.database, "q": text}, None
        )
        if status != 200:
            raise error_of(status, words, retry_after, time.time())
        try:
            answer = json.loads(words)
            refused = [one["error"] for one in answer["results"] if "error" in one]
        except (ValueError, KeyError, TypeError) as error:
            raise InfluxSetupError(
                f"no answer of an InfluxDB to a query: {words[:100]!r}"
            ) from error
        if refused:
            raise InfluxRefusedError(str(refused[0]))
        return answer

    async def _create_database(self) -> None:
        await self.query(f"CREATE DATABASE {identifier(self._target.database)}")

    async def _post_lines(self, lines: bytes) -> tuple[int, str, str | None]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._target.gzip:
            lines = await asyncio.to_thread(gzip.compress, lines, _GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        parameters = {"db": self._target.database, "precision": "ms"}
        return await self._post("/write", parameters, lines, headers)

    async def _post(
        self,
        path: str,
        parameters: dict[str, str],
        body: bytes | None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str, str | None]:
        """Status, body and Retry-After; `InfluxAwayError` where there is no whole answer."""
        if self._session is None:
            raise RuntimeError("use it in `async with`")
        try:
            async with self._session.post(
                self._target.url + path,
                params=parameters,
                data=body,
                headers=headers,
                # A redirected POST becomes a GET, whose 200 says nothing about the points.
                allow_redirects=False,
            ) as answer:
                words = await answer.content.read(_READ_BYTES)
                text = words.decode(errors="replace")
                return answer.status, text, answer.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._target, error) from error


def _period(wrong: Correction) -> list[str]:
    where = []
    if wrong.from_ms > 0:
        where.append(f"time >= {wrong.from_ms}ms")
    if wrong.to_ms < 2**62:
        where.append(f"time < {int(wrong.to_ms)}ms")
    return where

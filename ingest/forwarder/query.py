"""Asks an InfluxDB in InfluxQL over `/query`, which every version answers."""

import json
import time
from typing import Any, Final, Self

import aiohttp

from ingest.forwarder.errors import InfluxAwayError, InfluxRefusedError, InfluxSetupError, error_of
from ingest.forwarder.http import away, open_session
from ingest.forwarder.target import Target
from ingest.queries.influxql import Rows

_LONGEST_ANSWER: Final = 256 * 1024 * 1024


class InfluxQuery:
    """Questions to `target`, as long as its `async with`. It changes nothing there."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._target)
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, text: str) -> Rows:
        """The series that one statement answers with, times in milliseconds.

        Raises `InfluxAwayError`, `InfluxSetupError` or `InfluxRefusedError`.
        """
        if self._session is None:
            raise RuntimeError("use it in `async with`")
        parameters = {"db": self._target.database, "epoch": "ms", "q": text}
        try:
            async with self._session.get(
                self._target.url + "/query", params=parameters, allow_redirects=False
            ) as answer:
                body = await _whole(answer.content)
                status, retry_after = answer.status, answer.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._target, error) from error
        if status != 200:
            raise error_of(status, body.decode(errors="replace"), retry_after, time.time())
        return _series_of(body)


async def _whole(content: aiohttp.StreamReader) -> bytes:
    parts, size = [], 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LONGEST_ANSWER:
            raise InfluxRefusedError(f"an answer of over {_LONGEST_ANSWER} bytes")
    # Once: a day of 10,000 nodes is 40 MB in small pieces.
    return b"".join(parts)


def _series_of(body: bytes) -> Rows:
    try:
        (result,) = json.loads(body)["results"]
        refused = result.get("error")
        series: list[dict[str, Any]] = result.get("series", [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfluxSetupError(f"no answer of an InfluxDB: {body[:100]!r}") from error
    if refused:
        raise InfluxRefusedError(str(refused))
    if result.get("partial") or any(one.get("partial") for one in series):
        raise InfluxAwayError("only a part was answered: ask for less at once")
    return series

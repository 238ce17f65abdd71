"""InfluxDB 1.8 and newer, 2.x and 3 Core over `/api/v2`, through the client of its makers.

A bucket that is missing is not made: that needs rights which a forwarder should not have. 3 Core
has no deletion: there, points of a corrected placement stay under their old tags as well.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final, Self

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest.forwarder.errors import InfluxSetupError, error_of
from ingest.forwarder.http import away, tls_of
from ingest.forwarder.placements import Correction
from ingest.forwarder.target import Target

# What /api/v2/delete takes as bounds; times of ours lie between.
_EARLIEST_MS: Final = 0
_LATEST_MS: Final = 9_000_000_000_000


class InfluxV2:
    """A client of `target`; see `InfluxClient`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: Any = None

    async def __aenter__(self) -> Self:
        target = self._target
        context = tls_of(target)
        self._client = InfluxDBClientAsync(
            target.url,
            token=target.token or "",
            org=target.org,
            timeout=int(target.timeout_s * 1000),
            enable_gzip=target.gzip,
            # A redirected POST becomes a GET, whose 200 says nothing about the points.
            allow_redirects=False,
            connection_pool_maxsize=2,
            **({} if context is True else {"ssl_context": context}),
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._client is not None:
            await self._client.close()

    async def write(self, lines: bytes) -> None:
        """As `InfluxClient.write`."""
        try:
            accepted = await self._client.write_api().write(
                self._target.database, record=lines, write_precision=WritePrecision.MS
            )
        except ApiException as error:
            raise _error_of(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._target, error) from error
        if not accepted:
            raise InfluxSetupError("neither 201 nor 204: is that an InfluxDB?")

    async def delete(self, measurement: str, wrong: Correction) -> None:
        """As `InfluxClient.delete`."""
        tags = {
            "_measurement": measurement,
            "node": wrong.node,
            "site": wrong.wrong.site,
            "building": wrong.wrong.building,
            "room": wrong.wrong.room,
        }
        predicate = " AND ".join(f'{key}="{_escaped(value)}"' for key, value in tags.items())
        try:
            await self._client.delete_api().delete(
                _instant(max(wrong.from_ms, _EARLIEST_MS)),
                # The end is included there.
                _instant(min(int(min(wrong.to_ms, _LATEST_MS)), _LATEST_MS) - 1),
                predicate,
                self._target.database,
            )
        except ApiException as error:
            raise _error_of(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._target, error) from error


def _error_of(error: ApiException) -> Exception:
    retry_after = error.headers.get("Retry-After") if error.headers else None
    status = int(error.status or 0)
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    said = error_of(status or 503, body or "", retry_after, time.time())
    if status == 404:
        return InfluxSetupError(f"{said}: create the bucket, or look at its name")
    return said


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)

"""Does each configured InfluxDB answer, let us in, and have what we write to?"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import aiohttp

from gateway.checks.finding import Finding, Given, failed, good, warning
from ingest.errors import ConfigurationError, PreauError
from ingest.forwarder.errors import InfluxAwayError, InfluxRefusedError, error_of
from ingest.forwarder.http import away, open_session
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1

_TIMEOUT_S: Final = 5.0


async def check(given: Given) -> Sequence[Finding]:
    """One line a forwarder, all asked at once."""
    return await asyncio.gather(*(_asked(one.target) for one in given.settings.forwarder))


async def _asked(target_of: Callable[[], Target]) -> Finding:
    try:
        target = replace(target_of(), timeout_s=_TIMEOUT_S)
    except ConfigurationError as error:
        return failed(str(error), "mend the file that the setting names")
    told = f"InfluxDB {target.name}"
    try:
        return await (_v1(target, told) if target.api == "v1" else _v2(target, told))
    except InfluxAwayError as error:
        remedy = "is it running? look at the forwarder's url; readings are kept meanwhile"
        return failed(f"{told}: {error}", remedy)
    except PreauError as error:
        remedy = "look at the forwarder's url, database or bucket, and credentials"
        return failed(f"{told}: {error}", remedy)


async def _v1(target: Target, told: str) -> Finding:
    async with InfluxV1(target) as client:
        answer = await client.query("SHOW DATABASES")
    series = answer["results"][0].get("series", [{}])[0]
    if [target.database] in series.get("values", []):
        return good(f"{told}: {target.url} answers and has the database {target.database!r}")
    return warning(
        f"{told}: {target.url} answers and has no database {target.database!r} yet",
        "the gateway makes it with the first reading, if its account may",
    )


async def _v2(target: Target, told: str) -> Finding:
    """Writing nothing asks for all that writing asks for: token, organisation and bucket."""
    where = {"org": target.org, "bucket": target.database, "precision": "ms"}
    try:
        async with (
            open_session(target) as session,
            session.post(
                f"{target.url}/api/v2/write", params=where, data=b"", allow_redirects=False
            ) as answer,
        ):
            status, body = answer.status, await answer.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise away(target, error) from error
    # 2.0 refuses a write of no points, later ones take it: both have looked at the rest.
    refusal = None if status == 204 else error_of(status, body, None, time.time())
    if refusal is not None and not isinstance(refusal, InfluxRefusedError):
        raise refusal
    return good(f"{told}: {target.url} answers and takes the bucket {target.database!r}")

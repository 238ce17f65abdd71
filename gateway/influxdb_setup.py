"""Sets an InfluxDB 2 up: organisation, bucket, and a token for each program that uses it.

InfluxDB chooses its tokens itself, so they are written to files once it has. Everything that is
right already is left alone, and what has been begun and not ended is ended by the next run.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import aiohttp

from gateway.atomic_file import write_atomically
from ingest.errors import ConfigurationError
from ingest.forwarder.errors import InfluxSetupError, error_of
from ingest.forwarder.http import away, open_session
from ingest.forwarder.target import Target

Right = Literal["read", "write"]
READER: Final[tuple[Right, ...]] = ("read",)
WRITER: Final[tuple[Right, ...]] = ("read", "write")
"""A gateway also asks what is there, for its audit; deleting is part of writing."""

_REFUSED: Final = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class Place:
    """The ids that InfluxDB has given to organisation and bucket."""

    organisation: str
    bucket: str


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Where a program's token is to lie, and what it is to allow on the bucket, nothing else."""

    file: Path
    rights: tuple[Right, ...]

    @property
    def description(self) -> str:
        """By which the token is known in InfluxDB."""
        return f"preau {self.file}"


class InfluxSetup:
    """The interface of an InfluxDB 2 for its operator, as long as its `async with`.

    `target.token` is the operator's. All methods raise `InfluxAwayError`, `InfluxSetupError` or
    `InfluxRefusedError`.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._target)
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def begin(self, user: str, password: str) -> bool:
        """Make the first user, organisation and bucket; whether that was still to be done."""
        if not (await self._ask("GET", "/api/v2/setup"))["allowed"]:
            return False
        await self._ask(
            "POST",
            "/api/v2/setup",
            body={
                "username": user,
                "password": password,
                "org": self._target.org,
                "bucket": self._target.database,
                "token": self._target.token,
                # Nothing is let go: how long readings are kept is the town's decision.
                "retentionPeriodSeconds": 0,
            },
        )
        return True

    async def place(self) -> Place:
        """Where organisation and bucket are."""
        org, bucket = self._target.org, self._target.database
        orgs = await self._ask("GET", "/api/v2/orgs", query={"org": org})
        buckets = await self._ask("GET", "/api/v2/buckets", query={"org": org, "name": bucket})
        if not orgs.get("orgs") or not buckets.get("buckets"):
            raise InfluxSetupError(
                f"{self._target.url} has no bucket {bucket!r} of an organisation {org!r}: create it"
            )
        return Place(orgs["orgs"][0]["id"], buckets["buckets"][0]["id"])

    async def map_database(self, place: Place) -> None:
        """Let InfluxQL find the bucket by its name. Since 2.5 InfluxDB does so by itself."""
        ids = {"orgID": place.organisation, "bucketID": place.bucket}
        if (await self._ask("GET", "/api/v2/dbrps", query=ids)).get("content"):
            return
        names = {"database": self._target.database, "retention_policy": "autogen", "default": True}
        await self._ask("POST", "/api/v2/dbrps", body=names | ids)

    async def provide(self, place: Place, wanted: TokenFile) -> bool:
        """Have a token that works in the file; whether a new one had to be made."""
        if await self._is_admitted(_token_in(wanted.file), place):
            return False
        await self._withdraw(place, wanted.description)
        rights = [
            {
                "action": right,
                "resource": {"type": "buckets", "id": place.bucket, "orgID": place.organisation},
            }
            for right in wanted.rights
        ]
        body = {
            "orgID": place.organisation,
            "description": wanted.description,
            "permissions": rights,
        }
        made = await self._ask("POST", "/api/v2/authorizations", body=body)
        write_atomically(wanted.file, f"{made['token']}\n".encode())
        return True

    async def _is_admitted(self, token: str, place: Place) -> bool:
        if not token:
            return False
        status, words = await self._send("GET", f"/api/v2/buckets/{place.bucket}", token=token)
        if status in _REFUSED:
            return False
        _require(status, words)
        return True

    async def _withdraw(self, place: Place, description: str) -> None:
        """Tokens of this name whose file was lost serve nobody who should have one."""
        query = {"orgID": place.organisation}
        found = await self._ask("GET", "/api/v2/authorizations", query=query)
        for old in found.get("authorizations", []):
            if old.get("description") == description:
                await self._ask("DELETE", f"/api/v2/authorizations/{old['id']}")

    async def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, body: object = None
    ) -> dict[str, Any]:
        token = None if path == "/api/v2/setup" else self._target.token
        status, words = await self._send(method, path, token=token, query=query, body=body)
        if status == 401:
            raise InfluxSetupError(
                f"{self._target.url} was set up with another operator token: put that one back, "
                "or begin with an empty InfluxDB"
            )
        _require(status, words)
        try:
            answer = json.loads(words or "{}")
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise InfluxSetupError(f"{self._target.url}{path}: no answer of an InfluxDB 2")
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        token: str | None,
        query: dict[str, str] | None = None,
        body: object = None,
    ) -> tuple[int, str]:
        if self._session is None:
            raise RuntimeError("use it in `async with`")
        headers = {"Authorization": f"Token {token}"} if token else {}
        url = self._target.url + path
        try:
            async with self._session.request(
                method, url, params=query, json=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._target, error) from error


def _require(status: int, words: str) -> None:
    if not 200 <= status < 300:
        raise error_of(status, words, None, time.time())


def _token_in(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error

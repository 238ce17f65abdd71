"""Asks the service that runs on this machine, for commands that can't do their work beside it."""

from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.api_token import read_token
from gateway.endpoint import Endpoint
from gateway.settings import Settings
from ingest.errors import ConfigurationError, PermanentError, TransientError

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_GRACE_S: Final = 10.0


class RefusedError(PermanentError):
    """The service refuses what it was asked."""


class LocalService:
    """The service of these settings, asked with the token of its data folder."""

    def __init__(self, settings: Settings) -> None:
        host = _EVERYWHERE.get(settings.http.host, settings.http.host)
        if not settings.http.port:
            raise ConfigurationError("http.port is 0: commands can't know where the service is")
        self._url = f"http://{Endpoint(host, settings.http.port)}"
        self._data: Path = settings.data.dir

    async def get(self, path: str) -> Any:
        """The JSON that `path` answers with. Raises as `post` does."""
        return await self._ask("GET", path, None, _GRACE_S)

    async def post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        """Post `body` and wait so long, and a little, for the answer.

        Raises `TransientError` where the service is away or has no answer yet, `RefusedError` for
        what it refuses.
        """
        return await self._ask("POST", path, body, timeout_s + _GRACE_S)

    async def _ask(self, method: str, path: str, body: Any, timeout_s: float) -> Any:
        headers = {"Authorization": f"Bearer {read_token(self._data)}"}
        limit = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=limit) as client,
                client.request(method, f"{self._url}{path}", json=body) as response,
            ):
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise TransientError(
                f"no service of Préau answers at {self._url} ({reason}); is `preau run` running?"
            ) from error
        if response.status >= 400:
            kind = TransientError if response.status >= 500 else RefusedError
            raise kind(answer.get("detail", f"the service answers {response.status}"))
        return answer

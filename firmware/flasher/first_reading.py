"""Asks the gateway for a node's first reading, by its API. It knows no broker and no board."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from firmware.flasher.errors import FlashError
from gateway.settings import Settings
from ingest.errors import ConfigurationError
from ingest.quantities import QUANTITIES

_TIMEOUT_S: Final = 10
_AGAIN_S: Final = 0.5
# What a node says of itself is no proof that a sensor is connected.
_OF_ITSELF: Final = frozenset({"battery", "rssi", "uptime", "heap_free", "heap_largest", "outbox"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading as the API has it."""

    quantity: str
    value: float
    unit: str | None
    measured_at: str


class GatewayApi:
    """The gateway whose page is at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def now(self) -> datetime:
        """The gateway's time, in whole seconds. Raises `FlashError` where it does not answer or
        does not let us read.
        """
        _, headers = self._get("/api/v1/sites")
        return parsedate_to_datetime(headers["Date"])

    def await_reading(
        self, node: str, since: datetime, within_s: float, told: Callable[[int], None]
    ) -> Reading | None:
        """The first reading of the node's sensors since then, as soon as it is stored; `None` where
        there is none after `within_s`. `told` gets the seconds that have passed.
        """
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < within_s:
            told(int(passed_s))
            if (found := self._first(node, since)) is not None:
                return found
            time.sleep(_AGAIN_S)
        return None

    def _first(self, node: str, since: datetime) -> Reading | None:
        query = urlencode({"node": node, "from": since.isoformat(), "limit": 1000})
        try:
            answer, _ = self._get(f"/api/v1/readings?{query}")
        except _NotFoundError:
            return None
        found = [
            Reading(series["quantity"], entry["value"], series["unit"], entry["measured_at"])
            for series in answer["series"]
            if series["quantity"] not in _OF_ITSELF
            for entry in series["readings"]
        ]
        order = list(QUANTITIES)
        return min(
            found,
            key=lambda reading: (reading.measured_at, order.index(reading.quantity)),
            default=None,
        )

    def _get(self, path: str) -> tuple[Any, Any]:
        try:
            with urlopen(f"{self._url}{path}", timeout=_TIMEOUT_S) as response:  # noqa: S310 - http(s) by the settings
                return json.load(response), response.headers
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise _NotFoundError(str(error)) from error
            remedy = "; give --no-wait, or open the page for reading" if error.code == 403 else ""
            raise FlashError(f"the gateway at {self._url} answers {error.code}{remedy}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise FlashError(
                f"the gateway at {self._url} does not answer ({error}): is it running? Give "
                "--gateway URL where it is elsewhere, --no-wait to write the board without it"
            ) from error


class _NotFoundError(FlashError):
    """The gateway has not heard of the node yet."""


def gateway_url(given: str | None, settings: Settings) -> str:
    """Where the gateway's API is found from here. Raises `ConfigurationError`."""
    if given is not None:
        if not given.startswith(("http://", "https://")):
            raise ConfigurationError(f"--gateway {given!r}: must look like http://host:8080")
        return given
    host, port = settings.http.host, settings.http.port
    if port == 0:
        raise ConfigurationError("http.port is 0, any free one: give --gateway URL")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

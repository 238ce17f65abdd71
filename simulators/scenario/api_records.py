"""What somebody else's gateway has, as its API v1 tells it. It blocks, and starts nothing."""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ingest.errors import TransientError
from ingest.readings import MAIN_CHANNEL, TimeSource
from ingest.store.reader import Point
from simulators.scenario.boards import Node
from simulators.scenario.evidence import Key, keys_of

_TIMEOUT_S: Final = 60.0
_QUALITIES: Final = ("good", "suspect", "bad")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ApiRecords:
    """Asks the gateway at `url`. Nodes told times `shift_ms` after those of the scenario.

    Only what was measured from `since_ms` to before `until_ms`, and refused since then, counts:
    before that the gateway had a life of its own. Raises `TransientError`.
    """

    def __init__(
        self,
        url: str,
        nodes: list[str],
        *,
        since_ms: int,
        until_ms: int,
        shift_ms: int,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._context = context
        self._url = url.rstrip("/")
        self._nodes = nodes
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._shift_ms = shift_ms

    def points(self, node: str, quantity: str, since_ms: int, until_ms: int) -> list[Point]:
        """The readings of a node's main channel, of any quality, by time of the scenario."""
        told = (since_ms + self._shift_ms, until_ms + self._shift_ms)
        return sorted(
            Point(
                _ms(entry["measured_at"]) - self._shift_ms,
                entry["value"],
                _QUALITIES.index(entry["quality"]),
                _ms(entry["received_at"]),
                int(TimeSource.NODE),
            )
            for series, entry in self._readings(node, *told, quantity=quantity)
            if series["channel"] == MAIN_CHANNEL
        )

    def stored(self, node: str) -> dict[Key, float]:
        """Every reading of a node, at the times that it told."""
        told = (self._since_ms + self._shift_ms, self._until_ms + self._shift_ms)
        return {
            (series["quantity"], series["channel"], _ms(entry["measured_at"])): entry["value"]
            for series, entry in self._readings(node, *told)
        }

    def letters(self, node: str) -> set[Key]:
        """The readings of a node that lie among the dead letters."""
        return {
            key
            for letter in self._letters(node)
            if letter["payload"]["encoding"] == "utf-8"
            for key in keys_of(letter["payload"]["content"].encode())
        }

    def letter_counts(self) -> dict[str, int]:
        """Dead letters of our nodes by reason."""
        return dict(Counter(one["reason"] for node in self._nodes for one in self._letters(node)))

    def received(self, node: Node) -> dict[str, list[tuple[int, int]]]:
        """All numbers whose receipt the node has; the API tells of none."""
        return node.settled

    def _readings(
        self, node: str, from_ms: int, to_ms: int, **query: str
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        asked = {"node": node, "from": _iso(from_ms), "to": _iso(to_ms), "limit": "10000", **query}
        try:
            pages = self._pages("/api/v1/readings", asked)
            for page in pages:
                for series in page["series"]:
                    for entry in series["readings"]:
                        yield series, entry
        except urllib.error.HTTPError as error:
            # A node that has never got anything through is not known there.
            if error.code != 404:
                raise TransientError(f"{self._url} answers {error.code}: {error.reason}") from error
        except OSError as error:
            raise TransientError(f"{self._url} does not answer: {error}") from error

    def _letters(self, node: str) -> Iterator[dict[str, Any]]:
        try:
            for page in self._pages("/api/v1/deadletters", {"node": node, "limit": "500"}):
                yield from page["dead_letters"]
        except OSError as error:
            raise TransientError(f"{self._url} does not answer: {error}") from error

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        address: str | None = f"{self._url}{path}?{urllib.parse.urlencode(query)}"
        while address is not None:
            request = urllib.request.urlopen(  # noqa: S310 - checked
                address, timeout=_TIMEOUT_S, context=self._context
            )
            with request as answer:
                page: dict[str, Any] = json.load(answer)
            yield page
            address = page["next"] and urllib.parse.urljoin(self._url + "/", page["next"])


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def _iso(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat().replace("+00:00", "Z")

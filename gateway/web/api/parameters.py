"""Reads the parameters of an API request; each mistake is told with what would have been right."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from gateway.web.context import CONTEXT
from gateway.web.problem import bad_request
from gateway.web.timeparse import TimeError, parse_instant, parse_step
from ingest.quantities import QUANTITIES
from ingest.topics import is_node_id

T = TypeVar("T")


class Parameters:
    """The query of one request, of which only `known` parameters may be given."""

    def __init__(self, request: web.Request, known: Iterable[str]) -> None:
        self._query = request.query
        self._request = request
        names = list(known)
        for name in self._query:
            if name not in names:
                raise bad_request(f"unknown parameter {name[:40]!r}: known are {', '.join(names)}")
        for name in names:
            if name != "quantity" and len(self._query.getall(name, [])) > 1:
                raise bad_request(f"{name} is given more than once")

    def text(self, name: str) -> str | None:
        """A parameter as it stands; `None` where it is left out or empty."""
        return self._query.get(name) or None

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number between two bounds."""
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 16):
            raise bad_request(f"{name} is {text[:40]!r}: must be a whole number")
        if not least <= int(text) <= most:
            raise bad_request(f"{name} is {text[:40]}: must be between {least} and {most}")
        return int(text)

    def node(self) -> str | None:
        """A node id."""
        text = self.text("node")
        if text is not None and not is_node_id(text):
            raise bad_request(
                f"node is {text[:40]!r}: must be the 12 lowercase hex digits of its label"
            )
        return text

    def quantities(self) -> list[str]:
        """The quantities asked for, all where none is named."""
        asked = [name for text in self._query.getall("quantity", []) for name in text.split(",")]
        for name in asked:
            if name not in QUANTITIES:
                raise bad_request(
                    f"quantity is {name[:40]!r}: must be one of {', '.join(QUANTITIES)}"
                )
        return asked or list(QUANTITIES)

    def instant(self, name: str, default_ms: int) -> int:
        """A time, in Unix milliseconds."""
        text = self.text(name)
        if text is None:
            return default_ms
        try:
            return parse_instant(text, self._request.app[CONTEXT].zone)
        except TimeError as error:
            raise bad_request(f"{name}: {error}") from error

    def step_ms(self) -> int | None:
        """The step of averages; `None` for raw readings."""
        text = self.text("step")
        if text is None:
            return None
        try:
            return parse_step(text)
        except TimeError as error:
            raise bad_request(f"step: {error}") from error

    def cursor(self, shape: type[T]) -> T | None:
        """What `next_page` put into the address of this page."""
        text = self.text("cursor")
        if text is None:
            return None
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(text), type=shape)
        except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
            raise bad_request(f"cursor is {text[:40]!r}: take it from `next`") from error

    def next_page(self, cursor: object, **fixed: Any) -> str:
        """The request's address with a cursor, and with what its defaults have fixed."""
        packed = base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()
        return str(self._request.rel_url.update_query({**fixed, "cursor": packed}))

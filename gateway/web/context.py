"""What the web is handed by the service that starts it. It builds none of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.changes import Changes
from gateway.control import Control
from gateway.health import Health
from gateway.nodes import NodeRegistry
from gateway.readers import ReaderPool
from ingest.estate.model import Estate
from ingest.latest import LatestReadings


@dataclass(frozen=True, slots=True)
class WebContext:
    """Everything the pages and the API look at."""

    estate: Callable[[], Estate]
    """The estate in force now."""
    latest: LatestReadings
    nodes: NodeRegistry
    readers: ReaderPool
    changes: Changes
    health: Health
    metrics: Callable[[], bytes]
    """The text format of Prometheus."""
    control: Control
    """What a command on this machine, which holds its token, may have done."""
    clock_ms: Callable[[], int]
    language: str
    """`fr` or `en`: for a browser that asks for neither."""
    zone: ZoneInfo
    """In which times are shown, and in which a time without offset is read."""
    read_without_account: bool
    """Whether anybody who reaches the page may read it."""


CONTEXT: Final = web.AppKey("context", WebContext)
"""Where handlers find it in their application."""

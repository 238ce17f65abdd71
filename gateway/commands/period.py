"""What commands share that work on a period, or on some nodes: how their options are read."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from gateway.web.timeparse import LATEST_MS, TimeError, parse_instant
from ingest.errors import ConfigurationError
from ingest.topics import is_node_id

FOR_EVER_MS: Final = LATEST_MS


def bounds(from_text: str | None, to_text: str | None, zone: ZoneInfo) -> tuple[int, int]:
    """What `--from` and `--to` mean, in Unix milliseconds. Raises `ConfigurationError`."""
    from_ms = instant("--from", from_text, zone, 0)
    to_ms = instant("--to", to_text, zone, FOR_EVER_MS)
    if from_ms >= to_ms:
        # Nothing lies in between: an audit of that would say that all is well.
        raise ConfigurationError(f"--from {from_text} must be earlier than --to {to_text}")
    return from_ms, to_ms


def instant(option: str, text: str | None, zone: ZoneInfo, default: int) -> int:
    """Unix milliseconds of an option, `default` if it is not given. Raises `ConfigurationError`."""
    try:
        return default if text is None else parse_instant(text, zone)
    except TimeError as error:
        raise ConfigurationError(f"{option}: {error}") from error


def checked_nodes(nodes: Sequence[str]) -> Sequence[str]:
    """The nodes as given. Raises `ConfigurationError` for what is no node id."""
    for node in nodes:
        if not is_node_id(node):
            raise ConfigurationError(f"--node is {node!r}: must be 12 lowercase hex digits")
    return nodes

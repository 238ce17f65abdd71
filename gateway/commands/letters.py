"""What the commands of dead letters share: which ones are meant, and how they are shown.

A letter may hold anything, escape sequences for the terminal too: nothing of it is shown raw.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import click
import msgspec

from gateway.commands.options import settings_option
from gateway.settings import Settings
from gateway.web.timeparse import TimeError, parse_instant
from ingest.errors import ConfigurationError
from ingest.store.database import FILE_NAME
from ingest.store.deadletters import LetterFilter, StoredDeadLetter
from ingest.topics import is_node_id

F = TypeVar("F", bound=Callable[..., Any])

NO_STORE: Final = "0 dead letters: no gateway has run with this data folder."
_LONGEST_FORMATTED: Final = 256 * 1024
"""Deep nesting makes indentation of what is 16 KiB."""

_OPTIONS: Final = (
    settings_option,
    click.option("--node", metavar="ID", help="Only of this node, 12 hex digits."),
    click.option("--reason", metavar="CODE", help="Only with this reason, such as wrong_unit."),
    click.option(
        "--from",
        "from_text",
        metavar="TIME",
        help="Only what first came then or later: 2026-11-23, or 2026-11-23T08:00+01:00. A date is "
        "its midnight, and a time without offset is local, in the time zone of the settings.",
    ),
    click.option("--to", "to_text", metavar="TIME", help="Only what first came before then."),
)


def chosen_options(command: F) -> F:
    """Options that say which letters are meant: `letter_filter` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def letter_filter(
    settings: Settings,
    node: str | None,
    reason: str | None,
    from_text: str | None,
    to_text: str | None,
) -> LetterFilter:
    """What the options mean. Raises `ConfigurationError`."""
    if node is not None and not is_node_id(node):
        raise ConfigurationError(f"--node is {node!r}: must be 12 lowercase hex digits")
    from_ms = _instant("--from", from_text, settings.zone)
    to_ms = _instant("--to", to_text, settings.zone)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise ConfigurationError(f"--from {from_text} must be earlier than --to {to_text}")
    return LetterFilter(node, reason, from_ms, to_ms)


def _instant(option: str, text: str | None, zone: ZoneInfo) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text, zone)
    except TimeError as error:
        raise ConfigurationError(f"{option}: {error}") from error


def has_store(folder: Path) -> bool:
    """Whether a gateway has ever run here; as with `node list`, none yet is no error."""
    return (folder / FILE_NAME).exists()


def told_counts(counts: Mapping[str, int]) -> str:
    """`3 dead letters: conflict 1, wrong_unit 2`."""
    total = sum(counts.values())
    parts = ", ".join(f"{plain(reason)} {count}" for reason, count in sorted(counts.items()))
    return f"{total} dead letter{'' if total == 1 else 's'}" + (f": {parts}" if parts else "")


def told_time(at_ms: int, zone: ZoneInfo) -> str:
    """Local time with its offset, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, zone).isoformat(" ")


def plain(text: str, keep: str = "") -> str:
    """`text` with all that is not printable escaped, except what is in `keep`."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def readable_payload(payload: bytes) -> str:
    """Indented if it is JSON, with its numbers as they were written; safe for a terminal."""
    try:
        formatted = msgspec.json.format(payload, indent=2)
        if len(formatted) <= _LONGEST_FORMATTED:
            return plain(formatted.decode(), keep="\n")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass  # no JSON: as it is
    return plain(payload.decode(errors="backslashreplace"))


def letter_as_json(letter: StoredDeadLetter) -> dict[str, object]:
    """Every field; a payload that is no text is given in base64 as well."""
    fields = asdict(letter) | {"payload": letter.payload.decode(errors="backslashreplace")}
    try:
        letter.payload.decode()
    except UnicodeDecodeError:
        fields["payload_base64"] = base64.b64encode(letter.payload).decode()
    return fields

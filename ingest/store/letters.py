"""Dead letters for readings that the store itself can't take: written as packs, so that they can be
read again.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL
from ingest.senml import VERSION
from ingest.store.deadletters import DeadLetter
from ingest.topics import base_name_of, topic_of

_READINGS_PER_LETTER: Final = 100
"""So that a letter stays below the bytes that are kept of one."""

_Reading = tuple[str, str, int, float]
"""(quantity, channel, measured_at_ms, value)"""


def conflict_letter(node: str, reading: _Reading, standing: float, delay_ms: int) -> DeadLetter:
    """`reading` contradicts `standing`, which is stored for its instant."""
    quantity, channel, measured_at, value = reading
    name = _name(quantity, channel)
    return DeadLetter(
        node=node,
        topic=topic_of(node, "readings"),
        reason="conflict",
        detail=f"{name} at {measured_at} ms is {value!r}, {standing!r} stands",
        payload=_as_pack(node, [reading]),
        received_at_ms=measured_at + delay_ms,
    )


def too_old_letters(
    node: str,
    received_at_ms: int,
    readings: Sequence[tuple[str, str, int, float, int, int]],
    kept_from_ms: int,
) -> Iterator[DeadLetter]:
    """Readings without a number, of a time whose readings have been let go."""
    for at in range(0, len(readings), _READINGS_PER_LETTER):
        yield DeadLetter(
            node=node,
            topic=topic_of(node, "readings"),
            reason="before_window",
            detail=f"measured before {kept_from_ms} ms, of which nothing is kept: it can't be "
            "told from a repeat",
            payload=_as_pack(node, [r[:4] for r in readings[at : at + _READINGS_PER_LETTER]]),
            received_at_ms=received_at_ms,
        )


def _as_pack(node: str, readings: Iterable[_Reading]) -> bytes:
    records = [_record(reading) for reading in readings]
    records[0] = {"bn": base_name_of(node), "bver": VERSION} | records[0]
    return json.dumps(records).encode()


def _record(reading: _Reading) -> dict[str, object]:
    quantity, channel, measured_at, value = reading
    # Whole seconds and the rest apart: a reader with short floats keeps the second.
    record: dict[str, object] = {"n": _name(quantity, channel), "bt": measured_at // 1000}
    if measured_at % 1000:
        record["t"] = measured_at % 1000 / 1000
    if QUANTITIES[quantity].kind == "boolean":
        return record | {"vb": bool(value)}
    return record | {"u": QUANTITIES[quantity].unit, "v": value}


def _name(quantity: str, channel: str) -> str:
    return quantity if channel == MAIN_CHANNEL else f"{quantity}.{channel}"

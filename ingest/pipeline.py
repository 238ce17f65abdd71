"""The way of a message from the broker into the store: decode, judge, commit.

It knows no MQTT client: it is handed topics and payloads, and says afterwards what is durable, so
that the caller can acknowledge. `prepare` and `commit` are apart so that a commit that failed for
want of room can be tried again without judging twice. Both block: they run on the writer's thread.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingest.errors import PackError
from ingest.forgetting import forget_oldest
from ingest.quality import History, judge
from ingest.quantities import QUANTITIES
from ingest.readings import LogPosition, Pack, SeriesKey, TimeSource, series_key
from ingest.senml import AHEAD_MS, decode_pack, salvage_position
from ingest.store.deadletters import DeadLetter
from ingest.store.writer import PackToStore, StoreWriter
from ingest.topics import parse_topic

RETAINED: Final = " (retained)"
"""Ends the detail of a letter that the broker kept: its first reception here tells no time."""

_log = logging.getLogger(__name__)


class Incoming(NamedTuple):
    """One message as it arrived. `received_at_ms` is Unix milliseconds."""

    topic: str
    payload: bytes
    received_at_ms: int
    retained: bool = False
    """Kept by the broker: it may be delivered again at every connection."""


@dataclass(slots=True)
class Prepared:
    """A decoded and judged batch, ready to be committed."""

    packs: list[PackToStore] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What a commit has made durable."""

    packs: list[PackToStore]
    readings: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    """By reason."""
    received: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """Pack numbers, stored or dead-lettered, by (node, log): what receipts are given for."""


class Pipeline:
    """Turns messages into what the store keeps. Never raises for the content of a message."""

    def __init__(self, store: StoreWriter) -> None:
        self._store = store
        self._histories: dict[str, dict[SeriesKey, History]] = {}

    def take(self, messages: Iterable[Incoming]) -> Outcome:
        """Prepare and commit at once. Raises `TransientError` where the store can't be written."""
        return self.commit(self.prepare(messages))

    def prepare(self, messages: Iterable[Incoming]) -> Prepared:
        """Decode and judge messages of `…/readings`, in their order."""
        prepared = Prepared()
        forget_oldest(self._histories)
        for message in messages:
            topic = parse_topic(message.topic)
            if topic is None:
                detail = f"topic {message.topic!r}: must be preau/v1/<12 hex digits>/readings"
                prepared.letters.append(_letter(message, None, "bad_topic", detail))
                continue
            try:
                self._prepare_pack(message, topic.node, prepared)
            except Exception as error:  # noqa: BLE001 - the outer edge of one message
                # A fault of ours must neither stop the stream nor lose the message.
                _log.exception("%s: could not be decoded, kept as a dead letter", topic.node)
                position = salvage_position(message.payload)
                prepared.letters.append(
                    _letter(message, topic.node, "internal_error", repr(error), position)
                )
        return prepared

    def commit(self, prepared: Prepared) -> Outcome:
        """Make a batch durable. Raises `TransientError`; the same batch may be tried again."""
        too_old = self._store.commit(prepared.packs, prepared.letters)
        outcome = Outcome(prepared.packs)
        for pack in prepared.packs:
            outcome.readings += len(pack.readings)
            if pack.position is not None:
                place = (pack.node, pack.position.log)
                outcome.received.setdefault(place, []).append(pack.position.seq)
        for letter in too_old:
            _log.warning("%s: kept as a dead letter, %s", letter.node, letter.detail)
        for letter in (*prepared.letters, *too_old):
            outcome.dead_letters[letter.reason] += 1
            if letter.node and letter.log is not None and letter.seq is not None:
                outcome.received.setdefault((letter.node, letter.log), []).append(letter.seq)
        return outcome

    def _prepare_pack(self, message: Incoming, node: str, prepared: Prepared) -> None:
        try:
            pack = decode_pack(message.payload, node, message.received_at_ms)
        except PackError as error:
            position = salvage_position(message.payload)
            prepared.letters.append(_letter(message, node, error.reason, str(error), position))
            return
        if message.retained and any(r.time_source == TimeSource.RECEPTION for r in pack.readings):
            # Each delivery would give it another time: a dead sensor would look alive for ever.
            detail = "a retained pack with times relative to now: when it was measured is not known"
            prepared.letters.append(_letter(message, node, "retained_without_time", detail))
            return
        for record in pack.rejected:
            # Without its number: the pack itself is received, and this letter is one part of it.
            alone = message._replace(payload=record.content)
            prepared.letters.append(_letter(alone, node, record.reason, record.detail))
        prepared.packs.append(self._judged(pack, message.received_at_ms))

    def _judged(self, pack: Pack, received_at_ms: int) -> PackToStore:
        histories = self._histories.setdefault(pack.node, {})
        readings = []
        for quantity, channel, measured_at_ms, value, source in pack.readings:
            kind = QUANTITIES[quantity]
            history = None
            if kind.has_history:
                history = histories.get((quantity, channel))
                if history is None or (history.at_ms or 0) > received_at_ms + AHEAD_MS:
                    history = histories[series_key(quantity, channel)] = History()
            quality = judge(kind, value, measured_at_ms, history)
            readings.append((quantity, channel, measured_at_ms, value, quality, source))
        return PackToStore(pack.node, pack.position, received_at_ms, readings)


def _letter(
    message: Incoming,
    node: str | None,
    reason: str,
    detail: str,
    position: LogPosition | None = None,
) -> DeadLetter:
    return DeadLetter(
        node=node,
        topic=message.topic,
        reason=reason,
        detail=detail + RETAINED if message.retained else detail,
        payload=message.payload,
        received_at_ms=message.received_at_ms,
        log=position.log if position else None,
        seq=position.seq if position else None,
    )

"""Reads dead letters again, after what refused them was mended: the catalogue, the rules, a clock.

What is usable now goes the way of every message (decode, judge, commit), as received when it first
was; then its letter is removed. It never invents a time and never decides between two values. It
knows the store's writer, and neither files nor commands.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.pipeline import RETAINED, Incoming, Pipeline, Prepared
from ingest.readings import TimeSource
from ingest.store.deadletters import (
    ALL_LETTERS,
    DeadLetter,
    LetterFilter,
    StoredDeadLetter,
    newest_dead_letter,
    select_dead_letters,
)
from ingest.store.fold import FoldResult
from ingest.store.writer import PackToStore, StoreWriter
from ingest.topics import parse_topic

_LETTERS_PER_COMMIT: Final = 100
_NEVER: Final = {
    "conflict": "another value is stored for its instant: nobody here decides between the two",
    "forwarder_refused": "its reading is in this store: preau forward --from sends it again",
    "retained_without_time": "when it was measured is not known",
}
"""Why letters with these reasons stay, whatever was mended."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one letter: its `readings` are stored and it is gone, or it is `refused`."""

    id: int
    node: str | None
    reason: str
    """Of the letter."""
    readings: int = 0
    letters: int = 0
    """Records of it that still can't be used, each a letter of its own now."""
    refused: str | None = None
    """The reason of today why it stays."""
    detail: str = ""


class Replay:
    """Replays dead letters of `store`.

    `numbering` are the nodes that number their packs: they never mean a time relative to now.
    `right_now_ms` is given where the gateway's clock was wrong when the letters came, and says what
    it is today: what seemed ahead of the clock of then is judged, and counts as received, by it.
    `are_no_repeats` vouches for readings of a time of which nothing is kept to compare with.
    """

    def __init__(
        self,
        store: StoreWriter,
        numbering: Collection[str],
        *,
        right_now_ms: int | None = None,
        are_no_repeats: bool = False,
    ) -> None:
        self._store = store
        self._pipeline = Pipeline(store)
        self._numbering = numbering
        self._right_now_ms = right_now_ms
        self._are_no_repeats = are_no_repeats

    def run(self, chosen: LetterFilter = ALL_LETTERS) -> Iterator[Replayed]:
        """Replay what `chosen` names, oldest first; what is told is durable.

        A letter goes in the transaction that commits its readings: whenever it is killed, the one
        or the other is there. Raises `TransientError` where the store can't be written.
        """
        # What the replay itself sets apart is not for this turn.
        newest = self._store.change(newest_dead_letter)
        after = 0
        while after < newest:
            page = self._store.change(
                select_dead_letters, chosen, after_id=after, limit=_LETTERS_PER_COMMIT
            )
            if not page:
                return
            after = page[-1].id
            yield from self._replay_page([letter for letter in page if letter.id <= newest])

    def _replay_page(self, page: Sequence[StoredDeadLetter]) -> list[Replayed]:
        packs: list[PackToStore] = []
        letters: list[DeadLetter] = []
        told: list[Replayed] = []
        for letter in page:
            result, prepared = self._read_again(letter)
            told.append(result)
            if result.refused is None:
                packs += prepared.packs
                letters += prepared.letters
        done = [result.id for result in told if result.refused is None]
        self._store.commit(packs, letters, replayed=done)
        return told

    def _read_again(self, letter: StoredDeadLetter) -> tuple[Replayed, Prepared]:
        never = self._never_usable(letter)
        if never is not None:
            return _stays(letter, letter.reason, never), Prepared()
        prepared = self._prepare(letter)
        readings = [reading for pack in prepared.packs for reading in pack.readings]
        if not readings and prepared.letters:
            refused = prepared.letters[0]
            return _stays(letter, refused.reason, refused.detail), prepared
        if any(reading[-1] == TimeSource.RECEPTION for reading in readings):
            no_time = self._unknown_reception(letter)
            if no_time is not None:
                return _stays(letter, *no_time), prepared
            _tell_unknown_repeats(letter)
        counts = (len(readings), len(prepared.letters))
        return Replayed(letter.id, letter.node, letter.reason, *counts), prepared

    def _never_usable(self, letter: StoredDeadLetter) -> str | None:
        """Why nothing that was mended makes this letter usable; `None` where it may be."""
        if letter.length > len(letter.payload):
            return f"only {len(letter.payload)} of its {letter.length} bytes are kept"
        if letter.reason in _NEVER:
            return _NEVER[letter.reason]
        if letter.reason == "before_window" and not self._are_no_repeats:
            return letter.detail
        topic = parse_topic(letter.topic)
        if topic is not None and topic.kind != "readings":
            return f"a message of {topic.kind} is out of date, and holds no reading"
        return None

    def _prepare(self, letter: StoredDeadLetter) -> Prepared:
        then = Incoming(letter.topic, letter.payload, letter.received_at_ms)
        if self._right_now_ms is not None:
            # Judged apart: what a value is compared with must not see it twice.
            seemed = Pipeline(self._store).prepare([then])
            if any(refused.reason == "time_ahead" for refused in seemed.letters):
                then = then._replace(received_at_ms=self._right_now_ms)
        return self._pipeline.prepare([then])

    def _unknown_reception(self, letter: StoredDeadLetter) -> tuple[str, str] | None:
        """Why a time relative to the letter's first reception would be an invented one."""
        if letter.node in self._numbering:
            # A record that was set apart no longer tells that it is of a numbered pack.
            return "time_before_2020", "measured before its node knew the time"
        if letter.detail.endswith(RETAINED):
            return "retained_without_time", "when it was measured is not known"
        if self._right_now_ms is not None:
            return letter.reason, "measured when it came, which the wrong clock does not tell"
        return None


def _stays(letter: StoredDeadLetter, reason: str, detail: str) -> Replayed:
    return Replayed(letter.id, letter.node, letter.reason, refused=reason, detail=detail)


def _tell_unknown_repeats(letter: StoredDeadLetter) -> None:
    if letter.times > 1:
        text = "%s: dead letter %d has no time of its own and came %d times alike: only its first "
        _log.warning(text + "reception is known, and stored", letter.node, letter.id, letter.times)


def fold_all(store: StoreWriter) -> FoldResult:
    """Sort everything into its series; the sums of all turns."""
    packs = readings = repeats = conflicts = 0
    has_more = True
    while has_more:
        turn = store.fold()
        packs += turn.packs
        readings += turn.readings
        repeats += turn.repeats
        conflicts += turn.conflicts
        has_more = turn.has_more
    return FoldResult(packs, readings, repeats, conflicts)

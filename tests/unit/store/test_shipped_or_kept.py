"""Whatever is folded, let go, shipped, filled and reconfigured in between: no reading is lost.

A law, looked for by Hypothesis: a reading that has gone from the store is in its summary, and every
forwarder of that moment has got it; one that is there reaches every forwarder in the end.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.readings import LogPosition
from ingest.store.cursors import advance_forwarder, folded_rows, forwarder_cursor, set_forwarders
from ingest.store.encoding import decode_readings
from ingest.store.filling import end_filling, next_to_fill, note_filled
from ingest.store.forwarded import next_readings
from ingest.store.retention import let_go_before_window, move_window
from ingest.store.summaries import DAY_MS, HOUR_MS, summarise
from ingest.store.writer import PackToStore, StoreWriter

NODES = ("00000000000a", "00000000000b")
NAMES = ("town", "region")
T0 = 1_763_800_000_000 // DAY_MS * DAY_MS

Key = tuple[int, int]
"""(series, measured at)"""


class ShippedOrKept(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.opened = ExitStack()
        self.folder = Path(self.opened.enter_context(tempfile.TemporaryDirectory()))
        self.store = StoreWriter(self.folder)
        self.now = T0
        self.packs: list[PackToStore] = []
        self.got: dict[str, set[Key]] = {}

    def teardown(self) -> None:
        while self.store.fold().has_more:
            pass
        for name in self.got:
            self.ship(name, 10**6)
            while self.fill(name):
                pass
            assert self.held() <= self.got[name]
        while self.store.change(summarise, self.now + 30 * DAY_MS):
            pass
        sums = "SELECT coalesce(sum(count), 0), coalesce(sum(sum), 0) FROM summary_hour"
        found = self.store.change(lambda c: c.execute(sums).fetchone())
        assert found == (len(self.packs), sum(pack.readings[0][3] for pack in self.packs))
        self.store.close()
        self.opened.close()

    def held(self) -> set[Key]:
        rows = "SELECT series, measured_at FROM reading"
        return set(self.store.change(lambda c: c.execute(rows).fetchall()))

    def ship(self, name: str, most: int) -> None:
        cursor = self.store.change(forwarder_cursor, name)
        for id_, _, blob in self.store.change(lambda c: list(folded_rows(c, cursor, most))):
            self.got[name] |= {(series, at) for series, at, *_ in decode_readings(blob)}
            self.store.change(advance_forwarder, name, id_)

    def fill(self, name: str) -> bool:
        node = self.store.change(next_to_fill, name)
        if node is None:
            self.store.change(end_filling, name)
            return False
        rows, _ = self.store.change(next_readings, node, 0, float("inf"), 2**50)
        self.got[name] |= {row[:2] for row in rows}
        self.store.change(note_filled, name, node)
        return True

    @rule(node=st.sampled_from(NODES), minutes=st.integers(0, 300), late_h=st.integers(0, 120))
    def commit(self, node: str, minutes: int, late_h: int) -> None:
        self.now += minutes * 60_000
        seq = len(self.packs) + 1
        at = self.now - late_h * HOUR_MS + seq
        reading = ("co2", "main", at, float(seq), 0, 0)
        self.packs.append(PackToStore(node, LogPosition("aa00aa00", seq, 1), self.now, [reading]))
        self.store.commit([self.packs[-1]])

    @precondition(lambda self: self.packs)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self.store.commit([data.draw(st.sampled_from(self.packs))])

    @rule(most=st.sampled_from([1, 3, 100]))
    def fold(self, most: int) -> None:
        self.store.fold(most)

    @rule(ahead_h=st.sampled_from([0, 0, 10]))
    def sum_up(self, ahead_h: int) -> None:
        self.store.change(summarise, self.now + ahead_h * HOUR_MS)

    @rule(window_h=st.sampled_from([1, 10, 50]), most=st.sampled_from([1, 100]))
    def let_go(self, window_h: int, most: int) -> None:
        before = self.held()
        self.store.change(move_window, self.now - window_h * HOUR_MS)
        series: int | None = 0
        while series is not None:
            _, series = self.store.change(let_go_before_window, series, most)
        gone = before - self.held()
        assert all(gone <= got for got in self.got.values())

    @rule(name=st.sampled_from(NAMES))
    def configure(self, name: str) -> None:
        """Add it, or take it out."""
        if self.got.pop(name, None) is None:
            self.got[name] = set()
        self.store.change(set_forwarders, sorted(self.got))

    @precondition(lambda self: self.got)
    @rule(data=st.data(), most=st.sampled_from([1, 5]))
    def go_on(self, data: st.DataObject, most: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.got)))
        self.ship(name, most)
        self.fill(name)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = StoreWriter(self.folder)

    @invariant()
    def nothing_is_a_dead_letter(self) -> None:
        count = "SELECT count(*) FROM dead_letter"
        assert self.store.change(lambda c: c.execute(count).fetchone()) == (0,)


TestShippedOrKept = ShippedOrKept.TestCase
TestShippedOrKept.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

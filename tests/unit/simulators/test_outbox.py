"""What an outbox sends, repeats and forgets, by the rules of the contract."""

import pytest

from simulators.outbox import IN_FLIGHT, REJECTED_AFTER, Outbox, Repeats

LOG = "5f3a9c01"


def encode(seq: int, first: int) -> bytes:
    return f"{seq} from {first}".encode()


def filled(count: int, **options) -> Outbox:
    outbox = Outbox(LOG, **options)
    for _ in range(count):
        outbox.take(encode)
    return outbox


def test_packs_are_numbered_on_and_carry_the_oldest_number_held():
    outbox = Outbox(LOG, next_seq=41)
    assert [outbox.take(encode), outbox.take(encode)] == [41, 42]
    assert outbox.due(0) == [b"41 from 41", b"42 from 41"]
    outbox.settle(LOG, [[41, 42]])
    outbox.take(encode)
    assert outbox.due(0) == [b"43 from 43"]


def test_a_window_of_32_moves_on_with_receipts():
    outbox = filled(40)
    assert len(outbox.due(0)) == IN_FLIGHT
    assert outbox.due(0) == []
    assert outbox.settle(LOG, [[1, 4], [6, 6]]) == 5
    assert outbox.due(0) == [encode(seq, 1) for seq in range(33, 38)]


def test_repeats_come_after_60_s_and_back_off_to_an_hour():
    outbox = filled(1)
    now_s, waits = 0.0, []
    for _ in range(8):
        assert outbox.due(now_s)
        due_s = outbox.next_due_s()
        assert not outbox.due(due_s - 0.1)
        waits.append(due_s - now_s)
        now_s = due_s
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_a_new_session_sends_all_that_is_held_at_once():
    outbox = filled(3)
    outbox.due(0)
    outbox.new_session()
    assert outbox.due(1) == [encode(seq, 1) for seq in (1, 2, 3)]
    assert outbox.resent == 3


def test_a_gateway_that_is_back_ends_the_backing_off():
    outbox = filled(1)
    for _ in range(6):
        outbox.due(outbox.next_due_s() or 0)
    now_s = outbox.next_due_s() - 1500
    outbox.gateway_is_back(now_s)
    assert outbox.next_due_s() == now_s


def test_a_gateway_that_answers_at_once_causes_no_repeat():
    outbox = filled(1)
    outbox.due(100)
    outbox.gateway_is_back(100.1)
    assert outbox.due(100.1) == []
    assert outbox.next_due_s() == 105


@pytest.mark.parametrize(("log", "ranges"), [("00000000", [[1, 9]]), (LOG, [[2, 9]]), (LOG, [])])
def test_a_receipt_forgets_nothing_that_it_does_not_name(log, ranges):
    outbox = filled(1)
    outbox.due(0)
    assert outbox.settle(log, ranges) == 0
    assert len(outbox) == 1


def test_a_pack_that_nobody_can_read_is_set_aside_and_does_not_stop_the_others():
    outbox = filled(1, repeats=Repeats(1, 1))
    for turn in range(REJECTED_AFTER + 1):
        outbox.due(turn)
        later = outbox.take(encode)
        outbox.due(turn)
        outbox.settle(LOG, [[later, later]])
    assert outbox.rejected == [encode(1, 1)]
    assert len(outbox) == 0


def test_an_outage_sets_nothing_aside():
    outbox = filled(5, repeats=Repeats(1, 1))
    for turn in range(10 * REJECTED_AFTER):
        outbox.due(turn)
    assert len(outbox) == 5
    assert outbox.settle(LOG, [[1, 5]]) == 5


def test_a_full_outbox_loses_its_oldest_and_says_so():
    outbox = filled(5, capacity=3)
    assert (outbox.lost, outbox.first, len(outbox)) == (2, 3, 3)
    assert outbox.due(0) == [encode(3, 1), encode(4, 2), encode(5, 3)]

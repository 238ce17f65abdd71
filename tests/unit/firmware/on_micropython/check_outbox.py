import os

import outbox
import pack
from outbox import PAYLOAD_MAX, SEGMENT_SIZE, Outbox, OutboxError
from presence import older_logs
from senml import number as number_of

_drawn = [0]


def _draw():
    _drawn[0] += 1
    return 0x5F3A9C00 + _drawn[0]


def _opened(max_bytes=64 * 1024):
    return Outbox("box", max_bytes, _draw)


def _payload(number):
    return b"%05d" % number * 20


def _everything(box):
    """(log, number, payload) of all that is held, fetched one after the other."""
    found = []
    while True:
        position = box.fetch()
        if position is None:
            return found
        data, log, seq = box.read(position)
        found.append((log, seq, data))


def _settle_all(box):
    for position in list(box.open):
        box.settle(position)
    box.save()


def packs_come_back_in_order_with_their_numbers():
    box = _opened()
    for number in range(100):
        assert box.take(_payload(number)) == number + 1
    assert box.held == 100
    assert _everything(box) == [(box.log, n + 1, _payload(n)) for n in range(100)]


def a_segment_filled_to_its_last_byte_holds_up_nothing():
    box = _opened()
    # 32 bytes of headers and 270 records of 10 and 5 bytes are 4082: the next fits to the byte.
    for number in range(600):
        box.take(b"%05d" % number)
        position = box.fetch()
        assert position is not None, number
        assert box.read(position)[0] == b"%05d" % number
        _settle_all(box)


def what_is_not_settled_is_there_after_a_restart():
    box = _opened()
    for number in range(100):
        box.take(_payload(number))
    log = box.log
    fetched = [box.fetch() for _ in range(60)]
    for position in fetched[3:50]:
        box.settle(position)
    box.save()
    box = _opened()
    assert box.log == log and box.first(log) == 1
    expected = [n for n in range(100) if not 3 <= n < 50]
    assert box.held == len(expected), box.held
    assert _everything(box) == [(log, n + 1, _payload(n)) for n in expected]


def the_number_lasts_through_an_empty_outbox_and_restarts():
    box = _opened()
    for number in range(200):
        box.take(_payload(number))
        box.fetch()
        _settle_all(box)
    log = box.log
    for _ in range(3):
        box = _opened()
        assert (box.log, box.next, box.held) == (log, 201, 0)
        assert box.fetch() is None
    assert box.take(_payload(200)) == 201
    # Of 200 settled packs only the last segment is left.
    assert len([name for name in os.listdir("box") if name.isdigit()]) == 1


def losing_the_record_of_what_is_settled_only_repeats():
    box = _opened()
    for number in range(20):
        box.take(_payload(number))
        box.fetch()
    _settle_all(box)
    os.remove("box/done")
    box = _opened()
    assert [entry[1] for entry in _everything(box)] == list(range(1, 21))


def a_damaged_record_of_what_is_settled_only_repeats():
    box = _opened()
    box.take(_payload(1))
    box.fetch()
    _settle_all(box)
    with open("box/done", "r+b") as file:
        file.seek(6)
        file.write(b"\x55")
    assert _everything(_opened()) == [(box.log, 1, _payload(1))]


def the_end_cut_at_any_byte_keeps_what_is_before_and_begins_a_new_log():
    box = _opened()
    sizes = [32]
    for number in range(3):
        box.take(_payload(number))
        sizes.append(os.stat("box/00000001")[6])
    with open("box/00000001", "rb") as file:
        whole = file.read()
    log = box.log
    for size in range(len(whole)):
        for name in os.listdir("box"):
            os.remove("box/" + name)
        with open("box/00000001", "wb") as file:
            file.write(whole[:size])
        box = _opened()
        valid = len([end for end in sizes[1:] if end <= size])
        assert _everything(box) == [(log, n + 1, _payload(n)) for n in range(valid)], size
        # A cut between two records can't be told from a log that ends there.
        if size not in sizes:
            assert box.log != log and box.take(_payload(9)) == 1
            assert [entry[1] for entry in _everything(box)] == [1]


def a_flipped_bit_loses_no_other_segment():
    box = _opened()
    for number in range(100):
        box.take(_payload(number))
    log = box.log
    with open("box/00000001", "r+b") as file:
        file.seek(32 + 10 * 110 + 40)
        file.write(b"\x00")
    box = _opened()
    numbers = [entry[1] for entry in _everything(box)]
    assert box.log == log and box.next == 101
    assert numbers[:10] == list(range(1, 11)) and numbers[-1] == 100
    assert numbers[10] == 12
    assert box.dropped == 100 - len(numbers), box.dropped


def a_full_outbox_loses_the_oldest_counts_and_shows_it():
    box = _opened(3 * SEGMENT_SIZE)
    for number in range(300):
        box.take(_payload(number))
    held = box.held
    assert box.dropped == 300 - held and box.dropped > 0
    assert box.first(box.log) == box.dropped + 1
    dropped = box.dropped
    box = _opened(3 * SEGMENT_SIZE)
    assert box.dropped == dropped
    assert [entry[1] for entry in _everything(box)] == list(range(dropped + 1, 301))
    assert sum(os.stat("box/" + name)[6] for name in os.listdir("box")) <= 3 * SEGMENT_SIZE + 200


def packs_in_flight_are_dropped_with_their_segment():
    box = _opened(2 * SEGMENT_SIZE)
    for number in range(30):
        box.take(_payload(number))
    fetched = [box.fetch() for _ in range(30)]
    for number in range(60):
        box.take(_payload(number))
    assert box.read(fetched[0]) is None
    assert box.dropped >= 30 and box.dropped + box.held == 90


def an_old_log_is_sent_under_its_own_name():
    box = _opened()
    box.take(_payload(0))
    old = box.log
    with open("box/00000001", "ab") as file:
        file.write(b"torn")
    box = _opened()
    box.take(_payload(1))
    assert _everything(box) == [(old, 1, _payload(0)), (box.log, 1, _payload(1))]
    assert box.first(old) == 1 and box.first(box.log) == 1
    _settle_all(box)
    assert box.first(box.log) == box.next == 2


def a_pack_too_large_is_refused_and_nothing_else_suffers():
    box = _opened()
    try:
        box.take(b"x" * (PAYLOAD_MAX + 1))
    except OutboxError:
        pass
    else:
        raise AssertionError("taken")
    assert box.take(_payload(0)) == 1


def rejected_packs_are_kept_apart_counted_and_bounded():
    box = _opened()
    for number in range(300):
        box.take(_payload(number))
        box.reject(box.fetch(), _payload(number))
    assert _opened().rejected == 300 and _opened().held == 0
    size = sum(os.stat("box/" + name)[6] for name in os.listdir("box") if "rejects" in name)
    assert 4096 < size < 3 * 4096
    with open("box/rejects") as file:
        assert file.read().endswith(_payload(299).decode() + "\n")


def five_quantities_take_at_most_48_bytes_on_flash():
    box = _opened()
    names = ("temperature", "humidity", "co2", "battery", "rssi")
    for head in (pack.encode_head(0xFFFF_FFFF), pack.encode_head(0xFFFF_FFFF, 0, 0xFFFF_FFFF)):
        for values in ((-4000, 0, 400, 2500, -127), (8500, 1000, 10_000, 30_000, 0)):
            before = os.stat("box/00000001")[6]
            box.take(
                head + b"".join(pack.encode_reading(number_of(n), v) for n, v in zip(names, values))
            )
            size = os.stat("box/00000001")[6] - before
            assert size <= 48, (size, values)


def seven_days_at_a_pack_a_minute_fit_512_kib():
    box = _opened(512 * 1024)
    # Payload and head of a record of 48 bytes, the most that five quantities take.
    for number in range(7 * 1440):
        box.take(b"%038d" % number)
    assert box.held == 7 * 1440 and box.dropped == 0
    names = [name for name in os.listdir("box") if name.isdigit()]
    assert sum(os.stat("box/" + name)[6] for name in names) <= len(names) * 4096 <= 512 * 1024


def what_is_fresh_is_fetched_in_turn_with_a_backlog():
    box = _opened()
    for number in range(50):
        box.take(_payload(number))
    box.split()
    assert [box.open[box.fetch()] for _ in range(3)] == [1, 2, 3]
    for number in range(50, 55):
        box.take(_payload(number))
    assert [box.open[box.fetch()] for _ in range(6)] == [51, 4, 52, 5, 53, 6]
    assert box.first(box.log) == 1 and box.held == 55
    _settle_all(box)
    assert box.first(box.log) == 7 and box.held == 46
    numbers = [seq for _, seq, _ in _everything(box)]
    assert sorted(numbers) == list(range(7, 51)) + list(range(54, 56)) and box.dropped == 0
    _settle_all(box)
    assert box.held == 0 and box.first(box.log) == 56


def a_restart_amid_a_backlog_repeats_at_most_what_was_open():
    box = _opened()
    for number in range(120):
        box.take(_payload(number))
    box.split()
    for number in range(120, 130):
        box.take(_payload(number))
    for _ in range(30):
        box.settle(box.fetch())
    opened = [box.open[box.fetch()] for _ in range(20)]
    box.save()
    again = _opened()
    assert again.held == box.held, (again.held, box.held)
    held = [seq for _, seq, _ in _everything(again)]
    assert sorted(held) == sorted(opened + list(range(max(opened) + 1, 121))), held


def a_full_outbox_amid_a_backlog_counts_what_it_loses():
    box = _opened(4 * SEGMENT_SIZE)
    taken = 0
    settled = set()
    for turn in range(40):
        for _ in range(20):
            taken = box.take(_payload(taken))
        if turn % 3 == 0:
            box.split()
        for _ in range(7):
            position = box.fetch()
            if turn % 2:
                settled.add(box.open[position])
                box.settle(position)
        box.save()
        held = box.held
    found = [seq for _, seq, _ in _everything(box)]
    # A region that was begun anew counts what is open in it twice until it is fetched.
    assert box.held == len(box.open) <= held
    assert len(found) == len(set(found)) and set(found) <= set(box.open.values())
    assert taken - len(settled | set(box.open.values())) <= box.dropped
    assert min(box.open.values()) >= box.first(box.log)


def a_log_that_ended_is_told_apart_until_nothing_of_it_is_held():
    box = _opened()
    assert older_logs(box) == set()
    for number in range(3):
        box.take(_payload(number))
    old = box.log
    with open("box/00000001", "ab") as file:
        file.write(b"torn")
    box = _opened()
    box.take(_payload(3))
    assert box.log != old and older_logs(box) == {old}
    fetched = [box.fetch() for _ in range(4)]
    assert older_logs(box) == {old}
    for position in fetched[:3]:
        box.settle(position)
    assert older_logs(box) == set()


class _NoRoom:
    """A file that is written, and after which there is no room in the heap."""

    def __init__(self, path, mode):
        self._file = open(path, mode)  # noqa: SIM115 - it is the context manager

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self._file.close()

    def write(self, data):
        self._file.write(data)
        raise MemoryError("heap")


def a_heap_that_is_full_while_writing_gives_no_number_twice():
    box = _opened()
    box.take(_payload(1))
    outbox.open = _NoRoom
    try:
        box.take(_payload(2))
        raise AssertionError("taken")
    except MemoryError:
        pass
    finally:
        del outbox.open
    log = box.log
    box.take(_payload(3))
    found = _everything(box)
    assert found[0] == (log, 1, _payload(1)) and found[-1] == (box.log, 1, _payload(3)), found
    assert len({entry[:2] for entry in found}) == len(found)
    assert _everything(_opened()) == found

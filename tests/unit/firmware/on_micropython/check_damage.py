"""Laws of the outbox under damage: any single byte changed, any file cut anywhere."""

import os

from outbox import SEGMENT_SIZE, Outbox

# Eight a segment: two full ones and three packs in the newest.
_PACKS = 19
_drawn = [0]


def _draw():
    _drawn[0] += 1
    return 0x5F3A9C00 + _drawn[0]


def _payload(number):
    return b"%05d" % number * 96


def _opened():
    return Outbox("box", 16 * SEGMENT_SIZE, _draw)


def _filled():
    box = _opened()
    for number in range(_PACKS):
        assert box.take(_payload(number)) == number + 1
    box.save()
    return box.log


def _files():
    found = {}
    for name in sorted(os.listdir("box")):
        with open("box/" + name, "rb") as file:
            found[name] = file.read()
    return found


def _restore(files):
    for name in os.listdir("box"):
        if name not in files:
            os.remove("box/" + name)
    for name in files:
        with open("box/" + name, "wb") as file:
            file.write(files[name])


def _found(box, log):
    """The numbers of `log` that are there, each as it was taken."""
    numbers = []
    while True:
        position = box.fetch()
        if position is None:
            return numbers
        payload, owner, seq = box.read(position)
        assert owner == log and payload == _payload(seq - 1), seq
        numbers.append(seq)


def _never_twice(box, log):
    seq = box.take(b"after")
    assert box.log != log or seq > _PACKS, "number given twice"


def _survives(log, lost_at_most, what):
    box = _opened()
    numbers = _found(box, log)
    lost = _PACKS - len(numbers)
    assert numbers == sorted(set(numbers)), what
    assert lost <= lost_at_most, (what, numbers)
    assert box.dropped == lost, (what, box.dropped, numbers)
    assert box.held == len(numbers)
    _never_twice(box, log)


def any_byte_changed_costs_its_record_alone_which_is_counted():
    log = _filled()
    files = _files()
    for name in ("00000001", "00000002", "00000003"):
        whole = files[name]
        # Every byte of headers, of two records with their heads, and of the end.
        for at in range(len(whole)):
            if not (at < 700 or at > len(whole) - 500 or at % 7 == 0):
                continue
            for change in (0x01, 0xFF):
                data = bytearray(whole)
                data[at] ^= change
                with open("box/" + name, "wb") as file:
                    file.write(data)
                _survives(log, 1, (name, at, change))
                _restore(files)


def a_file_cut_anywhere_costs_what_was_behind_the_cut_which_is_counted():
    log = _filled()
    files = _files()
    for name, first, count in (("00000001", 1, 8), ("00000002", 9, 8), ("00000003", 17, 3)):
        whole = files[name]
        for size in range(0, len(whole), 5):
            with open("box/" + name, "wb") as file:
                file.write(whole[:size])
            before = max(0, size - 32) // 490
            box = _opened()
            numbers = _found(box, log)
            gone = range(first + before, first + count)
            assert numbers == [n for n in range(1, _PACKS + 1) if n not in gone], (name, size)
            assert box.dropped == len(gone), (name, size, box.dropped)
            _never_twice(box, log)
            _restore(files)


def a_lost_file_is_counted():
    log = _filled()
    files = _files()
    for name, count in (("00000001", 8), ("00000002", 8), ("00000003", 3)):
        os.remove("box/" + name)
        _survives(log, count, name)
        _restore(files)


def the_cursor_file_damaged_or_cut_anywhere_only_repeats():
    box = _opened()
    for number in range(_PACKS):
        box.take(_payload(number))
    log = box.log
    for position in [box.fetch() for _ in range(12)]:
        box.settle(position)
    for _ in range(3):
        box.fetch()
    box.save()
    files = _files()
    for at in range(len(files["done"])):
        data = bytearray(files["done"])
        data[at] ^= 0x10
        for damaged in (data, data[:at]):
            with open("box/done", "wb") as file:
                file.write(damaged)
            box = _opened()
            assert set(range(13, _PACKS + 1)) <= set(_found(box, log)), at
            assert box.log == log
            _restore(files)


def two_records_damaged_in_one_segment_cost_those_two():
    log = _filled()
    with open("box/00000001", "r+b") as file:
        for at in (32 + 490, 32 + 5 * 490 + 3):
            file.seek(at)
            file.write(b"\xa5")
    box = _opened()
    assert _found(box, log) == [n for n in range(1, _PACKS + 1) if n not in (2, 6)]
    assert box.dropped == 2 and box.next == _PACKS + 1


def after_a_damaged_record_its_log_goes_on():
    log = _filled()
    with open("box/00000003", "r+b") as file:
        file.seek(32 + 490 + 100)
        file.write(b"\xa5")
    box = _opened()
    assert box.log == log and box.take(_payload(_PACKS)) == _PACKS + 1
    assert _found(box, log) == [n for n in range(1, _PACKS + 2) if n != 18]

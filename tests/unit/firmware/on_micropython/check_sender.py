from outbox import Outbox
from sender import Sender

_drawn = [0]


def _draw():
    _drawn[0] += 1
    return 0xA0 + _drawn[0]


def _encode(payload, log, seq):
    return b"%d" % seq


def _filled(packs):
    box = Outbox("box", 64 * 1024, _draw)
    for number in range(packs):
        box.take(b"%d" % number)
    return box, Sender(box, _encode), f"{box.log:08x}"


def _due(sender, now_s):
    """The numbers of all that is due."""
    numbers = []
    while True:
        pack = sender.next(now_s)
        if pack is None:
            return numbers
        numbers.append(int(pack))


def at_most_32_are_without_receipt():
    box, sender, log = _filled(50)
    assert _due(sender, 0) == list(range(1, 33))
    assert sender.receipt(log, [[1, 4], [7, 7]]) == 5
    assert _due(sender, 1) == list(range(33, 38))
    assert box.held == 45


def without_receipt_it_is_sent_again_backing_off_to_an_hour():
    _, sender, _ = _filled(1)
    sent = [now_s for now_s in range(0, 20_000, 10) if _due(sender, now_s)]
    gaps = [later - earlier for earlier, later in zip(sent, sent[1:])]
    assert gaps[:8] == [60, 120, 240, 480, 960, 1920, 3600, 3600], gaps


def a_new_session_starts_again_at_once():
    _, sender, _ = _filled(3)
    _due(sender, 0)
    _due(sender, 60)
    assert _due(sender, 61) == []
    sender.all_due()
    assert _due(sender, 62) == [1, 2, 3]
    assert _due(sender, 121) == [] and _due(sender, 122) == [1, 2, 3]


def what_is_receipted_stays_so_after_a_restart():
    _, sender, log = _filled(3)
    _due(sender, 0)
    sender.receipt(log, [[1, 2]])
    box = Outbox("box", 64 * 1024, _draw)
    assert box.held == 1 and _due(Sender(box, _encode), 0) == [3]


def only_its_own_log_settles_a_pack():
    box, sender, log = _filled(3)
    _due(sender, 0)
    assert sender.receipt("00000000", [[1, 3]]) == 0
    assert sender.receipt(log, [[4, 900]]) == 0
    assert box.held == 3
    assert sender.receipt(log, [[0, 900]]) == 3
    assert box.held == 0


def a_pack_passed_over_20_times_is_rejected():
    box, sender, log = _filled(1)
    now_s = sends = 0
    while box.rejected == 0:
        box.take(b"later")
        numbers = _due(sender, now_s)
        sends += numbers.count(1)
        for number in numbers:
            if number != 1:
                sender.receipt(log, [[number, number]])
        now_s += 60
        assert sends <= 20, now_s
    assert sends == 20, sends
    with open("box/rejects", "rb") as file:
        assert file.read() == b"1\n"


def an_outage_of_the_gateway_rejects_nothing():
    box, sender, log = _filled(40)
    for now_s in range(0, 400_000, 60):
        _due(sender, now_s)
    # The first receipt after 100 sendings is for a later pack.
    sender.receipt(log, [[20, 20]])
    sender.all_due()
    assert 1 in _due(sender, 400_000) and box.rejected == 0


def what_the_outbox_dropped_is_not_sent():
    box = Outbox("box", 8192, _draw)
    sender = Sender(box, _encode)
    for _ in range(16):
        box.take(b"x" * 450)
    assert _due(sender, 0) == list(range(1, 17))
    for _ in range(8):
        box.take(b"y" * 450)
    assert _due(sender, 60) == list(range(9, 25))

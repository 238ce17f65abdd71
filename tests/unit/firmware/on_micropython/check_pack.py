"""From readings to the outbox and on to the sender: what does not fit one pack goes in several, and
what this version does not know stops nothing.
"""

import json

import pack
import pack_many
from outbox import Outbox, OutboxError
from sender import Sender
from senml import encode

HEAD = pack.encode_head(1_780_000_000)


def _sent(box):
    """All that the sender gives, as JSON."""

    def encoded(payload, log, seq):
        out = bytearray(encode(b"", payload, "3c71bf4a2b10", log, seq, 1))
        encode(out, payload, "3c71bf4a2b10", log, seq, 1)
        return bytes(out)

    sender = Sender(box, encoded)
    packs = []
    while True:
        sent = sender.next(0)
        if sent is None:
            return packs
        packs.append(json.loads(sent))


def what_no_one_pack_holds_goes_in_several():
    # A door that changed as often as there is room for, under the longest name.
    readings = [(0, 2_000, None, 0)]
    readings.extend((7, number % 2, "classe-du-haut-1", number * 100) for number in range(32))
    readings.append((2, 800, None, 0))
    box = Outbox("box", 65_536, lambda: 7)
    pack_many.take(box, HEAD, readings)
    packs = _sent(box)
    assert len(packs) == 2, len(packs)
    assert {records[0]["bt"] for records in packs} == {1_780_000_000}
    records = packs[0] + packs[1]
    names = [record["n"] for record in records]
    assert names[0] == "temperature" and names[33:] == ["co2"]
    assert names[1:33] == ["opening.classe-du-haut-1"] * 32
    assert [record.get("t", 0) for record in records[1:33]] == [
        number / 10 if number else 0 for number in range(32)
    ]
    pack_many.take(box, HEAD, [])
    assert box.held == 2
    pack_many.take(box, HEAD, readings[:1])
    (last,) = _sent(box)
    assert last[0]["v"] == 20


class _App:
    """What a round that was not kept looks at of the node."""

    def __init__(self, box):
        self.outbox = box
        self.session = self
        self.lost = 1
        self.told = 0

    def changed(self):
        self.told += 1


def only_what_is_not_kept_after_all_counts_as_lost():
    box = Outbox("box", 65_536, lambda: 7)
    app = _App(box)
    door = [(7, number % 2, "classe-du-haut-1", number * 100) for number in range(32)]
    pack_many.take_again(app, HEAD, door, OutboxError("too large"))
    assert (app.lost, app.told, box.held) == (0, 0, 2)
    app.lost = 1
    pack_many.take_again(app, HEAD, door[:1], OutboxError("flash"))
    assert (app.lost, app.told, box.held) == (1, 1, 2)
    with open("lost") as file:
        assert file.read() == "1"


def a_quantity_of_a_newer_version_goes_out_by_its_number_and_stops_no_other():
    box = Outbox("box", 65_536, lambda: 7)
    box.take(HEAD + pack.encode_reading(0, 1_942))
    box.take(
        HEAD
        + pack.encode_reading(0, 1_943)
        + pack.encode_reading(16, -17, "wall")
        + pack.encode_reading(63, 5)
    )
    box.take(HEAD + pack.encode_reading(15, 1_944))
    first, newer, last = _sent(box)
    assert first[0]["v"] == 19.42 and last[0]["n"] == "outbox"
    assert newer[0]["v"] == 19.43
    assert newer[1:] == [
        {"n": "quantity_16.wall", "u": "1", "v": -17},
        {"n": "quantity_63", "u": "1", "v": 5},
    ], newer
    print(json.dumps(newer))

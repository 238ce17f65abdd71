"""A round that one pack does not hold, as where doors are slammed all day. Seldom needed: loaded for
it and dropped.
"""

import pack
from outbox import PAYLOAD_MAX


def take(box, head: bytes, readings):
    """Puts `readings` (arguments of `pack.encode_reading`) into as many packs as it takes, all with
    one `head`. Raises OutboxError; the packs before that are taken.
    """
    payload = head
    for reading in readings:
        piece = pack.encode_reading(*reading)
        if len(payload) + len(piece) > PAYLOAD_MAX:
            box.take(payload)
            payload = head
        payload += piece
    if readings:
        box.take(payload)

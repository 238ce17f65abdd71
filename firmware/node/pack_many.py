"""A round that one pack does not hold, as where doors are slammed all day, or that is not kept.
Seldom needed: loaded for it and dropped.
"""

import pack
import seldom
from outbox import PAYLOAD_MAX, OutboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App
    from node_types import Reading
    from outbox import Outbox


def take(box: Outbox, head: bytes, readings: list[Reading]) -> None:
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


def take_again(app: App, head: bytes, readings: list[Reading], error: Exception) -> None:
    """After an `error` of the outbox: in several packs, or counted as lost, which it is already."""
    size = len(head) + sum(len(pack.encode_reading(*reading)) for reading in readings)
    if size > PAYLOAD_MAX:
        try:
            take(app.outbox, head, readings)
            app.lost -= 1
            return
        except OutboxError as refused:
            error = refused
    app.session.changed()
    seldom.run("startup", "keep_lost", app.lost, error)

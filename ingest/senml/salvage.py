"""Log and number of a payload that can't be decoded, so that its node still gets a receipt."""

import re
from typing import Final

from ingest.readings import LogPosition

_SALVAGE_BYTES: Final = 200
_SALVAGE_LOG: Final = re.compile(rb'"blog"\s*:\s*"([0-9a-f]{8})"')
_SALVAGE_SEQ: Final = re.compile(rb'"bseq"\s*:\s*([1-9][0-9]{0,15})(?=\s*[,}])')
_SALVAGE_FIRST: Final = re.compile(rb'"bfirst"\s*:\s*([1-9][0-9]{0,14})(?=\s*[,}])')


def salvage_position(payload: bytes) -> LogPosition | None:
    """Log and number of a payload that need not be a pack, from its first 200 bytes."""
    head = payload[:_SALVAGE_BYTES]
    log, seq = _SALVAGE_LOG.search(head), _SALVAGE_SEQ.search(head)
    if log is None or seq is None:
        return None
    first = _SALVAGE_FIRST.search(head)
    return LogPosition(log[1].decode(), int(seq[1]), int(first[1]) if first else None)

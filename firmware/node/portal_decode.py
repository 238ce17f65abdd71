"""Decodes application/x-www-form-urlencoded. Loaded for a form that was sent, and dropped before
what takes it: in a heap that is in use there is no room for both and the form. Nor is there for
lists of its pieces.
"""

from micropython import const

_HEX = const(b"0123456789abcdefABCDEF")
_FIELDS_MAX = const(8)
_NAME_MAX = const(8)


def decode(body: bytes) -> dict[str, str]:
    """The fields, without blanks around them. Raises ValueError for what is no form."""
    found: dict[str, str] = {}
    at = 0
    while at < len(body):
        end = body.find(b"&", at)
        if end < 0:
            end = len(body)
        name, _, value = body[at:end].partition(b"=")
        if len(name) > _NAME_MAX or len(found) >= _FIELDS_MAX:
            raise ValueError
        found[_decoded(name)] = _decoded(value).strip()
        at = end + 1
    return found


def _decoded(text: bytes) -> str:
    out = bytearray(len(text))
    used = at = 0
    while at < len(text):
        byte = text[at]
        if byte == 0x25:  # %
            digits = text[at + 1 : at + 3]
            # `int` alone would take "+1", too.
            if len(digits) < 2 or digits.strip(_HEX):
                raise ValueError
            byte = int(digits, 16)
            at += 2
        elif byte == 0x2B:  # +
            byte = 0x20
        out[used] = byte
        used += 1
        at += 1
    return str(memoryview(out)[:used], "utf-8")

"""The binary form of a pack in the outbox: compact, integers only, fixed once written.

It knows quantities by number. It must not know JSON, files or what time it is.

Layout, little endian: kind (bit 0: RTC seconds, else Unix seconds; bit 1: milliseconds follow),
time u32; for RTC seconds the power-on epoch u32; the milliseconds u16; then readings: quantity
number u8 (bit 7: a channel follows, bit 6: an offset follows), channel as length u8 and ASCII,
offset i32 in milliseconds, value as zigzag varint.
"""

import struct

from micropython import const

_RTC = const(1)
_MS = const(2)

_CHANNEL = const(0x80)
_OFFSET = const(0x40)


def encode_head(seconds: int, ms: int = 0, epoch=None) -> bytes:
    """Head of a pack: Unix seconds, or, taken before the time was known, RTC seconds since power-on
    `epoch`; and milliseconds where two packs would have the same.
    """
    head = struct.pack("<BI", (epoch is not None) + (_MS if ms else 0), seconds)
    if epoch is not None:
        head += struct.pack("<I", epoch)
    return head + struct.pack("<H", ms) if ms else head


def encode_reading(quantity: int, value: int, channel=None, offset_ms: int = 0) -> bytes:
    """`value` in the quantity's smallest step, `channel` at most 16 characters."""
    out = bytearray((quantity,))
    if channel:
        out[0] |= _CHANNEL
        out.append(len(channel))
        out.extend(channel.encode())
    if offset_ms:
        out[0] |= _OFFSET
        out.extend(struct.pack("<i", offset_ms))
    value = value * 2 if value >= 0 else -value * 2 - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_head(payload: bytes):
    """(seconds, milliseconds, epoch or None, where the readings begin)."""
    at = 5
    ms, epoch = 0, None
    if payload[0] & _RTC:
        epoch = struct.unpack_from("<I", payload, at)[0]
        at += 4
    if payload[0] & _MS:
        ms = struct.unpack_from("<H", payload, at)[0]
        at += 2
    return struct.unpack_from("<I", payload, 1)[0], ms, epoch, at


def decode_readings(payload: bytes, at: int):
    """Yields (quantity, value, channel or None, offset_ms)."""
    while at < len(payload):
        flags = payload[at]
        at += 1
        channel = None
        offset_ms = 0
        if flags & _CHANNEL:
            end = at + 1 + payload[at]
            channel = str(payload[at + 1 : end], "ascii")
            at = end
        if flags & _OFFSET:
            offset_ms = struct.unpack_from("<i", payload, at)[0]
            at += 4
        value = shift = 0
        while True:
            byte = payload[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        yield flags & 0x3F, -(value >> 1) - 1 if value & 1 else value >> 1, channel, offset_ms

"""`json` as on the ESP32: every number with a fraction or an exponent is a 32-bit float."""

import struct

import ujson


def _single(value):
    if isinstance(value, float):
        try:
            return struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if isinstance(value, dict):
        return {key: _single(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_single(item) for item in value]
    return value


def _has_float(value):
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def loads(text):
    value = ujson.loads(text)
    # A copy is heap that the chip does not need.
    return _single(value) if _has_float(value) else value


def dumps(value, separators=None):
    if _has_float(value):
        value = _single(value)
    return ujson.dumps(value, separators=separators) if separators else ujson.dumps(value)

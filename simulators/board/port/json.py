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


def loads(text):
    return _single(ujson.loads(text))


def dumps(value, separators=None):
    value = _single(value)
    return ujson.dumps(value, separators=separators) if separators else ujson.dumps(value)

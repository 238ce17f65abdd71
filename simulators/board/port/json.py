"""`json` as on the ESP32: every number with a fraction or an exponent is a 32-bit float."""

import struct

import ujson


def _single(value):
    """The same value; lists and objects are changed in place, since copies are heap: on the chip
    they never held anything else.
    """
    if isinstance(value, float):
        return struct.unpack("f", struct.pack("f", value))[0]
    if isinstance(value, tuple):
        return tuple(map(_single, value))
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            value[key] = _single(value[key])
    return value


def loads(text):
    return _single(ujson.loads(text))


def dumps(value, separators=(", ", ": ")):
    return ujson.dumps(_single(value), separators=separators)

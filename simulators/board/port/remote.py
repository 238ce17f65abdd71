"""`machine`, `network`, `esp32`, `neopixel` and `onewire`: names for what the host has of them
(`simulators/board/soc.py`).

The chip has these in its ROM, where they take nothing of the heap; so they must not here. What
needs the program itself, pins that interrupt and the clock, is in `machine_…`, loaded when used.
"""

import builtins
import sys

import ujson
import wire

_OWN = ("Pin", "datetime")


class Remote:
    """A module of the host's, something in it, or an object it has made."""

    def __init__(self, path):
        self._path = path

    def __repr__(self):
        # How the host knows it among the arguments.
        return "{%r}" % self._path

    def __getattr__(self, name):
        if name in _OWN:
            part = "machine_" + name.lower()
            module = __import__(part)
            del sys.modules[part]
            return getattr(module, name)
        path = self._path + "." + name
        return _ask((path,)) if name.isupper() else Remote(path)

    def __call__(self, *args, **kwargs):
        buffer = args[-1] if args else None
        if isinstance(buffer, (bytearray, memoryview)):
            args = args[:-1] + (bytes(buffer),)  # noqa: RUF005 - no such syntax here
        return _ask((self._path, args, kwargs), buffer)

    def __setitem__(self, index, value):
        _ask((self._path + ".__setitem__", (index, value), {}))


def _ask(what, buffer=None):
    """The host's answer: its first byte says what it is."""
    answer = wire.ask("@", 0, repr(what).encode())
    kind = answer[0]
    data = answer[1:]
    if kind == 98:  # bytes
        return data
    if kind == 114:  # remote
        return Remote(data.decode())
    if kind == 102:  # fills the buffer
        buffer[: len(data)] = data
        return len(data) or None
    value = ujson.loads(data)
    if kind == 116:  # time: fed often, the watchdog is how the host puts it ahead
        __import__("time")._TICKS = value
        return None
    if kind == 101:  # error
        raise getattr(builtins, value[0])(value[1])
    return value


for name in ("machine", "network", "esp32", "neopixel", "onewire"):
    sys.modules[name] = Remote(name)
del name

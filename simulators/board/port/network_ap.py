"""`network.WLAN` as an access point: the host holds what it is told, and refuses what the ESP32
does (`simulators/board/access_point.py`). On the chip all this is in ROM: it brings no names of
its own.
"""

import json

import wire


def _ask(data=None):
    answer = wire.ask("Y", 0, b"" if data is None else json.dumps(data).encode())
    if len(answer) > 1:
        raise OSError(answer[1:].decode())
    return bool(answer[0])


class WLAN:
    def active(self, active=None):
        return _ask() if active is None else _ask([bool(active)])

    def config(self, **key):
        _ask(key)

    def ifconfig(self):
        return "192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0"

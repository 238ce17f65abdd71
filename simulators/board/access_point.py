"""The access point that a board is: as a telephone near it finds it, as strict as an ESP32's.

It knows what the board's `network` is told, and nothing of who asks.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

# Where this machine reaches what the board serves at 192.168.4.1, the address that every ESP32 has
# as an access point: a loopback address of its own, so that who listens on all of them shows.
ADDRESS: Final = "127.0.4.1"

OPEN: Final = 0
WPA2: Final = 3
_SECURITIES: Final = (OPEN, 2, WPA2, 4)
_OTHER_NAMES: Final = {"essid": "ssid", "password": "key", "authmode": "security"}
_KEY_MIN, _KEY_MAX = 8, 63
_SSID_MAX: Final = 32
_CLIENTS_MAX: Final = 10


class RefusedError(Exception):
    """What MicroPython raises, as its text."""


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """What is in the air. `security` is 0 for an open network, 3 for WPA2 with `key`.

    Without arguments it is what an ESP32 is that was told nothing.
    """

    ssid: str = "ESP_4A2B11"
    security: int = OPEN
    key: str = ""
    max_clients: int = 4

    def told(self, wanted: Mapping[str, Any]) -> Self:
        """After `config` of `wanted`; raises RefusedError as the chip does."""
        names = {_OTHER_NAMES.get(name, name): value for name, value in wanted.items()}
        fields = asdict(self)
        if unknown := names.keys() - fields.keys():
            raise RefusedError(f"unknown config param {sorted(unknown)}")
        point = type(self)(**fields | names)
        if not 1 <= len(point.ssid.encode()) <= _SSID_MAX:
            raise RefusedError("Wifi SSID Invalid")
        if point.security not in _SECURITIES or not 1 <= point.max_clients <= _CLIENTS_MAX:
            raise RefusedError("Wifi Unknown Error 0x0102")
        if point.security != OPEN and not _KEY_MIN <= len(point.key.encode()) <= _KEY_MAX:
            raise RefusedError("Wifi Invalid Password")
        return point

"""The chip's module `network`, as far as the firmware uses it. Whether there is a network is for
the surroundings to say. It knows nothing of sockets: those are the host's own.
"""

import errno

from simulators.board.access_point import AccessPoint, RefusedError
from simulators.board.bus import Wire

_BSSID = b"\x02preau"
_Addresses = list[str]


class Station:
    """`network.WLAN(network.STA_IF)`."""

    def __init__(self, wire: Wire) -> None:
        self._surroundings = wire.surroundings
        self._active = False
        # Name and password of the network that is asked for.
        self._asked: tuple[str, str] | None = None
        self._addresses = ["192.0.2.17", "255.255.255.0", "192.0.2.1", "192.0.2.1"]

    def active(self, active: object = None) -> bool:
        """Switches the radio, or says whether it is on."""
        if active is not None:
            self._active = self._surroundings.radio_on = bool(active)
            if not active:
                self._asked = None
        return self._active

    def connect(
        self, ssid: str = "", key: str | None = None, *, bssid: bytes | None = None
    ) -> None:
        """Begins to join."""
        if not self._active:
            raise OSError("Wifi Not Started")
        if bssid is not None and len(bssid) != len(_BSSID):
            raise ValueError("bssid must be 6 bytes")
        self._asked = (ssid, key or "")
        self._surroundings.joins.append(ssid)

    def disconnect(self) -> None:
        """Leaves, or gives up joining."""
        self._asked = None

    def isconnected(self) -> bool:
        """Whether it has joined."""
        return self._asked is not None and self._surroundings.lets_in(*self._asked)

    def status(self, what: str) -> int:
        """`rssi` in dBm."""
        if what != "rssi":
            raise ValueError("unknown status param")
        if not self.isconnected():
            raise OSError(errno.ENODEV, "not connected")
        return self._surroundings.rssi_dbm

    def config(self, what: str = "", **wanted: object) -> str | bytes | int | None:
        """What it is connected to."""
        if wanted:
            # Everything that the firmware ever tells is an access point's.
            raise OSError("AP required")
        known: dict[str, str | bytes | int | None]
        known = {"ssid": self._asked and self._asked[0], "bssid": _BSSID, "channel": 6}
        if what not in known:
            raise ValueError("unknown config param")
        return known[what]

    def ifconfig(self, addresses: _Addresses | None = None) -> _Addresses | None:
        """Address, mask, gateway, name server: the chip gives a tuple."""
        if addresses is None:
            return self._addresses
        self._addresses = list(addresses)
        return None


class PointInterface:
    """`network.WLAN(network.AP_IF)`: what is in the air is told to the surroundings."""

    def __init__(self, wire: Wire) -> None:
        self._surroundings = wire.surroundings

    def active(self, active: object = None) -> bool:
        """Switches it, or says whether it is on."""
        around = self._surroundings
        if active is not None:
            around.point_is(around.access_point or AccessPoint() if active else None)
        return around.access_point is not None

    def config(self, **wanted: object) -> None:
        """Its name and password."""
        around = self._surroundings
        if around.access_point is None:
            # `esp_wifi_set_config` takes nothing for an interface that is not active.
            raise OSError("Wifi Invalid Mode")
        try:
            around.point_is(around.access_point.told(wanted))
        except RefusedError as error:
            raise OSError(str(error)) from error

    def ifconfig(self) -> _Addresses:
        """Address, mask, gateway, name server: the chip gives a tuple."""
        return ["192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0"]


class Network:
    """The module."""

    name = "network"
    STA_IF, AP_IF = 0, 1
    AUTH_WPA2_PSK = 3

    def __init__(self, wire: Wire) -> None:
        self._interfaces: dict[int, Station | PointInterface] = {
            self.STA_IF: Station(wire),
            self.AP_IF: PointInterface(wire),
        }

    def WLAN(self, interface: int = STA_IF) -> Station | PointInterface:  # noqa: N802 - as it is called
        """The interface, the same one each time."""
        if interface not in self._interfaces:
            raise ValueError("invalid WLAN interface identifier")
        return self._interfaces[interface]

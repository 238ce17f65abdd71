"""The chip's module `network`, as far as the firmware uses it. Whether there is a network is for
the surroundings to say. It knows nothing of sockets: those are the host's own.
"""

import errno

from simulators.board.bus import Wire

_SSID = "preau"
_BSSID = b"\x02preau"
_KEY_MIN = 8
_Addresses = list[str]


class Station:
    """`network.WLAN(network.STA_IF)`."""

    def __init__(self, wire: Wire) -> None:
        self._surroundings = wire.surroundings
        self._active = False
        self._ssid: str | None = None
        self._addresses = ["192.0.2.17", "255.255.255.0", "192.0.2.1", "192.0.2.1"]

    def active(self, active: object = None) -> bool:
        """Switches the radio, or says whether it is on."""
        if active is not None:
            self._active = self._surroundings.radio_on = bool(active)
            if not active:
                self._ssid = None
        return self._active

    def connect(
        self, ssid: str | None = None, key: str | None = None, *, bssid: bytes | None = None
    ) -> None:
        """Begins to join."""
        if not self._active:
            raise OSError("Wifi Not Started")
        if bssid is not None and len(bssid) != len(_BSSID):
            raise ValueError("bssid must be 6 bytes")
        # A network that is not in the air can't be joined.
        self._ssid = ssid if ssid == _SSID else None

    def disconnect(self) -> None:
        """Leaves, or gives up joining."""
        self._ssid = None

    def isconnected(self) -> bool:
        """Whether it has joined."""
        return self._ssid is not None and self._surroundings.wifi_up

    def status(self, what: str) -> int:
        """`rssi` in dBm."""
        if what != "rssi":
            raise ValueError("unknown status param")
        if not self.isconnected():
            raise OSError(errno.ENODEV, "not connected")
        return self._surroundings.rssi_dbm

    def config(self, what: str) -> str | bytes | int | None:
        """What it is connected to."""
        known: dict[str, str | bytes | int | None]
        known = {"ssid": self._ssid, "bssid": _BSSID, "channel": 6}
        if what not in known:
            raise ValueError("unknown config param")
        return known[what]

    def ifconfig(self, addresses: _Addresses | None = None) -> _Addresses | None:
        """Address, mask, gateway, name server: the chip gives a tuple."""
        if addresses is None:
            return self._addresses
        self._addresses = list(addresses)
        return None


class AccessPoint:
    """`network.WLAN(network.AP_IF)`."""

    def __init__(self, security: int) -> None:
        self._security = security
        self._active = False

    def active(self, active: object = None) -> bool:
        """Switches it, or says whether it is on."""
        if active is not None:
            self._active = bool(active)
        return self._active

    def config(self, *, ssid: str, key: str, security: int) -> None:
        """Its name and password."""
        if security != self._security or len(key) < _KEY_MIN:
            raise OSError("Wifi Invalid Argument")


class Network:
    """The module."""

    name = "network"
    STA_IF, AP_IF = 0, 1
    AUTH_WPA2_PSK = 3

    def __init__(self, wire: Wire) -> None:
        self._interfaces: dict[int, Station | AccessPoint] = {
            self.STA_IF: Station(wire),
            self.AP_IF: AccessPoint(self.AUTH_WPA2_PSK),
        }

    def WLAN(self, interface: int = STA_IF) -> Station | AccessPoint:  # noqa: N802 - as it is called
        """The interface, the same one each time."""
        if interface not in self._interfaces:
            raise ValueError("no such interface")
        return self._interfaces[interface]

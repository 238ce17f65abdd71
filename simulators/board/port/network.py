"""`network.WLAN` as a station, and the way to it as an access point (`network_ap`); which networks
there are is the host's to say. On the chip it is in ROM: it brings as few names as can be.
"""

import errno
import sys

import wire

STA_IF = 0
AP_IF = 1
AUTH_WPA2_PSK = 3


class WLAN:
    _active = False
    # Name and password of the network that is asked for, as the host takes them, or None.
    _ssid = None

    def __new__(cls, interface=STA_IF):
        if interface == STA_IF:
            return object.__new__(cls)
        if interface != AP_IF:
            raise ValueError("invalid WLAN interface identifier")
        # As bytes it is no name unless it is wanted.
        return load(b"network_ap".decode()).WLAN()

    def active(self, active=None):
        if active is not None:
            WLAN._active = bool(active)
            if not active:
                WLAN._ssid = None
        return WLAN._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not WLAN._active:
            raise OSError("Wifi Not Started")
        if bssid is not None and len(bssid) != 6:
            raise ValueError("bssid must be 6 bytes")
        WLAN._ssid = ssid.encode() + b"\0" + (key or "").encode()
        wire.ask("J", 0, WLAN._ssid)

    def disconnect(self):
        WLAN._ssid = None

    def isconnected(self):
        return WLAN._ssid is not None and bool(wire.ask("N", 0, WLAN._ssid)[0])

    def status(self, what):
        if what != "rssi":
            raise ValueError("unknown status param")
        if not self.isconnected():
            raise OSError(errno.ENODEV)
        return -wire.ask("N", 0, WLAN._ssid)[1]

    def __getattr__(self, name):
        return getattr(load("network_seldom"), name)


def load(name):
    # Used seldom: not kept, as in the chip's ROM it takes no heap either.
    module = __import__(name)
    del sys.modules[name]
    return module

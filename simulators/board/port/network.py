"""`network.WLAN` as a station; whether there is a network is the host's to say."""

import errno
import os
import sys

import wire

STA_IF = 0
AP_IF = 1
AUTH_WPA2_PSK = 3


class WLAN:
    _active = False
    _ssid = None

    def __init__(self, interface=STA_IF):
        if interface not in (STA_IF, AP_IF):
            raise ValueError("no such interface")

    def active(self, active=None):
        if active is not None:
            WLAN._active = bool(active)
            wire.ask("n", WLAN._active)
            if not active:
                WLAN._ssid = None
        return WLAN._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not WLAN._active:
            raise OSError("Wifi Not Started")
        if bssid is not None and len(bssid) != 6:
            raise ValueError("bssid must be 6 bytes")
        # A network that is not in the air can't be joined.
        WLAN._ssid = ssid if ssid in (os.getenv("BOARD_NETWORKS") or "preau") else None

    def disconnect(self):
        WLAN._ssid = None

    def isconnected(self):
        return WLAN._ssid is not None and bool(wire.ask("N")[0])

    def status(self, what):
        if what != "rssi":
            raise ValueError("unknown status param")
        if not self.isconnected():
            raise OSError(errno.ENODEV)
        return -wire.ask("N")[1]

    def __getattr__(self, name):
        # Used seldom: not kept, as in the chip's ROM it takes no heap either.
        module = __import__("network_seldom")
        del sys.modules["network_seldom"]
        return getattr(module, name)

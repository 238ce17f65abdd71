"""What the node was told: `config.json`, written with the firmware and holding the secrets, and
`settings.json`, the last valid settings from the gateway, which never hold any.

It knows which values are sensible. It must not know who uses them.
"""

import json
import os
import sys

import seldom
from diary import note
from micropython import const

FIRMWARE = "1.0.0"

_CONFIG = "config.json"
_SAVED = "settings.json"

_INTERVAL_MIN_S = const(1)
_INTERVAL_MAX_S = const(3600)
_VERSION_MAX = const(0x7FFF_FFFF)


def _read(path: str):
    try:
        with open(path) as file:
            data = json.loads(file.read())
    except OSError:
        return {}
    except ValueError:
        note(path, "is damaged and ignored")
        return {}
    return data if isinstance(data, dict) else {}


def check(desired) -> dict:
    """The part of desired settings that a node knows; raises ValueError."""
    if not isinstance(desired, dict):
        raise ValueError("settings are no object")
    known = {}
    for key, low, high in (
        ("version", 1, _VERSION_MAX),
        ("interval_s", _INTERVAL_MIN_S, _INTERVAL_MAX_S),
        ("health_every", 1, 1000),
    ):
        if key not in desired:
            continue
        value = desired[key]
        # A bool is an int in Python, and 60.0 is no interval that survives 32-bit floats.
        if type(value) is not int or not low <= value <= high:
            raise ValueError("{} {!r} is not between {} and {}".format(key, value, low, high))
        known[key] = value
    known.update(seldom.load("sensor_settings").check(desired))
    if "version" not in known:
        raise ValueError("settings without version")
    return known


class Settings:
    """Defaults, below them `config.json`, above both what the gateway sent."""

    def __init__(self):
        config = _read(_CONFIG)
        broker = config.get("broker", {})
        self.wifi = config.get("wifi", [])
        self.host = broker.get("host")
        self.port = broker.get("port", 8883 if broker.get("tls") else 1883)
        self.user = broker.get("user")
        self.password = broker.get("password")
        self.tls = broker.get("tls", False)
        self.ca = broker.get("ca", [])
        self.ntp = config.get("ntp")
        self.i2c = config.get("i2c", {"id": 0, "scl": 22, "sda": 21})
        self.sensors = config.get("sensors")
        self.onewire = config.get("onewire")
        self.uart = config.get("uart")
        self.led = config.get("led")
        self.light = config.get("light")
        # Automatic baseline correction of CO2 sensors; None leaves what the chip has.
        self.co2_abc = config.get("co2_abc")
        self.board = config.get("board", sys.platform)
        self.outbox_bytes = config.get("outbox_bytes", 512 * 1024)
        self.interval_s = config.get("interval_s", 60)
        self.health_every = config.get("health_every", 10)
        self.version = 0
        try:
            self._apply(check(_read(_SAVED)))
        except ValueError:
            pass  # None were saved, or by a firmware with other limits: the config stands.

    def _apply(self, known):
        for key in known:
            setattr(self, key, known[key])

    def update(self, desired) -> bool:
        """Saves and applies newer settings; says whether they were. Raises ValueError."""
        known = check(desired)
        if known["version"] <= self.version:
            return False
        merged = _read(_SAVED)
        merged.update(known)
        with open(_SAVED + ".new", "w") as file:
            file.write(json.dumps(merged))
            file.flush()
        os.rename(_SAVED + ".new", _SAVED)
        self._apply(merged)
        return True

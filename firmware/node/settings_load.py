"""What the node was told: `config.json`, written with the firmware and holding the secrets, and
`settings.json`, the last valid settings from the gateway, which never hold any. That file has three
lines: settings, checksum, its format. The one before it is kept: a damaged one is not the end
of what was set.

It knows which values are sensible. It must not know who uses them. Loaded at start and for each
change, a part of `settings`.
"""

import binascii
import json
import os
import sys

import seldom
from diary import note
from micropython import const
from release import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json
    from settings import Settings

_CONFIG = "config.json"
_SAVED = "settings.json"
_SAVED_BEFORE = "settings.old"

_INTERVAL_MIN_S = const(1)
_INTERVAL_MAX_S = const(3600)
_VERSION_MAX = const(0x7FFF_FFFF)


def _read(path: str) -> Json:
    try:
        with open(path) as file:
            data = json.loads(file.read())
    except OSError:
        return {}
    except ValueError:
        note(path, "is damaged and ignored")
        return {}
    return data if isinstance(data, dict) else {}


def _read_saved(path: str) -> Json:
    """Settings that were saved. OSError where there are none, ValueError and IndexError where they
    are damaged or of a format that this version does not read.
    """
    with open(path) as file:
        text, crc, form = file.read().split("\n")[:3]
    if not SETTINGS[0] <= int(form) <= SETTINGS[1]:
        raise ValueError("is of format {}".format(form))
    if int(crc, 16) != _crc(text, form):
        raise ValueError("is damaged")
    return check(json.loads(text))


def _crc(text: str, form: str) -> int:
    return binascii.crc32((text + form).encode())  # type: ignore[no-any-return]


def _encode(known: Json) -> str:
    text = json.dumps(known)
    form = str(seldom.run("formats", "written", "settings"))
    return "{}\n{:08x}\n{}\n".format(text, _crc(text, form), form)


def check(desired: object) -> Json:
    """The part of desired settings that a node knows; raises ValueError."""
    if not isinstance(desired, dict):
        raise ValueError("settings are no object")
    known = {}
    for key, low, high in (
        ("version", 1, _VERSION_MAX),
        ("interval_s", _INTERVAL_MIN_S, _INTERVAL_MAX_S),
        ("health_every", 1, 1000),
        ("wifi_every", 1, 144),
    ):
        if key not in desired:
            continue
        value = desired[key]
        # A bool is an int in Python, and 60.0 is no interval that survives 32-bit floats.
        if type(value) is not int or not low <= value <= high:
            raise ValueError("{} {!r} is not between {} and {}".format(key, value, low, high))
        known[key] = value
    known.update(seldom.run("sensor_settings", "check", desired))
    if "version" not in known:
        raise ValueError("settings without version")
    return known


def load(settings: Settings) -> None:
    """Fills in `settings`: defaults, below them `config.json`, above both what the gateway sent."""
    config = _read(_CONFIG)
    settings.wifi = config.get("wifi", [])
    # In the order in which they are tried.
    settings.brokers = brokers = config.get("brokers") or [config.get("broker", {})]
    # Whether there is a way to a gateway at all: else the set-up network is opened.
    settings.configured = bool(settings.wifi and any(broker.get("host") for broker in brokers))
    settings.ntp = config.get("ntp")
    settings.i2c = config.get("i2c", {"id": 0, "scl": 22, "sda": 21})
    settings.sensors = config.get("sensors")
    settings.onewire = config.get("onewire")
    settings.uart = config.get("uart")
    settings.led = config.get("led")
    settings.light = config.get("light")
    # Automatic baseline correction of CO2 sensors; None leaves what the chip has.
    settings.co2_abc = config.get("co2_abc")
    settings.board = config.get("board", sys.platform)
    settings.outbox_bytes = config.get("outbox_bytes", 512 * 1024)
    settings.interval_s = config.get("interval_s", 60)
    settings.health_every = config.get("health_every", 10)
    # "mains", or "battery": asleep between samples, the radio on every `wifi_every`-th time.
    settings.life = config.get("life", "mains")
    if settings.life == "battery":
        settings.interval_s = config.get("interval_s", 600)
    settings.wifi_every = config.get("wifi_every", 6)
    # None: asked for by DHCP; "cached": the address of the last time; or a list of address,
    # mask, gateway and name server.
    settings.ip = config.get("ip")
    # Of the slip that came with the node; the pin of a button that asks for the set-up network.
    settings.setup_code = config.get("setup_code")
    settings.setup_port = config.get("setup_port", 80)
    settings.button = config.get("button")
    settings.version = 0
    # Why what the gateway wants is not so, for presence; None when it is.
    settings.error = None
    _apply(settings, _load_saved(settings))


def _load_saved(settings: Settings) -> Json:
    """The last good settings that were saved, or none."""
    for path in (_SAVED, _SAVED_BEFORE):
        try:
            return _read_saved(path)
        except OSError:
            continue  # None were saved yet, or power failed between two renames.
        except (ValueError, IndexError) as error:
            refuse(settings, "{}: {}".format(path, error))
    return {}


def refuse(settings: Settings, why: str) -> None:
    note("settings:", why)
    settings.error = why[:64]


def _apply(settings: Settings, known: Json) -> None:
    for key in known:
        setattr(settings, key, known[key])


def update(settings: Settings, desired: object) -> bool:
    """Saves and applies newer settings; says whether presence has something new to tell of
    them. What is refused is told there, with the reason, and changes nothing.
    """
    try:
        known = check(desired)
    except ValueError as error:
        before = settings.error
        refuse(settings, str(error))
        return settings.error != before
    if known["version"] <= settings.version:
        return False
    merged = _load_saved(settings)
    merged.update(known)
    with open(_SAVED + ".new", "w") as file:
        file.write(_encode(merged))
        file.flush()
    try:
        _read_saved(_SAVED)  # A damaged one must not take the place of a good one.
        os.rename(_SAVED, _SAVED_BEFORE)
    except (OSError, ValueError, IndexError):
        pass
    os.rename(_SAVED + ".new", _SAVED)
    _apply(settings, merged)
    settings.error = None
    return True

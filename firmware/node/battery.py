"""The life on batteries: wake, sample, at times send, sleep. One call is one wake.

RTC memory holds, behind the clock's part, only what the next wake needs: how many samples since the
radio was on, failures in a row, and what joins the network faster. It has a checksum: after a loss
of power there is garbage. Readings lie on flash. What is done on the air is `battery_radio`.
"""

import binascii
import os
import struct
import time

import machine
import seldom
from clock import MEMORY_SIZE
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from app import App
    from node_types import Network, Ticks

# Magic, samples since the radio was on, failures in a row and whether the button was held, BSSID,
# SSID, four addresses.
_MEMORY = const("<4sBB6sB32s16s")
_MAGIC = const(b"PRB1")
_SIZE = const(61)
_WATCHDOG_MS = const(120_000)
_FAILURES_MAX = const(4)
_HELD = const(0x80)


def _restore() -> list[Any] | None:
    """[samples since the radio was on, failures, what joins faster], or None after a power-on."""
    data = bytes(machine.RTC().memory()[MEMORY_SIZE : MEMORY_SIZE + _SIZE + 4])
    if len(data) < _SIZE + 4 or data[:4] != _MAGIC:
        return None
    if binascii.crc32(data[:_SIZE]) != struct.unpack_from("<I", data, _SIZE)[0]:
        return None
    _, samples, failures, bssid, length, ssid, addresses = struct.unpack(_MEMORY, data[:_SIZE])
    cached: Network | None = None
    if length:
        parts = [addresses[at : at + 4] for at in range(0, 16, 4)]
        cached = (
            ssid[:length].decode(),
            bssid,
            [".".join(str(byte) for byte in part) for part in parts],
        )
    return [samples, failures, cached]


def _keep(samples: int, failures: int, cached: Network | None) -> None:
    ssid, bssid, texts = cached or ("", b"", ())
    addresses = bytes(int(part) for text in texts for part in text.split("."))
    name = ssid.encode()
    samples = min(samples, 255)
    data = struct.pack(_MEMORY, _MAGIC, samples, failures, bssid, len(name), name, addresses)
    memory = machine.RTC().memory
    memory(bytes(memory()[:MEMORY_SIZE]) + data + struct.pack("<I", binascii.crc32(data)))


def _forget(held: bool) -> None:
    _keep(255, _HELD if held else 0, None)


async def wake(app: App, started_ms: Ticks) -> None:
    """One wake of `app`; ends in deep sleep."""
    # Not fed while all is well: a wake is over long before.
    app.watchdog = machine.WDT(timeout=_WATCHDOG_MS)
    settings = app.settings
    restored = _restore()
    samples, failures, app.link.cached = restored or [255, 0, None]
    held = failures & _HELD > 0
    failures &= _HELD - 1
    await app.sample()
    samples += 1
    in_folders = "slot.json" in os.listdir()
    if in_folders:
        await seldom.wait("battery_slots", "begin", app)
    if not settings.configured or settings.button is not None:
        held = await seldom.wait("battery_setup", "look", app, not restored, held, _forget)
    session_s = 0
    # A network that is not there costs more than all the rest: it is tried less and less often.
    if settings.configured and samples >= settings.wifi_every << failures:
        on_ms = time.ticks_ms()
        served = await seldom.wait("battery_radio", "send", app, started_ms, in_folders)
        if served:
            session_s = 1 + time.ticks_diff(time.ticks_ms(), on_ms) // 1000
        failures = 0 if served else min(failures + 1, _FAILURES_MAX)
        samples = 0
    _keep(samples, failures | (_HELD if held else 0), app.link.cached)
    if in_folders and seldom.run("battery_slots", "rest", session_s):
        machine.reset()
    awake_ms = time.ticks_diff(time.ticks_ms(), started_ms)
    machine.deepsleep(max(1000, settings.interval_s * 1000 - awake_ms))

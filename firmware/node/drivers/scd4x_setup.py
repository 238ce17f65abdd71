"""What is seldom done with an SCD4x (datasheet version 1.3): start and single shots.

Apart from `scd4x` because a node has no room to keep it. It knows commands and timings.
"""

import asyncio

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drivers.scd4x import Scd4x

_STOP = const(0x3F86)
_SERIAL = const(0x3682)
_SET_ABC = const(0x2416)
_GET_ABC = const(0x2313)
_PERSIST = const(0x3615)
_SINGLE_SHOT = const(0x219D)

# Table 9; one more for the tick a sleep may lose.
_COMMAND_MS = const(2)
_STOP_MS = const(501)
_PERSIST_MS = const(801)
_SINGLE_SHOT_MS = const(5001)


async def start(driver: Scd4x) -> int:
    """Stops what may still run from before a reset, reads the serial number, sets automatic
    self-calibration (§3.7.2, kept by the chip) and starts periodic measurement, whose first
    value is there after 5 s. The serial number.
    """
    device = driver.device
    device.send(_STOP)
    await asyncio.sleep_ms(_STOP_MS)
    high, middle, low = await device.ask(_SERIAL, _COMMAND_MS, 3)
    driver.abc = bool((await device.ask(_GET_ABC, _COMMAND_MS, 1))[0])
    if driver.wanted_abc not in (None, driver.abc):
        device.send(_SET_ABC, int(driver.wanted_abc))
        await asyncio.sleep_ms(_COMMAND_MS)
        # The chip's memory bears 2,000 writes (§3.9.1): only for a change.
        device.send(_PERSIST)
        await asyncio.sleep_ms(_PERSIST_MS)
        driver.abc = driver.wanted_abc
    if not driver.single:
        driver.begin()
    return high << 32 | middle << 16 | low


async def shoot(driver: Scd4x) -> None:
    """Makes a single shot, which then is there to be read. The first after power-on is to be
    thrown away (§3.10), and so it is after a failure, which may have been a loss of power.
    """
    shots = 2 if driver.cold else 1
    driver.cold = True
    for _ in range(shots):
        driver.device.send(_SINGLE_SHOT)
        await asyncio.sleep_ms(_SINGLE_SHOT_MS)

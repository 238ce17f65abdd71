"""Forced recalibration of an SCD4x (datasheet version 1.3, §3.7.1).

Apart from `scd4x` because a node has no room to keep it.
"""

import asyncio

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drivers.scd4x import Scd4x

_STOP = const(0x3F86)
_RECALIBRATE = const(0x362F)
# Table 9; one more for the tick a sleep may lose.
_STOP_MS = const(501)
_RECALIBRATE_MS = const(401)


async def calibrate(driver: Scd4x, target_ppm: int) -> int:
    """To the CO2 there is, after 3 minutes of measuring in it as the node does later, single shots
    included; the correction made in ppm. Measuring goes on afterwards, whatever came of it.
    """
    device = driver.device
    device.send(_STOP)
    try:
        await asyncio.sleep_ms(_STOP_MS)
        device.send(_RECALIBRATE, target_ppm)
        await asyncio.sleep_ms(_RECALIBRATE_MS)
        (answer,) = device.read(1)
    finally:
        if not driver.single:
            driver.begin()
    if answer == 0xFFFF:
        raise device.error("recalibration failed, it wants 3 minutes of measuring before")
    return answer - 0x8000

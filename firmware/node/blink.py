"""Blinks the node's light, so that someone in front of ten nodes sees which one it is."""

import asyncio

import machine
from micropython import const

_BLINKS = const(20)
_BLINK_MS = const(250)


async def blink(pin: int) -> None:
    """For five seconds; the light is off afterwards."""
    led = machine.Pin(pin, machine.Pin.OUT)
    try:
        for turn in range(_BLINKS):
            led.value(turn + 1 & 1)
            await asyncio.sleep_ms(_BLINK_MS)
    finally:
        led.value(0)

"""When the set-up network is opened: when nothing is configured, and when a long press asks for it.

Loaded where one of these can be, and held.
"""

import asyncio

import machine
import seldom
from micropython import const

_LONG_PRESS_TICKS = const(15)


async def wait(app, wanted: bool):
    """Opens it now if it is `wanted`, then at each long press; ends where there is no button."""
    button = app.settings.button
    while True:
        if wanted:
            await seldom.wait("portal", "open_for_a_while", app)
        if button is None:
            return
        held = 0
        while held < _LONG_PRESS_TICKS:
            await asyncio.sleep_ms(200)
            # Pressed, it connects the pin to ground.
            held = 0 if machine.Pin(button, machine.Pin.IN).value() else held + 1
        wanted = True

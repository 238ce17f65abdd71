"""What a node does when told to: identify itself, restart, send its log, calibrate CO2.

Loaded with the first command. A command's result is what its reply carries besides, or an async
function to run once the reply is sent; `CommandError` says why it was not carried out.
"""

import asyncio

import machine
from diary import lines, note
from drivers.sensirion import SensorError
from micropython import const
from session import CommandError

_BLINKS = const(20)
_BLINK_MS = const(250)


async def perform(app, command):
    """Carries out `command` on the parts of `app`."""
    do = {
        "identify": _identify,
        "restart": _restart,
        "send_log": _send_log,
        "calibrate_co2": _calibrate_co2,
    }.get(command["do"])
    if do is None:
        raise CommandError("unknown command {!r}".format(command["do"]))
    return await do(app, command)


async def _identify(app, command):
    if app.settings.led is None:
        raise CommandError("this node has no light")

    async def blink():
        led = machine.Pin(app.settings.led, machine.Pin.OUT)
        try:
            for turn in range(_BLINKS):
                led.value(turn + 1 & 1)
                await asyncio.sleep_ms(_BLINK_MS)
        finally:
            led.value(0)

    return blink


async def _restart(app, command):
    async def reset():
        note("restart on command")
        machine.reset()

    return reset


async def _send_log(app, command):
    return {"log": list(lines)}


async def _calibrate_co2(app, command):
    target_ppm = command.get("ppm")
    if type(target_ppm) is not int or not 400 <= target_ppm <= 2000:
        raise CommandError("ppm {!r} is not between 400 and 2000".format(target_ppm))
    try:
        async with app.bus_lock:
            return {"correction_ppm": await app.sensors.recalibrate(target_ppm)}
    except SensorError as error:
        raise CommandError(str(error))

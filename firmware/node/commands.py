"""What a node does when told to: identify itself, restart, send its log, calibrate CO2, update,
take a new password or authority.

Loaded for each command that `command_log` has taken. It knows `app`'s parts, and nothing of topics.
"""

import machine
import seldom
from diary import last_lines, note
from drivers import SensorError
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from node_types import Answer, AnyApp, Json

_ERROR_MAX = const(100)


class CommandError(Exception):
    """Why a command was not carried out; its text goes into the reply."""


async def carry_out(app: AnyApp, command: Json) -> Answer:
    """(reply, None or a coroutine to run once the reply is sent)."""
    if "ok" in command:
        return command, None
    reply = {"id": command["id"], "ok": True}
    afterwards = None
    try:
        _check_valid(app.clock.now(), command)
        result = await _perform(app, command)
        if isinstance(result, dict):
            reply.update(result)
        else:
            afterwards = result
    except (CommandError, ValueError, MemoryError) as error:
        reply = {"id": command["id"], "ok": False, "error": str(error)[:_ERROR_MAX]}
    note("command", command["do"], "ok" if reply["ok"] else reply["error"])
    return reply, afterwards


def _check_valid(now_s: int | None, command: Json) -> None:
    if now_s is None:
        raise CommandError("the node does not know the time")
    if type(command.get("until")) is not int or command["until"] < now_s:
        raise CommandError("expired, it is {} here".format(now_s))


async def _perform(app: AnyApp, command: Json) -> Json | Coroutine[Any, Any, None]:
    """What the reply carries besides, or a coroutine."""
    do = command["do"]
    if do == "identify":
        if app.settings.led is None:
            raise CommandError("this node has no light")
        return seldom.load("blink").blink(app.settings.led)
    if do == "restart":
        return _restart()
    if do == "send_log":
        return {"log": last_lines()}
    if do == "update":
        seldom.load("update").offer(app, command)
        return _restart()  # It is carried on with a heap that is whole again.
    if do == "rotate":
        return seldom.run("passwords", "take", app.link, command.get("password"))
    if do == "trust":
        return seldom.run("trust", "take", app.link, command.get("ca"))
    if do == "calibrate_co2":
        return await _calibrate_co2(app, command)
    raise CommandError("unknown command {!r}".format(do))


async def _restart() -> None:
    note("restart on command")
    open("asked", "w").close()  # For `slots`: what was asked for is no crash.
    machine.reset()


async def _calibrate_co2(app: AnyApp, command: Json) -> Json:
    target_ppm = command.get("ppm")
    if type(target_ppm) is not int or not 400 <= target_ppm <= 450:
        raise CommandError("ppm {!r} is not between 400 and 450".format(target_ppm))
    if not app.sensors:
        raise CommandError("no sensors in safe mode")
    try:
        async with app.bus_lock:
            result = await seldom.load("calibration").calibrate(
                app.sensors, target_ppm, app.clock.now(), command.get("sensor")
            )
    except SensorError as error:
        raise CommandError(str(error))
    app.session.changed()
    return result

"""What a node does when told to: identify itself, restart, send its log, calibrate CO2, update.

Loaded for each command. A command's id is on flash before the broker gets its acknowledgement, and
so before anything is done: what comes again, after a restart too, is answered and not done again.
It knows `app`'s parts, and nothing of topics.
"""

import json
import os

import machine
import seldom
from diary import last_lines, note
from drivers.sensirion import SensorError
from micropython import const

_FILE = "commands.json"
_KEPT = const(16)
_QUEUED_MAX = const(4)
_TEXT_MAX = const(32)
_ERROR_MAX = const(100)


class CommandError(Exception):
    """Why a command was not carried out; its text goes into the reply."""


# -- what is remembered: [[id, reply, or None while it is under way], ...] -------------------------


def _remembered():
    try:
        with open(_FILE) as file:
            known = json.loads(file.read())
    except (OSError, ValueError):
        return []
    return known if isinstance(known, list) else []


def _remember(identity: str, reply):
    known = [entry for entry in _remembered() if entry[0] != identity]
    known.append([identity, reply])
    with open(_FILE + ".new", "w") as file:
        file.write(json.dumps(known[-_KEPT:]))
        file.flush()
    os.rename(_FILE + ".new", _FILE)


def accept(command, waiting, running):
    """Puts a command among those `waiting`, its id being on flash; a known one with the reply it
    had. `running` is the id of the one that is under way. ValueError and OSError: not accepted.
    """
    identity, do = command["id"], command["do"]
    for text in (identity, do):
        if not isinstance(text, str) or not 0 < len(text) <= _TEXT_MAX:
            raise ValueError("id and do are texts of 1 to 32 characters")
    if identity == running or any(other["id"] == identity for other in waiting):
        return  # Its reply will come.
    if len(waiting) >= _QUEUED_MAX:
        raise ValueError("too many at once, {} is dropped".format(identity))
    for known, reply in _remembered():
        # The log only reads, and is too long to be kept.
        if known == identity and do != "send_log":
            if reply is None:
                reply = {"ok": False, "error": "interrupted, nobody knows how far it got"}
            reply["id"] = identity
            waiting.append(reply)
            return
    _remember(identity, None)
    waiting.append(command)


# -- carrying out ----------------------------------------------------------------------------------


async def carry_out(app, command):
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
    except CommandError as error:
        reply = {"id": command["id"], "ok": False, "error": str(error)[:_ERROR_MAX]}
    _remember(command["id"], {"ok": True} if "log" in reply else reply)
    note("command", command["do"], "ok" if reply["ok"] else reply["error"])
    return reply, afterwards


def _check_valid(now_s, command):
    if now_s is None:
        raise CommandError("the node does not know the time")
    if type(command.get("until")) is not int or command["until"] < now_s:
        raise CommandError("expired, it is {} here".format(now_s))


async def _perform(app, command):
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
    if do == "calibrate_co2":
        return await _calibrate_co2(app, command)
    raise CommandError("unknown command {!r}".format(do))


async def _restart():
    note("restart on command")
    machine.reset()


async def _calibrate_co2(app, command):
    target_ppm = command.get("ppm")
    if type(target_ppm) is not int or not 400 <= target_ppm <= 2000:
        raise CommandError("ppm {!r} is not between 400 and 2000".format(target_ppm))
    try:
        async with app.bus_lock:
            return {"correction_ppm": await app.sensors.recalibrate(target_ppm)}
    except SensorError as error:
        raise CommandError(str(error))

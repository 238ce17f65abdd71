"""Updates the firmware over the air: takes the command, then fetches, checks, installs.

The job lies in `update.json` until it is done, so it goes on after a loss of power. Whatever is
wrong with a bundle is a ValueError, with the reason for the reply; nothing of it was used then.
Loaded for an update and dropped again, and so are its three steps, one after the other.
"""

import asyncio
import json
import os

import machine
import release
import seldom
from diary import note
from micropython import const

JOB = "update.json"
PART = "update.part"
_SIZE_MAX = const(1_048_576)


def read_job():
    """What is to be installed, or None."""
    try:
        with open(JOB) as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def offer(app, command) -> dict:
    """Takes the command `update`; what the reply says of it. Raises ValueError."""
    slots = seldom.load("slots")
    state = slots.read()
    if state["run"] is None:
        raise ValueError("this node has no folders for updates")
    if state["trial"]:
        raise ValueError("{} is still on trial".format(release.FIRMWARE))
    if read_job():
        raise ValueError("another update is under way")
    job = {"id": command["id"], "trial_s": command.get("trial_s", slots.TRIAL_S)}
    for key in ("url", "version", "sha256"):
        job[key] = command.get(key)
        if not isinstance(job[key], str) or not 0 < len(job[key]) <= 200:
            raise ValueError("{} {!r} is no text of 1 to 200 characters".format(key, job[key]))
    job["size"] = command.get("size")
    for key, high in (("size", _SIZE_MAX), ("trial_s", 86_400)):
        if type(job[key]) is not int or not 0 < job[key] <= high:
            raise ValueError("{} {!r} is not between 1 and {}".format(key, job[key], high))
    if not job["url"].startswith("http://") or len(job["sha256"]) != 64:
        raise ValueError("url is no http:// address or sha256 no 64 digits")
    if job["version"] == release.FIRMWARE:
        raise ValueError("{} runs already".format(release.FIRMWARE))
    check_room(app, job["size"])
    _remove(PART)
    with open(JOB + ".new", "w") as file:
        file.write(json.dumps(job))
        file.flush()
    os.rename(JOB + ".new", JOB)
    app.updating = asyncio.create_task(run(app))
    return {"state": "fetching", "version": job["version"]}


def check_room(app, size: int):
    """Raises ValueError where `size` bytes more don't fit beside what the outbox may still take."""
    stat = os.statvfs(".")
    free = stat[0] * stat[3]
    outbox = app.outbox
    if outbox:
        used = (outbox.newest - outbox.oldest + 1) * 4096
        free -= max(0, app.settings.outbox_bytes - used)
    if size > free:
        raise ValueError("too big: {} bytes, {} are free".format(size, max(0, free)))


async def run(app):
    """Carries the job on, from wherever it was; ends with a restart into the new version, or with
    the reason why not.
    """
    job = read_job()
    if job is None:
        return
    try:
        ended = seldom.load("slots").read().get("update")
        if not ended or ended.get("id") != job["id"]:
            await _carry_on(app, job)
        # Else only the tidying up was cut off: what was installed and came back must not go on.
        _forget()
    except (ValueError, OSError, KeyError, IndexError) as error:
        # ValueError is a refusal; the others are a flash that fails, or a manifest of another kind.
        _refuse(app, job, str(error) if isinstance(error, ValueError) else repr(error))
    except MemoryError:
        # What it takes of the heap may be there right after a start.
        note("update: out of memory, restarting")
        seldom.load("slots").healthy()
        machine.reset()


async def _carry_on(app, job):
    app.update = {"id": job["id"], "version": job["version"], "state": "fetching"}
    app.session.changed()
    await seldom.load("update_fetch").fetch(job, PART)
    room = seldom.load("update_check").check(job["sha256"], PART, job["version"])
    check_room(app, room)
    await seldom.load("update_install").install(PART)
    app.session.report({"id": job["id"], "ok": True, "state": "installed"})
    note("update: {} is installed".format(job["version"]))
    await asyncio.sleep_ms(1000)
    update = {"id": job["id"], "version": job["version"], "state": "trial"}
    formats = {"outbox": release.OUTBOX, "settings": release.SETTINGS}
    slots = seldom.load("slots")
    slots.switch(slots.other(slots.read()["run"]), update, job["trial_s"], formats)
    _forget()
    machine.reset()


def _refuse(app, job, why: str):
    note("update: refused,", why)
    app.update = {"id": job["id"], "version": job["version"], "state": "refused", "error": why}
    seldom.load("slots").report(app.update)
    _forget()
    app.session.report({"id": job["id"], "ok": False, "error": why})
    app.session.changed()


def _forget():
    # The job last: without it nobody would look for the other.
    _remove(PART)
    _remove(JOB)


def _remove(path: str):
    try:
        os.remove(path)
    except OSError:
        pass  # It is not there.

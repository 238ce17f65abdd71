"""Takes the command `update`: what can be said at once is checked, the rest is a job on flash.

`update.json` is the job, until it is done or refused, so it goes on after a loss of power. It is
carried on by `update_fetch`, which `guard` starts beside the app after a restart, then, after
another and with the whole heap, by `update_apply`, which checks and installs.
"""

import json
import os

from micropython import const
from release import FIRMWARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import AnyApp, Json

JOB = "update.json"
PART = "update.part"
_SIZE_MAX = const(1_048_576)
_TRIAL_S = const(600)


def offer(app: AnyApp, command: Json) -> None:
    """Writes the job; a restart begins it. Raises ValueError with the reason of a refusal."""
    try:
        # As `slots` keeps it; that module would not fit beside all that a command needs.
        with open("slot.json") as file:
            trial = json.loads(file.read())["trial"]
    except OSError:
        raise ValueError("this node has no folders for updates")
    if trial:
        raise ValueError("{} is still on trial".format(FIRMWARE))
    if JOB in os.listdir():
        raise ValueError("another update is under way")
    job = _job(command)
    if job["version"] == FIRMWARE:
        raise ValueError("{} runs already".format(FIRMWARE))
    _check_room(app, job["size"])
    if PART in os.listdir():
        os.remove(PART)
    with open(JOB + ".new", "w") as file:
        file.write(json.dumps(job))
        file.flush()
    os.rename(JOB + ".new", JOB)


def _job(command: Json) -> Json:
    job = {"id": command["id"], "trial_s": command.get("trial_s", _TRIAL_S), "tries": 0}
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
    return job


def _check_room(app: AnyApp, size: int) -> None:
    """The bundle and the files in it must fit beside what the outbox may still take."""
    stat = os.statvfs(".")
    free = stat[0] * stat[3]
    outbox = app.outbox
    if outbox:
        used = (outbox.newest - outbox.oldest + 1) * 4096
        free -= max(0, app.settings.outbox_bytes - used)
    if 2 * size > free:
        raise ValueError("too big: {} bytes twice, {} are free".format(size, max(0, free)))

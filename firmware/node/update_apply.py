"""Checks the bundle that was fetched and installs it: the first thing after a restart, when nothing
else is in the heap. Ends with another restart, into the new version or back into this one.
"""

import json
import os

import machine
import seldom
from slots import READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json

JOB = "update.json"
PART = "update.part"


def main() -> None:
    """Never returns; what is wrong with the bundle is noted for presence."""
    # First of all: whatever happens from here on, the next start is one of the app.
    os.remove(READY)
    changes = seldom.load("slot_changes")
    with open(JOB) as file:
        job = json.loads(file.read())
    report = {"id": job["id"], "version": job["version"], "state": "trial"}
    try:
        _apply(job)
    except (ValueError, OSError, KeyError, IndexError) as error:
        # ValueError is a refusal; the others are a flash that fails, or a manifest of another kind.
        report["state"] = "refused"
        report["error"] = (str(error) if isinstance(error, ValueError) else repr(error))[:160]
        changes.report(report)
    else:
        changes.switch(report, job["trial_s"])
    forget()
    open("asked", "w").close()
    machine.reset()


def _apply(job: Json) -> None:
    room = seldom.load("update_check").check(job["sha256"], PART, job["version"])
    slots = seldom.load("slots")
    folder = slots.other(slots.read()["run"])
    install = seldom.load("update_install")
    stat = os.statvfs(".")
    free = stat[0] * stat[3] + install.held(folder)
    if room > free:
        raise ValueError("too big: {} bytes, {} are free".format(room, free))
    seldom.load("slot_changes").leave(folder)
    install.install(PART, folder)


def forget() -> None:
    """The job last: without it nobody would look for the other."""
    for path in (PART, JOB):
        try:
            os.remove(path)
        except OSError:
            pass  # It is not there.

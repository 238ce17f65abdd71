"""Which commands were taken lately, and their replies. Loaded for each command and dropped.

A command's id is on flash before the broker gets its acknowledgement, and so before anything is
done: what comes again, after a restart too, is answered and not done again. The file is a list of
[id, reply, or null while it is under way].
"""

import json
import os

from micropython import const

_FILE = "commands.json"
_KEPT = const(16)
_QUEUED_MAX = const(4)
_TEXT_MAX = const(32)


def _remembered():
    try:
        with open(_FILE) as file:
            known = json.loads(file.read())
    except (OSError, ValueError):
        return []
    if not isinstance(known, list):
        return []
    return [entry for entry in known if isinstance(entry, list) and len(entry) == 2]


def remember(identity: str, reply):
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
    remember(identity, None)
    waiting.append(command)

"""Which commands were taken lately, and their replies. Loaded for each command and dropped.

A command's id is on flash before the broker gets its acknowledgement, and so before anything is
done: what comes again, after a restart too, is answered and not done again. The file has a line a
command: id, tab, reply as JSON.
"""

import json
import os

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from node_types import Json

_FILE = "commands.txt"
_KEPT = const(16)
_QUEUED_MAX = const(4)
_TEXT_MAX = const(32)


def _lines() -> Iterator[tuple[str, str]]:
    """(id, reply as JSON) of each, the oldest first; a damaged line is forgotten."""
    try:
        with open(_FILE) as file:
            for line in file:
                identity, tab, reply = line.partition("\t")
                if tab and reply.endswith("}\n"):
                    yield identity, reply
    except (OSError, ValueError):
        return


def remember(identity: str, reply: Json) -> None:
    """Puts down the reply to a command, which is empty while it is under way. A log is too long to
    be kept: it is told anew.
    """
    kept = {"ok": True} if "log" in reply else reply
    others = sum(1 for known, _ in _lines() if known != identity)
    with open(_FILE + ".new", "w") as file:
        for known, text in _lines():
            if known == identity:
                continue
            if others < _KEPT:
                file.write(known + "\t" + text)
            others -= 1
        file.write("{}\t{}\n".format(identity, json.dumps(kept)))
        file.flush()
    os.rename(_FILE + ".new", _FILE)


def encode(reply: Json) -> list[bytes]:
    """A reply as JSON, in pieces: a log of 16 lines is not to need 1.6 KiB of heap in one."""
    lines = reply.pop("log", None)
    if lines is None:
        return [json.dumps(reply).encode()]
    pieces = [json.dumps(reply)[:-1].encode(), b', "log": [']
    for index, line in enumerate(lines):
        pieces.append((json.dumps(line) if not index else ", " + json.dumps(line)).encode())
    pieces.append(b"]}")
    return pieces


def accept(command: Json, waiting: list[Json], running: str) -> None:
    """Puts a command among those `waiting`, its id being on flash; a known one with the reply it
    had. `running` is the id of the one that is under way. ValueError and OSError: not accepted.
    """
    identity, do = command["id"], command["do"]
    for text in (identity, do):
        if not isinstance(text, str) or not 0 < len(text) <= _TEXT_MAX or min(text) < " ":
            raise ValueError("id and do are texts of 1 to 32 characters")
    if identity == running or any(other["id"] == identity for other in waiting):
        return  # Its reply will come.
    if len(waiting) >= _QUEUED_MAX:
        raise ValueError("too many at once, {} is dropped".format(identity))
    for known, text in _lines():
        # To tell the log again changes nothing.
        if known == identity and do != "send_log":
            reply = json.loads(text) or {"ok": False, "error": "interrupted, perhaps half done"}
            reply["id"] = identity
            waiting.append(reply)
            return
    remember(identity, {})
    waiting.append(command)

"""The node's last words: lines for the serial console, the latest kept on flash for `send_log`, so
that a node tells after a restart what came before it.

It knows nothing of the rest; secrets must not be handed to it.
"""

import os

from micropython import const

_WIDTH = const(100)
# Two files take turns, the older one goes when the newer is full: half of this to all of it.
_HALF = const(2048)
_NOW = "diary.txt"
_BEFORE = "diary.old"


def note(*words: object) -> None:
    """Prints one line and keeps it, cut to 100 characters. A line said twice in a row is kept
    once: a node without network for a month must not wear its flash for it.
    """
    global _last
    line = " ".join(str(word) for word in words)
    print(line)  # noqa: T201 - the serial console
    line = line[:_WIDTH].replace("\n", " ")
    if line == _last:
        return
    _last = line
    try:
        with open(_NOW, "a") as file:
            file.write(line)
            file.write("\n")
            full = file.tell() > _HALF
        if full:
            os.rename(_NOW, _BEFORE)
    except OSError:
        pass  # On a full or failing flash the readings come first; the console has the line.


_last = ""


def last_lines(most: int = 16) -> list[str]:
    """The latest lines, the oldest first."""
    lines: list[str] = []
    for path in (_BEFORE, _NOW):
        try:
            with open(path, "rb") as file:
                file.seek(max(0, file.seek(0, 2) - most * _WIDTH))
                for line in file:
                    if _is_text(line):
                        lines.append(str(line, "utf-8").strip())
                        del lines[:-most]
        except OSError:
            continue  # Not written yet.
    return lines


def _is_text(line: bytes) -> bool:
    try:
        return bool(str(line, "utf-8").strip())
    except ValueError:
        return False

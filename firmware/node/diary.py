"""The node's last words: lines for the serial console, the latest kept for `send_log`.

It knows nothing of the rest; secrets must not be handed to it.
"""

from micropython import const

_LINES = const(16)
_WIDTH = const(100)

lines: list[str] = []


def note(*words):
    """Prints one line and keeps it, cut to 100 characters, among the last 16."""
    line = " ".join(str(word) for word in words)
    print(line)  # noqa: T201 - the serial console
    lines.append(line[:_WIDTH])
    if len(lines) > _LINES:
        lines.pop(0)

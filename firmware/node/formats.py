"""In which format this version writes the outbox and the settings, and which lie on flash.

A version on trial goes on in the format of the one before it, which may come back and reads no
newer one; confirmed, it changes over to its own. So a version writes each format that it reads.
Loaded for each question and dropped.
"""

import binascii
import json
import os
import struct

import release


def known() -> dict[str, tuple[int, int]]:
    """[oldest read, written] of this version."""
    return {"outbox": release.OUTBOX, "settings": release.SETTINGS}


def written(name: str) -> int:
    """The format in which to write from now on."""
    try:
        # As `slots` keeps it; this is asked beside all that is loaded.
        with open("slot.json") as file:
            state = json.loads(file.read())
        if state["trial"]:
            return state["formats"][name][1]  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # No folders, or no word of the version before: there is none to come back.
    return known()[name][1]


def on_flash() -> dict[str, set[int]]:
    """Every format that the version after this one has to read: what lies on flash, not yet sent or
    never replaced, may be older than what is written now. Damage has none: it must not keep an
    update away.
    """
    found = {name: {written(name)} for name in known()}
    try:
        for entry in os.ilistdir("packs"):
            if entry[0].isdigit():
                found["outbox"].update(_of_segment("packs/" + entry[0]))
    except OSError:
        pass  # There is no outbox yet.
    low, high = release.SETTINGS
    for path in ("settings.json", "settings.old"):
        try:
            with open(path) as file:
                form = int(file.read().split("\n")[2])
        except (OSError, ValueError, IndexError):
            continue  # It is not there, or damaged.
        if low <= form <= high:
            found["settings"].add(form)
    return found


def _of_segment(path: str) -> set[int]:
    """The format in its header, which stands there twice; none where neither is whole."""
    with open(path, "rb") as file:
        data = file.read(32)
    return {
        data[at + 3] - 48
        for at in (0, 16)
        if data[at : at + 3] == b"PRO"
        and struct.pack("<I", binascii.crc32(data[at : at + 12])) == data[at + 12 : at + 16]
    }

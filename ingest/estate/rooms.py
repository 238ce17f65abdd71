"""Finds the room that a person means by what they typed. Exactly, or with what they may have meant.

It knows the model of the estate alone.
"""

import difflib
from typing import Final

from ingest.errors import ConfigurationError
from ingest.estate.model import Estate, RoomPlace

_MOST_SUGGESTED: Final = 3
# Rooms of one site are alike by its name alone.
_ALIKE: Final = 0.75


class UnknownRoomError(ConfigurationError):
    """There is no such room; the text says which there may be."""


def find_room(estate: Estate, text: str) -> RoomPlace:
    """The room `site/room` or `site/building/room`. Raises `UnknownRoomError`."""
    parts = text.split("/")
    place = estate.room(f"{parts[0]}/{parts[-1]}") if len(parts) in {2, 3} else None
    if place is not None and (len(parts) == 2 or place.building.id == parts[1]):
        return place
    near = _near(estate, text)
    if near:
        reason = f"did you mean {' or '.join(near)}?"
    elif any(True for _ in estate.rooms()):
        reason = "it is written SITE/ROOM or SITE/BUILDING/ROOM, by their ids"
    else:
        reason = "the estate has no room yet; write its sites into it first"
    raise UnknownRoomError(f"there is no room {text!r}: {reason}")


def _near(estate: Estate, text: str) -> list[str]:
    """Rooms of which a part, the name, or nearly the whole was typed."""
    typed = text.strip().casefold()
    named = [
        place.ref
        for place in estate.rooms()
        if typed.rpartition("/")[2] in {place.room.id, place.room.name.casefold()}
    ]
    refs = [place.ref for place in estate.rooms()]
    similar = difflib.get_close_matches(typed, refs, n=3, cutoff=_ALIKE)
    return list(dict.fromkeys([*named, *similar]))[:_MOST_SUGGESTED]

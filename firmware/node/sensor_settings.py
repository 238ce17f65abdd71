"""Which settings of sensors and light a gateway may send. Loaded to look at some and dropped again.

It knows their bounds. It must not know who uses them.
"""

import seldom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json


def check(desired: Json) -> Json:
    """The part of desired settings that is known here; raises ValueError."""
    known: Json = {}
    for key, low, high in (
        ("light_orange_ppm", 400, 5000),
        ("light_red_ppm", 400, 5000),
        ("utc_offset_min", -720, 840),
    ):
        if key in desired:
            value = known[key] = desired[key]
            # A bool is an int in Python.
            if type(value) is not int or not low <= value <= high:
                raise ValueError("{} {!r} is not between {} and {}".format(key, value, low, high))
    for key in ("co2_abc", "summer_time"):
        if key in desired:
            value = known[key] = desired[key]
            if not isinstance(value, bool):
                raise ValueError("{} {!r} is not true or false".format(key, value))
    if "opening_hours" in desired:
        hours = known["opening_hours"] = desired["opening_hours"]
        if not isinstance(hours, str):
            raise ValueError("opening_hours {!r} are no text".format(hours))
        seldom.load("hours").parse(hours)
    return known

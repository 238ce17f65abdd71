"""Every question that dashboards and alert rules put to InfluxDB, in InfluxQL.

It alone answers on 1.x, 2.x and 3 Core. Names of measurements, tags and fields are those of
docs/influxdb.md. Pure text: `$…` is filled in by Grafana, or by `dashboards.preview` in its place.
Values that a sensor itself says are wrong (quality 2) are left out everywhere.
"""

from typing import Final

ROOM: Final = '"site", "building", "room"'
NODE: Final = f'{ROOM}, "node"'

_OF_SITE: Final = '"site" =~ /^$site$/'
_OF_ROOM: Final = f'{_OF_SITE} AND "building" =~ /^$building$/ AND "room" =~ /^$room$/'
_OF_NODE: Final = f'{_OF_SITE} AND "node" =~ /^$node$/'
# The gateway's own lines have no node.
_A_NODE: Final = "\"node\" != ''"
_A_FORWARDER: Final = "\"forwarder\" != ''"


def _usable(quantity: str) -> str:
    return f'"{quantity}_quality" < 2'


def _last_by_room(quantity: str) -> str:
    return (
        f'SELECT last("{quantity}") AS "{quantity}" FROM "room_air" '
        f"WHERE {_usable(quantity)} AND $timeFilter GROUP BY {ROOM}"
    )


def _rooms_now(where: str = "") -> str:
    """One row a room; the quantities are asked for one by one, each by its own quality."""
    quantities = ("temperature", "co2", "humidity")
    sources = ", ".join(
        f'(SELECT "{one}" FROM "room_air" WHERE {_usable(one)} AND {where}$timeFilter)'
        for one in quantities
    )
    columns = ", ".join(f'last("{one}") AS "{one}"' for one in quantities)
    return f"SELECT {columns} FROM {sources} GROUP BY {ROOM}"


def _curve(how: str, quantity: str, where: str, by: str) -> str:
    return (
        f'SELECT {how}("{quantity}") AS "{quantity}" FROM "room_air" '
        f"WHERE {_usable(quantity)} AND {where} AND $timeFilter "
        f"GROUP BY time($__interval), {by} fill(none)"
    )


# The town

ROOMS_MEASURED: Final = (
    f'SELECT count("temperature") AS "rooms" FROM ({_last_by_room("temperature")})'
)


def rooms_above(co2_ppm: int) -> str:
    """How many rooms have more."""
    return f'SELECT count("co2") AS "rooms" FROM ({_last_by_room("co2")}) WHERE "co2" > {co2_ppm:d}'


def rooms_below(temperature_c: int) -> str:
    """How many rooms are colder."""
    rooms = _last_by_room("temperature")
    return (
        f'SELECT count("temperature") AS "rooms" FROM ({rooms}) '
        f'WHERE "temperature" < {temperature_c:d}'
    )


_SILENCE: Final = (
    'SELECT last("silence_cadences") AS "silence" FROM "gateway_health" '
    f"WHERE {_A_NODE} AND $timeFilter GROUP BY {NODE}"
)


def silent_nodes(cadences: int) -> str:
    """Nodes that have said nothing for longer, one row each."""
    return f'SELECT "silence" FROM ({_SILENCE}) WHERE "silence" > {cadences:d} GROUP BY {NODE}'


def count_of_silent_nodes(cadences: int) -> str:
    """How many nodes have said nothing for longer."""
    return f'SELECT count("silence") AS "nodes" FROM ({_SILENCE}) WHERE "silence" > {cadences:d}'


ROOMS_NOW: Final = _rooms_now()
SITES_TEMPERATURE: Final = _curve("mean", "temperature", "\"site\" != ''", '"site"')
SITES_CO2: Final = _curve("max", "co2", "\"site\" != ''", '"site"')

# A site

SITE_ROOMS_NOW: Final = _rooms_now(f"{_OF_SITE} AND ")
SITE_TEMPERATURE: Final = _curve("mean", "temperature", _OF_SITE, '"building", "room"')
SITE_CO2: Final = _curve("mean", "co2", _OF_SITE, '"building", "room"')
SITE_HUMIDITY: Final = _curve("mean", "humidity", _OF_SITE, '"building", "room"')


def site_week(how: str, quantity: str) -> str:
    """A value an hour and room."""
    return (
        f'SELECT {how}("{quantity}") AS "{quantity}" FROM "room_air" '
        f"WHERE {_usable(quantity)} AND {_OF_SITE} AND $timeFilter "
        'GROUP BY time(1h), "building", "room" fill(none)'
    )


# A room


def room_now(quantity: str) -> str:
    """The last value."""
    return (
        f'SELECT last("{quantity}") AS "{quantity}" FROM "room_air" '
        f"WHERE {_usable(quantity)} AND {_OF_ROOM} AND $timeFilter"
    )


def room_curve(quantity: str) -> str:
    """By node and channel, since a room may have several."""
    return _curve("mean", quantity, _OF_ROOM, '"node", "channel"')


def room_year(time_zone: str) -> str:
    """Mean, least and most of each day that begins at midnight of `time_zone`."""
    return (
        'SELECT mean("temperature") AS "mean", min("temperature") AS "min", '
        'max("temperature") AS "max" FROM "room_air" '
        f"WHERE {_usable('temperature')} AND \"channel\" = 'main' AND {_OF_ROOM} AND $timeFilter "
        f"GROUP BY time(1d) fill(none) tz('{time_zone}')"
    )


def _said_by_nodes(where: str, by: str = NODE) -> str:
    return (
        'SELECT last("online") AS "online", last("silence_cadences") AS "silence", '
        'last("firmware") AS "firmware", last("boots") AS "boots" FROM "gateway_health" '
        f"WHERE {where} AND $timeFilter GROUP BY {by}"
    )


ROOM_NODES: Final = _said_by_nodes(f"{_A_NODE} AND {_OF_ROOM}", '"node"')

# The nodes

NODES_NOW: Final = _said_by_nodes(f"{_A_NODE} AND {_OF_NODE}")


def node_curve(quantity: str) -> str:
    """What nodes measure of themselves."""
    return (
        f'SELECT last("{quantity}") AS "{quantity}" FROM "node_health" '
        f"WHERE {_usable(quantity)} AND {_OF_NODE} AND $timeFilter "
        'GROUP BY time($__interval), "node" fill(none)'
    )


NODES_SILENCE: Final = (
    'SELECT max("silence_cadences") AS "silence" FROM "gateway_health" '
    f"WHERE {_A_NODE} AND {_OF_NODE} AND $timeFilter "
    'GROUP BY time($__interval), "node" fill(none)'
)
NODES_REBOOTS: Final = (
    'SELECT non_negative_difference(last("boots")) AS "reboots" FROM "gateway_health" '
    f"WHERE {_A_NODE} AND {_OF_NODE} AND $timeFilter "
    'GROUP BY time($__interval), "node" fill(none)'
)

# The service


def per_second(counter: str) -> str:
    """How fast a counter of the gateway grows; a restart is no step down."""
    return (
        f'SELECT non_negative_derivative(max("{counter}"), 1s) AS "{counter}" '
        'FROM "gateway_health" WHERE $timeFilter '
        'GROUP BY time($__interval), "gateway" fill(none)'
    )


def growth(counter: str) -> str:
    """By how much a counter of the gateway grew in each step."""
    return (
        f'SELECT non_negative_difference(max("{counter}")) AS "{counter}" '
        'FROM "gateway_health" WHERE $timeFilter '
        'GROUP BY time($__interval), "gateway" fill(none)'
    )


def gateway_curve(field: str) -> str:
    """A value of the gateway."""
    return (
        f'SELECT last("{field}") AS "{field}" FROM "gateway_health" WHERE $timeFilter '
        'GROUP BY time($__interval), "gateway" fill(none)'
    )


COMMIT_TIME: Final = (
    'SELECT "seconds" / "commits" AS "commit" FROM ('
    'SELECT non_negative_difference(max("commit_seconds")) AS "seconds", '
    'non_negative_difference(max("commits")) AS "commits" FROM "gateway_health" '
    'WHERE $timeFilter GROUP BY time($__interval), "gateway" fill(none)) '
    'WHERE "commits" > 0 GROUP BY "gateway"'
)


def forwarder_curve(field: str) -> str:
    """A value of each forwarder."""
    return (
        f'SELECT last("{field}") AS "{field}" FROM "gateway_health" '
        f"WHERE {_A_FORWARDER} AND $timeFilter "
        'GROUP BY time($__interval), "gateway", "forwarder" fill(none)'
    )


# What a reader may choose

SITES: Final = 'SHOW TAG VALUES FROM "room_air" WITH KEY = "site"'
BUILDINGS: Final = f'SHOW TAG VALUES FROM "room_air" WITH KEY = "building" WHERE {_OF_SITE}'
ROOMS: Final = (
    'SHOW TAG VALUES FROM "room_air" WITH KEY = "room" '
    f'WHERE {_OF_SITE} AND "building" =~ /^$building$/'
)
NODES: Final = f'SHOW TAG VALUES FROM "gateway_health" WITH KEY = "node" WHERE {_OF_SITE}'

# Alert rules. Grafana knows no variables there, and different versions of it treat a `$` in their
# files differently: so there is none, and the time is counted from `now()`.


def lately(quantity: str, minutes: int, measurement: str = "room_air") -> str:
    """The last value of each node of the last minutes."""
    return (
        f'SELECT last("{quantity}") AS "{quantity}" FROM "{measurement}" '
        f"WHERE {_usable(quantity)} AND \"channel\" = 'main' AND time > now() - {minutes:d}m "
        f"GROUP BY {NODE}"
    )


SILENCE_LATELY: Final = (
    'SELECT last("silence_cadences") AS "silence" FROM "gateway_health" '
    f"WHERE {_A_NODE} AND time > now() - 10m GROUP BY {NODE}"
)
BEHIND_LATELY: Final = (
    'SELECT last("waiting_packs") AS "waiting" FROM "gateway_health" '
    f'WHERE {_A_FORWARDER} AND time > now() - 10m GROUP BY "gateway", "forwarder"'
)
DEAD_LETTERS_LATELY: Final = (
    'SELECT sum("letters") AS "letters" FROM ('
    'SELECT non_negative_difference("dead_letters") AS "letters" FROM "gateway_health" '
    'WHERE time > now() - 1h GROUP BY "gateway") GROUP BY "gateway"'
)

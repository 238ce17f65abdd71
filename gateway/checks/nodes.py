"""Which nodes have been silent for too long?"""

from collections.abc import Sequence
from typing import Final

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.inventory import REMOVED, NodeRow, list_nodes
from gateway.web.room_state import patience_ms

_MOST_NAMED: Final = 5
_AHEAD_MS: Final = 300_000


async def check(given: Given) -> Sequence[Finding]:
    """Nodes that hang in a room and have not measured for `silent_after_cadences` cadences."""
    rows = [row for row in list_nodes(given.settings, given.now_ms) if row.state != REMOVED]
    return [
        *_placed(rows, given),
        *_strangers(rows),
        *_from_the_future(rows, given),
        *_not_kept(rows),
    ]


def _placed(rows: Sequence[NodeRow], given: Given) -> Sequence[Finding]:
    placed = [row for row in rows if row.room is not None]
    silent = [row for row in placed if _is_silent(row, given)]
    if not placed:
        return [warning("no node is in a room yet", "preau node place NODE SITE/ROOM")]
    if not silent:
        return [good(f"all {len(placed)} nodes that are in a room measure")]
    told = f"{len(silent)} of {len(placed)} nodes in a room are silent: {_named(silent)}"
    if len(silent) == len(placed):
        remedy = "if all are: look at the broker, the Wi-Fi and whether preau run is running"
        return [failed(told, remedy)]
    return [warning(told, "look at their power and Wi-Fi; preau node list tells since when")]


def _is_silent(row: NodeRow, given: Given) -> bool:
    last_ms = row.last_measured_at_ms
    return last_ms is None or given.now_ms - last_ms > patience_ms(given.estate, row.node)


def _named(rows: Sequence[NodeRow]) -> str:
    named = [f"{row.node} ({row.room})" for row in rows[:_MOST_NAMED]]
    more = len(rows) - _MOST_NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _not_kept(rows: Sequence[NodeRow]) -> Sequence[Finding]:
    """What was measured and is nowhere: the flash of those nodes refused it."""
    refused = [row for row in rows if row.refused_by_flash_packs]
    if not refused:
        return []
    named = ", ".join(
        f"{row.node} ({row.refused_by_flash_packs} packs)" for row in refused[:_MOST_NAMED]
    )
    return [warning(f"the flash of nodes refused readings: {named}", "replace those boards")]


def _strangers(rows: Sequence[NodeRow]) -> Sequence[Finding]:
    heard = [row.node for row in rows if row.room is None and row.last_heard_at_ms is not None]
    if not heard:
        return []
    told = f"{len(heard)} nodes speak and are in no room: {', '.join(heard[:_MOST_NAMED])}"
    return [warning(told, f"preau node place {heard[0]} SITE/ROOM")]


def _from_the_future(rows: Sequence[NodeRow], given: Given) -> Sequence[Finding]:
    """What was received cannot lie ahead, unless this machine's clock was or is wrong."""
    ahead = [row for row in rows if (row.last_heard_at_ms or 0) > given.now_ms + _AHEAD_MS]
    if not ahead:
        return []
    told = f"{ahead[0].node} was heard at a time that is still to come: the clock went back"
    return [failed(told, "set the clock: timedatectl")]

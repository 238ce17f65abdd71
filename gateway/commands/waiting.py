"""What a command knows of nodes that sleep: until when, and how long that is to be waited for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from gateway.local_service import LocalService
from gateway.sleep import Sleep

AWAKE_S: Final = 30.0
"""How long a node that does not sleep is waited for."""

_WAIT: Final = click.FloatRange(1, 8 * 86_400)
"""As long as the service takes for a command: no node sleeps longer."""

wait_option: Final = click.option(
    "--wait",
    "wait_s",
    type=_WAIT,
    help="Seconds to wait for the node; else 30, or until one that sleeps should have come.",
)
each_wait_option: Final = click.option(
    "--wait",
    "wait_s",
    type=_WAIT,
    default=120,
    show_default=True,
    help="Seconds to wait for a node, each time; one that sleeps answers when it wakes.",
)
"""For what is asked of many nodes, and may be typed again for those that were away."""


@dataclass(frozen=True, slots=True)
class Asleep:
    """A node that sleeps, as the service has it from the node."""

    node: str
    sleep: Sleep

    def patience_s(self, now_s: float) -> float:
        """How long to wait for it, if nobody says otherwise."""
        return max(AWAKE_S, math.ceil(self.sleep.left_s(now_s)))

    def told(self, now_s: float, zone: ZoneInfo) -> str:
        """`3c71bf4a2b10 sleeps until 14:05:10, in 52 min`."""
        at = datetime.fromtimestamp(self.sleep.until_s, zone)
        day = "" if at.date() == datetime.fromtimestamp(now_s, zone).date() else f"{at:%Y-%m-%d} "
        until = f"{day}{at:%H:%M:%S}"
        left_s = self.sleep.until_s - now_s
        if left_s < 0:
            return f"{self.node} sleeps, and should have come at {until}"
        return f"{self.node} sleeps until {until}, in {_span(left_s)}"


async def node_state(service: LocalService, node: str) -> dict[str, Any] | None:
    """What the service tells of a node; `None` where it is unknown."""
    found = (await service.get(f"/api/v1/nodes?node={node}"))["nodes"]
    return found[0] if found else None


def asleep(state: Mapping[str, Any] | None) -> Asleep | None:
    """A node that sleeps, and says until when."""
    if state is None or not state["asleep"] or state["next_wake_at"] is None:
        return None
    since, until = state["last_heard_at"], state["next_wake_at"]
    sleep = Sleep(_seconds(since), _seconds(until))
    return Asleep(state["id"], sleep)


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

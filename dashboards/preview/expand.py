"""Fills in what Grafana fills in before it asks: the period, the step, what the reader chose.

Pure. As Grafana's InfluxDB data source does it: `$timeFilter`, `$__interval` and `$__interval_ms`,
and variables, of which several become a regular expression.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models import dashboard

Chosen = Mapping[str, str | Sequence[str]]
"""What a reader chose for each variable: one value, or several of one that allows it."""

_UNITS_MS: Final = {
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
_POINTS: Final = 500
_STEPS: Final = ("1m", "2m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "6h", "12h", "1d")


@dataclass(frozen=True, slots=True)
class Window:
    """The period of a panel, both ends included, and its step."""

    from_ms: int
    to_ms: int
    step: str

    @classmethod
    def of(cls, panel: dashboard.Panel, since: str, now_ms: int) -> "Window":
        """The window of a panel on a dashboard that shows `since` (`now-24h`) until now."""
        span_ms = milliseconds(panel.time_from or since.removeprefix("now-"))
        wanted_ms = span_ms / _POINTS
        step = next((s for s in _STEPS if milliseconds(s) >= wanted_ms), _STEPS[-1])
        return cls(now_ms - span_ms, now_ms, step)


def milliseconds(span: str) -> int:
    """A span as Grafana writes it: `90s`, `24h`, `7d`, `1y`. Raises `ValueError`."""
    number, unit = span[:-1], span[-1:]
    if not number.isdigit() or unit not in _UNITS_MS:
        raise ValueError(f"{span!r} is no span such as 24h or 7d")
    return int(number) * _UNITS_MS[unit]


def expand(query: str, window: Window, chosen: Chosen) -> str:
    """The query as InfluxDB gets it."""
    filled = query.replace(
        "$timeFilter", f"time >= {window.from_ms}ms and time <= {window.to_ms}ms"
    )
    filled = filled.replace("$__interval_ms", str(milliseconds(window.step)))
    return choose(filled.replace("$__interval", window.step), chosen)


def choose(query: str, chosen: Chosen) -> str:
    """The query with the variables filled in, the longest name first."""
    for name in sorted(chosen, key=len, reverse=True):
        value = chosen[name]
        text = value if isinstance(value, str) else f"({'|'.join(map(re.escape, value))})"
        query = query.replace(f"${name}", text)
    return query

"""Tells in time that a certificate of the town ends: on the page, in `/healthz` and `/metrics`.

Looked at once an hour; nothing stops by it. It changes no certificate.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.changes import Changes
from gateway.health import Health
from gateway.metrics import Metrics
from ingest.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.pki.expiry import CertificateState

TOPIC: Final = "certificates"
_LOOK_S: Final = 3600.0


class CertificateWatch:
    """Keeps the health in step with the PKI folder; without one there is nothing to say."""

    def __init__(self, folder: Path, health: Health, changes: Changes, metrics: Metrics) -> None:
        self._folder = folder
        self._health = health
        self._changes = changes
        self._metrics = metrics
        self._days_left: dict[str, int] = {}

    async def watch_loop(self) -> None:
        """Look for ever."""
        while True:
            self.note(await asyncio.to_thread(self.look))
            await asyncio.sleep(_LOOK_S)

    def look(self) -> tuple[Sequence["CertificateState"], str]:
        """The certificates, and what is wrong with them in words; empty where nothing is."""
        if not (self._folder / "ca.pem").exists():
            return [], ""
        from gateway.pki.expiry import certificate_states  # noqa: PLC0415 - many have no PKI folder

        try:
            states = certificate_states(self._folder, datetime.fromtimestamp(time.time(), UTC))
        except ConfigurationError as error:
            return [], str(error)
        return states, "; ".join(f"{one.name}: {one.problem}" for one in states if one.problem)

    def note(self, found: tuple[Sequence["CertificateState"], str]) -> None:
        """Have health and metrics say it."""
        states, problem = found
        for state in states:
            if state.name not in self._days_left:
                self._metrics.labelled_gauge(
                    "certificate_days_left",
                    "Days until a certificate of the town ends",
                    {"name": state.name},
                    lambda name=state.name: self._days_left[name],  # type: ignore[misc]
                )
            self._days_left[state.name] = state.days_left
        before = self._health.problems.get(TOPIC)
        if problem:
            self._health.problems[TOPIC] = problem
        else:
            self._health.problems.pop(TOPIC, None)
        if before != self._health.problems.get(TOPIC):
            self._changes.notify()

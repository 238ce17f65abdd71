"""Builds the forwarders of a service and tells of them: health, metrics, the log.

What a forwarder does it must not know; what it writes of the gateway itself is `gateway_health`.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from gateway.changes import Changes
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.readers import ReaderPool
from gateway.settings_forwarder import ForwarderSettings
from gateway.writer_thread import WriterThread
from ingest.estate.model import Estate
from ingest.forwarder.client import InfluxClient
from ingest.forwarder.forwarder import Forwarder
from ingest.forwarder.placements import Placements
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.store.cursors import set_forwarders
from ingest.store.forwarded import forwarded_placements, set_forwarded_placements
from ingest.store.writer import StoreWriter

_log = logging.getLogger(__name__)

T = TypeVar("T")

COUNT_WAITING_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServiceStore:
    """The store as a forwarder reaches it: reads on its thread, changes on the writer's."""

    readers: ReaderPool
    store: StoreWriter
    writer: WriterThread

    async def read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """As `StoreAccess.read`."""
        return await self.readers.run(lambda reader: reader.ask(call))

    async def change(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """As `StoreAccess.change`."""
        return await self.writer.run(self.store.change, call)


class EstatePlacements:
    """The placements of the estate in force; the same object as long as the estate is the same."""

    def __init__(self, estate: Callable[[], Estate]) -> None:
        self._estate = estate
        self._known: tuple[Estate, Placements] | None = None

    def __call__(self) -> Placements:
        """The placements now."""
        estate = self._estate()
        if self._known is None or self._known[0] is not estate:
            self._known = estate, Placements.of(estate)
        return self._known[1]


def client_of(target: Target) -> InfluxClient:
    """The client that speaks the target's interface."""
    if target.api == "v1":
        return InfluxV1(target)
    # Its makers' client takes 30 MB: only who uses it pays for that.
    from ingest.forwarder.v2 import InfluxV2  # noqa: PLC0415

    return InfluxV2(target)


def begin_forwarding(store: StoreWriter, names: Sequence[str], placements: Placements) -> None:
    """Give exactly these forwarders cursors, before anything more is sorted in."""
    added, removed = store.change(_begin, names, placements)
    for name in added:
        _log.warning(
            "forwarder %s is new: it ships what arrives from now on and, whenever nothing waits, "
            "what the store held already",
            name,
        )
    for name in removed:
        _log.warning("forwarder %s is not configured any more: its place is forgotten", name)


def _begin(
    connection: sqlite3.Connection, names: Sequence[str], placements: Placements
) -> tuple[list[str], list[str]]:
    added, removed = set_forwarders(connection, names)
    said = {node: placements.changes(node) for node in placements.nodes()}
    for name in added:
        if not forwarded_placements(connection, name):
            set_forwarded_placements(connection, name, said)
    return added, removed


def build_forwarders(
    settings: Sequence[ForwarderSettings],
    store: ServiceStore,
    placements: Callable[[], Placements],
    changes: Changes,
) -> list[Forwarder]:
    """One forwarder for each of the settings. Raises `ConfigurationError` for a secret's file."""
    return [
        Forwarder(
            one.name,
            client_of(one.target()),
            store,
            placements,
            batch_points=one.batch_points,
            batch_s=one.batch_ms / 1000,
            changed=changes.notify,
        )
        for one in settings
    ]


def show_forwarders(forwarders: Sequence[Forwarder], metrics: Metrics) -> None:
    """Gauges of each forwarder."""
    gauges: dict[str, tuple[str, Callable[[Forwarder], float]]] = {
        "waiting_packs": ("Packs not yet in InfluxDB", lambda one: one.waiting),
        "filling": ("1 until it has what was there before it", lambda one: one.is_filling),
        "points": ("Points accepted", lambda one: one.state.points),
        "retries": ("Requests that had to be tried again", lambda one: one.state.retries),
        "refused_points": ("Points kept as dead letters", lambda one: one.state.refused),
        "forgotten_points": (
            "Points older than InfluxDB keeps",
            lambda one: one.state.beyond_retention,
        ),
    }
    for name, (text, value) in gauges.items():
        for one in forwarders:
            metrics.labelled_gauge(
                f"forwarder_{name}", text, {"forwarder": one.name}, partial(value, one)
            )


async def count_waiting_loop(
    forwarders: Sequence[Forwarder], every_s: float = COUNT_WAITING_S
) -> None:
    """Keep the numbers of waiting packs in step, until cancelled."""
    while True:
        for forwarder in forwarders:
            await forwarder.count_waiting()
        await asyncio.sleep(every_s)


def note_forwarders(forwarders: Sequence[Forwarder], health: Health) -> None:
    """Say in the health which forwarders wait, and why."""
    for forwarder in forwarders:
        topic, problem = f"InfluxDB {forwarder.name}", forwarder.state.problem
        if problem:
            health.problems[topic] = problem
        else:
            health.problems.pop(topic, None)

"""Builds the service and runs it: the one place, with the commands, where things are constructed.

One TaskGroup owns every long-running task; when one of them fails, all end, what was opened is
closed, and the caller gets the error. Nothing that was acknowledged is lost by that.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway.api_token import keep_token
from gateway.broker import broker_of, keep_broker_loop
from gateway.certificate_watch import CertificateWatch
from gateway.changes import Changes
from gateway.clock import now_ms
from gateway.control import Control, base_url_of
from gateway.firmware.offers import Offers
from gateway.firmware.shelf import Shelf
from gateway.folding import fold_loop
from gateway.forwarding import (
    EstatePlacements,
    ServiceStore,
    begin_forwarding,
    build_forwarders,
    client_of,
    count_waiting_loop,
    note_forwarders,
    show_forwarders,
)
from gateway.gateway_health import GatewayHealth, gateway_health_loop
from gateway.health import Health
from gateway.intake import Intake
from gateway.metrics import Metrics
from gateway.mqtt.session import Session
from gateway.node_commands import CommandDesk
from gateway.node_settings import SettingsDesk
from gateway.nodes import NodeRegistry
from gateway.presence import PresenceDesk, stored_presences
from gateway.readers import ReaderPool
from gateway.retained import RetainedDesk
from gateway.rollout_desk import Ground, RolloutDesk
from gateway.settings import Settings
from gateway.share import ShareKeeper, client_id_of, gateway_name_of, share_of
from gateway.upkeep import Upkeep
from gateway.web.context import WebContext
from gateway.web.server import serve_pages
from gateway.writer_thread import WriterThread
from ingest.estate.watch import EstateWatch
from ingest.forwarder.forwarder import Forwarder
from ingest.latest import LatestReadings
from ingest.pipeline import Pipeline
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter


@dataclass(frozen=True, slots=True)
class Service:
    """What runs, for whoever started it: where its page is."""

    url: str


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Service], None] | None = None,
    clock_ms: Callable[[], int] = now_ms,
) -> None:
    """Run the service until cancelled. `ready` is called once its page answers.

    Raises `ConfigurationError` or `StoreError` where it can't start.
    """
    async with AsyncExitStack() as stack:
        estate = EstateWatch(settings.estate_file, settings.zone)
        store = stack.enter_context(StoreWriter(settings.data.dir))
        writer = WriterThread()
        stack.callback(writer.close)
        placements = EstatePlacements(lambda: estate.current)
        begin_forwarding(store, [one.name for one in settings.forwarder], placements())
        address, broker = await stack.enter_async_context(broker_of(settings))
        memory = _remembered(settings.data.dir)
        share = ShareKeeper(
            share_of(settings.share), lambda: estate.current, memory.knows, clock_ms
        )
        session = Session(
            address,
            client_id=client_id_of(settings.share),
            subscriptions=share.filters,
            clock_ms=clock_ms,
        )
        await stack.enter_async_context(session)
        parts = _build(
            settings,
            store,
            writer,
            session=session,
            share=share,
            memory=memory,
            clock_ms=clock_ms,
        )
        stack.callback(parts.readers.close)
        readers = ReaderPool(settings.data.dir, threads=1)
        stack.callback(readers.close)
        forwarders = build_forwarders(
            settings.forwarder, ServiceStore(readers, store, writer), placements, parts.changes
        )
        show_forwarders(forwarders, parts.metrics)
        url = await stack.enter_async_context(
            serve_pages(_web_context(settings, parts), settings.http.host, settings.http.port)
        )
        async with asyncio.TaskGroup() as tasks:
            for name, work in {
                "session": session.run(),
                "intake": parts.intake.run_loop(),
                "presence": parts.desk.answer_loop(),
                "node_settings": parts.wishes.keep_loop(),
                "rollout": parts.control.rollouts.run_loop(),
                "fold": fold_loop(store, writer, parts.metrics),
                "upkeep": parts.upkeep.run_loop(),
                "estate": estate.watch_loop(),
                "share": share.keep_loop(session),
                "certificates": CertificateWatch(
                    settings.pki.dir, parts.health, parts.changes, parts.metrics
                ).watch_loop(),
                "health": _health_loop(parts, estate, forwarders),
                **_forwarding(settings, parts, forwarders, placements),
            }.items():
                tasks.create_task(work, name=name)
            if broker is not None:
                tasks.create_task(keep_broker_loop(broker), name="broker")
            if ready is not None:
                ready(Service(url))


def _forwarding(
    settings: Settings,
    parts: "_Parts",
    forwarders: Sequence[Forwarder],
    placements: EstatePlacements,
) -> dict[str, Coroutine[None, None, None]]:
    """What runs for each InfluxDB, by name."""
    told = GatewayHealth(
        estate=parts.share.view,
        placements=placements,
        latest=parts.latest,
        nodes=parts.nodes,
        metrics=parts.metrics,
        forwarders=forwarders,
        is_own=parts.share.is_own,
        gateway=gateway_name_of(settings.share),
    )
    loops = {f"forwarder {one.name}": one.run_loop() for one in forwarders}
    loops["waiting packs"] = count_waiting_loop(forwarders)
    for one in settings.forwarder:
        client = client_of(one.target())
        loops[f"gateway_health {one.name}"] = gateway_health_loop(told, one, client, parts.clock_ms)
    return loops


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the store knows of nodes and of their last readings."""

    nodes: NodeRegistry
    latest: LatestReadings

    def knows(self, node: str) -> bool:
        """Whether this store has ever heard of `node`."""
        return self.nodes.get(node) is not None or bool(self.latest.of_node(node))


@dataclass(frozen=True, slots=True)
class _Parts:
    session: Session
    share: ShareKeeper
    intake: Intake
    upkeep: Upkeep
    desk: PresenceDesk
    control: Control
    wishes: SettingsDesk
    nodes: NodeRegistry
    latest: LatestReadings
    readers: ReaderPool
    changes: Changes
    metrics: Metrics
    health: Health
    clock_ms: Callable[[], int]


def _build(
    settings: Settings,
    store: StoreWriter,
    writer: WriterThread,
    *,
    session: Session,
    share: ShareKeeper,
    memory: _Memory,
    clock_ms: Callable[[], int],
) -> _Parts:
    nodes, latest = memory.nodes, memory.latest
    metrics, health, changes = Metrics(), Health(), Changes()

    def is_removed(node: str) -> bool:
        declared = share.view().node(node)
        return declared is not None and declared.removed is not None

    retained = RetainedDesk(session, is_removed)
    commands = CommandDesk(session, nodes, clock_ms)
    desk = PresenceDesk(
        session,
        nodes,
        metrics,
        clock_ms,
        heard=lambda said: retained.heard(said.node, online=said.online),
        answered=commands.greet,
    )
    offers = Offers(Shelf(settings.data.dir), base_url_of(settings))
    may_store = asyncio.Event()
    intake = Intake(
        session=session,
        store=store,
        pipeline=Pipeline(store),
        writer=writer,
        desk=desk,
        nodes=nodes,
        latest=latest,
        changes=changes,
        metrics=metrics,
        health=health,
        clock_ms=clock_ms,
        take_reply=commands.take_reply,
        is_ours=share.takes,
        may_store=may_store,
        group_packs=settings.store.group_packs,
        group_s=settings.store.group_ms / 1000,
    )
    readers = ReaderPool(settings.data.dir)
    upkeep = Upkeep(
        settings=settings,
        store=store,
        writer=writer,
        readers=readers,
        health=health,
        changes=changes,
        metrics=metrics,
        clock_ms=clock_ms,
        may_store=may_store,
    )
    metrics.gauge("mqtt_connected", "1 while connected to the broker", lambda: session.connected)
    metrics.gauge("mqtt_received", "Messages received", lambda: session.counters.received)
    metrics.gauge(
        "mqtt_reconnects", "Connections after the first", lambda: session.counters.reconnects
    )
    metrics.gauge(
        "nodes_online",
        "Nodes that say they are there",
        lambda: sum(said.online for said in nodes.all() if share.is_own(said.node)),
    )
    metrics.gauge("nodes_let_go_packs", "Packs that nodes dropped or rejected", nodes.let_go)
    metrics.gauge("nodes_lost_packs", "Packs that nodes' flash did not take", nodes.lost)
    return _Parts(
        session=session,
        share=share,
        intake=intake,
        upkeep=upkeep,
        desk=desk,
        control=Control(
            commands=commands,
            retained=retained,
            offers=offers,
            rollouts=RolloutDesk(
                Ground(
                    folder=settings.data.dir,
                    commands=commands,
                    nodes=nodes,
                    offers=offers,
                    is_connected=lambda: session.connected,
                    clock_ms=clock_ms,
                )
            ),
            token=keep_token(settings.data.dir),
            has_tls=settings.broker.tls_ca is not None,
        ),
        wishes=SettingsDesk(session, nodes, share.view, share.is_own, settings.data.dir),
        nodes=nodes,
        latest=latest,
        readers=readers,
        changes=changes,
        metrics=metrics,
        health=health,
        clock_ms=clock_ms,
    )


def _remembered(folder: Path) -> _Memory:
    with StoreReader(folder) as reader:
        presences = ((node, *said) for node, said in reader.presences().items())
        return _Memory(stored_presences(presences), LatestReadings(reader.latest()))


def _web_context(settings: Settings, parts: _Parts) -> WebContext:
    return WebContext(
        estate=parts.share.view,
        latest=parts.latest,
        nodes=parts.nodes,
        readers=parts.readers,
        changes=parts.changes,
        health=parts.health,
        metrics=parts.metrics.exposition,
        control=parts.control,
        clock_ms=parts.clock_ms,
        language=settings.ui.language,
        zone=settings.zone,
        read_without_account=settings.http.read_without_account,
    )


async def _health_loop(
    parts: _Parts,
    estate: EstateWatch,
    forwarders: Sequence[Forwarder],
    interval_s: float = 0.5,
) -> None:
    """Keep the health in step with the broker, the estate's files and InfluxDB."""
    while True:
        before = (parts.health.broker_connected, dict(parts.health.problems))
        parts.health.broker_connected = parts.session.connected
        _note(parts.health, "broker", None if parts.session.connected else parts.session.last_error)
        _note(parts.health, "subscriptions", parts.session.refusal)
        _note(parts.health, "estate", str(estate.problem) if estate.problem else None)
        _note(parts.health, "share", parts.share.problem())
        note_forwarders(forwarders, parts.health)
        if before != (parts.health.broker_connected, parts.health.problems):
            parts.changes.notify()
        await asyncio.sleep(interval_s)


def _note(health: Health, topic: str, problem: str | None) -> None:
    if problem:
        health.problems[topic] = problem
    else:
        health.problems.pop(topic, None)

"""API v1: sites, rooms, nodes and dead letters."""

import base64
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.co2_sensors import model_of
from gateway.nodes import Co2Report, UpdateReport
from gateway.web.api.answers import (
    BuildingAnswer,
    Co2SensorAnswer,
    DeadLetterAnswer,
    DeadLettersAnswer,
    LatestAnswer,
    NodeAnswer,
    NodesAnswer,
    PayloadAnswer,
    RoomAnswer,
    RoomsAnswer,
    SiteAnswer,
    SitesAnswer,
    UpdateAnswer,
)
from gateway.web.api.names import QUALITIES, unit_of
from gateway.web.api.parameters import Parameters
from gateway.web.context import CONTEXT, WebContext
from gateway.web.problem import bad_request, json_response
from gateway.web.room_state import Look, RoomState, room_state
from gateway.web.timeparse import iso_instant
from ingest.store.deadletters import StoredDeadLetter
from ingest.store.reader import Point

_MOST: Final = 10_000
_MOST_LETTERS: Final = 500


async def sites(request: web.Request) -> web.Response:
    """`GET /api/v1/sites`"""
    Parameters(request, ())
    estate = request.app[CONTEXT].estate()
    answer = SitesAnswer(
        name=estate.name,
        sites=[
            SiteAnswer(
                id=site.id,
                name=site.name,
                buildings=[
                    BuildingAnswer(
                        id=building.id,
                        name=building.name,
                        rooms=[f"{site.id}/{room.id}" for room in building.rooms],
                    )
                    for building in site.buildings
                ],
            )
            for site in estate.sites
        ],
    )
    return json_response(answer)


async def rooms(request: web.Request) -> web.Response:
    """`GET /api/v1/rooms`"""
    parameters = Parameters(request, ("site", "limit", "cursor"))
    context = request.app[CONTEXT]
    estate = context.estate()
    limit = parameters.whole("limit", 1000, 1, _MOST)
    site, after = parameters.text("site"), parameters.cursor(str)
    places = [place for place in estate.rooms() if site in (None, place.site.id)]
    if site is not None and all(site != known.id for known in estate.sites):
        raise bad_request(f"site is {site[:80]!r}: there is none of that id")
    first = 0
    if after is not None:
        found = [number for number, place in enumerate(places) if place.ref == after]
        if not found:
            raise bad_request("the estate has changed since that page: begin again")
        first = found[0] + 1
    page = places[first : first + limit]
    look = Look(
        estate,
        context.latest,
        _no_trend,
        context.clock_ms(),
        context.zone,
        context.nodes.awake_at_ms,
    )
    states = [room_state(place, look) for place in page]
    is_last = first + limit >= len(places)
    return json_response(
        RoomsAnswer(
            rooms=[_room(state, context) for state in states],
            next=None if is_last else parameters.next_page(page[-1].ref),
        )
    )


def _no_trend(_node: str, _quantity: str, _channel: str) -> None:
    """The API gives values; what they do over time is what `/readings` is for."""


def _room(state: RoomState, context: WebContext) -> RoomAnswer:
    site, building, room = state.place
    return RoomAnswer(
        ref=state.place.ref,
        id=room.id,
        name=room.name,
        site=site.id,
        building=building.id,
        profile=room.profile,
        area_m2=room.area_m2,
        volume_m3=room.volume_m3,
        nodes=list(state.nodes),
        conditions=[condition.value for condition in state.conditions],
        latest=[
            _latest(
                measure.node,
                measure.quantity,
                measure.channel,
                context.latest.of_node(measure.node)[measure.quantity, measure.channel],
            )
            for _, measure in sorted(state.measures.items())
        ],
    )


async def nodes(request: web.Request) -> web.Response:
    """`GET /api/v1/nodes`"""
    parameters = Parameters(request, ("node", "limit", "cursor"))
    context = request.app[CONTEXT]
    estate = context.estate()
    limit = parameters.whole("limit", 1000, 1, _MOST)
    only, after = parameters.node(), parameters.cursor(str) or ""
    declared = {node.id for node in estate.nodes}
    heard = {presence.node for presence in context.nodes.all()} | set(context.latest.nodes())
    page = sorted(node for node in declared | heard if node > after and only in (None, node))
    answer = NodesAnswer(
        nodes=[_node(node, context) for node in page[:limit]],
        next=parameters.next_page(page[limit - 1]) if len(page) > limit else None,
    )
    return json_response(answer)


def _node(node: str, context: WebContext) -> NodeAnswer:
    estate = context.estate()
    declared = estate.node(node)
    said = context.nodes.get(node)
    readings = context.latest.of_node(node)
    return NodeAnswer(
        id=node,
        name=declared.name if declared else None,
        declared=declared is not None,
        room=estate.placement(node, context.clock_ms()),
        cadence_s=declared.cadence_s if declared else None,
        online=said.online if said else None,
        asleep=said.asleep if said else False,
        next_wake_at=_next_wake(context.nodes.awake_at_ms(node)),
        firmware=said.firmware if said else None,
        board=said.board if said else None,
        boots=said.boots if said else None,
        refused_by_flash_packs=(said.lost or 0) if said else 0,
        safe_mode=bool(said and said.safe),
        update=_update(said.update) if said and said.update else None,
        settings=said.settings if said else None,
        sensors=list(said.sensors) if said else [],
        co2=[_co2(one, declared.model if declared else None) for one in (said.co2 if said else ())],
        last_heard_at=_last_heard(said.received_at_ms if said else None, readings),
        latest=[
            _latest(node, quantity, channel, point)
            for (quantity, channel), point in sorted(readings.items())
        ],
    )


def _update(report: UpdateReport) -> UpdateAnswer:
    return UpdateAnswer(
        id=report.id, state=report.state, version=report.version, error=report.error
    )


def _next_wake(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_instant(at_ms)


def _co2(report: Co2Report, board: str | None) -> Co2SensorAnswer:
    model = model_of(report, board)
    at_s = report.calibrated_at
    return Co2SensorAnswer(
        sensor=report.sensor,
        model=model.name,
        specified_to_ppm=model.specified_to_ppm,
        abc=report.abc,
        calibrated_at=None if at_s is None else iso_instant(at_s * 1000),
        calibrated_ppm=report.calibrated_ppm,
    )


def _last_heard(presence_ms: int | None, readings: Mapping[tuple[str, str], Point]) -> str | None:
    times = [point.received_at_ms for point in readings.values()]
    if presence_ms is not None:
        times.append(presence_ms)
    return iso_instant(max(times)) if times else None


def _latest(node: str, quantity: str, channel: str, point: Point) -> LatestAnswer:
    return LatestAnswer(
        node=node,
        quantity=quantity,
        channel=channel,
        unit=unit_of(quantity),
        value=point.value,
        quality=QUALITIES[point.quality],
        measured_at=iso_instant(point.measured_at_ms),
    )


async def dead_letters(request: web.Request) -> web.Response:
    """`GET /api/v1/deadletters`"""
    parameters = Parameters(request, ("node", "reason", "after", "limit"))
    node, reason = parameters.node(), parameters.text("reason")
    after = parameters.whole("after", 0, 0, 2**53)
    limit = parameters.whole("limit", 100, 1, _MOST_LETTERS)
    letters = await request.app[CONTEXT].readers.run(
        lambda reader: reader.dead_letters(
            node=node, reason=reason, after_id=after, limit=limit + 1
        )
    )
    page = letters[:limit]
    further = None
    if len(letters) > limit:
        further = str(request.rel_url.update_query(after=str(page[-1].id)))
    return json_response(
        DeadLettersAnswer(dead_letters=[_letter(letter) for letter in page], next=further)
    )


def _letter(letter: StoredDeadLetter) -> DeadLetterAnswer:
    return DeadLetterAnswer(
        id=letter.id,
        node=letter.node,
        topic=letter.topic,
        reason=letter.reason,
        detail=letter.detail,
        log=letter.log,
        seq=letter.seq,
        first_received_at=iso_instant(letter.received_at_ms),
        last_received_at=iso_instant(letter.last_received_at_ms),
        times=letter.times,
        payload=_payload(letter),
    )


def _payload(letter: StoredDeadLetter) -> PayloadAnswer:
    try:
        return PayloadAnswer(
            encoding="utf-8", content=letter.payload.decode(), length=letter.length
        )
    except UnicodeDecodeError:
        content = base64.b64encode(letter.payload).decode()
        return PayloadAnswer(encoding="base64", content=content, length=letter.length)

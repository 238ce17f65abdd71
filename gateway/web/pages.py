"""The pages for people, and the pieces of them that are fetched again when something changes.

A piece and its page come from the same template, so a refreshed page is the page.
"""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.nodes import Presence
from gateway.web.cards import Card, card_of, room_url
from gateway.web.chart import chart_of, sentences_of, table_of
from gateway.web.co2_sensors import co2_views
from gateway.web.context import WebContext
from gateway.web.events import AT_MOST_EVERY_S
from gateway.web.formats import Formats
from gateway.web.history import Period, RoomHistory, room_history
from gateway.web.render import render, render_page
from gateway.web.renders import Rendered, Shortly
from gateway.web.room_state import Look, patience_ms, room_state
from gateway.web.speech import formats_of
from gateway.web.town import Group, town_of
from gateway.web.trends import Trends
from ingest.estate.model import RoomPlace

_MOST_UNPLACED: Final = 50
# Less than what an event waits: a page that looks because of a reading is never shown the past.
_KEPT_S: Final = 0.8 * AT_MOST_EVERY_S
# A point of the year's chart is a day: reading it again each second shows nothing new.
_HISTORY_KEPT_S: Final = {
    Period.DAY: 0.0,
    Period.WEEK: 15.0,
    Period.MONTH: 60.0,
    Period.YEAR: 300.0,
}


class Pages:
    """Handlers of the town overview and of the room pages."""

    def __init__(self, context: WebContext, trends: Trends) -> None:
        self._context = context
        self._trends = trends
        self._pieces: Shortly[Rendered] = Shortly(_KEPT_S)
        self._histories: Shortly[RoomHistory] = Shortly(_KEPT_S)

    async def town(self, request: web.Request) -> web.StreamResponse:
        """`GET /`"""
        formats = formats_of(request)
        group = _group_of(request)
        piece = await self._town_piece(formats, group)
        page = render_page(
            request,
            "town.html",
            formats,
            piece=piece.plain.decode(),
            fragment=f"/fragments/town?{_query(formats, group)}",
        )
        return Rendered.of(page).response(request, {})

    async def town_fragment(self, request: web.Request) -> web.StreamResponse:
        """`GET /fragments/town`"""
        piece = await self._town_piece(formats_of(request), _group_of(request))
        return piece.response(request, {})

    async def room(self, request: web.Request) -> web.StreamResponse:
        """`GET /salles/{site}/{room}`"""
        formats = formats_of(request)
        place = self._place_of(request)
        period = _period_of(request)
        piece = await self._room_piece(place, formats, period)
        language = formats.texts.language
        page = render_page(
            request,
            "room.html",
            formats,
            place=place,
            piece=piece.plain.decode(),
            fragment=f"/fragments{room_url(place.ref)}?periode={period}&lang={language}",
        )
        return Rendered.of(page).response(request, {})

    async def room_fragment(self, request: web.Request) -> web.StreamResponse:
        """`GET /fragments/salles/{site}/{room}`"""
        place = self._place_of(request)
        piece = await self._room_piece(place, formats_of(request), _period_of(request))
        return piece.response(request, {})

    def _place_of(self, request: web.Request) -> RoomPlace:
        ref = f"{request.match_info['site']}/{request.match_info['room']}"
        place = self._context.estate().room(ref)
        if place is None:
            raise web.HTTPNotFound(text=ref)
        return place

    async def _town_piece(self, formats: Formats, group: Group | None) -> Rendered:
        async def make() -> Rendered:
            return self._rendered_town(formats, group)

        key = (formats.texts.language, group, id(self._context.estate()))
        return await self._pieces.get(key, make)

    def _look(self) -> Look:
        context = self._context
        return Look(
            context.estate(),
            context.latest,
            self._trends.of,
            context.clock_ms(),
            context.zone,
            context.nodes.awake_at_ms,
        )

    def _rendered_town(self, formats: Formats, group: Group | None) -> Rendered:
        look = self._look()
        now_ms, limits = look.now_ms, look.estate.thresholds
        town = town_of(look, self._context.nodes)
        sites = [
            (site.site, [card_of(room, formats, limits, now_ms) for room in site.rooms])
            for site in town.only(group)
        ]
        return Rendered.of(
            render(
                "_town.html",
                say=formats.texts,
                formats=formats,
                now_ms=now_ms,
                town=town,
                sites=sites,
                group=group,
                groups=[each for each in Group if town.counts[each]],
                health=self._context.health,
                unplaced=town.unplaced[:_MOST_UNPLACED],
                more_unplaced=max(0, len(town.unplaced) - _MOST_UNPLACED),
            )
        )

    async def _room_piece(self, place: RoomPlace, formats: Formats, period: Period) -> Rendered:
        async def make() -> Rendered:
            history = await self._history(place.ref, period)
            return self._rendered_room(place, formats, history)

        key = (place.ref, formats.texts.language, period, id(self._context.estate()))
        return await self._pieces.get(key, make)

    async def _history(self, ref: str, period: Period) -> RoomHistory:
        stays = self._context.estate().placements_of_room(ref)
        now_ms = self._context.clock_ms()

        async def make() -> RoomHistory:
            return await self._context.readers.run(
                lambda reader: room_history(reader, stays, period, now_ms)
            )

        return await self._histories.get((ref, period, stays), make, _HISTORY_KEPT_S[period])

    def _rendered_room(self, place: RoomPlace, formats: Formats, history: RoomHistory) -> Rendered:
        look = self._look()
        estate, now_ms = look.estate, look.now_ms
        state = room_state(place, look)
        card = card_of(state, formats, estate.thresholds, now_ms)
        return Rendered.of(
            render(
                "_room.html",
                say=formats.texts,
                formats=formats,
                now_ms=now_ms,
                place=place,
                card=card,
                nodes=self._nodes(state.nodes, card, formats, now_ms),
                periods=list(Period),
                history=history,
                chart=chart_of(
                    history, formats, estate.thresholds, lambda node: patience_ms(estate, node)
                ),
                sentences=sentences_of(history, formats),
                rows=table_of(history, formats),
                health=self._context.health,
            )
        )

    def _nodes(
        self, nodes: Sequence[str], card: Card, formats: Formats, now_ms: int
    ) -> list[dict[str, object]]:
        estate = self._context.estate()
        found: list[dict[str, object]] = []
        for node in nodes:
            declared = estate.node(node)
            since = max(
                stay.since_ms for stay in estate.placements_of_node(node) if stay.covers(now_ms)
            )
            presence = self._context.nodes.get(node)
            found.append(
                {
                    "id": node,
                    "name": declared.name if declared is not None else None,
                    "state": formats.texts(f"room.{_state_of(presence)}"),
                    "firmware": presence.firmware if presence is not None else None,
                    "sensors": ", ".join(presence.sensors) if presence is not None else None,
                    "since": formats.date(since),
                    "co2": co2_views(
                        presence.co2 if presence is not None else (),
                        declared.model if declared is not None else None,
                        formats,
                    ),
                    "measures": ", ".join(
                        value.label for value in card.values if value.node == node
                    ),
                }
            )
        return found


def _state_of(presence: Presence | None) -> str:
    if presence is None:
        return "node_unknown"
    if presence.online:
        return "node_online"
    return "node_asleep" if presence.asleep else "node_offline"


def _group_of(request: web.Request) -> Group | None:
    """The group picked in the address; what is no group shows all."""
    asked = request.query.get("etat")
    return Group(asked) if asked in set(Group) else None


def _period_of(request: web.Request) -> Period:
    """The period picked in the address; what is none shows a day."""
    asked = request.query.get("periode")
    return Period(asked) if asked in set(Period) else Period.DAY


def _query(formats: Formats, group: Group | None) -> str:
    language = f"lang={formats.texts.language}"
    return language if group is None else f"etat={group}&{language}"

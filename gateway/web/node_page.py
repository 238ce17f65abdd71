"""`/n/<node>`, where the code on a node's label leads: to its room, or to a page of its own.

The address stays right when the node moves, because the room is looked up at each visit.
"""

from typing import Final

from aiohttp import web

from gateway.heard import last_heard_ms
from gateway.web.cards import room_url
from gateway.web.co2_sensors import co2_views
from gateway.web.context import CONTEXT, WebContext
from gateway.web.formats import Formats
from gateway.web.render import render_message, render_page
from gateway.web.room_state import SHOWN
from gateway.web.speech import formats_of
from ingest.estate.fields import to_ms
from ingest.estate.model import Node
from ingest.readings import MAIN_CHANNEL
from ingest.topics import node_id_in

_FRESH: Final = {"Cache-Control": "no-store"}


async def node_page(request: web.Request) -> web.StreamResponse:
    """`GET /n/{node}`"""
    context = request.app[CONTEXT]
    node = node_id_in(request.match_info["node"])
    if node is None:
        raise web.HTTPNotFound
    room = context.estate().placement(node, context.clock_ms())
    if room is not None:
        raise web.HTTPFound(room_url(room), headers=_FRESH)
    formats = formats_of(request)
    heard_ms = last_heard_ms(node, context.latest, context.nodes)
    declared = context.estate().node(node)
    if declared is None and heard_ms is None:
        detail = formats.texts("node.unknown", node=node)
        return render_message(request, 404, "node_unknown_heading", detail)
    said = context.nodes.get(node)
    page = render_page(
        request,
        "node.html",
        formats,
        node=node,
        name=declared.name if declared is not None else None,
        removed=_removed_on(declared, heard_ms, formats),
        heard_ms=heard_ms,
        now_ms=context.clock_ms(),
        values=_values(context, node, formats),
        co2=co2_views(
            said.co2 if said is not None else (),
            declared.model if declared is not None else None,
            formats,
        ),
    )
    return web.Response(text=page, content_type="text/html", headers=_FRESH)


def _removed_on(declared: Node | None, heard_ms: int | None, formats: Formats) -> str | None:
    if declared is None or declared.removed is None or not declared.is_gone(heard_ms):
        return None
    return formats.date(to_ms(declared.removed))


def _values(context: WebContext, node: str, formats: Formats) -> list[tuple[str, str]]:
    """Name and value of what a room's card would show."""
    latest = context.latest.of_node(node)
    return [
        (formats.texts(f"quantity.{quantity}"), formats.with_unit(quantity, point.value))
        for quantity in SHOWN
        if (point := latest.get((quantity, MAIN_CHANNEL))) is not None
    ]

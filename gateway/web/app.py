"""The web application put together: routes, what stands around them, what runs beside them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec
from aiohttp import web

from gateway.web.api import API_ROUTES, COMMAND_ROUTES
from gateway.web.assets import ASSETS, Assets
from gateway.web.context import CONTEXT, WebContext
from gateway.web.events import Events
from gateway.web.firmware import firmware
from gateway.web.guard import add_headers, admit, answer_errors
from gateway.web.node_page import node_page
from gateway.web.pages import Pages
from gateway.web.trends import Trends, refresh_loop

TRENDS = web.AppKey("trends", Trends)


def create_app(context: WebContext) -> web.Application:
    """The application; run it with `web.AppRunner`."""
    app = web.Application(middlewares=[answer_errors, admit])
    app[CONTEXT] = context
    app[ASSETS] = Assets()
    app[TRENDS] = Trends()
    pages = Pages(context, app[TRENDS])
    events = Events(context.changes)
    app.router.add_get("/", pages.town)
    app.router.add_get("/salles/{site}/{room}", pages.room)
    app.router.add_get("/n/{node}", node_page)
    app.router.add_get("/fragments/town", pages.town_fragment)
    app.router.add_get("/fragments/salles/{site}/{room}", pages.room_fragment)
    app.router.add_get("/static/{version}/{name}", app[ASSETS].handle)
    app.router.add_get("/events", events.handle, allow_head=False)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    for path, handler in API_ROUTES:
        app.router.add_get(path, handler)
    for path, handler in COMMAND_ROUTES:
        app.router.add_post(path, handler)
    app.router.add_get("/firmware/{name}", firmware)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(events.close)
    app.cleanup_ctx.append(_trends_beside(context))
    return app


async def healthz(request: web.Request) -> web.Response:
    """`GET /healthz`: 200 while readings arrive and are stored, else 503 with the reasons."""
    health = request.app[CONTEXT].health
    body = {
        "status": "ok" if health.is_well else "failing",
        "broker_connected": health.broker_connected,
        "problems": health.problems,
    }
    return web.Response(
        status=200 if health.is_well else 503,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: the text format of Prometheus."""
    return web.Response(
        body=request.app[CONTEXT].metrics(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _trends_beside(context: WebContext) -> Callable[[web.Application], AsyncIterator[None]]:
    def nodes() -> list[str]:
        estate, now_ms = context.estate(), context.clock_ms()
        return [node for place in estate.rooms() for node in estate.nodes_of(place.ref, now_ms)]

    async def run(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(
            refresh_loop(app[TRENDS], nodes, context.latest, context.readers), name="web-trends"
        )
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run

"""Serves firmware bundles to nodes, over plain HTTP and without an account: they hold no secret,
and what makes a node trust one is its signature.
"""

from typing import Final

from aiohttp import web

from gateway.web.context import CONTEXT

PREFIX: Final = "/firmware/"


async def firmware(request: web.Request) -> web.StreamResponse:
    """`GET /firmware/{name}`: a bundle that lies in the data folder, whole or a range of it."""
    file = request.app[CONTEXT].control.offers.shelf.file(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    return web.FileResponse(
        file,
        headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-cache"},
    )

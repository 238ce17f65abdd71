"""Serves pages and API on one address, as long as a block lasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.endpoint import Endpoint
from gateway.web.app import create_app
from gateway.web.context import WebContext
from ingest.errors import ConfigurationError


@asynccontextmanager
async def serve_pages(context: WebContext, host: str, port: int) -> AsyncIterator[str]:
    """The page, served; its address. Raises `ConfigurationError` where the port is taken."""
    runner = web.AppRunner(create_app(context), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"the page can't listen on port {port} of {host}: {error.strerror}; choose "
                "another with http.port in preau.toml or PREAU_HTTP__PORT"
            ) from error
        bound: tuple[str, int] = runner.addresses[0][:2]
        yield f"http://{Endpoint(*bound)}/"
    finally:
        await runner.cleanup()

"""A real Chromium, and a page that notes what it must not do."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.servers import require
from tests.unit.web.town import TownService

_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    """A Chromium with a profile of its own, French, 1280 pixels wide."""
    executable = require("chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=executable,
                args=list(_SWITCHES),
                locale="fr-FR",
                viewport={"width": 1280, "height": 900},
            )
            context.set_default_timeout(20_000)
            yield context
            await context.close()


@dataclass
class Watched:
    """A page, and what it did: errors, navigations, addresses it asked for."""

    page: Page
    origin: str
    errors: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("framenavigated", lambda frame: self.navigations.append(frame.url))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.strangers.append(request.url)

    async def go(self, path: str) -> None:
        await self.page.goto(self.origin + path)

    def check(self) -> None:
        """No error on the console, and nothing asked of anybody else."""
        assert self.errors == []
        assert self.strangers == []


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[TownService]:
    """The twelve rooms, filled."""
    town = TownService(tmp_path)
    town.fill()
    yield town
    town.close()


@pytest.fixture
async def watched(browser: BrowserContext, town: TownService) -> AsyncIterator[Watched]:
    """A page of the served town, checked at the end."""
    async with town.serving() as origin:
        watched = Watched(await browser.new_page(), origin)
        yield watched
        watched.check()
        await watched.page.close()

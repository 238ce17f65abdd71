"""The town of the web's tests, and a client of its application."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.web.town import Client, TownService


@pytest.fixture
def empty_town(tmp_path: Path) -> Iterator[TownService]:
    """Twelve rooms that nobody has measured yet."""
    town = TownService(tmp_path)
    yield town
    town.close()


@pytest.fixture
def town(empty_town: TownService) -> TownService:
    """Twelve rooms with two hours of readings."""
    empty_town.fill(span_ms=2 * 3_600_000)
    return empty_town


@pytest.fixture
async def client(town: TownService) -> AsyncIterator[Client]:
    """A client of the town's application."""
    async with TestClient(TestServer(town.app())) as client:
        yield client

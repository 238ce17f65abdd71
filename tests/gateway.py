"""A gateway in a process of its own, as a user starts it, for tests that kill it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from ingest.store.reader import StoreReader
from tests.servers import Server, free_port


class Gateway(Server):
    """`preau run` on a data folder, a broker and a free port of its own."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        *,
        estate: str = "",
        embedded: bool = False,
        prefix: Sequence[str] = (),
        extra: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        port = free_port()
        settings = folder / "preau.toml"
        settings.write_text(
            f'[data]\ndir = "{self.data}"\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
            f"embedded = {str(embedded).lower()}\n"
            f'[http]\nhost = "127.0.0.1"\nport = {port}\n'
            f'[estate]\nfile = "{folder / "estate.toml"}"\n{extra}'
        )
        (folder / "estate.toml").write_text(estate)
        preau = Path(sys.executable).with_name("preau")
        command = [*prefix, str(preau), "run", "--settings", str(settings)]
        super().__init__(command, port, folder / "gateway.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **query: str) -> Any:
        """The JSON that `path` answers with."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.url}{path}", params=query) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json()

    async def is_well(self) -> bool:
        """Whether it is connected to its broker; a pack sent before that finds nobody."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.url}/healthz") as response,
        ):
            return response.status == 200

    def reader(self) -> StoreReader:
        return StoreReader(self.data)

    def stored(self, node: str) -> list[tuple[str, str, int, float]]:
        """Every reading of a node: (quantity, channel, measured_at_ms, value), sorted."""
        with self.reader() as reader:
            return sorted(
                (s.quantity, s.channel, p.measured_at_ms, p.value)
                for s in reader.series(node)
                for p in reader.points(s, 0, 2**60, limit=10_000_000)
            )

"""A town over TLS: Mosquitto as `preau broker config` makes it, a gateway, and the firmware on the
virtual board, each with its account.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from firmware.flasher.board_state import BoardState
from firmware.flasher.old_outbox import OldOutbox
from gateway.pki.authority import node_file
from ingest.store.reader import LogState
from simulators.board.board import VirtualBoard
from tests.gateway import Gateway
from tests.servers import eventually, require_micropython, running
from tests.town_broker import GATEWAY, TownBroker, TownClient

NODE = "3c71bf4a2b10"
SPY = "espion"
PREAU = Path(sys.executable).with_name("preau")


class SecureTown:
    """Made by `secure_town`. `settings` are the gateway's, by file and environment."""

    def __init__(self, folder: Path, broker: TownBroker) -> None:
        self.broker = broker
        self.gateway = Gateway(folder / "gateway", self.broker.port)
        self.gateway.environment |= {
            "PREAU_BROKER__USERNAME": GATEWAY,
            "PREAU_BROKER__PASSWORD_FILE": str(self.broker.password_file(GATEWAY)),
            "PREAU_BROKER__TLS_CA": str(self.broker.ca),
            "PREAU_ESTATE__FILE": str(self.broker.folder / "estate.toml"),
            "PREAU_PKI__DIR": str(self.broker.folder / "preau-pki"),
        }
        self.settings = folder / "gateway" / "preau.toml"
        self.pid_file = self.broker.folder / "pid"
        self.to_broker = ("--broker", str(self.broker.given), "--pid-file", str(self.pid_file))

    def board(
        self,
        folder: Path,
        node: str = NODE,
        *,
        interval_s: int = 1,
        port: int | None = None,
        flashed: Mapping[str, bytes] | None = None,
        **config: Any,
    ) -> VirtualBoard:
        """A board that has this node's password; `port` is the broker's, or leads to it; `flashed`
        as for `VirtualBoard`.
        """
        require_micropython()
        account: dict[str, Any] = {"user": node, "password": self.broker.password(node)}
        address = {"host": "localhost", "port": port or self.broker.port, "tls": True}
        account["ca"] = ["ca.der"]
        board = VirtualBoard(
            node,
            folder,
            ("localhost", self.broker.port),
            interval_s=interval_s,
            flashed=flashed,
            extra_config={"broker": address | account} | config,
        )
        board.flash.mkdir(parents=True)
        trusted = node_file(self.broker.folder / "preau-pki")
        (board.flash / "ca.der").write_bytes(trusted.read_bytes())
        return board

    @contextmanager
    def spy(self, *topics: str) -> Iterator[TownClient]:
        """A client with an account of its own that hears what nodes say."""
        gateways = ("--gateway", GATEWAY, "--gateway", SPY)
        self.broker.configure(*gateways, "--pid-file", str(self.pid_file))
        with TownClient(self.broker, SPY, self.broker.password(SPY)).connected(SPY) as spy:
            spy.subscribe(*topics)
            yield spy

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on by itself, both its outputs in one pipe."""
        return subprocess.Popen(
            [PREAU, *arguments, "--settings", self.settings],
            env=self.gateway.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    async def preau(self, *arguments: str, status: int = 0) -> str:
        """What a command prints once it has ended, with `status`."""
        with self.popen(*arguments) as process:
            told, _ = await asyncio.to_thread(process.communicate, timeout=90)
            assert process.returncode == status, told
        return told

    async def killed_after(self, is_there: Callable[[str], bool], *arguments: str) -> str:
        """What a command has printed when it is killed: as soon as `is_there` of its output."""
        told = ""
        with self.popen(*arguments) as process:
            assert process.stdout is not None
            while not is_there(told):
                line = await asyncio.to_thread(process.stdout.readline)
                assert line, told
                told += line
            process.kill()
        return told

    def gets_in(self, user: str, password: str) -> bool:
        with TownClient(self.broker, user, password).connected(user) as client:
            return client.answer == "Success"

    async def is_online(self, node: str = NODE) -> bool:
        """Whether the gateway hears the node, and has readings of it."""
        nodes = (await self.gateway.get("/api/v1/nodes"))["nodes"]
        return any(one["id"] == node and one["online"] and one["latest"] for one in nodes)

    async def holds_each_pack_once(self, board: VirtualBoard | None = None) -> int:
        """Now that the node is silent: each number that was given is in the store, under a time of
        its own, or waits on the flash of `board`; the audit says so too. How many are stored.
        """

        async def are_as_many() -> bool:
            (log,) = await self.logs()
            stored = [one for one in self.gateway.stored(NODE) if one[0] == "temperature"]
            return len(stored) == log.received.count()

        # Every pack carries one; the store has a key once. The last may still be on their way.
        await eventually(are_as_many, what="there are not as many readings as packs")
        (log,) = await self.logs()
        received = {seq for first, last in log.received for seq in range(first, last + 1)}
        given = received | (numbers_waiting(board) if board else set())
        assert given == set(range(1, len(given) + 1)), log
        with self.gateway.reader() as reader:
            assert reader.dead_letters(limit=1) == []
        told = await self.preau("audit")
        assert "0 lost by their nodes, 0 missing" in told, told
        return len(received)

    async def logs(self, node: str = NODE) -> list[LogState]:
        """What is known of the node's logs."""
        with self.gateway.reader() as reader:
            return [log for log in reader.logs() if log.node == node]

    async def misses_nothing(self, node: str = NODE) -> None:
        """All that the node has numbered up to now arrives, in one log, and nothing was let go."""
        with self.gateway.reader() as reader:
            numbered = max(log.next_announced for log in reader.logs() if log.node == node)

        def complete() -> bool:
            with self.gateway.reader() as reader:
                (log,) = [log for log in reader.logs() if log.node == node]
            return log.received.last() > numbered and not log.missing() and not log.lost()

        await eventually(complete, what="packs are missing")


@asynccontextmanager
async def secure_town(folder: Path, *nodes: str) -> AsyncIterator[SecureTown]:
    """Broker and gateway run until the end."""
    broker = TownBroker(folder / "town", nodes or (NODE,))
    with running(broker):
        # Only now: a port that nobody listens on may be given twice.
        town = SecureTown(folder, broker)
        with running(town.gateway):
            await eventually(town.gateway.is_well, what="the gateway is not connected")
            yield town


def numbers_waiting(board: VirtualBoard) -> set[int]:
    """Of the packs without receipt on its flash, as the node's own code reads them."""
    folder = board.flash / "packs"
    packs = {f"packs/{file.name}": file.read_bytes() for file in folder.iterdir()}
    with OldOutbox(board.node, BoardState({}, packs)) as outbox:
        return {pack.seq for pack in outbox.waiting()}


def password_of(board: VirtualBoard) -> str:
    """The one that it would use if none were being changed."""
    config = json.loads((board.flash / "config.json").read_text())
    return str(config["broker"]["password"])

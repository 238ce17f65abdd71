"""The firmware over TLS: it talks to a broker of the town's own authority and to no other."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.pki.authority import create_authority, node_file
from simulators.board.board import VirtualBoard
from tests.servers import eventually, require_micropython, running
from tests.town_broker import TownBroker

NODE = "3c71bf4a2b10"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TownBroker]:
    """The town's broker, on which the node has an account."""
    with running(TownBroker(tmp_path / "town", [NODE])) as server:
        assert isinstance(server, TownBroker)
        yield server


def authority(folder: Path, town: str) -> Path:
    """An authority that is not that of the broker, as a node takes it."""
    create_authority(folder, town=town, now=datetime.now(UTC))
    return node_file(folder)


def board_trusting(
    folder: Path, broker: TownBroker, trusted: Path, host: str = "localhost"
) -> VirtualBoard:
    require_micropython()
    account = {"user": NODE, "password": broker.password(NODE)}
    address = {"host": host, "port": broker.port, "tls": True, "ca": ["other.der", "ca.der"]}
    board = VirtualBoard(
        NODE,
        folder / "board",
        (host, broker.port),
        interval_s=1,
        extra_config={"broker": address | account},
    )
    board.flash.mkdir(parents=True)
    # Both slots of a node: while the authority is being changed the town has two.
    other = authority(folder / "other", "Trilport")
    (board.flash / "other.der").write_bytes(other.read_bytes())
    (board.flash / "ca.der").write_bytes(trusted.read_bytes())
    return board


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_node_connects_to_a_broker_of_its_authority_with_its_own_account(
    tmp_path: Path, broker: TownBroker, host: str
) -> None:
    trusted = node_file(broker.folder / "preau-pki")
    async with board_trusting(tmp_path, broker, trusted, host) as board:
        await eventually(lambda: any("link: connected" in line for line in board.output))
        assert not any("defect" in line for line in board.output)
        assert f"as {NODE} (" in broker.log.read_text()


async def test_a_node_refuses_a_broker_of_another_authority(
    tmp_path: Path, broker: TownBroker
) -> None:
    stranger = authority(tmp_path / "stranger", "Ailleurs")
    async with board_trusting(tmp_path, broker, stranger) as board:
        # It has refused and come back to refuse again.
        await eventually(lambda: sum("not correctly signed" in x for x in board.output) >= 2)
        assert not any("connected" in line for line in board.output), list(board.output)


async def test_a_node_refuses_a_broker_of_another_name(tmp_path: Path, broker: TownBroker) -> None:
    """Signed by the town, but for another machine: whoever holds that certificate is no broker."""
    trusted = node_file(broker.folder / "preau-pki")
    async with board_trusting(tmp_path, broker, trusted, "127.1") as board:
        await eventually(lambda: sum("does not match" in x for x in board.output) >= 2)
        assert not any("connected" in line for line in board.output), list(board.output)


async def test_the_next_broker_is_asked_when_the_first_is_none_of_ours(
    tmp_path: Path, broker: TownBroker
) -> None:
    trusted = node_file(broker.folder / "preau-pki")
    board = board_trusting(tmp_path, broker, trusted)
    account = {"user": NODE, "password": broker.password(NODE), "port": broker.port}
    tls = account | {"tls": True, "ca": ["ca.der"]}
    board.configure(brokers=[tls | {"host": "127.1"}, tls | {"host": "localhost"}])
    async with board:
        await eventually(lambda: any("connected to localhost" in line for line in board.output))
    assert any("does not match" in line for line in board.output)

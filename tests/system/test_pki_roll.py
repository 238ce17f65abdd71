"""The town changes its authority: the real commands, gateway, Mosquitto and firmware."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.pki.authority import node_file
from gateway.pki.roll import has_switched
from simulators.board.board import VirtualBoard
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually

BEGIN = ("pki", "roll", "begin", "--wait", "30")
STATUS = ("pki", "roll", "status", "--wait", "30")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    async with secure_town(tmp_path) as town:
        yield town


@pytest.fixture
async def board(town: SecureTown, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    async with town.board(tmp_path / "board") as board:
        await eventually(town.is_online, what="the board is not online")
        yield board
        print("\n".join(board.output))


def finish(town: SecureTown) -> tuple[str, ...]:
    return ("pki", "roll", "finish", *town.to_broker, "--wait", "60")


def pki(town: SecureTown) -> Path:
    return town.broker.folder / "preau-pki"


async def has_changed(town: SecureTown, board: VirtualBoard, before: bytes) -> None:
    """Node, broker and gateway know the new authority alone, and nothing was lost."""
    after = node_file(pki(town)).read_bytes()
    assert after != before
    assert (board.flash / "ca.der").read_bytes() == after
    assert not (board.flash / "ca.next").exists()
    assert not (pki(town) / "next").exists()
    assert (pki(town) / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 1
    assert '"problem": null' in await town.preau("pki", "show", "--json")
    await town.misses_nothing()
    # All meet again, and check each other's certificates anew.
    town.broker.stop()
    await board.kill()
    town.broker.start()
    await board.start()
    await eventually(town.gateway.is_well)
    await town.misses_nothing()


async def test_the_authority_is_changed_without_touching_the_node(
    town: SecureTown, board: VirtualBoard
) -> None:
    before = node_file(pki(town)).read_bytes()
    assert f"{NODE}: trusts the next authority" in await town.preau(*BEGIN)
    assert f"{NODE}: trusts the next authority" in await town.preau(*STATUS)
    # A node that comes back meanwhile finds the broker by its old certificate.
    await board.kill()
    await board.start()
    await eventually(lambda: any("with the other authority" in line for line in board.output))
    await town.misses_nothing()
    assert "every node trusts the new authority alone" in await town.preau(*finish(town))
    await has_changed(town, board, before)


async def test_a_node_that_is_away_is_named_and_nothing_changes_before_it_is_back(
    town: SecureTown, board: VirtualBoard
) -> None:
    before = node_file(pki(town)).read_bytes()
    await board.kill()
    told = await town.preau("pki", "roll", "begin", "--wait", "2", status=1)
    assert f"{NODE}: lacks it" in told
    told = await town.preau(*finish(town)[:-1], "2", status=1)
    assert f"{NODE}: lacks it" in told
    assert "nothing is changed" in told
    assert not has_switched(pki(town))
    await board.start()
    await town.preau(*BEGIN)
    await town.preau(*finish(town))
    await has_changed(town, board, before)


async def test_the_change_is_killed_once_the_broker_has_changed_and_typed_again(
    town: SecureTown, board: VirtualBoard
) -> None:
    before = node_file(pki(town)).read_bytes()
    await town.preau(*BEGIN)
    await town.killed_after(lambda told: "the nodes restart" in told, *finish(town))
    assert has_switched(pki(town))
    await town.preau(*finish(town))
    await has_changed(town, board, before)

"""New passwords for nodes: the real command, gateway, Mosquitto over TLS, and the firmware on the
virtual board, broken off at every step.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from tests.secure_town import NODE, SecureTown, password_of, secure_town
from tests.servers import eventually

BESIDE = "has the new password beside the old"
IN_USE = "uses the new password"


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


def rotate(town: SecureTown, *options: str) -> tuple[str, ...]:
    return ("node", "rotate", NODE, *town.to_broker, "--wait", "60", *options)


async def has_rotated(town: SecureTown, board: VirtualBoard, old: str) -> None:
    """Only the new password is known to anybody, and nothing was lost on the way."""
    await eventually(lambda: "passwords.json" not in {file.name for file in board.flash.iterdir()})
    new = password_of(board)
    assert new != old
    assert not town.gets_in(NODE, old)
    assert not list((town.broker.given / "credentials").glob("*.rotate"))
    await town.misses_nothing()
    assert not any("defect" in line or "Traceback" in line for line in board.output)
    # After a loss of power it finds its way back with what it has kept.
    await board.kill()
    await board.start()
    await town.misses_nothing()


async def test_a_password_is_changed_and_the_old_one_is_refused(
    town: SecureTown, board: VirtualBoard
) -> None:
    old = password_of(board)
    told = await town.preau(*rotate(town))
    assert BESIDE in told
    assert IN_USE in told
    await has_rotated(town, board, old)
    new = password_of(board)
    assert any("password: changed" in line for line in board.output)
    # Neither is told by anybody.
    log = await town.preau("node", "command", NODE, "send-log", "--json")
    said = [told, log, *board.output]
    said += [file.read_text() for file in (town.gateway.log, town.broker.log)]
    said += [(board.flash / name).read_text() for name in ("diary.txt", "commands.txt")]
    assert not [text for text in said if old in text or new in text]


async def test_all_are_rotated_and_one_that_is_away_is_named_and_keeps_its_password(
    town: SecureTown, board: VirtualBoard
) -> None:
    away = "3c71bf4a2b11"
    town.broker.declare(NODE, away)
    town.broker.reconfigure()
    old, kept = password_of(board), town.broker.password(away)
    arguments = ("node", "rotate", "--all", *town.to_broker, "--wait", "20")
    told = await town.preau(*arguments, status=1)
    assert f"{away}: " in told
    assert IN_USE in told
    assert town.gets_in(away, kept)
    await eventually(lambda: not town.gets_in(NODE, old))


@pytest.mark.parametrize("line", [BESIDE, "the broker was told"])
async def test_the_command_is_killed_after_a_step_and_typed_again(
    town: SecureTown, board: VirtualBoard, line: str
) -> None:
    old = password_of(board)
    await town.killed_after(lambda told: line in told, *rotate(town))
    assert IN_USE in await town.preau(*rotate(town))
    await has_rotated(town, board, old)


async def test_the_command_is_killed_before_the_node_has_heard_of_it(
    town: SecureTown, board: VirtualBoard
) -> None:
    old = password_of(board)
    town.gateway.stop()
    told = await town.preau(*rotate(town), status=1)
    assert "no service of Préau answers" in told
    assert town.gets_in(NODE, old)
    town.gateway.start()
    await eventually(town.gateway.is_well)
    assert IN_USE in await town.preau(*rotate(town))
    await has_rotated(town, board, old)


async def test_the_accounts_are_changed_and_the_broker_has_not_been_told(
    town: SecureTown, board: VirtualBoard
) -> None:
    """The node holds both, and the broker's memory the old one; then it starts anew."""
    old = password_of(board)
    without_pid = ("node", "rotate", NODE, "--broker", str(town.broker.given))
    await town.killed_after(lambda told: "have Mosquitto reload" in told, *without_pid)
    assert town.gets_in(NODE, old)
    await board.kill()
    await board.start()
    await eventually(lambda: any("with the other password" in line for line in board.output))
    await town.misses_nothing()
    town.broker.stop()
    town.broker.start()
    assert not town.gets_in(NODE, old)
    assert IN_USE in await town.preau(*rotate(town))
    await has_rotated(town, board, old)


@pytest.mark.parametrize("line", [BESIDE, "the broker was told"])
async def test_the_node_loses_its_power_on_the_way(
    town: SecureTown, board: VirtualBoard, line: str
) -> None:
    old = password_of(board)
    process = town.popen(*rotate(town))
    assert process.stdout is not None
    with process:
        while line not in (said := await asyncio.to_thread(process.stdout.readline)):
            assert said, "it has ended"
        await board.kill()
        await board.start()
        told, _ = await asyncio.to_thread(process.communicate, timeout=90)
    assert process.returncode == 0, told
    await has_rotated(town, board, old)


async def test_the_gateway_is_killed_on_the_way(town: SecureTown, board: VirtualBoard) -> None:
    old = password_of(board)
    process = town.popen(*rotate(town))
    assert process.stdout is not None
    with process:
        while BESIDE not in (said := await asyncio.to_thread(process.stdout.readline)):
            assert said, "it has ended"
        town.gateway.kill()
        await asyncio.to_thread(process.communicate, timeout=90)
    town.gateway.start()
    await eventually(town.gateway.is_well)
    assert IN_USE in await town.preau(*rotate(town))
    await has_rotated(town, board, old)

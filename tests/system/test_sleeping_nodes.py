"""What is meant for a node that sleeps: the real commands, gateway, Mosquitto, and firmware on the
virtual board, which sleeps for seconds where a node on a wall sleeps for an hour.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from tests.gateway import Gateway
from tests.servers import eventually

# Fixtures of the tests of updates, used as they are.
from tests.system.test_update import NODE, board, build, gateway, nothing_is_missing, said

__all__ = ["board", "gateway"]


class Typed:
    """A command at work, its lines as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    async def told(self, words: str, deadline_s: float = 60) -> None:
        await eventually(lambda: words in self.text, deadline_s, what=f"{words!r}: {self.text}")

    async def ended(self) -> int:
        async with asyncio.timeout(90):
            return await self.process.wait()


@asynccontextmanager
async def typed(gateway: Gateway, *arguments: str) -> AsyncIterator[Typed]:
    settings = gateway.data.parent / "preau.toml"
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("preau"),
        *arguments,
        "--settings",
        settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    command = Typed(process)
    reading = asyncio.create_task(command.read())
    try:
        yield command
    finally:
        if process.returncode is None:
            process.kill()
        await reading
        await process.wait()


def on_batteries(board: VirtualBoard) -> Callable[[], bool]:
    """At every third wake it sends; whether it knows the time. It sleeps long enough for a command
    to be typed meanwhile.
    """
    board.configure(life="battery", interval_s=4, wifi_every=3)
    return lambda: any("time is known" in line for line in board.output)


async def asleep(gateway: Gateway) -> bool:
    """Whether it sleeps, and not just for the moment."""
    node = await said(gateway)
    return bool(node["asleep"]) and node["next_wake_at"] is not None


def told_file(gateway: Gateway) -> dict[str, object]:
    return json.loads((gateway.data / "rollout.json").read_bytes())


def sound(board: VirtualBoard) -> bool:
    return not any("defect" in line or "Traceback" in line for line in board.output)


async def test_a_command_reaches_a_node_at_its_wake(gateway: Gateway, board: VirtualBoard) -> None:
    is_up = on_batteries(board)
    async with board:
        await eventually(is_up, 60)
        await eventually(lambda: asleep(gateway))
        async with typed(gateway, "node", "command", NODE, "send-log") as command:
            assert await command.ended() == 0, command.text
            await command.told("time is known")
        assert f"{NODE} sleeps until" in command.text
        assert "gets it when it wakes" in command.text
    assert sum("command send_log ok" in line for line in board.output) == 1
    assert sound(board)


async def test_a_command_that_is_broken_off_is_withdrawn(
    gateway: Gateway, board: VirtualBoard
) -> None:
    on_batteries(board)
    # Long enough asleep that the command is broken off before it wakes.
    board.configure(life="battery", interval_s=60, wifi_every=1)
    async with board:
        await eventually(lambda: any("time is known" in line for line in board.output), 60)
        await eventually(lambda: asleep(gateway))
        async with typed(gateway, "node", "command", NODE, "send-log") as command:
            await command.told("sleeps until")
            command.process.send_signal(signal.SIGINT)
            assert await command.ended() == 130
            await command.told(f"withdrawn: {NODE} slept all the time and was not told")


async def test_an_update_offered_to_a_node_asleep_is_installed_and_confirmed(
    gateway: Gateway, board: VirtualBoard
) -> None:
    is_up = on_batteries(board)
    build(gateway, "1.0.1")
    async with board:
        await eventually(is_up, 60)
        await eventually(lambda: asleep(gateway))
        async with typed(gateway, "node", "update", "--all") as command:
            assert await command.ended() == 0, "\n".join([command.text, *board.output])
            await command.told("done: 1 nodes run 1.0.1")
        assert f"{NODE} sleeps" in command.text
        assert f"{NODE}: confirmed" in command.text
        await nothing_is_missing(gateway)
    assert sound(board)


async def test_a_rollout_outlives_the_service_and_whoever_ordered_it(
    gateway: Gateway, board: VirtualBoard
) -> None:
    is_up = on_batteries(board)
    build(gateway, "1.0.1")
    async with board:
        await eventually(is_up, 60)
        async with typed(gateway, "node", "update", NODE) as command:
            await command.told("for 1 nodes")
            command.process.kill()
        gateway.kill()
        before = told_file(gateway)
        assert before["state"] == "running"
        gateway.start()
        async with typed(gateway, "node", "update", "--follow") as follower:
            # Killed once more, while somebody looks.
            await follower.told("step: 1 of 1 nodes")
            gateway.kill()
            await follower.told("waiting for the service")
            gateway.start()
            assert await follower.ended() == 0, "\n".join([follower.text, *board.output])
            await follower.told("done: 1 nodes run 1.0.1")
        assert told_file(gateway)["id"] == before["id"]
        await nothing_is_missing(gateway)
        # One command, however often it was said: one update was fetched.
        assert sum("command update ok" in line for line in board.output) == 1
        async with typed(gateway, "node", "update", "--status") as status:
            assert await status.ended() == 0
            await status.told(f"{NODE}: confirmed")
    assert sound(board)


async def test_a_rollout_is_stopped_before_the_node_wakes(
    gateway: Gateway, board: VirtualBoard
) -> None:
    board.configure(life="battery", interval_s=60, wifi_every=1)
    build(gateway, "1.0.1")
    async with board:
        await eventually(lambda: any("time is known" in line for line in board.output), 60)
        await eventually(lambda: asleep(gateway))
        async with typed(gateway, "node", "update", NODE) as command:
            await command.told("step: 1 of 1 nodes")
            command.process.send_signal(signal.SIGINT)
            assert await command.ended() == 130
            await command.told("what the service was given it carries out")
        async with typed(gateway, "node", "update", "--status") as status:
            assert await status.ended() == 0
            await status.told("under way: 1 offered")
        async with typed(gateway, "node", "update", NODE) as another:
            assert await another.ended() == 1
            await another.told("is under way")
        async with typed(gateway, "node", "update", "--stop") as stop:
            assert await stop.ended() == 0
            await stop.told("stopped on order. 1 nodes were left as they are")
        async with typed(gateway, "node", "update", "--status") as status:
            assert await status.ended() == 1
            await status.told("stopped on order")
    assert not any("command update" in line for line in board.output)


@pytest.mark.parametrize("option", ["--status", "--follow", "--stop"])
async def test_where_no_rollout_was_ordered_that_is_said(gateway: Gateway, option: str) -> None:
    async with typed(gateway, "node", "update", option) as command:
        assert await command.ended() == 1
        await command.told("no rollout was ever ordered")

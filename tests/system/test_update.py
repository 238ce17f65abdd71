"""Updates over the air: the real command, gateway, Mosquitto and firmware on the virtual board."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from firmware.flasher.bundle import build_bundle, flash_files
from gateway.firmware.shelf import Shelf
from simulators.board.board import VirtualBoard
from tests.firmware_versions import CRASH, DEAF, sources_of
from tests.gateway import Gateway
from tests.servers import Server, eventually, require_micropython, running

NODE = "3c71bf4a2b10"


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, mosquitto.port)
    preau(gateway, "firmware", "keys")
    with running(gateway):
        yield gateway


def preau(gateway: Gateway, *arguments: str, ok: bool = True) -> str:
    """What a command prints, with the settings of this gateway."""
    settings = gateway.data.parent / "preau.toml"
    command = [Path(sys.executable).with_name("preau"), *arguments, "--settings", settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


async def preau_beside(gateway: Gateway, *arguments: str, ok: bool = True) -> str:
    return await asyncio.to_thread(preau, gateway, *arguments, ok=ok)


def build(gateway: Gateway, version: str, **appended: str) -> str:
    """A bundle of the town's own; its name."""
    sources = sources_of(gateway.data.parent, version, **appended)
    told = preau(gateway, "firmware", "build", "--sources", str(sources))
    assert f"version {version}" in told
    assert " signed" in told
    return f"preau-esp32-{version}.bundle"


@pytest.fixture
async def board(gateway: Gateway, mosquitto: Server, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    require_micropython()
    files = flash_files(build_bundle(), Shelf(gateway.data).keys.public_keys())
    board = VirtualBoard(
        NODE, tmp_path / "board", ("127.0.0.1", mosquitto.port), interval_s=1, flashed=files
    )
    yield board
    await board.stop()
    print("\n".join(board.output))


async def online(gateway: Gateway) -> bool:
    nodes = (await gateway.get("/api/v1/nodes"))["nodes"]
    return any(node["id"] == NODE and node["online"] and node["latest"] for node in nodes)


async def said(gateway: Gateway) -> dict[str, object]:
    nodes = (await gateway.get("/api/v1/nodes"))["nodes"]
    return next(node for node in nodes if node["id"] == NODE)


async def nothing_is_missing(gateway: Gateway) -> None:
    """All that the node has numbered arrives, in one log, and nothing was let go."""
    with gateway.reader() as reader:
        numbered = max(log.next_announced for log in reader.logs())

    def complete() -> bool:
        with gateway.reader() as reader:
            (log,) = reader.logs()
        return log.received.last() > numbered and not log.missing() and not log.lost()

    await eventually(complete)


async def test_an_update_is_fetched_tried_and_confirmed(
    gateway: Gateway, board: VirtualBoard
) -> None:
    build(gateway, "1.0.1")
    async with board:
        await eventually(lambda: online(gateway))
        told = await preau_beside(gateway, "node", "update", NODE)
        assert "confirmed" in told, "\n".join([told, *board.output])
        assert "done: 1 nodes run 1.0.1" in told
        assert (await said(gateway))["firmware"] == "1.0.1"
        # It runs from the other folder, and still after a loss of power.
        await board.kill()
        await board.start()
        await eventually(lambda: any("firmware 1.0.1, reset: power_on" in x for x in board.output))
        await nothing_is_missing(gateway)
    assert not any("defect" in line or "Traceback" in line for line in board.output)


async def test_a_node_on_batteries_takes_an_update_between_two_sleeps(
    gateway: Gateway, board: VirtualBoard
) -> None:
    board.configure(life="battery", wifi_every=1)
    build(gateway, "1.0.1")
    async with board:
        await eventually(lambda: any("time is known" in line for line in board.output))
        told = await preau_beside(gateway, "node", "update", NODE)
        assert "done: 1 nodes run 1.0.1" in told, "\n".join([told, *board.output])
        assert (await said(gateway))["asleep"], await said(gateway)
        await nothing_is_missing(gateway)
    assert not any("defect" in line or "Traceback" in line for line in board.output)


async def test_a_version_that_crashes_at_start_goes_back_by_itself(
    gateway: Gateway, board: VirtualBoard
) -> None:
    build(gateway, "1.0.1", app=CRASH)
    async with board:
        await eventually(lambda: online(gateway))
        told = await preau_beside(gateway, "node", "update", NODE, ok=False)
        assert "rolled_back, 3 crashes" in told
        node = await said(gateway)
        assert node["firmware"] == "1.0.0"
        assert node["update"]["state"] == "rolled_back"
        await nothing_is_missing(gateway)
    assert sum("this version is broken" in line for line in board.output) == 3


async def test_a_version_that_no_receipt_reaches_goes_back_by_itself(
    gateway: Gateway, board: VirtualBoard
) -> None:
    build(gateway, "1.0.1", session=DEAF)
    async with board:
        await eventually(lambda: online(gateway))
        told = await preau_beside(gateway, "node", "update", NODE, "--trial", "3", ok=False)
        assert "rolled_back, no receipt in 3 s of session" in told
        await eventually(lambda: online(gateway))
        assert (await said(gateway))["firmware"] == "1.0.0"
        await nothing_is_missing(gateway)


async def test_a_bundle_signed_by_a_stranger_is_refused_by_node_and_gateway(
    gateway: Gateway, board: VirtualBoard, tmp_path: Path
) -> None:
    name = build(gateway, "1.0.1")
    file = gateway.data / "firmware" / name
    # Made whole again for the gateway, which has been given the stranger's keys: only the node
    # is left to refuse it.
    shutil.rmtree(gateway.data / "keys")
    preau(gateway, "firmware", "keys")
    refused = await preau_beside(gateway, "node", "update", NODE, "--bundle", name, ok=False)
    assert "not signed by this town" in refused
    preau(gateway, "firmware", "sign", name)
    async with board:
        await eventually(lambda: online(gateway))
        told = await preau_beside(gateway, "node", "update", NODE, "--bundle", file.name, ok=False)
        assert "signed by no key of this node" in told
        assert (await said(gateway))["firmware"] == "1.0.0"
        await nothing_is_missing(gateway)
    assert not (board.flash / "b").exists()


async def test_when_nothing_runs_safe_mode_takes_a_sound_version(
    gateway: Gateway, board: VirtualBoard, tmp_path: Path
) -> None:
    build(gateway, "1.0.1")
    broken = build_bundle(sources_of(tmp_path, "0.9.0", app=CRASH))
    board._flashed = flash_files(broken, Shelf(gateway.data).keys.public_keys())
    async with board:
        await eventually(lambda: any("safe mode 1" in line for line in board.output), 60)
        # It still samples.
        await eventually(lambda: online(gateway))
        node = await said(gateway)
        assert (node["safe_mode"], node["firmware"]) == (True, "0.9.0")
        told = await preau_beside(gateway, "node", "update", NODE)
        assert "confirmed" in told
        node = await said(gateway)
        assert (node["safe_mode"], node["firmware"]) == (False, "1.0.1")
        await nothing_is_missing(gateway)


async def test_commands_reach_a_node_and_its_reply_comes_back(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        await eventually(lambda: online(gateway))
        assert "identify done" in await preau_beside(gateway, "node", "command", NODE, "identify")
        log = await preau_beside(gateway, "node", "command", NODE, "send-log")
        assert "firmware 1.0.0" in log
        refused = await preau_beside(
            gateway, "node", "command", NODE, "calibrate-co2", "--ppm", "420", ok=False
        )
        assert f"{NODE} refuses calibrate-co2: scd4x@0x62" in refused
        assert "restart done" in await preau_beside(gateway, "node", "command", NODE, "restart")
        await eventually(lambda: any("reset: hard" in line for line in board.output))

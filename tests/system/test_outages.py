"""What a school year brings, over TLS and with the town's accounts: broker, Wi-Fi or gateway are
away, the broker forgets, a clock is wrong, the flash is full. Each reading is in the store once, or
known to be lost. Updates that are cut off: `test_update_in_flight.py`.
"""

import json
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from tests.node_outbox import outbox_with
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually
from tests.tcp_proxy import TcpProxy
from tests.town_broker import TownClient

PACK_BYTES = 33


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    async with secure_town(tmp_path) as town:
        yield town


@pytest.fixture
async def air(town: SecureTown) -> AsyncIterator[TcpProxy]:
    """What lies between node and broker."""
    async with TcpProxy(town.broker.port) as proxy:
        yield proxy


@pytest.fixture
async def board(town: SecureTown, air: TcpProxy, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    board = town.board(tmp_path / "board", port=air.port)
    async with board:
        await eventually(town.is_online, what="the board is not online")
        yield board
    print("\n".join(board.output))


def taken_bytes(board: VirtualBoard) -> int:
    """What its outbox has taken, as bytes of segments that were filled one after the other."""
    segments = [file for file in (board.flash / "packs").iterdir() if file.name.isdecimal()]
    newest = max(segments)
    return int(newest.name) * 4096 + newest.stat().st_size


async def goes_on_taking(board: VirtualBoard, packs: int = 5) -> None:
    """An outage has to last: readings are taken meanwhile."""
    before = taken_bytes(board)
    await eventually(lambda: taken_bytes(board) >= before + packs * PACK_BYTES, 40)


async def all_is_there(town: SecureTown, board: VirtualBoard) -> None:
    await town.misses_nothing()
    await board.kill()
    assert await town.holds_each_pack_once(board) > 5
    assert not any("defect" in line or "Traceback" in line for line in board.output)


async def test_the_broker_is_away(town: SecureTown, board: VirtualBoard) -> None:
    town.broker.kill()
    await goes_on_taking(board)
    town.broker.start()
    await all_is_there(town, board)


async def test_the_wifi_is_away(town: SecureTown, board: VirtualBoard, air: TcpProxy) -> None:
    board.surroundings.wifi_up = False
    air.reset()
    await eventually(lambda: any("link:" in line for line in list(board.output)[-1:]))
    before = len(board.output)
    await goes_on_taking(board)
    assert not any("connected" in line for line in list(board.output)[before:])
    board.surroundings.wifi_up = True
    await all_is_there(town, board)


@pytest.mark.parametrize("broker_forgets", [False, True])
async def test_the_gateway_is_away_and_the_broker_takes_what_it_may_forget(
    town: SecureTown, board: VirtualBoard, *, broker_forgets: bool
) -> None:
    """The broker acknowledges each pack, and that is worth nothing."""
    with town.spy(f"preau/v1/{NODE}/readings") as spy:
        await eventually(lambda: spy.received)
        town.gateway.kill()
        before = len(spy.received)
        await eventually(lambda: len(spy.received) >= before + 5)
        queued = numbers(spy)
    if broker_forgets:
        town.broker.kill()
        town.broker.start()
    town.gateway.start()
    await all_is_there(town, board)
    (log,) = await town.logs()
    assert all(seq in log.received for seq in queued)


def numbers(spy: TownClient) -> set[int]:
    return {json.loads(payload)[0]["bseq"] for _, payload in spy.received}


async def test_a_clock_is_wrong_until_the_time_server_answers(
    town: SecureTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is away, so nobody else tells the time; what the node last knew is three days
    ahead. It connects by that, and dates nothing by it.
    """
    monkeypatch.setenv("BOARD_NTP", "ntp.test")
    town.gateway.stop()
    board = town.board(tmp_path / "board", ntp="ntp.test")
    (board.flash / "known_time").write_text(str(int(time.time()) + 3 * 86_400))
    began_s = int(time.time())
    with town.spy(f"preau/v1/{NODE}/readings") as spy:
        async with board:
            await eventually(lambda: any("link: connected" in line for line in board.output))
            await goes_on_taking(board)
            assert not spy.received, "sent before the time was known"
            await eventually(lambda: any("time is known from" in x for x in board.output), 60)
            await eventually(lambda: len(spy.received) >= 8)
            town.gateway.start()
            await eventually(town.is_online, what="the board is not online")
            await all_is_there(town, board)
            ended_s = time.time()
    times_s = [at_ms / 1000 for *_, at_ms, _ in town.gateway.stored(NODE)]
    assert began_s - 1 <= min(times_s)
    assert max(times_s) <= ended_s + 1


async def test_what_a_full_outbox_gave_up_is_known_to_be_lost(
    town: SecureTown, air: TcpProxy, tmp_path: Path
) -> None:
    """Its oldest segment, and nothing else: the node says so, and so does the audit."""
    packs = outbox_with(tmp_path, packs=900)
    assert len([name for name in packs if name[-1].isdecimal()]) == 4
    # The second segment's first number, after its magic and its log.
    (first_kept,) = struct.unpack_from("<I", packs["packs/00000002"], 8)
    town.gateway.stop()
    board = town.board(tmp_path / "board", port=air.port, outbox_bytes=4 * 4096)
    (board.flash / "packs").mkdir()
    for path, content in packs.items():
        (board.flash / path).write_bytes(content)
    async with board:
        await eventually(lambda: not (board.flash / "packs" / "00000001").exists(), 60)
        town.gateway.start()
        await eventually(town.is_online, what="the board is not online")
        await eventually(lambda: is_received(town, first_kept, 900), what="the rest does not come")
        await board.kill()
    (log,) = await town.logs()
    assert log.lost() == [(1, first_kept - 1)]
    assert log.missing() == []
    told = await town.preau("audit")
    assert f"lost by the node: 1-{first_kept - 1} ({first_kept - 1} packs)" in told
    assert f"{first_kept - 1} lost by their nodes, 0 missing" in told
    stored = {at_ms for q, _, at_ms, _ in town.gateway.stored(NODE) if q == "temperature"}
    week = {1763800000_000 + 60_000 * (seq - 1) for seq in range(first_kept, 901)}
    assert week <= stored
    assert len(stored) == log.received.count()


async def is_received(town: SecureTown, first: int, last: int) -> bool:
    """These, and all that the node has told of after them."""
    logs = await town.logs()
    return any(log.received.covers(first, last) and not log.missing() for log in logs)

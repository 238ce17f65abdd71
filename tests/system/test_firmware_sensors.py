"""Nodes with all the sensors that a room may have, in the heap of a node, against Mosquitto."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from simulators.board.bme280 import Bme280
from simulators.board.board import VirtualBoard
from simulators.board.chips import Chips
from simulators.board.onewire import Ds18b20, OneWireBus
from simulators.board.s8 import S8
from simulators.board.scd4x import Scd4x
from tests.node_peer import NODE, Gateway, heap_free
from tests.servers import Server, eventually, free_port, require_micropython

DOOR, PIR, LEDS, WIRE = 25, 26, 27, 4


def records(pack: bytes) -> list[dict[str, Any]]:
    return list(json.loads(pack))


def value_of(gateway: Gateway, name: str) -> Any:
    """The latest, or None."""
    for pack in reversed(gateway.packs):
        for record in reversed(records(pack)):
            if record["n"] == name:
                return record.get("v", record.get("vb"))
    return None


def board_of(tmp_path: Path, port: int, chips: Chips, **config: Any) -> VirtualBoard:
    require_micropython()
    return VirtualBoard(
        NODE,
        tmp_path / "board",
        ("127.0.0.1", port),
        interval_s=1,
        chips=chips,
        extra_config={"health_every": 3} | config,
    )


@pytest.fixture
def gateway(mosquitto: Server) -> Any:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


def ran_well(board: VirtualBoard) -> None:
    assert board.starts == 1, list(board.output)
    assert not any("defect" in line or "memory" in line for line in board.output), list(
        board.output
    )


async def test_a_classroom_with_all_it_may_have(
    gateway: Gateway, mosquitto: Server, tmp_path: Path
) -> None:
    """SHT4x, BME280 and SCD41 on I²C, a door, and three LEDs."""
    chips = Chips(scd4x=Scd4x(timer=lambda: time.monotonic() * 100), others=[Bme280()])
    board = board_of(
        tmp_path,
        mosquitto.port,
        chips,
        sensors=[{"chip": "contact", "pin": DOOR, "channel": "door"}],
        light={"pin": LEDS, "count": 3, "opening_hours": "Mo-Su 00:00-24:00"},
    )
    board.surroundings.pins[DOOR] = 0
    async with board:
        await eventually(lambda: value_of(gateway, "co2") == 600)
        await eventually(lambda: sum(map(any, board.surroundings.leds[LEDS])) == 1)
        chips.scd4x.co2_ppm = 1700
        await eventually(lambda: sum(map(any, board.surroundings.leds[LEDS])) == 3)
        opened_s = time.time()
        board.surroundings.drive(DOOR, 1)
        await eventually(lambda: value_of(gateway, "opening.door") is True)
        chips.scd4x.co2_ppm = 480
        # Three of the chip's minutes, which a calibration wants.
        await eventually(lambda: chips.scd4x.measured_for_s >= 180)
        gateway.command(id="k", do="calibrate_co2", ppm=420)
        await eventually(lambda: gateway.replies)
        await eventually(lambda: value_of(gateway, "co2") == 420)
        await eventually(
            lambda: gateway.presences[-1].get("co2", [{}])[0].get("calibrated_ppm") == 420
        )
        gateway.command(id="l", do="send_log")
        await eventually(lambda: len(gateway.replies) == 2)
        # A second chip measures the same: its values have names of their own.
        assert value_of(gateway, "temperature.bme280-76") == 21
        assert value_of(gateway, "pressure") == 1013.25
        assert heap_free(gateway.packs) > 3 * 1024
    ran_well(board)
    assert gateway.replies[0] == {
        "id": "k",
        "ok": True,
        "sensor": "scd4x@0x62",
        "correction_ppm": -60,
    }
    moments = [
        records(pack)[0]["bt"] + record.get("t", 0)
        # A pack may come twice.
        for pack in {records(pack)[0]["bseq"]: pack for pack in gateway.packs}.values()
        for record in records(pack)
        if record["n"] == "opening.door" and record["vb"]
    ]
    # The gateway tells whole seconds, so the node's clock is that exact.
    assert abs(min(moments) - opened_s) < 2
    assert len(moments) == len(set(moments))


async def test_the_light_for_pupils_needs_no_network(tmp_path: Path) -> None:
    """Neither Wi-Fi nor gateway nor time, ever: green, orange, red, and back, and dark where the
    sensor is gone.
    """
    chips = Chips(scd4x=Scd4x(timer=lambda: time.monotonic() * 100))
    board = board_of(tmp_path, free_port(), chips, light={"pin": LEDS})
    board.surroundings.wifi_up = False
    async with board:
        for co2_ppm, colour in (
            (700, (0, 40, 0)),
            (900, (40, 16, 0)),
            (1600, (40, 0, 0)),
            (420, (0, 40, 0)),
        ):
            chips.scd4x.co2_ppm = co2_ppm
            await eventually(lambda c=colour: board.surroundings.leds.get(LEDS) == [c])
        chips.scd4x.connected = False
        await eventually(lambda: board.surroundings.leds[LEDS] == [(0, 0, 0)], deadline_s=40)
    ran_well(board)


async def test_a_boiler_room_and_a_probe_that_comes_off(
    gateway: Gateway, mosquitto: Server, tmp_path: Path
) -> None:
    """Four DS18B20 on one wire, one of them named, a door; one dies, the others go on."""
    probes = [Ds18b20(0x100 + number, 40 + number) for number in range(4)]
    chips = Chips(wires={WIRE: OneWireBus(*probes)})
    chips.sht4x.connected = chips.scd4x.connected = False
    board = board_of(
        tmp_path,
        mosquitto.port,
        chips,
        onewire=WIRE,
        sensors=[{"chip": "contact", "pin": DOOR}],
    )
    async with board:
        await eventually(lambda: value_of(gateway, "temperature.ds18b20-00000103") == 43)
        probes[0].connected = False
        await eventually(
            lambda: gateway.presences[-1].get("failing") == ["ds18b20@28-000000000100"]
        )
        probes[3].temperature_c = 61.5
        await eventually(lambda: value_of(gateway, "temperature.ds18b20-00000103") == 61.5)
        probes[0].connected = True
        await eventually(lambda: "failing" not in gateway.presences[-1])
        assert heap_free(gateway.packs) > 3 * 1024
    ran_well(board)
    assert len(gateway.presences[-2]["sensors"]) == 5


async def test_a_classroom_on_a_serial_line(
    gateway: Gateway, mosquitto: Server, tmp_path: Path
) -> None:
    """SHT4x, an S8 and a motion sensor: the setting for the baseline reaches the chip."""
    s8 = S8()
    board = board_of(
        tmp_path,
        mosquitto.port,
        Chips(serial={2: s8}),
        uart={"id": 2, "tx": 17, "rx": 16},
        sensors=[{"chip": "motion", "pin": PIR}],
    )
    board.chips.scd4x.connected = False
    async with board:
        await eventually(lambda: gateway.presences and gateway.packs)
        gateway.send("settings", {"version": 2, "co2_abc": False}, retain=True)
        await eventually(lambda: not s8.automatic_calibration)
        await eventually(
            lambda: gateway.presences[-1].get("co2") == [{"sensor": "s8@uart", "abc": False}]
        )
        assert value_of(gateway, "temperature") == 20
        assert heap_free(gateway.packs) > 3 * 1024
    ran_well(board)

"""Which sensors a node finds, how it names what they measure, and what it does when one dies."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from simulators.board.bme280 import Bme280
from simulators.board.bus import Wire
from simulators.board.chips import Chips
from simulators.board.mhz19 import Mhz19
from simulators.board.onewire import Ds18b20, OneWireBus
from simulators.board.program import Program
from simulators.board.s8 import S8
from simulators.board.scd4x import Scd4x
from simulators.board.scd30 import Scd30
from simulators.board.sht3x import Sht3x
from simulators.board.sht4x import Sht4x
from tests.unit.firmware.conftest import Timer
from tests.unit.firmware.sensing_node import SensingNode, sensing_node

Power = Callable[..., AbstractAsyncContextManager[SensingNode]]
UART = {"id": 2, "tx": 17, "rx": 16}


@pytest.fixture
def power(program: Program, tmp_path: Path, wire: Wire) -> Power:
    def power(**config: Any) -> AbstractAsyncContextManager[SensingNode]:
        return sensing_node(program, tmp_path, wire.port, config)  # type: ignore[attr-defined]

    return power


def plain(values: dict[str, list[list[int]]]) -> dict[str, int]:
    """{name: value} of readings that came once and at the pack's time."""
    assert all(len(readings) == 1 for readings in values.values()), values
    return {name: readings[0][0] for name, readings in values.items()}


@pytest.fixture
def alone(chips: Chips) -> Chips:
    """A board with nothing on I²C but what a test puts there."""
    chips.sht4x.connected = chips.scd4x.connected = False
    return chips


async def test_a_scan_finds_what_is_there_on_every_bus(
    chips: Chips, timer: Timer, power: Power
) -> None:
    chips.others = [Bme280()]
    chips.wires[4] = OneWireBus(Ds18b20(0x0724_31A5, 31.5), Ds18b20(0x0724_31A6, 40))
    chips.serial[2] = S8()
    async with power(onewire=4, uart=UART) as node:
        assert await node.ask("find") == [
            "sht4x@0x44",
            "bme280@0x76",
            "scd4x@0x62",
            "ds18b20@28-0000072431a5",
            "ds18b20@28-0000072431a6",
            "s8@uart",
        ]
        await node.ask("measure")
        timer.ahead_s += 5
        await node.ask("skip", 31)
        assert plain(await node.ask("measure")) == {
            "temperature": 2000,
            "humidity": 450,
            "temperature.bme280-76": 2100,
            "humidity.bme280-76": 450,
            "pressure": 101325,
            "co2": 600,
            "temperature.ds18b20-072431a5": 3150,
            "temperature.ds18b20-072431a6": 4000,
            "co2.s8-uart": 600,
        }


async def test_two_kinds_at_one_address_are_told_apart(alone: Chips, power: Power) -> None:
    alone.others = [Sht3x(0x44, temperature_c=19), Sht4x(0x45, temperature_c=18)]
    async with power() as node:
        assert await node.ask("find") == ["sht4x@0x45", "sht3x@0x44"]
        values = plain(await node.ask("measure"))
        assert values["temperature"] == 1800
        assert values["temperature.sht3x-44"] == 1900


async def test_one_that_gives_no_identity_is_reported_and_found_later(
    alone: Chips, power: Power
) -> None:
    alone.sht4x.connected = True
    alone.sht4x.corrupt_crc = True
    async with power() as node:
        assert await node.ask("find") == []
        assert await node.ask("describe") == {"sensors": [], "failing": ["unknown@0x44"]}
        alone.sht4x.corrupt_crc = False
        assert await node.ask("find") == ["sht4x@0x44"]
        assert await node.ask("describe") == {"sensors": ["sht4x@0x44"]}


async def test_settings_pin_what_is_where(alone: Chips, power: Power) -> None:
    alone.others = [Sht4x(0x45, temperature_c=17), Bme280(), Scd30()]
    alone.wires[4] = OneWireBus(Ds18b20(0x0724_31A5, 55), Ds18b20(0x0724_31A6, 40))
    pinned = [
        {"chip": "sht4x", "address": 0x45, "channel": "wall"},
        {
            "chip": "ds18b20",
            "address": "28-0000072431a5",
            "quantity": "pipe_temperature",
            "channel": "flow",
        },
    ]
    async with power(sensors=pinned, onewire=4) as node:
        # A bus of which one is named is not scanned.
        assert await node.ask("find") == ["sht4x@0x45", "ds18b20@28-0000072431a5"]
        assert plain(await node.ask("measure")) == {
            "temperature.wall": 1700,
            "humidity.wall": 450,
            "pipe_temperature.flow": 5500,
        }


async def test_a_pinned_nonsense_is_refused_and_the_others_go_on(
    alone: Chips, power: Power
) -> None:
    alone.sht4x.connected = True
    pinned: list[Any] = [
        {"chip": "abacus", "pin": 4},
        {"chip": "dht22"},
        {"chip": "ds18b20", "address": "28-0000072431a5"},
        {"chip": "contact", "pin": 24},
        {"chip": "sht4x", "address": 0x44},
    ]
    async with power(sensors=pinned) as node:
        assert await node.ask("find") == ["sht4x@0x44"]
        assert sum("refused" in line for line in node.notes) == 4


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"onewire": 24}, "onewire 24 refused"),
        ({"uart": {"tx": 17}}, "uart {'tx': 17} refused"),
        ({"uart": {"id": 0, "tx": 1, "rx": 3}}, "uart"),
        ({"light": {"pin": 99}}, "light {'pin': 99} refused"),
    ],
)
async def test_a_bus_that_can_not_be_is_noted_and_the_others_go_on(
    power: Power, config: dict[str, Any], said: str
) -> None:
    async with power(**config) as node:
        assert await node.ask("find") == ["sht4x@0x44", "scd4x@0x62"]
        if "light" in config:
            await node.ask("show", 600, None)
        assert any(line.startswith(said) and "refused" in line for line in node.notes)


async def test_an_i2c_bus_that_can_not_be_leaves_the_others(alone: Chips, power: Power) -> None:
    alone.wires[4] = OneWireBus(Ds18b20(7, 31.5))
    async with power(i2c={"id": 0, "scl": 6, "sda": 21}, onewire=4) as node:
        assert await node.ask("find") == ["ds18b20@28-000000000007"]
        assert plain(await node.ask("measure")) == {"temperature": 3150}


async def test_a_dead_sensor_is_reported_and_tried_again_more_and_more_seldom(
    chips: Chips, timer: Timer, power: Power
) -> None:
    chips.sht4x = sht4x = CountingSht4x()
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        sht4x.corrupt_crc = True
        tried = []
        for number in range(1, 65):
            timer.ahead_s += 5
            before = sht4x.commands
            # The other goes on in every round.
            assert set(await node.ask("measure")) >= {"co2"}
            if sht4x.commands > before:
                tried.append(number)
        assert tried == [1, 2, 4, 8, 16, 32, 48, 64]
        assert (await node.ask("describe"))["failing"] == ["sht4x@0x44"]
        assert sum("checksum of word 0 is wrong" in line for line in node.notes) == 1
        sht4x.corrupt_crc = False
        for _ in range(15):
            timer.ahead_s += 5
            assert "failing" in await node.ask("describe")
            await node.ask("measure")
        assert "temperature" in await node.ask("measure")
        assert "failing" not in await node.ask("describe")


class CountingSht4x(Sht4x):
    commands = 0

    def write(self, data: bytes) -> None:
        self.commands += 1
        super().write(data)


async def test_a_sensor_that_comes_later_is_found(alone: Chips, power: Power) -> None:
    async with power() as node:
        assert await node.ask("find") == []
        alone.others.append(Bme280(0x77))
        assert await node.ask("find") == ["bme280@0x77"]


async def test_a_held_data_line_is_freed_by_clock_pulses(
    chips: Chips, power: Power, wire: Wire
) -> None:
    async with power() as node:
        await node.ask("find")
        assert "temperature" in await node.ask("measure")
        wire.i2c.held_pulses = 5
        # This round notices and frees the line, the next one measures again.
        assert "temperature" not in await node.ask("measure")
        assert wire.i2c.held_pulses == 0
        assert "temperature" in await node.ask("measure")


async def test_looking_at_the_line_after_a_failure_leaves_the_bus_alone(
    chips: Chips, timer: Timer, power: Power
) -> None:
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        chips.sht4x.corrupt_crc = True
        for _ in range(2):
            timer.ahead_s += 5
            assert "co2" in await node.ask("measure")


async def test_a_held_data_line_is_freed_before_the_first_scan(power: Power, wire: Wire) -> None:
    wire.i2c.open(100_000, 0, 22, 21, soft=0)
    wire.i2c.held_pulses = 9
    async with power() as node:
        assert await node.ask("find") == ["sht4x@0x44", "scd4x@0x62"]


async def test_an_scd30_gets_a_bus_that_waits(alone: Chips, timer: Timer, power: Power) -> None:
    alone.others = [Scd30(timer=timer)]
    async with power() as node:
        assert await node.ask("find") == ["scd30@0x61"]
        await node.ask("measure")
        timer.ahead_s += 2
        assert plain(await node.ask("measure")) == {
            "co2": 600,
            "temperature": 2400,
            "humidity": 380,
        }


@pytest.mark.parametrize("pinned", [False, True])
async def test_an_scd30_that_starts_later_than_the_node_gets_that_bus_too(
    chips: Chips, timer: Timer, power: Power, wire: Wire, pinned: bool
) -> None:
    """It takes up to 2 s, and a node less: the others have their bus by then."""
    scd30 = Scd30(timer=timer)
    chips.others = [scd30]
    chips.wires[4] = OneWireBus(Ds18b20(7, 31.5))
    scd30.power_cycle()
    names = ["sht4x@0x44", "scd4x@0x62"]
    config: dict[str, Any] = {"onewire": 4}
    if pinned:
        config["sensors"] = [
            {"chip": name.split("@")[0], "address": int(name.split("@")[1], 16)}
            for name in (*names, "scd30@0x61")
        ]
    async with power(**config) as node:
        found = await node.ask("find")
        assert found[:2] == names
        assert set(found[2:]) == {"ds18b20@28-000000000007"} | ({"scd30@0x61"} if pinned else set())
        before = await node.ask("measure")
        assert ("temperature.ds18b20-000000000007" in before) or "temperature" in before
        timer.ahead_s += 5
        await node.ask("find")
        for _ in range(3):
            timer.ahead_s += 5
            values = plain(await node.ask("measure"))
        assert set(values) >= set(before) | {"co2", "co2.scd30-61"}
        assert wire.i2c.stretch_max_s > scd30.stretch_s
        assert sorted((await node.ask("describe"))["sensors"]) == sorted(
            [*names, "scd30@0x61", "ds18b20@28-000000000007"]
        )
        assert "failing" not in await node.ask("describe")


async def test_a_node_that_sleeps_refuses_what_it_would_sleep_through(
    alone: Chips, power: Power
) -> None:
    """What happens between two wakes, and chips that warm up for longer than one."""
    alone.sht4x.connected = True
    alone.serial[2] = S8()
    pinned = [{"chip": "contact", "pin": 25}, {"chip": "motion", "pin": 26}]
    async with power(life="battery", uart=UART, sensors=pinned) as node:
        assert await node.ask("find") == ["sht4x@0x44"]
        refused = ["contact@pin25", "motion@pin26", "s8@uart"]
        assert await node.ask("describe") == {"sensors": ["sht4x@0x44"], "failing": refused}
        assert set(await node.ask("measure")) == {"temperature", "humidity"}
        for name in refused:
            assert f"{name}: needs a node that does not sleep" in node.notes


async def test_a_node_that_sleeps_has_an_scd41_shoot_singly_and_says_so(
    chips: Chips, power: Power
) -> None:
    """Without being told: periodic measurement would be thrown away at each wake."""
    async with power(life="battery") as node:
        await node.ask("find")
        assert (await node.ask("measure"))["co2"][0][0] == 600
        assert (await node.ask("describe"))["co2"] == [
            {"sensor": "scd4x@0x62", "abc": True, "single_shot": True}
        ]
    assert not chips.scd4x.measuring


async def test_baseline_correction_is_a_setting_and_both_are_reported(
    chips: Chips, timer: Timer, power: Power
) -> None:
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        assert (await node.ask("describe"))["co2"] == [{"sensor": "scd4x@0x62", "abc": True}]
        assert await node.ask("update", {"version": 1, "co2_abc": False}) == [True, None]
        await node.ask("measure")
        assert not chips.scd4x.automatic_calibration
        timer.ahead_s += 200
        chips.scd4x.co2_ppm = 480
        await node.ask("measure")
        assert await node.ask("calibrate", 420, 1_763_800_000) == {
            "sensor": "scd4x@0x62",
            "correction_ppm": -60,
        }
        said = [
            {
                "sensor": "scd4x@0x62",
                "abc": False,
                "calibrated_at": 1_763_800_000,
                "calibrated_ppm": 420,
            }
        ]
        assert (await node.ask("describe"))["co2"] == said
    # Both last: one in the chip, the other on flash.
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        assert (await node.ask("describe"))["co2"] == said


async def test_calibration_says_why_not(chips: Chips, power: Power) -> None:
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        early = await node.ask("calibrate", 420, 1_763_800_000)
        assert early["error"].startswith("scd4x@0x62: recalibration failed")
        other = await node.ask("calibrate", 420, 1_763_800_000, "s8@uart")
        assert other == {"error": "co2@s8@uart: not present"}
        chips.scd4x.connected = False
        await node.ask("measure")
        gone = await node.ask("calibrate", 420, 1_763_800_000)
        assert gone == {"error": "scd4x@0x62: does not answer"}
        assert "calibrated_at" not in (await node.ask("describe"))["co2"][0]


async def test_an_mhz19_is_told_from_an_s8(alone: Chips, power: Power) -> None:
    alone.serial[2] = Mhz19()
    async with power(uart=UART) as node:
        assert await node.ask("find") == ["mhz19@uart"]


async def test_two_co2_sensors_that_warm_themselves_do_not_collide(
    alone: Chips, timer: Timer, power: Power
) -> None:
    alone.others = [Scd30(timer=timer), Scd4x(timer=timer)]
    async with power() as node:
        await node.ask("find")
        await node.ask("measure")
        timer.ahead_s += 5
        assert set(await node.ask("measure")) == {
            "co2",
            "temperature",
            "humidity",
            "co2.scd30-61",
            "temperature.scd30-61",
            "humidity.scd30-61",
        }

"""Battery, contact, motion and the light for pupils, in MicroPython, their pins in our hands."""

import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from simulators.board.bus import Wire
from simulators.board.chips import Chips
from simulators.board.program import Program
from tests.unit.firmware.conftest import Drive
from tests.unit.firmware.sensing_node import SensingNode, sensing_node

Power = Callable[..., AbstractAsyncContextManager[SensingNode]]

CONTACT, MOTION, LIGHT = 25, 26, 27
# A Wednesday, 10:00 in Paris in winter, and a Wednesday at 10:00 in summer.
WINTER, SUMMER = 1_764_147_600, 1_749_628_800


@pytest.fixture
def power(program: Program, tmp_path: Path, wire: Wire, chips: Chips) -> Power:
    chips.sht4x.connected = chips.scd4x.connected = False

    def power(**config: Any) -> AbstractAsyncContextManager[SensingNode]:
        return sensing_node(program, tmp_path, wire.port, config)  # type: ignore[attr-defined]

    return power


# -- battery ---------------------------------------------------------------------------------


async def test_battery_is_the_mean_through_the_divider(drive: Drive, wire: Wire) -> None:
    wire.surroundings.analog_uv[34] = 1_957_500
    assert await drive("battery:34,2,64", "start", "measure") == ["None", "(3915,)"]
    assert (await drive("battery:34,1.333,16", "measure")) == ["(2609,)"]


@pytest.mark.parametrize(
    ("uv", "cause"), [(0, "0 mV at the pin"), (2_600_000, "2600 mV"), (3_300_000, "3100 mV")]
)
async def test_battery_out_of_the_converters_range_is_an_error(
    drive: Drive, wire: Wire, uv: int, cause: str
) -> None:
    wire.surroundings.analog_uv[34] = uv
    (said,) = await drive("battery:34,2,16", "measure")
    assert said.startswith(f"SensorError battery@pin34: {cause}")


@pytest.mark.parametrize("what", ["34,2,15", "34,2,65", "34,0.5,16", "34,21,16"])
async def test_battery_settings_out_of_bounds_are_refused(drive: Drive, what: str) -> None:
    (said,) = await drive(f"battery:{what}", "start")
    assert said.startswith("SensorError battery@pin34: ")


# -- contact and motion ----------------------------------------------------------------------


async def drive_slowly(node: SensingNode, wire: Wire, pin: int, *levels: int) -> None:
    """One level after the other, 80 ms apart, longer than a switch bounces."""
    await drive_at_once(node, wire, pin, *levels, apart_s=0.08)


async def drive_at_once(
    node: SensingNode, wire: Wire, pin: int, *levels: int, apart_s: float = 0
) -> None:
    """All in one millisecond of the node's clock, each once the node has noted the one before."""
    await node.ask("stop_clock")
    for number, level in enumerate(levels, 1):
        wire.surroundings.drive(pin, level)
        await node.ask("wait_for", pin, number)
        await node.ask("skip", apart_s)


async def test_a_door_is_told_with_its_moments(power: Power, wire: Wire) -> None:
    wire.surroundings.pins[CONTACT] = 0
    async with power(sensors=[{"chip": "contact", "pin": CONTACT, "channel": "door"}]) as node:
        assert await node.ask("find") == ["contact@pin25"]
        (shut,) = (await node.ask("measure"))["opening.door"]
        assert shut[0] == 0
        await drive_slowly(node, wire, CONTACT, 1, 0, 1)
        *changes, now = (await node.ask("measure"))["opening.door"]
        assert [level for level, _ in changes] == [1, 0, 1]
        assert now[0] == 1
        moments = [moment for _, moment in (*changes, now)]
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        assert gaps == [80, 80, 80]
        assert [level for level, _ in (await node.ask("measure"))["opening.door"]] == [1]


async def test_a_bounce_is_no_door(power: Power, wire: Wire) -> None:
    wire.surroundings.pins[CONTACT] = 0
    async with power(sensors=[{"chip": "contact", "pin": CONTACT}]) as node:
        await node.ask("find")
        await node.ask("measure")
        await drive_at_once(node, wire, CONTACT, 1, 0, 1, 0, 1)
        await node.ask("skip", 0.08)
        readings = (await node.ask("measure"))["opening"]
        assert [level for level, _ in readings] == [1, 1]


async def test_an_inverted_contact_is_open_when_closed(power: Power, wire: Wire) -> None:
    wire.surroundings.pins[CONTACT] = 0
    pinned = [{"chip": "contact", "pin": CONTACT, "inverted": True}]
    async with power(sensors=pinned) as node:
        await node.ask("find")
        assert (await node.ask("measure"))["opening"][0][0] == 1


async def test_too_many_changes_are_counted_and_the_last_state_is_right(
    power: Power, wire: Wire
) -> None:
    wire.surroundings.pins[CONTACT] = 0
    async with power(sensors=[{"chip": "contact", "pin": CONTACT}]) as node:
        await node.ask("find")
        await node.ask("measure")
        await drive_slowly(node, wire, CONTACT, *([1, 0] * 22), 1)
        readings = (await node.ask("measure"))["opening"]
        assert readings[-1][0] == 1
        # 31 slots hold a change each; the state at the end is one more.
        assert len(readings) == 32
        assert any("changed too often, not noted: 14" in line for line in node.notes)
        assert len({moment for _, moment in readings}) == len(readings)


async def test_motion_is_silent_for_its_first_minute(power: Power, wire: Wire) -> None:
    async with power(sensors=[{"chip": "motion", "pin": MOTION}]) as node:
        await node.ask("find")
        wire.surroundings.drive(MOTION, 1)
        assert await node.ask("measure") == {}
        wire.surroundings.drive(MOTION, 0)
        await node.ask("skip", 61)
        assert (await node.ask("measure"))["motion"][0][0] == 0
        await drive_slowly(node, wire, MOTION, 1, 0)
        assert [level for level, _ in (await node.ask("measure"))["motion"]] == [1, 0, 0]


# -- light -----------------------------------------------------------------------------------

OFF, GREEN, ORANGE, RED = (0, 0, 0), (0, 40, 0), (40, 16, 0), (40, 0, 0)


async def test_light_follows_the_air(power: Power, wire: Wire) -> None:
    async with power(light={"pin": LIGHT}) as node:
        for co2_ppm, colour in ((600, GREEN), (799, GREEN), (800, ORANGE), (1500, RED)):
            await node.ask("show", co2_ppm, None)
            assert wire.surroundings.leds[LIGHT] == [colour]
        # Going back it waits for 50 ppm less, so that it does not flicker.
        for co2_ppm, colour in ((1451, RED), (1449, ORANGE), (751, ORANGE), (749, GREEN)):
            await node.ask("show", co2_ppm, None)
            assert wire.surroundings.leds[LIGHT] == [colour]
        await node.ask("show", None, None)
        assert wire.surroundings.leds[LIGHT] == [OFF]


@pytest.mark.parametrize(
    "wrong",
    [{"opening_hours": "always"}, {"light_red_ppm": "1500"}, {"summer_time": 1}, {"count": "two"}],
)
async def test_a_light_of_which_something_is_nonsense_is_refused(
    power: Power, wire: Wire, wrong: dict[str, Any]
) -> None:
    """At the start, and not in each round, which would cost that round's readings."""
    async with power(light={"pin": LIGHT} | wrong) as node:
        await node.ask("show", 900, WINTER)
        assert LIGHT not in wire.surroundings.leds
        assert any(line.startswith("light {") and "refused" in line for line in node.notes)


async def test_three_leds_tell_it_to_whoever_does_not_see_colours(power: Power, wire: Wire) -> None:
    async with power(light={"pin": LIGHT, "count": 3}) as node:
        for co2_ppm, colours in (
            (600, [GREEN, OFF, OFF]),
            (900, [ORANGE, ORANGE, OFF]),
            (1600, [RED, RED, RED]),
        ):
            await node.ask("show", co2_ppm, None)
            assert wire.surroundings.leds[LIGHT] == colours


async def test_thresholds_and_hours_are_settings(power: Power, wire: Wire) -> None:
    async with power(light={"pin": LIGHT}) as node:
        settings = {"version": 1, "light_orange_ppm": 1000, "opening_hours": "Tu 08:00-09:00"}
        await node.ask("show", 900, WINTER)
        assert wire.surroundings.leds[LIGHT] == [ORANGE]
        assert await node.ask("update", settings) == [True, None]
        await node.ask("show", 900, WINTER)
        assert wire.surroundings.leds[LIGHT] == [OFF]
        await node.ask("show", 900, WINTER - 86_400 - 7200)
        assert wire.surroundings.leds[LIGHT] == [GREEN]
        refused = await node.ask("update", {"version": 2, "opening_hours": "Mo 9-10"})
        assert refused == [True, "'9' is no time"]


async def test_light_is_dark_outside_the_hours_once_the_time_is_known(
    power: Power, wire: Wire
) -> None:
    """Local time, with summer time; and light as long as nobody knows the time."""
    async with power(light={"pin": LIGHT, "opening_hours": "Mo-Fr 10:00-10:30"}) as node:
        for now, colour in (
            (None, GREEN),
            (WINTER, GREEN),
            (WINTER - 60, OFF),
            (WINTER + 1800, OFF),
            (WINTER + 3 * 86_400, OFF),
            (SUMMER, GREEN),
            (SUMMER - 60, OFF),
        ):
            await node.ask("show", 600, now)
            assert wire.surroundings.leds[LIGHT] == [colour], now

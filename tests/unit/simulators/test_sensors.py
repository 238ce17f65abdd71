"""What chips make of air: sound ones near the truth, faulty ones as faulty chips are."""

import numpy as np
import pytest

from ingest.quality import History, judge
from ingest.quantities import QUANTITIES
from ingest.readings import Quality
from ingest.senml import encode_pack
from simulators.chips import CATALOGUE
from simulators.faults import (
    BaselineDrift,
    ChecksumErrors,
    Disconnected,
    Frozen,
    PowerOnValue,
    Spikes,
    WornBattery,
)
from simulators.room import RoomState
from simulators.sensors import Sensors

NODE = "3c71bf4a2b10"
START_MS = 1_795_000_000_000
TIMES = START_MS + 300_000 * np.arange(2000, dtype=np.int64)
SINCE_MS = int(TIMES[1000])


class StillRoom:
    """The same air for ever."""

    def __init__(self, temperature_c: float = 20.0) -> None:
        self.temperature_c = temperature_c

    def state_at(self, unix_s: float) -> RoomState:
        return RoomState(self.temperature_c, 50.0, 800.0)


class RisingRoom:
    """Air that changes all the time, so that nothing is frozen by itself."""

    def state_at(self, unix_s: float) -> RoomState:
        return RoomState(18 + unix_s % 7200 / 3600, 45.0, 600 + unix_s % 3600 / 10)


def series(sensors: Sensors, quantity: str, at_ms: np.ndarray = TIMES) -> np.ndarray:
    return next(c.values for c in sensors.columns(at_ms) if c.quantity == quantity)


@pytest.mark.parametrize("chip", CATALOGUE)
def test_every_chip_is_near_the_truth_by_its_datasheet(chip):
    truth = {"temperature": 20.0, "humidity": 50.0, "co2": 800.0}
    for number in range(12):
        sensors = Sensors(f"{number:012x}", StillRoom(), chips=[chip])
        for channel in CATALOGUE[chip].channels:
            seen = series(sensors, channel.quantity)
            # A warm board makes air seem drier: 6 % of its humidity a kelvin.
            warm = {"temperature": 1.0, "humidity": 3.1}.get(channel.quantity, 0)
            limit = channel.offset + channel.gain * truth[channel.quantity]
            limit += warm * CATALOGUE[chip].warms_k + channel.resolution
            assert abs(seen.mean() - truth[channel.quantity]) <= limit
            least = channel.resolution / 4
            assert seen.std() == pytest.approx(channel.noise, rel=0.2, abs=least)


def test_chips_of_one_type_differ_and_one_chip_stays_as_it_is():
    means = [series(Sensors(f"{n:012x}", StillRoom()), "temperature").mean() for n in range(20)]
    assert np.std(means) > 0.04
    again = series(Sensors(f"{3:012x}", StillRoom()), "temperature").mean()
    assert again == means[3]


def test_values_come_in_the_steps_of_the_chip():
    seen = series(Sensors(NODE, RisingRoom(), chips=["ds18b20"]), "temperature")
    sixteenths = seen / 0.0625
    # Written with two decimals, as a node does.
    assert np.abs(sixteenths - np.round(sixteenths)).max() * 0.0625 <= 0.005 + 1e-9


def test_a_warm_board_reads_warmer_and_drier():
    bme, sht = (
        [Sensors(f"{n:012x}", StillRoom(), chips=[chip]) for n in range(40)]
        for chip in ("bme280", "sht4x")
    )
    one = TIMES[:50]
    assert np.mean([series(s, "temperature", one).mean() for s in bme]) > 20.6
    assert np.mean([series(s, "temperature", one).mean() for s in sht]) < 20.2
    assert np.mean([series(s, "humidity", one).mean() for s in bme]) < 48.5


def test_one_by_one_readings_are_the_same_as_together():
    sensors = Sensors(NODE, RisingRoom())
    assert sensors.read_many(TIMES[:40]) == [sensors.read(int(at)) for at in TIMES[:40]]


def test_a_frozen_chip_says_what_it_said_and_the_judge_notices():
    sensors = Sensors(
        NODE, RisingRoom(), faults=[Frozen(node=NODE, chip="sht4x", since_ms=SINCE_MS)]
    )
    seen = series(sensors, "temperature")
    assert len(set(seen[:1000])) > 100
    assert set(seen[1000:]) == {seen[1000]}
    history = History()
    judged = [
        judge(QUANTITIES["temperature"], value, int(at), history)
        for at, value in zip(TIMES, seen.tolist(), strict=True)
    ]
    assert judged[-1] == Quality.SUSPECT
    assert len(set(series(sensors, "co2")[1000:])) > 50


def test_spikes_are_rare_and_high_and_the_judge_notices():
    fault = Spikes(node=NODE, chip="sht4x", share=0.02, height=15)
    clean, spiky = (
        series(Sensors(NODE, StillRoom(), faults=faults), "temperature") for faults in ([], [fault])
    )
    gap = spiky - clean
    assert set(np.round(gap, 6)) == {0.0, 15.0}
    assert np.mean(gap > 0) == pytest.approx(0.02, abs=0.01)


def test_the_power_on_value_is_85_and_judged_bad():
    fault = PowerOnValue(node=NODE, chip="ds18b20", share=0.05)
    seen = series(Sensors(NODE, StillRoom(), chips=["ds18b20"], faults=[fault]), "temperature")
    assert np.mean(seen == 85.0) == pytest.approx(0.05, abs=0.015)
    assert judge(QUANTITIES["temperature"], 85.0, 0, None) == Quality.BAD


def test_a_lost_chip_gives_no_reading_and_the_others_go_on():
    fault = Disconnected(node=NODE, chip="scd41", since_ms=SINCE_MS)
    before, after = (
        {r.quantity for r in Sensors(NODE, StillRoom(), faults=[fault]).read(at)}
        for at in (SINCE_MS - 1, SINCE_MS)
    )
    assert before - after == {"co2"}
    library = Disconnected(node=NODE, chip="ds18b20", value=-127.0)
    seen = series(Sensors(NODE, StillRoom(), chips=["ds18b20"], faults=[library]), "temperature")
    assert set(seen) == {-127.0}


def test_a_garbled_answer_takes_all_quantities_of_its_chip_and_none_of_others():
    fault = ChecksumErrors(node=NODE, chip="sht4x", share=0.2)
    sensors = Sensors(NODE, StillRoom(), faults=[fault])
    temperature, humidity, co2 = (series(sensors, q) for q in ("temperature", "humidity", "co2"))
    assert np.array_equal(np.isnan(temperature), np.isnan(humidity))
    assert np.isnan(temperature).mean() == pytest.approx(0.2, abs=0.03)
    assert not np.isnan(co2).any()


def test_a_baseline_drifts_by_so_much_a_year():
    fault = BaselineDrift(node=NODE, chip="scd41", since_ms=START_MS, ppm_a_year=-120)
    sensors = Sensors(NODE, StillRoom(), faults=[fault])
    year = START_MS + 365 * 86_400_000 + 300_000 * np.arange(500, dtype=np.int64)
    fresh, old = series(sensors, "co2", TIMES[:500]).mean(), series(sensors, "co2", year).mean()
    assert old - fresh == pytest.approx(-120, abs=3)


def test_a_battery_sinks_through_the_year_and_sags_in_the_cold_most_when_it_is_worn():
    worn = [WornBattery(node=NODE)]
    at = TIMES[:1]
    warm, cold, cold_and_worn = (
        float(series(Sensors(NODE, StillRoom(c), faults=faults), "battery", at)[0])
        for c, faults in ((20.0, []), (-5.0, []), (-5.0, worn))
    )
    assert 0.02 < warm - cold < 0.08
    assert cold - cold_and_worn > 3 * (warm - cold)
    days = START_MS + 86_400_000 * np.arange(365, dtype=np.int64)
    volts = series(Sensors(NODE, StillRoom()), "battery", days)
    assert 3.55 < volts.min() < 3.65
    assert 4.05 < volts.max() < 4.15
    assert (np.diff(volts) > 0.2).sum() <= 1


def test_faults_hold_for_their_node_and_time_only():
    fault = Disconnected(
        node=NODE, chip="sht4x", since_ms=SINCE_MS, until_ms=SINCE_MS + 10 * 300_000
    )
    mine, other = (Sensors(node, StillRoom(), faults=[fault]) for node in (NODE, "3c71bf4a2b14"))
    missing = np.isnan(series(mine, "temperature"))
    assert np.flatnonzero(missing).tolist() == list(range(1000, 1010))
    assert not np.isnan(series(other, "temperature")).any()


def test_the_same_seed_gives_the_same_bytes_with_faults_and_another_seed_others():
    faults = [
        Spikes(node=NODE, chip="sht4x", share=0.3),
        ChecksumErrors(node=NODE, chip="scd41", share=0.3),
        WornBattery(node=NODE),
    ]

    def packs(seed: int) -> list[bytes]:
        sensors = Sensors(NODE, RisingRoom(), faults=faults, seed=seed)
        return [encode_pack(NODE, readings) for readings in sensors.read_many(TIMES[:200])]

    assert packs(1) == packs(1)
    assert all(one != other for one, other in zip(packs(1), packs(2), strict=True))


class SlopingRoom:
    """Air that gets warmer by 6 K, moister by 12 % and staler by 600 ppm an hour."""

    def state_at(self, unix_s: float) -> RoomState:
        hours = unix_s - START_MS / 1000
        hours /= 3600
        return RoomState(20 + 6 * hours, 45 + 12 * hours, 800 + 600 * hours)


@pytest.mark.parametrize("chip", CATALOGUE)
def test_a_chip_follows_changing_air_as_late_as_its_time_constant(chip):
    at_ms = START_MS + 1000 * np.arange(600, 1200, dtype=np.int64)
    rising, still = (Sensors(NODE, room, chips=[chip]) for room in (SlopingRoom(), StillRoom()))
    slopes = {"temperature": 6, "humidity": 12, "co2": 600}
    now = SlopingRoom().state_at(at_ms.mean() / 1000)
    truth = {
        "temperature": (now.temperature_c, 20.0),
        "humidity": (now.humidity_percent, 50.0),
        "co2": (now.co2_ppm, 800.0),
    }
    for channel in CATALOGUE[chip].channels:
        moved, fixed = (series(s, channel.quantity, at_ms).mean() for s in (rising, still))
        air, at_rest = truth[channel.quantity]
        late = (air - at_rest) - (moved - fixed)
        expected = slopes[channel.quantity] * channel.lag_s / 3600
        # The chip's gain and the warmth of its board act on the change as well.
        unsure = channel.gain * abs(air - at_rest) + channel.resolution / 2 + channel.noise / 5
        warm = 0.1 * CATALOGUE[chip].warms_k * abs(air - at_rest)
        assert late == pytest.approx(expected, abs=unsure + warm), channel.quantity


def test_single_chips_are_off_by_a_factor_as_well():
    slopes = []
    for number in range(20):
        low, high = (
            series(Sensors(f"{number:012x}", room, chips=["mh-z19c"]), "co2", TIMES[:200]).mean()
            for room in (StillRoom(), StaleRoom())
        )
        slopes.append((high - low) / 1200)
    assert 0.96 <= min(slopes) < 0.985
    assert 1.015 < max(slopes) <= 1.04


class StaleRoom:
    """Stale air for ever."""

    def state_at(self, unix_s: float) -> RoomState:
        return RoomState(20.0, 50.0, 2000.0)

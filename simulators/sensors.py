"""What a node's chips make of a room's air: noise, offsets, lag, self-heating, and their faults.

The same chip, room and instant give the same readings, so that filled-in history and live nodes
agree. It has no clock and knows neither packs nor MQTT.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, Reading
from simulators.chip_faults import spoilt
from simulators.chips import CATALOGUE, Channel, Chip
from simulators.faults import ChipFault, Fault, WornBattery
from simulators.response import SAMPLES, lag_weights, lagged_times
from simulators.room import AirCourse, RoomSource, course_of
from simulators.seeds import Floats, Integers, key_of, normal, one_uniform, uniform
from simulators.weather import saturation_g_m3

USUAL: Final = ("sht4x", "scd41")
"""The chips of a node of ours."""
CHIPS: Final = tuple(CATALOGUE[name].bus for name in USUAL)

_NOISE_DBM: Final = 1.5
# A cell that runs a node from September to July, and is charged then.
_FULL_V: Final = 4.1
_EMPTY_V: Final = 3.6
# At 0 °C a lithium cell has about twice the resistance that it has at 20 °C: 30 mV under load.
_SAG_V: Final = 0.03
_SAG_V_K: Final = 0.0015
_WARM_C: Final = 20.0
_YEAR_S: Final = 365 * 86_400

_weights = cache(lag_weights)


class Column(NamedTuple):
    """One quantity of a node at many instants; NaN where there is no reading."""

    quantity: str
    values: Floats


class Sensors:
    """The chips, the radio and the battery of one node in one room.

    `seed` draws the same chips another way. `faults` of other nodes are passed over.
    """

    def __init__(
        self,
        node: str,
        room: RoomSource,
        *,
        chips: Sequence[str] = USUAL,
        faults: Sequence[Fault] = (),
        seed: int | str = 0,
    ) -> None:
        self._room = room
        self._name = f"{seed}/{node}"
        self._chips = [CATALOGUE[chip] for chip in chips]
        self._faults = [
            fault
            for fault in faults
            if isinstance(fault, ChipFault | WornBattery) and fault.node == node
        ]
        self._rssi_dbm = one_uniform(key_of(self._name, "radio"), -76, -48)
        self._charged_s = one_uniform(key_of(self._name, "charged"), 0, _YEAR_S)

    def read(self, measured_at_ms: int) -> list[Reading]:
        """Every quantity at an instant; what a fault keeps from being read is left out."""
        return self.read_many(np.array([measured_at_ms], np.int64))[0]

    def read_many(self, at_ms: Integers) -> list[list[Reading]]:
        """The same at many instants: as one by one, only faster."""
        columns = [(column.quantity, column.values.tolist()) for column in self.columns(at_ms)]
        return [
            [
                Reading(quantity, MAIN_CHANNEL, at, values[place])
                for quantity, values in columns
                if values[place] == values[place]  # NaN is the one value that is not itself
            ]
            for place, at in enumerate(at_ms.tolist())
        ]

    def columns(self, at_ms: Integers) -> list[Column]:
        """What the node measures at rising instants, quantity by quantity, as a pack has it."""
        columns = [column for chip in self._chips for column in self._of_chip(chip, at_ms)]
        rssi = self._rssi_dbm + _NOISE_DBM * normal(key_of(self._name, "rssi"), at_ms)
        return [
            *columns,
            Column("rssi", _rounded("rssi", rssi)),
            Column("battery", _rounded("battery", self._battery_v(at_ms))),
            Column("outbox", np.ones(len(at_ms))),
        ]

    def _of_chip(self, chip: Chip, at_ms: Integers) -> list[Column]:
        return [
            Column(
                channel.quantity,
                _rounded(channel.quantity, self._faulty(chip, channel, at_ms)),
            )
            for channel in chip.channels
        ]

    def _sound(self, chip: Chip, channel: Channel, at_ms: Integers) -> Floats:
        """What a chip without faults says."""
        name = (self._name, chip.name, channel.quantity)
        offset = one_uniform(key_of(*name, "offset"), -channel.offset, channel.offset)
        gain = one_uniform(key_of(*name, "gain"), -channel.gain, channel.gain)
        value = self._seen(chip, channel, at_ms) * (1 + gain) + offset
        value = value + channel.noise * normal(key_of(*name, "noise"), at_ms)
        steps: Floats = np.round(value / channel.resolution) * channel.resolution
        return steps

    def _seen(self, chip: Chip, channel: Channel, at_ms: Integers) -> Floats:
        """The air as it reaches the chip: late, and warmed by the board."""
        times = lagged_times(at_ms / 1000, channel.lag_s)
        air = course_of(self._room, times.reshape(-1))
        samples = getattr(air, _COURSES[channel.quantity]).reshape(SAMPLES, -1)
        # Summed in a fixed order: a product of matrices may differ in its last bit by their size.
        seen = np.zeros(len(at_ms))
        for weight, sample in zip(_weights(), samples, strict=True):
            seen = seen + weight * sample
        if channel.quantity == "temperature":
            return seen + chip.warms_k
        if channel.quantity == "humidity":
            return seen * _drier(air, chip.warms_k, len(at_ms))
        return seen

    def _faulty(self, chip: Chip, channel: Channel, at_ms: Integers) -> Floats:
        value = self._sound(chip, channel, at_ms)
        for fault in self._faults:
            if isinstance(fault, ChipFault) and fault.chip == chip.name:
                held = (fault.since_ms <= at_ms) & (at_ms < fault.until_ms)
                if held.any():
                    # Of the chip, not of the channel: a garbled answer takes all of it.
                    key = key_of(self._name, chip.name, type(fault).__name__)
                    since = np.array([fault.since_ms], np.int64)
                    before = float(self._sound(chip, channel, since)[0])
                    wrong = spoilt(
                        fault,
                        channel.quantity,
                        value,
                        at_ms,
                        drawn=uniform(key, at_ms),
                        last=before,
                    )
                    value = np.where(held, wrong, value)
        return value

    def _battery_v(self, at_ms: Integers) -> Floats:
        """Sinks in a straight line over a year, and sags under load, most in the cold."""
        used = (at_ms / 1000 - self._charged_s) % _YEAR_S / _YEAR_S
        cold_k = np.maximum(0.0, _WARM_C - course_of(self._room, at_ms / 1000).temperature_c)
        resistance = np.ones(len(at_ms))
        for fault in self._faults:
            if isinstance(fault, WornBattery):
                held = (fault.since_ms <= at_ms) & (at_ms < fault.until_ms)
                resistance = np.where(held, fault.resistance, resistance)
        sag_v = resistance * (_SAG_V + _SAG_V_K * cold_k)
        volts: Floats = _FULL_V + _SAG_V - (_FULL_V - _EMPTY_V) * used - sag_v
        return volts


_COURSES: Final = {
    "temperature": "temperature_c",
    "humidity": "humidity_percent",
    "co2": "co2_ppm",
}


def _drier(air: AirCourse, warms_k: float, count: int) -> Floats:
    """By what factor air has less relative humidity once a board has warmed it."""
    now_c = air.temperature_c[:count]
    factor: Floats = saturation_g_m3(now_c) / saturation_g_m3(now_c + warms_k)
    return factor


def _rounded(quantity: str, values: Floats) -> Floats:
    """As the node's catalogue writes it, and humidity not beyond what there is."""
    if quantity == "humidity":
        values = np.clip(values, 0.0, 100.0)
    rounded: Floats = np.round(values, QUANTITIES[quantity].decimals)
    return rounded

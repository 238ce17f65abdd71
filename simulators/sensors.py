"""What a node's chips make of a room's air: each chip is a little off, and no two values are alike.

The same chip, room and instant give the same readings, so that filled-in history and live nodes
agree. It has no clock and knows neither packs nor MQTT. Faults of sensors are not played yet.
"""

from random import Random
from typing import Final

from ingest.readings import MAIN_CHANNEL, Reading
from simulators.room import RoomSource

CHIPS: Final = ("sht4x@0x44", "scd4x@0x62")

_OFFSET_K: Final = 0.15
_OFFSET_PERCENT: Final = 1.0
_OFFSET_PPM: Final = 20.0
_NOISE_K: Final = 0.02
_NOISE_PERCENT: Final = 0.15
_NOISE_PPM: Final = 6.0
_NOISE_DBM: Final = 1.5
# A cell that runs a node from September to July, and is charged then.
_FULL_V: Final = 4.1
_EMPTY_V: Final = 3.6
_YEAR_S: Final = 365 * 86_400


class Sensors:
    """The SHT4x, the SCD41 and the radio of one node in one room."""

    def __init__(self, node: str, room: RoomSource) -> None:
        self._room = room
        self._number = int(node, 16)
        chips = Random(self._number)  # noqa: S311 - a simulation
        self._offset_k = chips.uniform(-_OFFSET_K, _OFFSET_K)
        self._offset_percent = chips.uniform(-_OFFSET_PERCENT, _OFFSET_PERCENT)
        self._offset_ppm = chips.uniform(-_OFFSET_PPM, _OFFSET_PPM)
        self._rssi_dbm = chips.uniform(-76, -48)
        self._charged_s = chips.uniform(0, _YEAR_S)

    def read(self, measured_at_ms: int) -> list[Reading]:
        """Temperature, humidity, CO2, signal, battery and what the outbox holds at an instant."""
        state = self._room.state_at(measured_at_ms / 1000)
        noise = Random(self._number * 0x9E3779B1 + measured_at_ms).gauss  # noqa: S311
        humidity = state.humidity_percent + self._offset_percent + noise(0, _NOISE_PERCENT)
        values = (
            ("temperature", round(state.temperature_c + self._offset_k + noise(0, _NOISE_K), 2)),
            ("humidity", round(min(100.0, humidity), 1)),
            ("co2", round(state.co2_ppm + self._offset_ppm + noise(0, _NOISE_PPM))),
            ("rssi", round(self._rssi_dbm + noise(0, _NOISE_DBM))),
            ("battery", round(self._battery_v(measured_at_ms / 1000), 2)),
            ("outbox", 1),
        )
        return [
            Reading(quantity, MAIN_CHANNEL, measured_at_ms, value) for quantity, value in values
        ]

    def _battery_v(self, at_s: float) -> float:
        """Sinks in a straight line over a year."""
        used = (at_s - self._charged_s) % _YEAR_S / _YEAR_S
        return _FULL_V - (_FULL_V - _EMPTY_V) * used

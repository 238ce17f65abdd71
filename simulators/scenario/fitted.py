"""The chips of a room's node on a virtual board: where they are fitted, and what they are to say.

They say what those of a virtual node say at the same instant, with the same faults, through the
registers and wires of the real chip. It starts nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from simulators.board.bme280 import Bme280
from simulators.board.bus import Surroundings
from simulators.board.chips import Chips
from simulators.board.dht22 import Dht22
from simulators.board.mhz19 import Mhz19
from simulators.board.onewire import Ds18b20, OneWireBus
from simulators.board.s8 import S8
from simulators.board.scd4x import Scd4x
from simulators.board.scd30 import Scd30
from simulators.board.sht3x import Sht3x
from simulators.board.sht4x import Sht4x
from simulators.faults import ChecksumErrors, ChipFault, Disconnected, Fault
from simulators.room import RoomSource
from simulators.scenario.cast import Stand
from simulators.sensors import Sensors

CHECKED: Final = ("sht4x", "sht3x", "scd41", "scd40", "scd30")
"""Chips whose words carry a checksum that can be garbled on a board's bus."""

_SERIAL: Final = ("mh-z19c", "s8")
_MAKES: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {
        "sht4x": Sht4x,
        "sht3x": Sht3x,
        "bme280": Bme280,
        "scd41": Scd4x,
        "scd40": lambda: Scd4x(scd40=True),
        "scd30": Scd30,
        "ds18b20": lambda: Ds18b20(1),
        "dht22": Dht22,
        "mh-z19c": Mhz19,
        "s8": S8,
    }
)
_WIRE, _PIN, _UART = 4, 15, 2
# CO2 sensors heat themselves; what they tell of temperature counts where nothing else measures it.
_WARM_K: Final = 2.0
_ATTRIBUTES: Final = {
    "temperature": "temperature_c",
    "humidity": "humidity_percent",
    "co2": "co2_ppm",
}


@dataclass(slots=True)
class _Fitted:
    """One chip: the virtual one on the board, and what tells it what to say."""

    chip: Any
    air: RoomSource
    sensors: Sensors
    garbled: list[ChecksumErrors]
    off: list[Disconnected]


class Fitting:
    """All chips of one node. `chips` and `config` are for its board, `feed` for every moment."""

    def __init__(self, stand: Stand, faults: Sequence[Fault], seed: int) -> None:
        self._all = [_fitted(stand, name, faults, seed) for name in stand.chips]
        on = dict(zip(stand.chips, (one.chip for one in self._all), strict=True))
        sht4x, scd4x = on.get("sht4x"), on.get("scd41") or on.get("scd40")
        serial = [on[name] for name in _SERIAL if name in on]
        self.chips = Chips(
            sht4x,
            scd4x,
            others=[on[name] for name in ("sht3x", "bme280", "scd30") if name in on],
            wires={_WIRE: OneWireBus(on["ds18b20"])} if "ds18b20" in on else {},
            dht22={_PIN: on["dht22"]} if "dht22" in on else {},
            serial={_UART: serial[0]} if serial else {},
        )
        self.chips.sht4x.connected = sht4x is not None
        self.chips.scd4x.connected = scd4x is not None
        self.config: dict[str, Any] = {}
        if "ds18b20" in on:
            self.config["onewire"] = _WIRE
        if serial:
            self.config["uart"] = {"id": _UART, "tx": 17, "rx": 16}
        if "scd30" in on:
            self.config["i2c"] = {"id": 0, "scl": 22, "sda": 21, "soft": True}
        if "dht22" in on:
            self.config["sensors"] = [{"chip": "dht22", "pin": _PIN}]
        # A chip that answers every time is asked once for every pack.
        sure = sht4x is not None and not any(
            isinstance(fault, ChipFault) and fault.node == stand.node and fault.chip == "sht4x"
            for fault in faults
        )
        self.counted: Sht4x | None = sht4x if sure else None

    def feed(self, at_ms: int, surroundings: Surroundings) -> None:
        """What they measure, or fail to, from now on: the air of that instant."""
        for one in self._all:
            values = {
                column.quantity: float(column.values[0])
                for column in one.sensors.columns(np.array([at_ms], np.int64))
            }
            surroundings.rssi_dbm = round(values["rssi"])
            measured = {key: values[key] for key in _ATTRIBUTES if key in values}
            is_read = not any(np.isnan(value) for value in measured.values())
            one.chip.connected = not any(fault.holds(at_ms) for fault in one.off)
            if one.garbled:
                held = any(fault.holds(at_ms) for fault in one.garbled)
                one.chip.corrupt_crc = one.chip.connected and held and not is_read
            for quantity, value in measured.items():
                if is_read:
                    setattr(one.chip, _ATTRIBUTES[quantity], value)
            if "temperature" not in measured and hasattr(one.chip, "temperature_c"):
                air = one.air.state_at(at_ms / 1000)
                one.chip.temperature_c = air.temperature_c + _WARM_K
                one.chip.humidity_percent = air.humidity_percent


def _fitted(stand: Stand, name: str, faults: Sequence[Fault], seed: int) -> _Fitted:
    ours = [
        fault
        for fault in faults
        if isinstance(fault, ChipFault) and fault.node == stand.node and fault.chip == name
    ]
    return _Fitted(
        _MAKES[name](),
        stand.air,
        Sensors(stand.node, stand.air, chips=(name,), faults=ours, seed=seed),
        [fault for fault in ours if isinstance(fault, ChecksumErrors)],
        [fault for fault in ours if isinstance(fault, Disconnected)],
    )

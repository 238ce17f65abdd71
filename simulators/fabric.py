"""What rooms are made of, one by one as a person describes them and as arrays for the physics.

SI units. It knows neither weather nor people, and no names of rooms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

import numpy as np

from simulators.heat import AIR_J_M3K, Network
from simulators.seeds import Floats

AZIMUTH_DEG: Final = MappingProxyType(
    {"N": 0.0, "NE": 45.0, "E": 90.0, "SE": 135.0, "S": 180.0, "SW": 225.0, "W": 270.0, "NW": 315.0}
)
_MAY_BE_ZERO: Final = frozenset(
    {"windows_w_k", "glazing_m2", "obstacle_deg", "heater_w", "opening_m2", "ventilation_m3_h"}
    | {"azimuth_deg", "heat_recovery"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """A room. Raises `ValueError` for a figure that no room can have.

    The defaults are a renovated classroom (80 W/K with its leaks, a time constant of some 34 h).
    `capacity_j_m2k` and `mass_of_floor` are table 12 of ISO 13790: 165 kJ/m²K and 2.5 for a medium
    room, 110 kJ and 2.5 for a light, 260 kJ and 3.0 for a heavy one. `glazing_share` is what of the
    sun on a façade passes a square metre of window, frame and glass together. `ventilation_m3_h`
    runs while the room is used, and gives back `heat_recovery` of its heat. `heater_w` is what its
    radiators give at 50 K above the air (EN 442).
    """

    floor_m2: float = 60.0
    volume_m3: float = 180.0
    opaque_w_k: float = 40.0
    windows_w_k: float = 22.0
    capacity_j_m2k: float = 165e3
    mass_of_floor: float = 2.5
    glazing_m2: float = 10.0
    glazing_share: float = 0.42
    azimuth_deg: float = 180.0
    obstacle_deg: float = 12.0
    leak_ach: float = 0.3
    opening_m2: float = 0.9
    opening_height_m: float = 1.0
    ventilation_m3_h: float = 180.0
    heat_recovery: float = 0.0
    heater_w: float = 3200.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value < 0 or (value == 0 and one.name not in _MAY_BE_ZERO):
                raise ValueError(f"{one.name} = {value!r}: no room has that")
        if not self.heat_recovery < 1 or not self.glazing_share < 1:
            raise ValueError("heat_recovery and glazing_share are shares below 1")


@dataclass(frozen=True, slots=True)
class Rooms:
    """Many rooms as arrays, one value a room."""

    network: Network
    volume_m3: Floats
    glazing_m2: Floats
    azimuth_deg: Floats
    obstacle_deg: Floats
    leak_m3_s: Floats
    opening_m2: Floats
    opening_height_m: Floats
    ventilation_m3_s: Floats
    heat_recovery: Floats
    heater_w: Floats

    @classmethod
    def of(cls, rooms: Sequence[Fabric], between_w_k: Floats | None = None) -> "Rooms":
        """Rooms in the order given; `between_w_k` couples neighbours, symmetric."""

        def every(name: str) -> Floats:
            return np.array([getattr(room, name) for room in rooms], np.float64)

        volume = every("volume_m3")
        return cls(
            network=Network.of(
                floor_m2=every("floor_m2"),
                opaque_w_k=every("opaque_w_k"),
                windows_w_k=every("windows_w_k"),
                capacity_j_m2k=every("capacity_j_m2k"),
                mass_of_floor=every("mass_of_floor"),
                between_w_k=between_w_k,
            ),
            volume_m3=volume,
            glazing_m2=every("glazing_m2") * every("glazing_share"),
            azimuth_deg=every("azimuth_deg"),
            obstacle_deg=every("obstacle_deg"),
            leak_m3_s=every("leak_ach") * volume / 3600,
            opening_m2=every("opening_m2"),
            opening_height_m=every("opening_height_m"),
            ventilation_m3_s=every("ventilation_m3_h") / 3600,
            heat_recovery=every("heat_recovery"),
            heater_w=every("heater_w"),
        )

    def __len__(self) -> int:
        return len(self.volume_m3)

    @property
    def tight_loss_w_k(self) -> Floats:
        """What leaks alone cost: the ventilation loss of a room that nobody uses."""
        return AIR_J_M3K * self.leak_m3_s

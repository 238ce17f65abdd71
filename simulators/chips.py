"""The sensor chips that nodes carry: how far each is off, how finely it tells, how fast it follows.

Figures of the datasheets, where they give limits and no distribution taken as such; what depends on
the housing (self-heating, the lag of temperature) is an engineering guess. It plays nothing itself.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Measure = Literal["temperature", "humidity", "co2"]

# A chip follows air within seconds, the vented box around it within minutes.
_HOUSING_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of a chip, in the unit of the quantity.

    A single chip is off by a constant within `offset` and by a factor within `gain`; `noise` is the
    deviation of one value; `lag_s` the time constant of a first-order response.
    """

    quantity: Measure
    offset: float
    noise: float
    resolution: float
    lag_s: float
    gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Chip:
    """A type of chip. `bus` is how a node announces it; by `warms_k` its board warms the air."""

    name: str
    bus: str
    channels: tuple[Channel, ...]
    warms_k: float = 0.0


def _temperature(offset_k: float, noise_k: float, resolution_k: float) -> Channel:
    return Channel("temperature", offset_k, noise_k, resolution_k, _HOUSING_S)


def _humidity(offset: float, noise: float, resolution: float, lag_s: float) -> Channel:
    return Channel("humidity", offset, noise, resolution, lag_s)


def _co2(offset_ppm: float, gain: float, noise_ppm: float, t90_s: float) -> Channel:
    # 90 % of a step are reached after 2.3 time constants.
    return Channel("co2", offset_ppm, noise_ppm, 1.0, t90_s / 2.303, gain)


CATALOGUE: Final = MappingProxyType(
    {
        chip.name: chip
        for chip in (
            Chip(
                "sht4x",
                "sht4x@0x44",
                (_temperature(0.15, 0.02, 0.01), _humidity(1.0, 0.15, 0.01, 60)),
                warms_k=0.1,
            ),
            Chip(
                "sht3x",
                "sht3x@0x44",
                (_temperature(0.2, 0.04, 0.01), _humidity(2.0, 0.2, 0.01, 60)),
                warms_k=0.1,
            ),
            Chip("ds18b20", "ds18b20", (_temperature(0.5, 0.02, 0.0625),), warms_k=0.05),
            Chip(
                "dht22",
                "dht22",
                (_temperature(0.5, 0.1, 0.1), _humidity(2.0, 0.3, 0.1, 60)),
                warms_k=0.1,
            ),
            Chip(
                "bme280",
                "bme280@0x76",
                (_temperature(0.5, 0.01, 0.01), _humidity(3.0, 0.1, 0.01, 60)),
                warms_k=0.8,
            ),
            Chip("scd41", "scd4x@0x62", (_co2(25, 0.03, 6, 60),)),
            Chip("scd40", "scd4x@0x62", (_co2(30, 0.03, 8, 60),)),
            Chip("scd30", "scd30@0x61", (_co2(20, 0.02, 8, 46),)),
            Chip("mh-z19c", "mh-z19c", (_co2(40, 0.04, 8, 120),)),
            Chip("s8", "s8", (_co2(30, 0.02, 8, 120),)),
        )
    }
)

"""What is known of the CO2 sensors that nodes name: their makers' names and ranges.

The French rules ask for 0 to 5000 ppm (arrêté of 27 December 2022). A chip specified to 2000 ppm
tells fresh from stale air all the same: it is worth a remark, and never an alarm.
"""

from dataclasses import dataclass
from typing import Final

from gateway.nodes import Co2Report

WANTED_PPM: Final = 5000


@dataclass(frozen=True, slots=True)
class Co2Model:
    """A chip as its maker calls it, and up to what it is specified (its datasheet)."""

    name: str
    specified_to_ppm: int | None
    """Of several models that answer alike, the least."""
    may_be: tuple["Co2Model", ...] = ()
    """Those models: which one it is stands on the chip, and may stand in the estate."""

    @property
    def falls_short(self) -> bool:
        """Whether it is specified to less than the rules ask for."""
        return self.specified_to_ppm is not None and self.specified_to_ppm < WANTED_PPM


_SCD40: Final = Co2Model("Sensirion SCD40", 2000)
_SCD41: Final = Co2Model("Sensirion SCD41", 5000)
_MODELS: Final = {
    "scd4x": Co2Model("Sensirion SCD40/SCD41", 2000, (_SCD40, _SCD41)),
    "scd30": Co2Model("Sensirion SCD30", 10_000),
    "s8": Co2Model("SenseAir S8", 2000),
    "mhz19": Co2Model("Winsen MH-Z19", 5000),
}


def model_of(report: Co2Report, board: str | None) -> Co2Model:
    """The model of a sensor on a node, of which the estate says `board` ("ESP32-C3, SCD41")."""
    chip = report.sensor.partition("@")[0]
    model = _MODELS.get(chip, Co2Model(chip, None))
    named = [one for one in model.may_be if one.name.split()[-1] in (board or "").upper()]
    return named[0] if len(named) == 1 else model

"""Where the sun stands, and what of its light reaches the ground and a window.

Vectorised over instants. It knows neither weather nor buildings; how cloudy it is, is an argument.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import sg2

from simulators.seeds import Floats

_DAY_S: Final = 86_400.0
_SOLAR_CONSTANT_W_M2: Final = 1361.0
_GROUND_ALBEDO: Final = 0.2
_LOWEST_SIN: Final = 0.02
"""Below a degree the direct beam of a horizontal figure can't be told apart from noise."""


@dataclass(frozen=True, slots=True)
class SunPosition:
    """Elevation above the horizon and azimuth from north over east, in radians."""

    elevation_rad: Floats
    azimuth_rad: Floats


@dataclass(frozen=True, slots=True)
class Light:
    """Sunlight in W/m²: on a horizontal square metre, of it from the whole sky, and the beam on a
    square metre that faces the sun.
    """

    horizontal_w_m2: Floats
    diffuse_w_m2: Floats
    beam_w_m2: Floats


def sun_position(unix_s: Floats, latitude_deg: float, longitude_deg: float) -> SunPosition:
    """The sun as seen from sea level at a place, without refraction, between 1980 and 2100.

    SG2 of Blanc and Wald, Solar Energy 86 (2012) 3072, by its authors' library: to 0.005°.
    """
    sun = sg2.sun_position(
        [[longitude_deg, latitude_deg, 0.0]],
        np.round(unix_s * 1000).astype("datetime64[ms]"),
        ["topoc.gamma_S0", "topoc.alpha_S"],
    ).topoc
    return SunPosition(sun.gamma_S0[0], sun.alpha_S[0])


def light(unix_s: Floats, sun: SunPosition, cloud: Floats) -> Light:
    """Sunlight under a share of the sky that is clouded, 0 to 1.

    Clear sky of Haurwitz, J. Meteorology 2 (1945) 154; clouds of Kasten and Czeplak, Solar Energy
    24 (1980) 177; the diffuse part of Erbs, Klein and Duffie, Solar Energy 28 (1982) 293.
    """
    height = np.maximum(np.sin(sun.elevation_rad), 0.0)
    safe = np.maximum(height, _LOWEST_SIN)
    clear = 1098.0 * height * np.exp(-0.057 / safe)
    horizontal = clear * (1 - 0.75 * cloud**3.4)
    turn = 2 * np.pi * (unix_s / (365.2425 * _DAY_S) % 1.0)
    outside = _SOLAR_CONSTANT_W_M2 * (1 + 0.033 * np.cos(turn)) * safe
    diffuse = horizontal * _erbs_diffuse_share(horizontal / outside)
    beam = np.where(height > _LOWEST_SIN, (horizontal - diffuse) / safe, 0.0)
    diffuse = np.where(height > _LOWEST_SIN, diffuse, horizontal)
    return Light(horizontal, diffuse, beam)


def on_facade(
    given: Light, sun: SunPosition, azimuth_deg: float, *, obstacle_deg: float = 0.0
) -> Floats:
    """Sunlight on a wall that faces `azimuth_deg` (0 north, 90 east), in W/m².

    Beam by the angle of incidence; half of the sky, and half of the ground with its albedo of 0.2
    (isotropic, Liu and Jordan 1963). The beam is lost while the sun is below `obstacle_deg`: the
    houses across the street.
    """
    incidence = np.cos(sun.elevation_rad) * np.cos(sun.azimuth_rad - np.radians(azimuth_deg))
    seen = sun.elevation_rad > np.radians(obstacle_deg)
    beam = np.where(seen, given.beam_w_m2 * np.maximum(incidence, 0.0), 0.0)
    sky = 0.5 * given.diffuse_w_m2
    ground = 0.5 * _GROUND_ALBEDO * given.horizontal_w_m2
    total: Floats = beam + sky + ground
    return total


def _erbs_diffuse_share(clearness: Floats) -> Floats:
    k = np.minimum(clearness, 1.0)
    middle = 0.9511 - 0.1604 * k + 4.388 * k**2 - 16.638 * k**3 + 12.336 * k**4
    share: Floats = np.where(k <= 0.22, 1.0 - 0.09 * k, np.where(k <= 0.80, middle, 0.165))
    return share

"""Weather of a year near Paris: outdoor temperature, vapour and sun, by seed and instant.

Monthly normals, a daily curve and spells of a few days; no records are replayed. It has no clock
and knows nothing of buildings.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final

DAY_S: Final = 86_400

# Paris-Montsouris 1991-2020, January to December.
_MAXIMUM_C: Final = (7.6, 8.8, 12.8, 16.6, 20.2, 23.4, 25.7, 25.6, 21.5, 16.5, 11.1, 8.0)
_MINIMUM_C: Final = (3.2, 3.3, 5.6, 7.9, 11.1, 14.2, 16.2, 16.0, 13.0, 9.9, 6.2, 3.8)
# The country east of Paris lies outside the city's heat island.
_EAST_OF_PARIS_K: Final = -1.0

_SPELL_DAYS: Final = 3
_SPELL_DEVIATION_K: Final = 2.8
_COLDEST_S: Final = 5.5 * 3600
_WARMEST_S: Final = 14.5 * 3600
_LATITUDE: Final = math.radians(48.95)
_CLEAR_SKY_W_M2: Final = 900.0


@dataclass(frozen=True, slots=True)
class Outdoors:
    """What the sky does at one instant. `sun_w_m2` falls on a horizontal square metre."""

    temperature_c: float
    vapour_g_m3: float
    sun_w_m2: float
    hour_angle: float
    """Where the sun stands, in radians: 0 in the south, negative in the east."""


@dataclass(frozen=True, slots=True)
class _Day:
    mean_c: float
    half_range_k: float
    clearness: float
    height_sin: float
    height_cos: float


class Weather:
    """One town's weather. The same seed and instant give the same answer, in any order."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._days: dict[int, _Day] = {}
        self._spells: dict[int, tuple[float, float]] = {}

    def at(self, unix_s: float) -> Outdoors:
        """The outdoors at a Unix time."""
        # A day's figures hold at its noon; in between they run straight, so that no night jumps.
        number, part = divmod(unix_s / DAY_S - 0.5, 1.0)
        before, after = self._day(int(number)), self._day(int(number) + 1)
        mean_c = before.mean_c + (after.mean_c - before.mean_c) * part
        half_range_k = before.half_range_k + (after.half_range_k - before.half_range_k) * part
        clearness = before.clearness + (after.clearness - before.clearness) * part

        second = unix_s % DAY_S
        temperature_c = mean_c + half_range_k * _daily_curve(second)
        # A night cools until dew forms, so the day's minimum is close to its dew point.
        dew_point_c = mean_c - half_range_k - 0.5
        hour_angle = 2 * math.pi * (second / DAY_S - 0.5)
        height = before.height_sin + before.height_cos * math.cos(hour_angle)
        sun_w_m2 = max(0.0, height) * _CLEAR_SKY_W_M2 * (0.15 + 0.85 * clearness)
        return Outdoors(temperature_c, saturation_g_m3(dew_point_c), sun_w_m2, hour_angle)

    def mean_c(self, unix_s: float) -> float:
        """Mean temperature of the (UTC) day around an instant: what a boiler's control looks at."""
        return self._day(int(unix_s // DAY_S)).mean_c

    def _day(self, number: int) -> _Day:
        if number not in self._days:
            self._days[number] = self._settle(number)
        return self._days[number]

    def _settle(self, number: int) -> _Day:
        noon = datetime.fromtimestamp((number + 0.5) * DAY_S, UTC)
        anomaly_k, clearness = self._spell(number)
        minimum_c, maximum_c = _of_the_year(_MINIMUM_C, noon), _of_the_year(_MAXIMUM_C, noon)
        turn = 2 * math.pi * (noon.timetuple().tm_yday + 10) / 365.25
        declination = math.radians(-23.44) * math.cos(turn)
        return _Day(
            mean_c=(minimum_c + maximum_c) / 2 + _EAST_OF_PARIS_K + anomaly_k,
            half_range_k=(maximum_c - minimum_c) / 2 * (0.5 + clearness),
            clearness=clearness,
            height_sin=math.sin(_LATITUDE) * math.sin(declination),
            height_cos=math.cos(_LATITUDE) * math.cos(declination),
        )

    def _spell(self, day: int) -> tuple[float, float]:
        number, part = divmod(day, _SPELL_DAYS)
        share = (1 - math.cos(math.pi * part / _SPELL_DAYS)) / 2
        before, after = self._knot(number), self._knot(number + 1)
        return (
            before[0] + (after[0] - before[0]) * share,
            before[1] + (after[1] - before[1]) * share,
        )

    def _knot(self, number: int) -> tuple[float, float]:
        if number not in self._spells:
            random = Random(f"weather/{self._seed}/{number}")  # noqa: S311 - a simulation
            self._spells[number] = (random.gauss(0, _SPELL_DEVIATION_K), random.random())
        return self._spells[number]


def saturation_g_m3(temperature_c: float) -> float:
    """Water that a cubic metre of air holds at saturation, in grams (Magnus formula over water)."""
    pressure_hpa = 6.112 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))
    return 216.7 * pressure_hpa / (temperature_c + 273.15)


def _daily_curve(second: float) -> float:
    """From -1 at the coldest moment of a day to 1 at the warmest: mornings rise faster."""
    since = (second - _COLDEST_S) % DAY_S
    rise_s = _WARMEST_S - _COLDEST_S
    if since < rise_s:
        return -math.cos(math.pi * since / rise_s)
    return math.cos(math.pi * (since - rise_s) / (DAY_S - rise_s))


def _of_the_year(monthly: tuple[float, ...], noon: datetime) -> float:
    """A monthly normal stands for the middle of its month; between two it runs straight."""
    position = noon.month - 1 + (noon.day - 15) / 30.4
    month = math.floor(position)
    share = position - month
    return monthly[month % 12] * (1 - share) + monthly[(month + 1) % 12] * share

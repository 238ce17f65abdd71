"""Weather of a year near Paris: temperature, vapour, sun and wind, by seed and instant.

Monthly normals, a daily curve and spells that last; no records are replayed. It has no clock and
knows nothing of buildings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from simulators.seeds import Floats, Integers, key_of, normal
from simulators.sun import Light, SunPosition, light, sun_position

DAY_S: Final = 86_400

# Paris-Montsouris 1991-2020, January to December.
_MAXIMUM_C: Final = (7.6, 8.8, 12.8, 16.6, 20.2, 23.4, 25.7, 25.6, 21.5, 16.5, 11.1, 8.0)
_MINIMUM_C: Final = (3.2, 3.3, 5.6, 7.9, 11.1, 14.2, 16.2, 16.0, 13.0, 9.9, 6.2, 3.8)
# The country east of Paris lies outside the city's heat island.
_EAST_OF_PARIS_K: Final = -1.0
_LATITUDE_DEG: Final = 48.957
_LONGITUDE_DEG: Final = 2.950

# Engineering guesses that give the spread of daily means (3.5 K in winter, 3 K in summer) and the
# sun of a year near Paris (about 1,150 kWh/m²) that observations show; the tests hold them to it.
_WINTER_DEVIATION_K: Final = 3.5
_SUMMER_DEVIATION_K: Final = 3.0
_PERSISTENCE: Final = 0.78
_CLOUD_PERSISTENCE: Final = 0.55
_MEMORY_DAYS: Final = 24
_CLOUD_OF_COLD: Final = 0.45
_WINTER_CLOUD: Final = 1.25
_SUMMER_CLOUD: Final = 0.95
_CLOUD_SPREAD: Final = 1.2
_CLOUD_BY_HOUR: Final = 0.15
_RANGE_BY_CLOUD: Final = 0.9
_WIND_M_S: Final = 3.2
_COLDEST_S: Final = 5.0 * 3600
_WARMEST_S: Final = 14.5 * 3600
_MIDWINTER_S: Final = 15 * DAY_S
_YEAR_S: Final = 365.2425 * DAY_S


@dataclass(frozen=True, slots=True)
class Spell:
    """Days, both included, that are warmer or colder by `anomaly_k`, and as cloudy as said."""

    first: date
    last: date
    anomaly_k: float = 0.0
    cloud: float | None = None


@dataclass(frozen=True, slots=True)
class Outdoors:
    """The outdoors at one instant. `sun_w_m2` falls on a horizontal square metre."""

    temperature_c: float
    vapour_g_m3: float
    sun_w_m2: float
    wind_m_s: float


@dataclass(frozen=True, slots=True)
class Sky:
    """The outdoors at many instants: one value each. `mean_c` is the mean of the last 24 hours."""

    unix_s: Floats
    temperature_c: Floats
    mean_c: Floats
    vapour_g_m3: Floats
    wind_m_s: Floats
    cloud: Floats
    sun: SunPosition
    light: Light


@dataclass(frozen=True, slots=True)
class _Days:
    """Figures of whole (UTC) days, which hold at their noon."""

    noon_s: Floats
    mean_c: Floats
    half_range_k: Floats
    cloud: Floats
    wind_m_s: Floats


class Weather:
    """One town's weather. The same seed and instant give the same answer, in any order.

    `spells` are put on top of what the seed draws: a heat wave, a week of frost.
    """

    def __init__(self, seed: int, spells: Sequence[Spell] = ()) -> None:
        self._warmth = key_of("weather", seed, "warmth")
        self._clouds = key_of("weather", seed, "clouds")
        self._gusts = key_of("weather", seed, "gusts")
        self._hours = key_of("weather", seed, "hours")
        self._spells = tuple(spells)

    def at(self, unix_s: float) -> Outdoors:
        """The outdoors at a Unix time."""
        sky = self.over(np.array([float(unix_s)]))
        return Outdoors(
            float(sky.temperature_c[0]),
            float(sky.vapour_g_m3[0]),
            float(sky.light.horizontal_w_m2[0]),
            float(sky.wind_m_s[0]),
        )

    def over(self, unix_s: Floats) -> Sky:
        """The outdoors at rising Unix times."""
        days = self._days(int(unix_s[0] // DAY_S) - 2, int(unix_s[-1] // DAY_S) + 2)

        def between_noons(figures: Floats, at_s: Floats = unix_s) -> Floats:
            # In between they run straight, so that no night jumps.
            return np.interp(at_s, days.noon_s, figures)

        mean_c, half_range_k = between_noons(days.mean_c), between_noons(days.half_range_k)
        cloud = np.clip(between_noons(days.cloud) + self._passing_clouds(unix_s), 0.0, 1.0)
        sun = sun_position(unix_s, _LATITUDE_DEG, _LONGITUDE_DEG)
        temperature_c = mean_c + half_range_k * _daily_curve(unix_s % DAY_S)
        # A night cools until dew forms, so the day's minimum is close to its dew point.
        dew_point_c = mean_c - half_range_k - 0.5
        return Sky(
            unix_s=unix_s,
            temperature_c=temperature_c,
            mean_c=between_noons(days.mean_c, unix_s - DAY_S / 2),
            vapour_g_m3=saturation_g_m3(dew_point_c),
            wind_m_s=between_noons(days.wind_m_s),
            cloud=cloud,
            sun=sun,
            light=light(unix_s, sun, cloud),
        )

    def _days(self, first: int, last: int) -> _Days:
        numbers = np.arange(first, last + 1, dtype=np.int64)
        noon_s = DAY_S * (numbers.astype(np.float64) + 0.5)
        warmth = _persistent(self._warmth, numbers, _PERSISTENCE)
        # 1 at midwinter, 0 at midsummer: clear winter days are cold, clear summer days are hot.
        winter = (1 + np.cos(2 * np.pi * (noon_s - _MIDWINTER_S) / _YEAR_S)) / 2
        clouds = _persistent(self._clouds, numbers, _CLOUD_PERSISTENCE)
        clouds = clouds + _CLOUD_OF_COLD * (2 * winter - 1) * warmth
        usual = _SUMMER_CLOUD + (_WINTER_CLOUD - _SUMMER_CLOUD) * winter
        cloud = _share(usual + _CLOUD_SPREAD * clouds)
        minimum_c, maximum_c = _of_the_year(_MINIMUM_C, noon_s), _of_the_year(_MAXIMUM_C, noon_s)
        deviation_k = _SUMMER_DEVIATION_K + (_WINTER_DEVIATION_K - _SUMMER_DEVIATION_K) * winter
        mean_c = (minimum_c + maximum_c) / 2 + _EAST_OF_PARIS_K + deviation_k * warmth
        gusts = _persistent(self._gusts, numbers, _CLOUD_PERSISTENCE)
        for spell in self._spells:
            meant = _meant(spell, numbers)
            mean_c = np.where(meant, mean_c + spell.anomaly_k, mean_c)
            if spell.cloud is not None:
                cloud = np.where(meant, spell.cloud, cloud)
        # The mean of a normal deviate as a share: the usual days must keep the normals' range.
        mean_cloud = _share(usual / np.sqrt(1 + _CLOUD_SPREAD**2))
        wider = 1 + _RANGE_BY_CLOUD * (mean_cloud - cloud)
        half_range_k = (maximum_c - minimum_c) / 2 * wider
        return _Days(noon_s, mean_c, half_range_k, cloud, _WIND_M_S * np.exp(0.45 * gusts - 0.1))

    def _passing_clouds(self, unix_s: Floats) -> Floats:
        hours = unix_s / 3600
        number = np.floor(hours).astype(np.int64)
        part = hours - number
        drawn = normal(self._hours, number) * (1 - part) + normal(self._hours, number + 1) * part
        return _CLOUD_BY_HOUR * drawn


def saturation_g_m3(temperature_c: Floats) -> Floats:
    """Water that a cubic metre of air holds at saturation, in grams.

    Magnus formula over water, with the constants of Sonntag (Z. Meteorologie 70 (1990) 340).
    """
    pressure_hpa = 6.112 * np.exp(17.62 * temperature_c / (243.12 + temperature_c))
    water: Floats = 216.7 * pressure_hpa / (temperature_c + 273.15)
    return water


def _persistent(key: int, days: Integers, persistence: float) -> Floats:
    """A series with mean 0 and deviation 1 in which a day resembles the one before.

    A first-order autoregression, written as the weighted sum of the last 24 days' draws, so that
    it can begin anywhere.
    """
    weights = persistence ** np.arange(_MEMORY_DAYS)
    weights /= np.sqrt(np.sum(weights**2))
    draws = normal(key, np.arange(days[0] - _MEMORY_DAYS + 1, days[-1] + 1))
    return np.convolve(draws, weights, "valid")


def _share(latent: Floats) -> Floats:
    """Any number as a share of 0 to 1 (logistic, with the slope of the normal distribution)."""
    share: Floats = 1 / (1 + np.exp(-1.702 * latent))
    return share


def _meant(spell: Spell, days: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    first = (spell.first - date(1970, 1, 1)).days
    last = (spell.last - date(1970, 1, 1)).days
    return (first <= days) & (days <= last)


def _daily_curve(second: Floats) -> Floats:
    """From -1 at the coldest moment of a day to 1 at the warmest: mornings rise faster."""
    since = (second - _COLDEST_S) % DAY_S
    rise_s = _WARMEST_S - _COLDEST_S
    rising = -np.cos(np.pi * since / rise_s)
    falling = np.cos(np.pi * (since - rise_s) / (DAY_S - rise_s))
    curve: Floats = np.where(since < rise_s, rising, falling)
    return curve


def _of_the_year(monthly: tuple[float, ...], noon_s: Floats) -> Floats:
    """A monthly normal stands for the middle of its month; between two it runs straight."""
    middles = (np.arange(12) + 0.5) / 12 * _YEAR_S
    since_new_year = noon_s % _YEAR_S
    return np.interp(since_new_year, middles, monthly, period=_YEAR_S)

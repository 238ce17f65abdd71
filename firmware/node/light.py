"""The light for pupils: one to three WS2812 that show how the air is, green, orange, red; the more
lit, the worse, for whoever can't tell the colours. Loaded only where one is configured.

It knows CO2, hours and LEDs. It must not know sensors or network.
"""

import machine
import neopixel
import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from settings import Settings

# A value near a threshold shall not make the light flicker.
_BACK_PPM = const(50)
_BRIGHTNESS = const(40)
_LEDS_MAX = const(3)


def open_light(settings: Settings) -> "Light | None":
    """The light, or None where its settings are refused: the node goes on without."""
    try:
        return Light(settings)
    except (KeyError, TypeError, ValueError) as error:
        note("light {} refused: {!r}".format(settings.light, error))
        return None


class Light:
    """`settings.light` has `pin`, and may have `count` (1 to 3), `brightness` (1 to 255) and what
    the gateway may set as well: `light_orange_ppm`, `light_red_ppm`, `opening_hours`,
    `utc_offset_min`, `summer_time`.
    """

    def __init__(self, settings: Settings) -> None:
        config = settings.light
        assert config is not None
        # Now: hours that can't be read shall not come up in a round of measuring.
        seldom.run("sensor_settings", "check", config)
        self._settings = settings
        self._count = max(1, min(_LEDS_MAX, int(config.get("count", 1))))
        self._brightness = max(1, min(255, int(config.get("brightness", _BRIGHTNESS))))
        self._leds = neopixel.NeoPixel(machine.Pin(config["pin"], machine.Pin.OUT), self._count)
        self._level = 0
        self._write(0, (0, 0, 0))

    def _setting(self, key: str, default: object) -> Any:
        settings = self._settings
        assert settings.light is not None
        return getattr(settings, key, settings.light.get(key, default))

    def show(self, co2_ppm: int | None, now_s: int | None) -> None:
        """Shows the air; dark without a value, which is no good news, and outside the opening
        hours. Without a clock it shines: a node that never had a network serves its room as well.
        """
        if co2_ppm is None or (now_s is not None and not self._is_open(now_s)):
            self._write(0, (0, 0, 0))
            return
        level = 0
        for step, key, default in ((1, "light_orange_ppm", 800), (2, "light_red_ppm", 1500)):
            back_ppm = _BACK_PPM if self._level >= step else 0
            if co2_ppm >= self._setting(key, default) - back_ppm:
                level = step
        self._level = level
        full = self._brightness
        colour = ((0, full, 0), (full, full * 2 // 5, 0), (full, 0, 0))[level]
        self._write(max(1, (level + 1) * self._count // 3), colour)

    def _is_open(self, now_s: int) -> bool:
        hours = seldom.load("hours")
        return hours.is_open(
            hours.parse(self._setting("opening_hours", "Mo-Fr 07:00-19:00")),
            now_s,
            self._setting("utc_offset_min", 60),
            self._setting("summer_time", True),
        )

    def _write(self, lit: int, colour: tuple[int, int, int]) -> None:
        for index in range(self._count):
            self._leds[index] = colour if index < lit else (0, 0, 0)
        self._leds.write()

"""The sensors of this node: what they read, which of them fail, when to try those again.

One that fails is reported and tried again, at first at the next round, then after 2, 4, 8 and 16;
the others go on. Which sensors there are `discovery` says. It must not know packs or topics.
"""

import gc

import seldom
from diary import note
from drivers import SensorError
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from drivers.ds18b20 import Wire
    from machine import I2C, UART
    from node_types import Driver, Output, Reading, Values
    from settings import Settings

_WAIT_MAX = const(4)
_CO2_ROUNDS = const(5)


class Sensor:
    """`outputs` are (quantity number, channel or None), one for each value of the driver. A
    `warm` chip heats itself: of its values only the first counts where another measures the rest.
    """

    def __init__(self, driver: Driver, outputs: tuple[Output, ...], warm: bool) -> None:
        self.driver = driver
        self.outputs = outputs
        self.warm = warm
        self.started = False
        self.failures = self.wait = 0


class Sensors:
    """`settings` say what is where; `find` before the first `measure`."""

    i2c: I2C | None
    wire: Wire | None
    uart: UART | None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.all: list[Sensor] = []
        self.names: list[str] = []
        self.failing: list[str] = []
        # Whether any of what presence says of them is news.
        self.changed = False
        # Latest CO2 in ppm, None once it is five rounds old.
        self.co2_ppm: int | None = None
        self._co2_age = 0
        # What discovery remembers: buses, addresses that were looked at, when each chip was
        # calibrated ({name: [Unix seconds, ppm]}).
        self.i2c = self.wire = self.uart = None
        # Whether the I2C bus is one in software: see `i2c_bus`.
        self.is_soft = False
        self.seen = b""
        self.incomplete = True
        self.calibrated: dict[str, list[int | None]] = {}

    async def find(self) -> None:
        """Looks for sensors: everywhere at first and while something is missing, later only
        where an address is new on the I2C bus.
        """
        if self.incomplete or self._is_new():
            gc.collect()
            try:
                await seldom.load("discovery").find(self)
            except MemoryError:
                # Looking again needs room that a node may lack for a while: sampling goes on.
                note("sensors: no memory to look for new ones")
            for sensor in self.all:
                if hasattr(sensor.driver, "abc") and not (sensor.started or sensor.failures):
                    # Now, so that the first presence knows its baseline correction.
                    try:
                        await self._start(sensor)
                    except (SensorError, OSError) as error:
                        self._failed(sensor, error)

    def _is_new(self) -> bool:
        bus = self.i2c
        try:
            return bus is not None and any(address not in self.seen for address in bus.scan())
        except OSError:
            return False  # The sensors on it will say so.

    async def measure(self, rtc_s: int) -> list[Reading]:
        """A list of (quantity number, value in its smallest step, channel or None, offset from
        the RTC second `rtc_s` in ms).
        """
        readings: list[Reading] = []
        self._co2_age += 1
        for sensor in self.all:
            if sensor.wait:
                sensor.wait -= 1
                continue
            try:
                values = await self._ask(sensor)
            except (SensorError, OSError) as error:
                self._failed(sensor, error)
                continue
            sensor.failures = 0
            if sensor.driver.name in self.failing:
                self.failing.remove(sensor.driver.name)
                self.changed = True
            if isinstance(values, list):
                quantity, channel = sensor.outputs[0]
                # Such a driver has them.
                for value, offset_ms in sensor.driver.edges.offsets(  # type: ignore[attr-defined]
                    values, rtc_s
                ):
                    readings.append((quantity, value, channel, offset_ms))
            elif values:
                self._add_values(readings, sensor, values)
        if self._co2_age > _CO2_ROUNDS:
            self.co2_ppm = None
        return readings

    async def _start(self, sensor: Sensor) -> None:
        driver: Any = sensor.driver  # What it may have besides, `hasattr` asks for.
        if hasattr(driver, "abc"):
            driver.wanted_abc = self.settings.co2_abc
            self.changed = True
        await driver.start()
        sensor.started = True

    async def _ask(self, sensor: Sensor) -> Values:
        driver: Any = sensor.driver  # What it may have besides, `hasattr` asks for.
        if hasattr(driver, "abc") and driver.wanted_abc != self.settings.co2_abc:
            sensor.started = False
        if not sensor.started:
            await self._start(sensor)
        return await driver.measure()  # type: ignore[no-any-return]

    def _failed(self, sensor: Sensor, error: Exception) -> None:
        sensor.started = False
        sensor.wait = (1 << min(sensor.failures, _WAIT_MAX)) - 1
        sensor.failures += 1
        if sensor.driver.name not in self.failing:
            note(error)
            self.failing.append(sensor.driver.name)
            self.changed = True
        if self.i2c is not None and type(getattr(error, "address", None)) is int:
            bus = seldom.load("i2c_bus")
            if bus.is_held(self.settings.i2c):
                bus.open_bus(self.settings.i2c, self.is_soft)

    def _add_values(self, readings: list[Reading], sensor: Sensor, values: tuple[int, ...]) -> None:
        if hasattr(sensor.driver, "abc"):
            self.co2_ppm = values[0]
            self._co2_age = 0
        for index, value in enumerate(values):
            quantity, channel = sensor.outputs[index]
            if not (sensor.warm and self._measured_better(quantity)):
                readings.append((quantity, value, channel, 0))

    def _measured_better(self, quantity: int) -> bool:
        return any(
            not other.warm and any(output[0] == quantity for output in other.outputs)
            for other in self.all
        )

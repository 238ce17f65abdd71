"""The chips on the I2C bus: which there are, what they read, which of them fail.

It turns drivers' answers into quantities of the catalogue. One chip that fails is reported and
tried again at the next round; the others go on. It must not know packs, time or topics.
"""

from diary import note
from drivers import scd4x, sht4x
from drivers.sensirion import SensorError
from senml import number

_TEMPERATURE = number("temperature")
_HUMIDITY = number("humidity")
_CO2 = number("co2")


class _Sensor:
    def __init__(self, name: str, chip: str, driver, channel):
        self.name = name
        self.chip = chip
        self.driver = driver
        self.channel = channel
        self.started = False


class Sensors:
    """`pinned` is a list of {"chip", "address", "channel"}; None: whatever answers a scan."""

    def __init__(self, i2c, pinned=None):
        self._i2c = i2c
        self._pinned = pinned
        self._sensors = []
        self.names = []
        self.failing = []

    def find(self):
        """Adds what is pinned or answers on the bus; what was known stays."""
        if self._pinned is not None:
            for pin in self._pinned:
                self._add(pin["chip"], pin["address"], pin.get("channel"))
            return
        try:
            present = self._i2c.scan()
        except OSError as error:
            note("I2C scan failed:", error)
            return
        for address in present:
            for chip, addresses in ((sht4x.CHIP, sht4x.ADDRESSES), (scd4x.CHIP, scd4x.ADDRESSES)):
                if address in addresses:
                    self._add(chip, address, None)

    def _add(self, chip: str, address: int, channel):
        name = "{}@0x{:02x}".format(chip, address)
        if name in self.names:
            return
        if channel is None and any(sensor.chip == chip for sensor in self._sensors):
            channel = "{}-{:02x}".format(chip, address)
        driver = {sht4x.CHIP: sht4x.Sht4x, scd4x.CHIP: scd4x.Scd4x}.get(chip)
        if driver is None:
            note("no driver for", chip)
            return
        self._sensors.append(_Sensor(name, chip, driver(self._i2c, address), channel))
        self.names.append(name)

    async def measure(self):
        """A list of (quantity number, value in its smallest step, channel or None)."""
        readings: list[tuple] = []
        for sensor in self._sensors:
            try:
                if not sensor.started:
                    await sensor.driver.start()
                    sensor.started = True
                values = await sensor.driver.measure()
            except SensorError as error:
                sensor.started = False
                if sensor.name not in self.failing:
                    note(error)
                    self.failing.append(sensor.name)
                continue
            if sensor.name in self.failing:
                self.failing.remove(sensor.name)
            if values:
                self._add_readings(readings, sensor, values)
        return readings

    def _add_readings(self, readings, sensor, values):
        if sensor.chip == scd4x.CHIP:
            readings.append((_CO2, values[0], sensor.channel))
            # The SCD4x warms itself: its temperature only serves where nothing better does.
            if any(other.chip != scd4x.CHIP for other in self._sensors):
                return
            values = values[1:]
        readings.append((_TEMPERATURE, values[0], sensor.channel))
        readings.append((_HUMIDITY, values[1], sensor.channel))

    async def recalibrate(self, target_ppm: int) -> int:
        """Forced recalibration of the CO2 sensor; the correction in ppm. Raises SensorError."""
        for sensor in self._sensors:
            if sensor.chip == scd4x.CHIP:
                return await sensor.driver.recalibrate(target_ppm)
        raise SensorError("scd4x", 0x62, "not present")

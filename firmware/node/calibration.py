"""Calibrates a CO2 sensor to the air there is, and keeps when and to what: the French rules on
air in schools want to know. Loaded for it and dropped again.

It must not know how a chip does it, or topics.
"""

import json
import os

from drivers import SensorError
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json
    from sensing import Sensors

_FILE = const("calibrated.json")


def kept() -> dict[str, list[int | None]]:
    """{sensor: [Unix seconds, ppm]}, as far as the file can be read."""
    try:
        with open(_FILE) as file:
            calibrated = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return calibrated if isinstance(calibrated, dict) else {}


async def calibrate(
    sensors: Sensors, target_ppm: int, now_s: int | None, name: str | None = None
) -> Json:
    """What the reply says: the sensor, and the correction in ppm if it tells. `name` chooses one
    of several. Raises SensorError.
    """
    for sensor in sensors.all:
        driver = sensor.driver
        if not hasattr(driver, "calibrate") or name not in (None, driver.name):
            continue
        if not sensor.started:
            chip, _, address = driver.name.partition("@")
            raise SensorError(chip, address, "does not answer")
        correction_ppm = await driver.calibrate(target_ppm)
        sensors.calibrated[driver.name] = [now_s, target_ppm]
        with open(_FILE + ".new", "w") as file:
            file.write(json.dumps(sensors.calibrated))
            file.flush()
        os.rename(_FILE + ".new", _FILE)
        reply: Json = {"sensor": driver.name}
        if correction_ppm is not None:
            reply["correction_ppm"] = correction_ppm
        return reply
    raise SensorError("co2", name or "any", "not present")

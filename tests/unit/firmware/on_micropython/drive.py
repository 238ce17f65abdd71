"""Works one chip through the virtual board's wire: `drive.py CHIP STEP...`, one line a step."""

import asyncio
import asyncio.core  # Before the chip's `time` hides the port's.
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))

import machine
from drivers import scd4x, sht4x
from drivers.sensirion import SensorError


async def main(chip, steps):
    i2c = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=100_000)
    driver = {"sht4x": sht4x.Sht4x, "scd4x": scd4x.Scd4x}[chip](i2c)
    for step in steps:
        name, _, argument = step.partition(":")
        try:
            if name == "recalibrate":
                result = await driver.recalibrate(int(argument))
            else:
                result = await getattr(driver, name)()
            print(result)
        except SensorError as error:
            print("SensorError", error.chip, hex(error.address), error.cause)


asyncio.run(main(sys.argv[1], sys.argv[2:]))

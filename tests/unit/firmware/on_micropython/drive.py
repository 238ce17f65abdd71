"""Works one driver through the virtual board's wire: `drive.py CHIP STEP...`, one line a step.

Chips on a pin are given theirs as `chip:pin`, a DS18B20 is whichever a search finds first.
"""

import asyncio
import asyncio.core  # Before the chip's `time` hides the port's.
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import time

import machine
from drivers import SensorError


def _i2c(chip, argument):
    pins = {"scl": machine.Pin(22), "sda": machine.Pin(21)}
    if argument == "soft":
        return machine.SoftI2C(freq=50_000, timeout=200_000, **pins)
    return machine.I2C(0, freq=int(argument or 100_000), **pins)


def _make(chip, argument):
    name = chip[0].upper() + chip[1:]
    driver = getattr(__import__("drivers." + chip, None, None, (name,)), name)
    if chip == "ds18b20":
        import onewire
        from drivers.ds18b20 import Wire

        wire = Wire(onewire.OneWire(machine.Pin(int(argument))), "pin" + argument)
        return driver(wire, min(wire.scan()))
    if chip in ("mhz19", "s8"):
        return driver(machine.UART(2, int(argument or 9600), tx=17, rx=16))
    if chip == "battery":
        pin, divider, samples = argument.split(",")
        adc = machine.ADC(machine.Pin(int(pin)), atten=machine.ADC.ATTN_11DB)
        return driver(adc, int(pin), float(divider), int(samples))
    if chip == "dht22":
        return driver(machine.Pin(int(argument)), "pin" + argument)
    if argument == "single":
        return driver(_i2c(chip, ""), single=True)
    return driver(_i2c(chip, argument))


async def _step(driver, name, argument):
    if name == "calibrate":
        return await driver.calibrate(int(argument))
    if name == "abc":
        driver.wanted_abc = {"on": True, "off": False}[argument]
        return argument
    if name == "skip":
        # The node's clock, as if so many seconds had gone by.
        time._TICKS += int(argument) * 1000
        return argument
    if name == "get":
        return getattr(driver, argument)
    return await getattr(driver, name)()


async def main(chip, steps):
    chip, _, argument = chip.partition(":")
    driver = None
    for step in steps:
        name, _, value = step.partition(":")
        try:
            driver = driver or _make(chip, argument)
            print(await _step(driver, name, value))
        except SensorError as error:
            print("SensorError", error)


asyncio.run(main(sys.argv[1], sys.argv[2:]))

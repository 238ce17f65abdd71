"""`machine.SoftI2C`: waits for a stretched clock as long as it is told, and counts the bytes that
were acknowledged.
"""

from machine import I2C


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400_000, timeout=50_000):
        self._open(scl, sda, freq, timeout, 1)

"""The readings of one pack as a blob of the journal: 22 bytes each, little endian.

series u32, measured_at ms i64, value f64, quality u8, time source u8.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

StoredReading = tuple[int, int, float, int, int]
"""(series, measured_at_ms, value, quality, time_source)"""

_READING: Final = struct.Struct("<IqdBB")


def encode_readings(readings: Sequence[StoredReading]) -> bytes:
    """The blob of a journal row."""
    pack = _READING.pack
    return b"".join([pack(*reading) for reading in readings])


def decode_readings(blob: bytes) -> Iterator[StoredReading]:
    """The readings of a journal row. Raises `struct.error` for a blob that is none."""
    return _READING.iter_unpack(blob)


def encode_series(series: int) -> bytes:
    """The bytes by which each reading of `series` begins in a blob."""
    return series.to_bytes(4, "little")

"""Chance that depends on a seed and on what it is drawn for, and on nothing that was drawn before.

So the same instant of the same room or chip gives the same number in any order of asking, in a past
that is filled in and live. It knows nothing of what its numbers are for.
"""

from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_IN_0_1: Final = 2.0**-53


def key_of(*parts: object) -> int:
    """A key of 64 bits for a name such as `("weather", seed)`, the same on every machine."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def uniform(key: int, index: Integers) -> Floats:
    """Numbers in (0, 1), one for each index of a key.

    SplitMix64 at the counter `index` (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, OOPSLA 2014).
    """
    with np.errstate(over="ignore"):
        z = np.uint64(key) + (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * _IN_0_1


def normal(key: int, index: Integers) -> Floats:
    """Numbers with mean 0 and deviation 1, one for each index of a key (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniform(key, 2 * index)))
    turned: Floats = radius * np.cos(2 * np.pi * uniform(key, 2 * index + 1))
    return turned


def one_uniform(key: int, low: float, high: float) -> float:
    """A single number between two."""
    return low + (high - low) * float(uniform(key, np.zeros(1, np.int64))[0])


def one_normal(key: int) -> float:
    """A single number with mean 0 and deviation 1."""
    return float(normal(key, np.zeros(1, np.int64))[0])

"""SHA-512 (FIPS 180-4) of one message, since MicroPython's `hashlib` ends with SHA-256.

Slow and small: for the two blocks of a signature, not for files.
"""

import struct

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MASK = const(0xFFFFFFFFFFFFFFFF)


def _root(number: int, power: int) -> int:
    """The first 64 bits of the fraction of the `power`-th root of `number`."""
    scaled = number << 64 * power
    low, high = 0, 1 << 72
    while high - low > 1:
        middle = (low + high) >> 1
        if middle**power <= scaled:
            low = middle
        else:
            high = middle
    return low & _MASK


def _primes(count: int) -> Iterator[int]:
    number = 1
    while count:
        number += 1
        divisor = 2
        while divisor * divisor <= number and number % divisor:
            divisor += 1
        if divisor * divisor > number:
            count -= 1
            yield number


def _constants() -> bytearray:
    """Those of §4.2.2, packed: as 80 integers they would be 5 KiB of heap."""
    packed = bytearray(640)
    for turn, prime in enumerate(_primes(80)):
        struct.pack_into(">Q", packed, 8 * turn, _root(prime, 3))
    return packed


def _compress(state: list[int], block: bytes, constants: bytearray) -> list[int]:
    # Of the message schedule only the 16 words that are still looked at.
    words = list(struct.unpack(">16Q", block))
    a, b, c, d, e, f, g, h = state
    for turn in range(80):
        word = words[turn & 15]
        constant = struct.unpack_from(">Q", constants, 8 * turn)[0]
        s1 = (e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)
        t1 = h + (s1 & _MASK) + (e & f ^ (e ^ _MASK) & g) + constant + word
        s0 = (a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)
        t2 = (s0 & _MASK) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = t1 + t2 & _MASK, a, b, c, d + t1 & _MASK, e, f, g
        early, late = words[turn + 1 & 15], words[turn + 14 & 15]
        s0 = (early >> 1 | early << 63) ^ (early >> 8 | early << 56) ^ (early >> 7)
        s1 = (late >> 19 | late << 45) ^ (late >> 61 | late << 3) ^ (late >> 6)
        words[turn & 15] = (s0 & _MASK) + (s1 & _MASK) + word + words[turn + 9 & 15] & _MASK
    return [x + y & _MASK for x, y in zip(state, (a, b, c, d, e, f, g, h))]  # noqa: B905


def digest(message: bytes) -> bytes:
    """The 64 bytes of SHA-512 over `message`."""
    # Roots of primes (§4.2.3, §5.3.5) are worked out rather than kept as 704 bytes of program.
    constants = _constants()
    state = [_root(prime, 2) for prime in _primes(8)]
    padded = message + b"\x80" + bytes(-(len(message) + 17) % 128)
    padded += struct.pack(">QQ", 0, len(message) * 8)
    for at in range(0, len(padded), 128):
        state = _compress(state, padded[at : at + 128], constants)
    return struct.pack(">8Q", *state)

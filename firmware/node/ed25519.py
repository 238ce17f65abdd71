"""Verifies Ed25519 signatures (RFC 8032 section 5.1.7); it can't make any.

Loaded for an update and dropped again. Not constant in time, which verifying need not be: key,
message and signature are public.
"""

import seldom

TYPE_CHECKING = False
if TYPE_CHECKING:
    # X, Y, Z, T
    Point = tuple[int, int, int, int]

_P = (1 << 255) - 19
_L = (1 << 252) + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _decode(data: bytes) -> Point | None:
    """The point (X, Y, Z, T) of 32 bytes, or None where there is none (§5.1.3)."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= _P:
        return None
    yy = y * y % _P
    xx = (yy - 1) * pow(_D * yy + 1, _P - 2, _P) % _P
    if xx == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(xx, (_P + 3) // 8, _P)
    if (x * x - xx) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - xx) % _P:
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, _P - 2, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _add(p: Point, q: Point) -> Point:
    """§5.1.4; complete, so it doubles as well."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` is of the key `public` (32 bytes).

    Only the one encoding of each signature is taken: `s` below the group's order, `R` compared
    byte for byte.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _L:
        return False
    key = _decode(public)
    if key is None:
        return False
    hashed = seldom.load("sha512").digest(signature[:32] + public + message)
    k = int.from_bytes(hashed, "little") % _L
    # [s]B - [k]A, both at once: every bit doubles what there is (Shamir's trick).
    base = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert base is not None
    minus = _P - key[0], key[1], 1, _P - key[3]
    both = _add(base, minus)
    found = (0, 1, 1, 0)
    for bit in range(252, -1, -1):
        found = _add(found, found)
        choice = (s >> bit & 1) + 2 * (k >> bit & 1)
        if choice:
            found = _add(found, (base, minus, both)[choice - 1])
    return _encode(found) == signature[:32]

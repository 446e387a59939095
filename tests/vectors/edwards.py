"""Edwards25519 by the book, slow: to make keys and signatures that no library would make."""

from __future__ import annotations

import functools
import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
    return x, y


@functools.cache
def times(count: int, point: Point) -> Point:
    result = IDENTITY
    while count:
        if count & 1:
            result = add(result, point)
        point = add(point, point)
        count >>= 1
    return result


def point_of(raw: bytes) -> Point | None:
    """RFC 8032, 5.1.3, but for the reduction of y: None where no point has this y."""
    y = (int.from_bytes(raw, "little") & ((1 << 255) - 1)) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return (P - x) % P if x & 1 != raw[31] >> 7 else x, y


def bytes_of(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE: Point = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or IDENTITY


def torsion() -> list[Point]:
    """The eight points whose order divides 8: multiples of what is left of a point when the large order is gone."""
    for y in range(2, 100):
        point = point_of(y.to_bytes(32, "little"))
        small = times(ORDER, point) if point is not None else IDENTITY
        if times(4, small) != IDENTITY:
            return [times(at, small) for at in range(8)]
    raise ArithmeticError("no generator of the torsion group below y = 100")


TORSION = torsion()


def small_order_encodings() -> dict[str, bytes]:
    """Every 32 bytes that some decoder takes for a point of small order: name → bytes, canonical or not."""
    found: dict[str, bytes] = {}
    for at, (x, y) in enumerate(TORSION):
        for added in (0, P):
            for sign in (0, 1):
                if y + added < 2**255 and (sign == x & 1 or x == 0):
                    name = f"{at} times the generator of order 8" + (", y + p" if added else "")
                    raw = (y + added | sign << 255).to_bytes(32, "little")
                    found[name + ("" if sign == x & 1 else ", sign of nothing")] = raw
    return found


def secret_scalar(seed: bytes) -> int:
    raw = bytearray(hashlib.sha512(seed).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return int.from_bytes(raw, "little")


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % ORDER


def sign_with(r: bytes, nonce: int, seed: bytes, message: bytes) -> bytes:
    """A signature with this encoding of R; the equation holds for whoever takes `r` for nonce·B."""
    key = bytes_of(times(secret_scalar(seed), BASE))
    s = (nonce + challenge(r, key, message) * secret_scalar(seed)) % ORDER
    return r + s.to_bytes(32, "little")

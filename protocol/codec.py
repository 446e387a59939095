"""Deterministic CBOR (RFC 8949 section 4.2) in the one dialect that is signed here.

Integers of 64 bits, byte and text strings, arrays, maps with unsigned integer keys, booleans, null. No tags,
floats, indefinite lengths, duplicate or unsorted keys, longer-than-needed heads or trailing bytes. The scanner refuses
before cbor2 sees a byte, because cbor2 accepts all of these silently. The only importer of cbor2.
"""

from __future__ import annotations

from typing import Any, NoReturn

import cbor2

from protocol.errors import Code, ProtocolError
from protocol.limits import DEPTH_MAX, ITEMS_MAX

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _SIMPLE = 0, 1, 2, 3, 4, 5, 7
_WIDTH_LEAST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
"""additional information -> least argument that may use it (shortest form)."""


def encode(value: Any) -> bytes:
    """Canonical bytes of `value`. Unsigned map keys only: length-first and bytewise order then agree; with negative
    ones they do not, and two encoders would sign two forms."""
    return bytes(cbor2.dumps(value, canonical=True))


def encode_ordered(value: Any) -> bytes:
    """The same bytes where the keys of every map stand in order already, as a `Schema` packs them: sorting each map
    again was two thirds of what a frame costs its sender."""
    return bytes(cbor2.dumps(value))


def decode(raw: bytes, *, bytes_max: int) -> Any:
    """The value of `raw`, or ProtocolError (oversized, not-canonical). Arrays come back as lists."""
    if len(raw) > bytes_max:
        raise ProtocolError(Code.OVERSIZED, f"{len(raw)} bytes, at most {bytes_max} are taken")
    _scan(raw)
    try:
        return cbor2.loads(raw)
    except Exception as error:  # the scanner accepts only what cbor2 reads; this is the belt to its braces
        raise ProtocolError(Code.NOT_CANONICAL, f"cbor2 refuses: {type(error).__name__}") from None


def _scan(raw: bytes) -> None:
    """One pass without calls for what is short, because every byte from outside goes through here first."""
    size, at, items_left = len(raw), 0, ITEMS_MAX
    left, in_map, last_key = 1, False, -1
    outer: list[tuple[int, bool, int]] = []
    while True:
        if not left:
            if not outer:
                break
            left, in_map, last_key = outer.pop()
            continue
        left -= 1
        items_left -= 1
        if items_left < 0:
            _refuse("itemised beyond the limit", at)
        if at >= size:
            _refuse("truncated", at)
        major, argument = raw[at] >> 5, raw[at] & 31
        at += 1
        if argument == 24 and at < size and raw[at] >= 24 and major != _SIMPLE:
            argument = raw[at]
            at += 1
        elif argument >= 24:
            argument, at = _long_argument(raw, at, major, argument)
        if in_map and left & 1:
            # bytewise order of unsigned integers in their shortest form is their own order
            if major != _UINT or argument <= last_key:
                _refuse("map key that is not an unsigned integer, unsorted or twice", at)
            last_key = argument
        elif major <= _NINT:
            pass
        elif major <= _TEXT:
            end = at + argument
            if end > size:
                _refuse("truncated string", at)
            if major == _TEXT:
                _check_text(raw, at, end)
            at = end
        elif major <= _MAP:
            count = argument if major == _ARRAY else 2 * argument
            if count > size - at:
                _refuse("more items than bytes", at)
            if count and len(outer) >= DEPTH_MAX:
                _refuse("nested beyond the limit", at)
            outer.append((left, in_map, last_key))
            left, in_map, last_key = count, major == _MAP, -1
        elif major != _SIMPLE:
            _refuse("tag", at)
        elif not 20 <= argument <= 22:
            _refuse("simple value other than false, true, null", at)
    if at != size:
        _refuse("trailing bytes", at)


def _refuse(why: str, at: int) -> NoReturn:
    raise ProtocolError(Code.NOT_CANONICAL, f"{why} at byte {at}")


def _long_argument(raw: bytes, at: int, major: int, info: int) -> tuple[int, int]:
    """(argument, where the item goes on) of a head with more bytes than one."""
    if info > 27:
        _refuse("reserved or indefinite length", at)
    end = at + (1 << (info - 24))
    if end > len(raw):
        _refuse("truncated", at)
    argument = int.from_bytes(raw[at:end], "big")
    if major == _SIMPLE:
        _refuse("float or wide simple value", at)
    if argument < _WIDTH_LEAST[info]:
        _refuse("longer head than needed", at)
    return argument, end


def _check_text(raw: bytes, at: int, end: int) -> None:
    try:
        raw[at:end].decode("utf-8")
    except UnicodeDecodeError:
        _refuse("text that is not UTF-8", at)

"""Deterministic CBOR (RFC 8949 section 4.2) in the one dialect that is signed here.

Integers of 64 bits, byte and text strings, arrays, maps with unsigned integer keys, booleans, null. No tags,
floats, indefinite lengths, duplicate or unsorted keys, longer-than-needed heads or trailing bytes. The scanner refuses
before cbor2 sees a byte, because cbor2 accepts all of these silently. The only importer of cbor2.
"""

from __future__ import annotations

from typing import Any

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


def decode(raw: bytes, *, bytes_max: int) -> Any:
    """The value of `raw`, or ProtocolError (oversized, not-canonical). Arrays come back as lists."""
    if len(raw) > bytes_max:
        raise ProtocolError(Code.OVERSIZED, f"{len(raw)} bytes, at most {bytes_max} are taken")
    _Scanner(raw).run()
    try:
        return cbor2.loads(raw)
    except Exception as error:  # the scanner accepts only what cbor2 reads; this is the belt to its braces
        raise ProtocolError(Code.NOT_CANONICAL, f"cbor2 refuses: {type(error).__name__}") from None


class _Scanner:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.items_left = ITEMS_MAX

    def run(self) -> None:
        self._item(0)
        if self.at != len(self.raw):
            self._refuse("trailing bytes")

    def _refuse(self, why: str) -> None:
        raise ProtocolError(Code.NOT_CANONICAL, f"{why} at byte {self.at}")

    def _head(self) -> tuple[int, int]:
        if self.at >= len(self.raw):
            self._refuse("truncated")
        initial = self.raw[self.at]
        major, info = initial >> 5, initial & 31
        self.at += 1
        if info < 24:
            return major, info
        if info > 27:
            self._refuse("reserved or indefinite length")
        width = 1 << (info - 24)
        if self.at + width > len(self.raw):
            self._refuse("truncated")
        argument = int.from_bytes(self.raw[self.at : self.at + width], "big")
        self.at += width
        if major == _SIMPLE:
            self._refuse("float or wide simple value")
        if argument < _WIDTH_LEAST[info]:
            self._refuse("longer head than needed")
        return major, argument

    def _item(self, depth: int) -> None:
        self.items_left -= 1
        if depth > DEPTH_MAX or self.items_left < 0:
            self._refuse("nested or itemised beyond the limit")
        major, argument = self._head()
        if major in (_BYTES, _TEXT):
            self._string(major, argument)
        elif major == _ARRAY:
            self._fits(argument)
            for _ in range(argument):
                self._item(depth + 1)
        elif major == _MAP:
            self._fits(2 * argument)
            self._map(argument, depth)
        elif major == _SIMPLE:
            if argument not in (20, 21, 22):
                self._refuse("simple value other than false, true, null")
        elif major not in (_UINT, _NINT):
            self._refuse("tag")

    def _fits(self, count: int) -> None:
        if count > len(self.raw) - self.at:
            self._refuse("more items than bytes")

    def _string(self, major: int, length: int) -> None:
        end = self.at + length
        if end > len(self.raw):
            self._refuse("truncated string")
        if major == _TEXT:
            try:
                self.raw[self.at : end].decode("utf-8")
            except UnicodeDecodeError:
                self._refuse("text that is not UTF-8")
        self.at = end

    def _map(self, pairs: int, depth: int) -> None:
        before = b""
        for _ in range(pairs):
            start = self.at
            if start >= len(self.raw) or self.raw[start] >> 5 != _UINT:
                self._refuse("map key that is not an unsigned integer")
            self._item(depth + 1)
            key = self.raw[start : self.at]
            if before and (len(key), key) <= (len(before), before):
                self._refuse("map keys unsorted or twice")
            before = key
            self._item(depth + 1)

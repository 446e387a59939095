"""Tables that turn frozen values into integer-keyed maps and back.

Keys 1..63 are critical: an unknown one is refused by name. Keys from 64 on are optional: an unknown one stays in
the signed bytes and is ignored. So a message can grow without a new version of everything.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from protocol.errors import Code, ProtocolError
from protocol.limits import U63_MAX

T = TypeVar("T")
OPTIONAL_FROM = 64
NUMBER_MAX = 255
"""Of an enumeration, in whatever version."""


@dataclass(frozen=True)
class Codec(Generic[T]):
    """`pack` never fails on a well-typed value; `unpack(raw, where)` takes anything and raises ProtocolError(bad-shape)
    that begins with `where`. What holds a value gives its parts "" and says where it stands only once one is refused:
    telling every place of every value that is good was half the cost of reading."""

    pack: Callable[[T], Any]
    unpack: Callable[[Any, str], T]


def _bad(where: str, wanted: str) -> ProtocolError:
    return ProtocolError(Code.BAD_SHAPE, f"{where}: {wanted}")


def _inside(where: str, error: ProtocolError) -> ProtocolError:
    apart = "" if error.detail[:1] in (".", "[", ":", " ") else ": "
    return ProtocolError(error.code, f"{where}{apart}{error.detail}", later=error.later)


def unknown_number(where: str, kind: type[enum.IntEnum], raw: int) -> ProtocolError:
    """Above all that are known, it may have a meaning in a later version."""
    later = max(kind) < raw <= NUMBER_MAX
    whose = ", a later version may know it" if later else ""
    return ProtocolError(Code.BAD_SHAPE, f"{where}: unknown {kind.__name__} {raw}{whose}", later=later)


def unsigned(most: int = U63_MAX) -> Codec[int]:
    def unpack(raw: Any, where: str) -> int:
        if type(raw) is not int or not 0 <= raw <= most:
            raise _bad(where, f"an integer 0..{most}")
        return raw

    return Codec(int, unpack)


def raw_bytes(least: int, most: int) -> Codec[Any]:
    def unpack(raw: Any, where: str) -> bytes:
        if type(raw) is not bytes or not least <= len(raw) <= most:
            raise _bad(where, f"{least}..{most} bytes")
        return raw

    return Codec(bytes, unpack)


def text(most: int, least: int = 0, alphabet: str | None = None) -> Codec[Any]:
    def unpack(raw: Any, where: str) -> str:
        if type(raw) is not str or not least <= len(raw) <= most:
            raise _bad(where, f"a text of {least}..{most} characters")
        if alphabet is not None and not set(raw) <= set(alphabet):
            raise _bad(where, f"only characters of {alphabet!r}")
        return raw

    return Codec(str, unpack)


def boolean() -> Codec[bool]:
    def unpack(raw: Any, where: str) -> bool:
        if type(raw) is not bool:
            raise _bad(where, "true or false")
        return raw

    return Codec(bool, unpack)


E = TypeVar("E", bound=enum.IntEnum)


def enumerated(kind: type[E]) -> Codec[E]:
    def unpack(raw: Any, where: str) -> E:
        if type(raw) is not int:
            raise _bad(where, f"a {kind.__name__} number")
        try:
            return kind(raw)
        except ValueError:
            pass
        raise unknown_number(where, kind, raw)

    return Codec(int, unpack)


def many(item: Codec[T], most: int, least: int = 0) -> Codec[tuple[T, ...]]:
    def unpack(raw: Any, where: str) -> tuple[T, ...]:
        if type(raw) is not list or not least <= len(raw) <= most:
            raise _bad(where, f"a list of {least}..{most}")
        found: list[T] = []
        try:
            for one in raw:
                found.append(unpack_item(one, ""))
        except ProtocolError as error:
            raise _inside(f"{where}[{len(found)}]", error) from None
        return tuple(found)

    unpack_item = item.unpack
    return Codec(lambda values: [item.pack(value) for value in values], unpack)


@dataclass(frozen=True)
class Field:
    key: int
    name: str
    codec: Codec[Any]
    optional: bool = False
    """Absent stands for None; None is never written."""


class Schema(Generic[T]):
    """One frozen dataclass as an integer-keyed map."""

    def __init__(self, kind: type[T], *fields: Field) -> None:
        self.kind = kind
        self.fields = tuple(sorted(fields, key=lambda field: field.key))
        self.known = frozenset(field.key for field in fields)

    def pack(self, value: T) -> dict[int, Any]:
        packed = {}
        for field in self.fields:
            item = getattr(value, field.name)
            if item is not None or not field.optional:
                packed[field.key] = field.codec.pack(item)
        return packed

    def unpack(self, raw: Any, where: str | None = None) -> T:
        if where is None:
            where = self.kind.__name__
        if type(raw) is not dict:
            raise _bad(where, "a map")
        if not raw.keys() <= self.known:
            self._refuse_unknown(raw, where)
        values: dict[str, Any] = {}
        for field in self.fields:
            if field.key in raw:
                try:
                    values[field.name] = field.codec.unpack(raw[field.key], "")
                except ProtocolError as error:
                    raise _inside(f"{where}.{field.name}", error) from None
            elif field.optional:
                values[field.name] = None
            else:
                raise _bad(f"{where}.{field.name}", "is missing")
        return self.kind(**values)

    def _refuse_unknown(self, raw: dict[int, Any], where: str) -> None:
        for key in raw:
            if key not in self.known and key < OPTIONAL_FROM:
                raise ProtocolError(Code.UNKNOWN_CRITICAL, f"{where} has a critical field {key} unknown here")

    def codec(self) -> Codec[T]:
        return Codec(self.pack, self.unpack)

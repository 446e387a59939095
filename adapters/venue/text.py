"""JSON from outside, bounded and strict, and RFC 6901 pointers into it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

DEPTH_MAX = 64
POINTER_CHARS_MAX = 256
NUMBER_CHARS_MAX = 64


class Missing:
    """Nothing stands where a pointer points; not the same as null."""


MISSING = Missing()


def parsed(raw: bytes) -> Any:
    """ValueError for what is no JSON, has a name twice, NaN, numbers beyond reason, or is nested too deeply."""
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no, parse_int=_whole, parse_float=_real
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _shallow(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _whole(text: str) -> int:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError("a number of too many digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text) if len(text) <= NUMBER_CHARS_MAX else float("inf")
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number too large")
    return value


def _shallow(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def tokens_of(pointer: str) -> tuple[str, ...]:
    """ValueError where it is no pointer. "" is the whole."""
    if len(pointer) > POINTER_CHARS_MAX or (pointer and not pointer.startswith("/")):
        raise ValueError("must be a JSON pointer like /pair/status")
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:])


def at(value: Any, tokens: tuple[str, ...]) -> Any:
    """What stands there, MISSING where nothing does."""
    for token in tokens:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdecimal() and token.isascii() and int(token[:9]) < len(value):
            value = value[int(token[:9])]
        else:
            return MISSING
    return value


def same(one: Any, other: Any) -> bool:
    """Of JSON: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return (type(one) is type(other) and bool(one == other)) or (_is_number(one) and _is_number(other) and one == other)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)

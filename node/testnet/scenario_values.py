"""One value of a pack against what the registry says of it: the value as we use it, or a complaint."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from governance.durations import parse_duration
from node.testnet.registry import Param
from protocol.errors import ProtocolError
from protocol.subjects import from_text

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
CHAIN = re.compile(r"eip155:[1-9][0-9]{0,17}\Z")
NUMBER_MAX = 1e15
COUNT_MAX = 1_000_000
USD_MIN = 1e-6
"""Prices are ratios of these: nothing is worth nothing."""
DURATION_S_MAX = 400 * 86_400.0


class Wrong(Exception):
    """`what` is wrong and what is `allowed` instead."""

    def __init__(self, what: str, allowed: str) -> None:
        super().__init__(what)
        self.what = what
        self.allowed = allowed


def duration_s(raw: Any) -> float:
    """Seconds of "77m", "1h30m"; a leading minus is before t0."""
    allowed = 'a duration like "65s", "46m" or "1h30m"'
    if not isinstance(raw, str):
        raise Wrong(f"{raw!r} is no duration", allowed)
    try:
        length_s = parse_duration(raw.removeprefix("-")) / 1000
    except ValueError:
        raise Wrong(f"{raw!r} is no duration", allowed) from None
    if length_s > DURATION_S_MAX:
        raise Wrong(f"{raw!r} is too long", "at most 400d")
    return -length_s if raw.startswith("-") else length_s


def number(raw: Any, least: float = 0.0, most: float = NUMBER_MAX) -> float:
    if type(raw) not in (int, float) or not math.isfinite(raw) or not least <= raw <= most:
        raise Wrong(f"{raw!r} is out of bounds", f"a number from {least:g} to {most:g}")
    return float(raw)


def _count(raw: Any) -> int:
    if type(raw) is not int or not 1 <= raw <= COUNT_MAX:
        raise Wrong(f"{raw!r} is no count", f"a whole number from 1 to {COUNT_MAX}")
    return raw


def subject_text(raw: Any) -> str:
    try:
        return str(from_text(raw)) if isinstance(raw, str) else text(raw)
    except ProtocolError:
        raise Wrong(f"{raw!r:.60} names no subject", "CAIP text like eip155:1/erc20:0xa129…") from None


def text(raw: Any, most: int = 400) -> str:
    if not isinstance(raw, str) or not raw.strip() or len(raw) > most:
        raise Wrong(f"{raw!r:.60} is no text", f"1 to {most} characters")
    return raw


def word(raw: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(raw, str) or raw not in allowed:
        raise Wrong(f"{raw!r} is no word for this", "one of " + ", ".join(allowed))
    return raw


def _chain(raw: Any) -> str:
    if not isinstance(raw, str) or not CHAIN.match(raw):
        raise Wrong(f"{raw!r} is no chain", 'CAIP-2 text like "eip155:1"')
    return raw


Kinds = Mapping[str, str]
"""Name of a thing → its kind, for those things whose kind is known."""


def thing(raw: Any, kinds: Kinds, of: tuple[str, ...]) -> str:
    fitting = sorted(name for name, kind in kinds.items() if not of or kind in of)
    if not isinstance(raw, str) or raw not in fitting:
        what = f"{raw!r} is no thing of kind {' or '.join(of)}" if of else f"{raw!r} is no thing of this pack"
        raise Wrong(what, f"one of {', '.join(fitting)}" if fitting else "first describe one under [thing]")
    return raw


def _things(raw: Any, kinds: Kinds, of: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Wrong(f"{raw!r:.60} is no list", 'a list like ["a", "b"]')
    return tuple(thing(one, kinds, of) for one in raw)


def _ratios(raw: Any, kinds: Kinds, of: tuple[str, ...]) -> dict[str, float]:
    if not isinstance(raw, Mapping):
        raise Wrong(f"{raw!r:.60} is no table", "a table like { weth = 0.8 }")
    return {thing(name, kinds, of): number(value) for name, value in raw.items()}


_READ: Mapping[str, Callable[[Any, Kinds, Param], Any]] = {
    "amount": lambda raw, _, __: number(raw),
    "usd": lambda raw, _, __: number(raw, USD_MIN),
    "ratio": lambda raw, _, __: number(raw, 0, 100),
    "count": lambda raw, _, __: _count(raw),
    "duration": lambda raw, _, __: abs(duration_s(raw)),
    "text": lambda raw, _, __: text(raw),
    "chain": lambda raw, _, __: _chain(raw),
    "word": lambda raw, _, param: word(raw, param.of),
    "thing": lambda raw, kinds, param: thing(raw, kinds, param.of),
    "things": lambda raw, kinds, param: _things(raw, kinds, param.of),
    "ratios": lambda raw, kinds, param: _ratios(raw, kinds, param.of),
}


def read_param(raw: Any, param: Param, kinds: Kinds) -> Any:
    """The value in our units (seconds, whole units of an asset). Raises Wrong."""
    return _READ[param.type](raw, kinds, param)

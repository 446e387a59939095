"""What a collection holds now, each object with the moment at which it came: what a reader asks on from (TAXII 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Object = dict[str, Any]
PAGE_MAX = 200
"""Objects of one answer, about half a megabyte at most; who wants more asks on."""
MATCHED_MAX = 100
MEDIA = "application/stix+json;version=2.1"
_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Held:
    added_us: int
    object: Object

    @property
    def version(self) -> str:
        return str(self.object.get("modified") or self.object["created"])

    @property
    def manifest(self) -> Object:
        return {
            "id": self.object["id"],
            "date_added": written(self.added_us),
            "version": self.version,
            "media_type": MEDIA,
        }


@dataclass(frozen=True)
class Asked:
    """Of one request: `after_us` 0 from the beginning; `matches` by field, each with its alternatives."""

    after_us: int = 0
    limit: int = PAGE_MAX
    matches: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    held: tuple[Held, ...]
    more: bool

    @property
    def next(self) -> str:
        """What to ask on from."""
        return str(self.held[-1].added_us)


class Shelf:
    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._last_us = 0

    def stock(self, objects: Iterable[Object], now_ms: int) -> None:
        """What is there now. A new object or version comes at a moment of its own, after all that came before, also
        where the clock went back; what is no longer there is told to nobody any more."""
        fresh: dict[str, Held] = {}
        for one in objects:
            held = self._held.get(one["id"])
            if held is None or held.object != one:
                self._last_us = max(now_ms * 1000, self._last_us + 1)
                held = Held(self._last_us, one)
            fresh[one["id"]] = held
        self._held = fresh

    def page(self, asked: Asked) -> Page:
        found = sorted(
            (one for one in self._held.values() if one.added_us > asked.after_us and _fits(one, asked.matches)),
            key=lambda one: one.added_us,
        )
        limit = min(max(asked.limit, 1), PAGE_MAX)
        return Page(tuple(found[:limit]), len(found) > limit)


def _fits(held: Held, matches: Mapping[str, frozenset[str]]) -> bool:
    """There is one version of each object here: it is the first, the last and all."""
    for name, wanted in matches.items():
        value = held.version if name == "version" else str(held.object.get(name, ""))
        if value not in wanted and not (name == "version" and wanted & {"first", "last", "all"}):
            return False
    return True


def asked_of(query: Mapping[str, str]) -> Asked:
    """ValueError, in words, for what is none. `next` goes on from a page, `added_after` from a moment."""
    after_us = 0
    if moment := query.get("added_after"):
        after_us = micros(moment)
    if position := query.get("next"):
        if not (position.isascii() and position.isdigit() and len(position) <= 20):
            raise ValueError("next is what the page before it named")
        after_us = max(after_us, int(position))
    limit = query.get("limit", str(PAGE_MAX))
    if not (limit.isascii() and limit.isdigit() and 0 < len(limit) <= 9 and int(limit)):
        raise ValueError("limit is a whole number above 0")
    matches = {}
    for name in ("id", "type", "version", "spec_version"):
        if written_ := query.get(f"match[{name}]"):
            matches[name] = frozenset(written_.split(",")[:MATCHED_MAX])
    return Asked(after_us, int(limit), matches)


def micros(moment: str) -> int:
    """Of an RFC 3339 moment with its zone."""
    try:
        parsed = datetime.fromisoformat(moment[:40])
        if parsed.tzinfo is None:
            raise ValueError
        return max((parsed - _BEGAN) // timedelta(microseconds=1), 0)
    except (ValueError, OverflowError):
        raise ValueError("added_after is a moment like 2026-04-18T17:35:00.000Z") from None


def written(at_us: int) -> str:
    moment = _BEGAN + timedelta(microseconds=at_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

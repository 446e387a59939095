"""Reading one table of a policy key by key: each key is asked for once, a fault never stops the reading, and what
nobody asked for is a fault at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from adapters.policy.model import UNIT_MS, Fault, line_of

T = TypeVar("T")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
READ = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)\Z")
SHOWN_CHARS_MAX = 80
DURATION_MS_MAX = 30 * UNIT_MS["d"]
_CLOCK_WORDS = frozenset(
    {"at", "between", "cron", "date", "day", "days", "hour", "hours", "schedule", "time", "weekday", "weekdays", "when"}
)
_LATER_WORDS = frozenset({"people", "never", "freeze_budget", "looser_waits"})


def duration_ms(value: Any) -> int:
    """Of a text like 6h; 0 for what is none, or longer than 30 days."""
    found = _DURATION.match(value) if isinstance(value, str) else None
    length_ms = int(found[1]) * UNIT_MS[found[2]] if found else 0
    return length_ms if length_ms <= DURATION_MS_MAX else 0


def shown(value: Any) -> str:
    """What was written, short. A number of thousands of digits has no decimal form here."""
    try:
        written = repr(value)
    except ValueError:
        return "a number beyond all bounds"
    return written if len(written) <= SHOWN_CHARS_MAX else f"{written[:SHOWN_CHARS_MAX]}…"


class Ledger:
    """Faults found so far."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.lines = lines
        self.faults: list[Fault] = []

    def add(self, path: str, what: str, cure: str) -> None:
        self.faults.append(Fault(path, line_of(self.lines, path), what, cure))

    def table(self, raw: Any, path: str) -> Table:
        if not isinstance(raw, Mapping):
            self.add(path, "is no table", 'write it like { key = "value" }')
            raw = {}
        return Table(self, path, raw)


class Table:
    def __init__(self, ledger: Ledger, path: str, raw: Mapping[str, Any]) -> None:
        self._ledger = ledger
        self._path = path
        self._raw = raw
        self._asked: set[str] = set()

    def where(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def fault(self, key: str, what: str, cure: str) -> None:
        self._ledger.add(self.where(key), what, cure)

    def has(self, key: str) -> bool:
        return key in self._raw

    def raw(self, key: str) -> Any:
        self._asked.add(key)
        return self._raw.get(key)

    def _needed(self, key: str, cure: str) -> Any:
        value = self.raw(key)
        if value is None:
            self.fault(key, "is missing", cure)
        return value

    def tables(self, key: str) -> list[tuple[str, Table]]:
        """The named tables under a key, in the order of their names; a bad name is a fault."""
        raw = self.raw(key)
        if raw is None:
            return []
        if not isinstance(raw, Mapping):
            self.fault(key, "is no table of named things", f'write it like {key}.name = {{ key = "value" }}')
            return []
        for name in raw:
            self.check_name(key, name)
        return [(name, self._ledger.table(raw[name], f"{self.where(key)}.{name}")) for name in sorted(raw)]

    def check_name(self, key: str, name: str) -> None:
        """`any` is taken: it means every asset."""
        if not NAME.match(name) or name == "any":
            self.fault(f"{key}.{name}", "is no usable name", "use 1 to 32 of a-z 0-9 _ -, and not the word any")

    def word(self, key: str, allowed: Mapping[str, T], default: T | None = None, otherwise: T | None = None) -> T:
        """One of the allowed words. Missing: `default`, or a fault. After a fault: any allowed value."""
        fallback = otherwise if otherwise is not None else next(iter(allowed.values()))
        cure = "use one of " + ", ".join(allowed)
        value = self._needed(key, cure) if default is None else self.raw(key)
        if value is None:
            return fallback if default is None else default
        if not isinstance(value, str) or value not in allowed:
            self.fault(key, f"{shown(value)} is no word for this", cure)
            return fallback
        return allowed[value]

    def name(self, key: str, pattern: re.Pattern[str] = NAME, needed: bool = True) -> str:
        value = self._needed(key, "give its name") if needed else self.raw(key)
        if value is None:
            return ""
        if not isinstance(value, str) or not pattern.match(value):
            self.fault(key, f"{shown(value)} is no name", "use 1 to 32 of a-z 0-9 _ -, dots for calls and reads")
            return ""
        return value

    def text(self, key: str) -> str:
        value = self.raw(key)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > 200:
            self.fault(key, "is no short text", "write a text of at most 200 characters")
            return ""
        return value

    def names(self, key: str, needed: bool = True) -> tuple[str, ...]:
        value = self._needed(key, "write a list of names, [] for none") if needed else self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) and NAME.match(one) for one in value):
            self.fault(key, "is no list of names", 'write it like ["one", "two"], [] for none')
            return ()
        return tuple(sorted(set(value)))

    def duration(self, key: str, needed: bool = True) -> int:
        """Milliseconds; 0 where it is missing or wrong."""
        value = self._needed(key, 'write a duration like "65s", "5m", "6h" or "30d"') if needed else self.raw(key)
        if value is None:
            return 0
        length_ms = duration_ms(value)
        if not length_ms:
            self.fault(key, f"{shown(value)} is no duration of at most 30d", 'write it like "65s", "5m", "6h" or "30d"')
            return 0
        return length_ms

    def number(self, key: str, least: float, most: float) -> float | None:
        value = self.raw(key)
        if value is None:
            return None
        fits = type(value) in (int, float) and least <= value <= most  # false for nan
        if not fits:
            self.fault(key, f"{shown(value)} is out of bounds", f"write a number from {least:g} to {most:g}")
            return None
        return float(value)

    def count(self, key: str, most: int) -> int | None:
        value = self.raw(key)
        if value is None:
            return None
        if type(value) is not int or not 1 <= value <= most:
            self.fault(key, f"{shown(value)} is no usable count", f"write a whole number from 1 to {most}")
            return None
        return value

    def flag(self, key: str) -> bool:
        value = self.raw(key)
        if value is not None and type(value) is not bool:
            self.fault(key, f"{shown(value)} is neither true nor false", "write true or false")
        return value is True

    def done(self) -> None:
        for key in self._raw:
            if key in self._asked:
                continue
            if key in _CLOCK_WORDS:
                self.fault(key, "is a condition on the clock", "take it out: attackers read clocks too")
            elif key in _LATER_WORDS and not self._path:
                self.fault(key, "is not in this version of the language", "take it out; nothing obeys it yet")
            else:
                self.fault(key, "is an unknown key", "correct it or take it out")

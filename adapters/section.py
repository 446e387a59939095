"""Reading one section of the configuration: every fault is collected, with its key and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from adapters.policy.model import spell_ms
from adapters.policy.table import NAME, duration_ms

_CHAIN = re.compile(r"eip155:[1-9][0-9]{0,17}\Z")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
TEXT_CHARS_MAX = 2_000
AMOUNT_MAX = 1e300
NAMES_MAX = 32


class Section:
    """Keys of one table. A getter gives a usable value or None, and then a fault stands in `faults`; `done` names
    the keys that nobody asked for."""

    def __init__(self, path: str, table: Any, faults: list[str]) -> None:
        self.path, self.faults = path, faults
        self._table: Mapping[str, Any] = table if isinstance(table, Mapping) else {}
        self._asked: set[str] = set()
        if not isinstance(table, Mapping):
            faults.append(f"{path}: a table is expected")

    def fault(self, key: str, what: str) -> None:
        self.faults.append(f"{self.path}.{key}: {what}")

    def _take(self, key: str, needed: bool) -> Any:
        self._asked.add(key)
        if key not in self._table and needed:
            self.fault(key, "is missing")
        return self._table.get(key)

    def text(self, key: str, needed: bool = True, allowed: str = "a text") -> str | None:
        got = self._take(key, needed)
        if got is None:
            return None
        if type(got) is not str or not 0 < len(got) <= TEXT_CHARS_MAX:
            self.fault(key, f"must be {allowed}")
            return None
        return got

    def chain(self, key: str) -> str | None:
        got = self.text(key, allowed="a chain like eip155:1")
        if got is not None and not _CHAIN.match(got):
            self.fault(key, f"{got!r} must be a chain like eip155:1")
            return None
        return got

    def address(self, key: str, needed: bool = True) -> bytes | None:
        got = self.text(key, needed, "an address: 0x and 40 hex digits")
        if got is not None and not _ADDRESS.match(got):
            self.fault(key, f"{got[:60]!r} must be an address: 0x and 40 hex digits")
            return None
        return None if got is None else bytes.fromhex(got[2:])

    def url(self, key: str) -> str | None:
        """http or https; the text itself is not repeated in a fault: providers put their keys in it."""
        got = self.text(key, allowed="an http:// or https:// address")
        if got is None:
            return None
        try:
            parts = urlsplit(got)
            port_known = parts.port is None or parts.port > 0
        except ValueError:
            parts, port_known = urlsplit(""), False
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_known:
            self.fault(key, "must be an http:// or https:// address with a host")
            return None
        return got

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        got = self._take(key, False)
        if got is None:
            return default
        if type(got) is not int or not least <= got <= most:
            self.fault(key, f"must be a whole number from {least} to {most}")
            return default
        return got

    def amount(self, key: str) -> float | None:
        """Above 0 and finite, or None where it is not set."""
        got = self._take(key, False)
        if got is None:
            return None
        if type(got) not in (int, float) or not 0 < got <= AMOUNT_MAX:  # false for nan and whole numbers no float holds
            self.fault(key, "must be a number above 0")
            return None
        return float(got)

    def word(self, key: str, allowed: Sequence[str]) -> str | None:
        words = f"one of {', '.join(allowed)}"
        got = self.text(key, allowed=words)
        if got is not None and got not in allowed:
            self.fault(key, f"{got[:60]!r} must be {words}")
            return None
        return got

    def flag(self, key: str, default: bool) -> bool:
        got = self._take(key, False)
        if got is not None and type(got) is not bool:
            self.fault(key, "must be true or false")
        return got if type(got) is bool else default

    def names(self, key: str) -> tuple[str, ...]:
        """At least one, sorted, each once, written as a policy may repeat them; () where a fault stands."""
        got = self._take(key, True)
        if got is None:
            return ()
        fits = type(got) is list and 0 < len(got) <= NAMES_MAX
        if not fits or not all(type(one) is str and NAME.match(one) for one in got):
            self.fault(key, 'must be a list of names like ["transfer"], one or more: a-z, 0-9, - and _')
            return ()
        return tuple(sorted(set(got)))

    def lines(self, key: str, most: int, needed: bool = True) -> tuple[str, ...]:
        """Texts, at least one; () where it is not set or a fault stands."""
        got = self._take(key, needed)
        if got is None:
            return ()
        fits = type(got) is list and 0 < len(got) <= most
        if not fits or not all(type(one) is str and 0 < len(one) <= TEXT_CHARS_MAX for one in got):
            self.fault(key, f"must be a list of texts, 1 to {most}")
            return ()
        return tuple(got)

    def inner(self, key: str, needed: bool = True) -> Section | None:
        """A table within this one; its own `done` is the caller's to call."""
        got = self._take(key, needed)
        return None if got is None else Section(f"{self.path}.{key}", got, self.faults)

    def inners(self, key: str, most: int) -> tuple[Section, ...]:
        """Tables in a list, as [{ … }, { … }]; () where there is none."""
        got = self._take(key, False)
        if got is not None and (type(got) is not list or not 0 < len(got) <= most):
            self.fault(key, f"must be a list of 1 to {most} tables, like [{{ … }}]")
            return ()
        return tuple(Section(f"{self.path}.{key}[{at}]", one, self.faults) for at, one in enumerate(got or ()))

    def raw(self, key: str) -> Any:
        """As it stands, or None: whoever takes it looks at every part of it."""
        return self._take(key, False)

    def names_of_keys(self) -> tuple[str, ...]:
        """Those of a table whose keys are names, at most as many as a list may have."""
        return tuple(map(str, self._table))[:NAMES_MAX]

    def duration(self, key: str, most_ms: int, needed: bool = True) -> int | None:
        """Milliseconds, above 0; None where a fault stands, or where it is not needed and not there."""
        got = self._take(key, needed)
        if got is None:
            return None
        length_ms = duration_ms(got)
        if not 0 < length_ms <= most_ms:
            self.fault(key, f'must be a duration like "90s", "5m" or "6h", at most {spell_ms(most_ms)}')
            return None
        return length_ms

    def done(self) -> None:
        allowed = ", ".join(sorted(self._asked))
        for key in self._table:
            if key not in self._asked:
                self.fault(str(key)[:60], f"is no key here; allowed: {allowed}")

"""Reading one table of a pack key by key: a fault is noted and reading goes on, so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from node.testnet.registry import REQUIRED, Param
from node.testnet.scenario import Fault
from node.testnet.scenario_values import NAME, Kinds, Wrong, read_param

T = TypeVar("T")


class Faults:
    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = lines
        self.found: list[Fault] = []

    def add(self, path: str, what: str, allowed: str) -> None:
        at = path
        while at and at not in self._lines:
            at = at.rpartition(".")[0]
        self.found.append(Fault(path, self._lines.get(at, 0), what, allowed))

    def in_order(self) -> list[Fault]:
        return sorted(dict.fromkeys(self.found), key=lambda fault: (fault.line, fault.where, fault.what))


class Section:
    """One table. Every getter returns something of its type, also after a fault; the faults decide in the end."""

    def __init__(self, faults: Faults, path: str, raw: Any) -> None:
        self.faults = faults
        self.path = path
        self._raw: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        self._asked: list[str] = []
        if not isinstance(raw, Mapping):
            faults.add(path, "is no table", "a table like { key = value }")

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def fault(self, key: str, what: str, allowed: str) -> None:
        self.faults.add(self.where(key) if key else self.path, what, allowed)

    def has(self, key: str) -> bool:
        return key in self._raw

    def get(self, key: str, read: Callable[[Any], T], default: T, needed: str = "") -> T:
        """`needed`: what a missing key asks for; "" where it may be left out."""
        self._asked.append(key)
        if key not in self._raw:
            if needed:
                self.fault(key, "is missing", needed)
            return default
        try:
            return read(self._raw[key])
        except Wrong as wrong:
            self.fault(key, wrong.what, wrong.allowed)
            return default

    def param(self, key: str, param: Param, kinds: Kinds) -> Any:
        needed = f"{param.type} in {param.unit}" if param.unit else f"a {param.type}"
        default = None if param.default is REQUIRED else param.default
        missing = needed + (f": {param.says}" if param.says else "") if param.default is REQUIRED else ""
        return self.get(key, lambda raw: read_param(raw, param, kinds), default, missing)

    def tables(self, key: str) -> list[tuple[str, Section]]:
        """The named tables below a key, in the order of the file."""
        self._asked.append(key)
        raw = self._raw.get(key, {})
        if not isinstance(raw, Mapping):
            self.fault(key, "is no table of named things", f"[{self.where(key)}] and lines like name = {{ … }}")
            return []
        for name in raw:
            if not NAME.match(name):
                self.fault(f"{key}.{name}", "is no usable name", "1 to 32 of a-z 0-9 _ -")
        return [(name, Section(self.faults, f"{self.where(key)}.{name}", raw[name])) for name in raw]

    def raw(self, key: str) -> Any:
        self._asked.append(key)
        return self._raw.get(key)

    def done(self) -> None:
        for key in self._raw:
            if key not in self._asked:
                close = get_close_matches(key, self._asked, n=1)
                hint = (
                    f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(dict.fromkeys(self._asked))}"
                )
                self.fault(key, "is an unknown key", hint)

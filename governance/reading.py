"""Reading a TOML table field by field, collecting faults instead of stopping at the first.

A getter that fails notes a fault and returns a harmless value of its type, so that reading goes on; whoever reads
must raise when `faults` is not empty and must not use what was read before that.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from governance.durations import parse_duration
from governance.faults import FileFault, nearest
from protocol.errors import ProtocolError
from protocol.limits import NAME_CHARS_MAX, U63_MAX
from protocol.messages import NAME_ALPHABET
from protocol.subjects import Subject, from_text

_NO_SUBJECT = Subject(b"")
DOTS_MAX = 64
_QUOTED = re.compile(r"\"(?:\\.?|[^\"\\])*(?:\"|\Z)|'[^']*(?:'|\Z)|#.*")
"""Texts and comments of one line; an open one reaches to its end, so no stretch is tried in two ways."""


def read_toml(text: str) -> tuple[dict[str, Any], list[FileFault]]:
    """The document, or an empty one and the one fault of a file that is no TOML."""
    deep = _deep_key(text)
    if deep:
        return {}, [FileFault(f"line {deep} has a key of too many parts", "", "no key of ours is that deep")]
    try:
        return tomllib.loads(text), []
    except (ValueError, RecursionError) as error:  # a plain ValueError: a number of thousands of digits
        return {}, [FileFault(f"not TOML: {error}", "", "mend that line")]


def _deep_key(text: str) -> int:
    """The line of a key of more parts than any of ours, 0 for none: the TOML reader takes a time for a key that grows
    with the square of its parts, and a charter comes from other people."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > DOTS_MAX and _QUOTED.sub("", line).count(".") > DOTS_MAX:
            return number
    return 0


class TableReader:
    """One table. `path` is how a person finds it; `faults` is shared by all readers of a file."""

    def __init__(self, table: Any, path: str, faults: list[FileFault]) -> None:
        self.path = path
        self.faults = faults
        self._known: set[str] = set()
        self._table: dict[str, Any] = table if type(table) is dict else {}
        if type(table) is not dict:
            self.fault("", "is not a table", f"write [{path}] and its keys below it")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def fault(self, key: str, what: str, cure: str) -> None:
        self.faults.append(FileFault(what, self.at(key), cure))

    def has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._table

    def _take(self, key: str, kind: type, example: str) -> Any:
        if not self.has(key):
            self.fault(key, "is missing", f"add it, for example {key} = {example}")
            return None
        value = self._table[key]
        if type(value) is not kind:
            self.fault(key, f"is {type(value).__name__}, not {kind.__name__}", f"write it like {key} = {example}")
            return None
        return value

    def text(self, key: str, example: str, most: int = 200) -> str:
        value = self._take(key, str, f'"{example}"')
        if value is None:
            return ""
        if not 1 <= len(value) <= most or not value.isprintable():
            self.fault(key, f"has {len(value)} characters or unprintable ones", f"use 1 to {most} printable ones")
            return ""
        return str(value)

    def name(self, key: str, example: str = "lender-a") -> str:
        value = self.text(key, example)
        if value and (len(value) > NAME_CHARS_MAX or not set(value) <= set(NAME_ALPHABET)):
            self.fault(key, f"{value!r} is no name", f"use 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and -")
            return ""
        return value

    def unsigned(self, key: str, example: int, most: int = U63_MAX) -> int:
        value = self._take(key, int, str(example))
        if value is None:
            return 0
        if not 0 <= value <= most:
            written = str(value) if abs(value) <= U63_MAX else "a number of over 63 bits"
            self.fault(key, f"{written} is out of bounds", f"use an integer 0 to {most}")
            return 0
        return int(value)

    def duration_ms(self, key: str, example: str) -> int:
        value = self._take(key, str, f'"{example}"')
        if value is None:
            return 0
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fault(key, str(error), f'write it like "{example}" (d, h, m, s, ms)')
            return 0

    def raw(self, key: str, least: int, most: int) -> bytes:
        """Hexadecimal, with or without 0x."""
        value = self._take(key, str, f'"{"0" * 8}…"')
        if value is None:
            return b""
        return self._unhex(key, value, least, most)

    def _unhex(self, key: str, value: str, least: int, most: int) -> bytes:
        try:
            found = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            found = b""
        if not least <= len(found) <= most:
            size = f"{least}" if least == most else f"{least} to {most}"
            self.fault(key, "is not a byte string of the right size", f"give {size} bytes in hexadecimal")
            return b""
        return found

    def subject(self, key: str, example: str) -> Subject:
        value = self._take(key, str, f'"{example}"')
        if value is None:
            return _NO_SUBJECT
        try:
            return from_text(value)
        except ProtocolError as error:
            self.fault(key, error.detail, f'write it like "{example}"')
            return _NO_SUBJECT

    def chain(self, key: str) -> str:
        """A CAIP-2 text."""
        found = self.subject(key, "eip155:1")
        if found is _NO_SUBJECT:
            return ""
        if str(found) != found.chain:
            self.fault(key, f"{found} is no chain", 'write a CAIP-2 name like "eip155:1"')
        return found.chain

    def texts(self, key: str, example: str, most: int) -> tuple[str, ...]:
        value = self._take(key, list, f'["{example}"]')
        if value is None:
            return ()
        if len(value) > most or not all(type(one) is str and 1 <= len(one) <= 200 for one in value):
            self.fault(key, f"is not a list of at most {most} short texts", f'write it like ["{example}"]')
            return ()
        return tuple(value)

    def raws(self, key: str, size: int, most: int) -> tuple[bytes, ...]:
        return tuple(self._unhex(key, one, size, size) for one in self.texts(key, "0x…", most))

    def table(self, key: str) -> TableReader:
        self._known.add(key)
        if key not in self._table:
            self.fault(key, "is missing", f"add a table [{self.at(key)}]")
            return TableReader({}, self.at(key), [])  # its keys need no faults of their own
        return TableReader(self._table[key], self.at(key), self.faults)

    def tables(self, key: str, most: int) -> list[TableReader]:
        """`[[key]]`, none where absent."""
        if not self.has(key):
            return []
        value = self._table[key]
        if type(value) is not list:
            self.fault(key, "is not a list of tables", f"write [[{self.at(key)}]] before each")
            return []
        if len(value) > most:
            self.fault(key, f"holds {len(value)} tables", f"at most {most} are read")
        return [TableReader(one, f"{self.at(key)}[{n}]", self.faults) for n, one in enumerate(value[:most])]

    def done(self) -> None:
        """Every key that nobody asked for is a fault."""
        for key in sorted(set(self._table) - self._known):
            self.fault(key, "is an unknown key", nearest(key, self._known))

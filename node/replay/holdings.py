"""What an owner has at risk, as a list: `name,asset,usd` and, where known, `unit_usd,utilisation,levers,ways_out`.

In the list amounts are typed, for it is about a past that nobody can read any more; a running node reads its own.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass

from protocol.messages import Level

ROWS_MAX = 1_000
CSV_BYTES_MAX = 512 * 1024
USD_MAX = 1e13
"""Above all that there is: a larger figure is a slip of units."""
NEEDED = ("name", "asset", "usd")
KNOWN = (*NEEDED, "unit_usd", "utilisation", "levers", "ways_out")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_CALL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_RUNGS = {level.name: level for level in (Level.GUARD, Level.ISOLATE, Level.HALT)}
FIELD_CHARS_MAX = 200


@dataclass(frozen=True)
class Holding:
    """One row. `levers`: (call, rung) of what could shut it, for an owner without a policy."""

    name: str
    asset: str
    usd: float
    unit_usd: float | None = None
    utilisation: float | None = None
    levers: tuple[tuple[str, Level], ...] = ()
    ways_out: tuple[str, ...] = ()


class HoldingFaults(Exception):
    """Everything wrong with a list at once, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_holdings(text: str) -> tuple[tuple[Holding, ...], tuple[str, ...]]:
    """(rows in their order, columns that nobody reads). HoldingFaults."""
    table = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        columns = [str(one).strip().lower() for one in table.fieldnames or ()]
        table.fieldnames = columns
        rows = [(table.line_num, row) for _, row in zip(range(ROWS_MAX + 1), table)]
    except csv.Error as error:
        raise HoldingFaults([f"line {table.line_num}: is no CSV ({error}); write one row a line"]) from None
    missing = [one for one in NEEDED if one not in columns]
    if missing:
        raise HoldingFaults([f"line 1: has no column {', '.join(missing)}; the first line is name,asset,usd,…"])
    if len(rows) > ROWS_MAX:
        raise HoldingFaults([f"has over {ROWS_MAX} rows; leave out what is small"])
    reader = _Reader()
    found = tuple(reader.row(number, row) for number, row in rows)
    if not found:
        reader.faults.append("has no row; write one line for each place where you can lose")
    if reader.faults:
        raise HoldingFaults(reader.faults)
    return found, tuple(one for one in columns if one not in KNOWN)


class _Reader:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self._seen: set[str] = set()
        self._line = 0

    def row(self, line: int, row: dict[str, str | None]) -> Holding:
        self._line = line
        said = {key: (row.get(key) or "").strip() for key in KNOWN}
        for key, value in said.items():
            if len(value) > FIELD_CHARS_MAX or not value.isprintable():
                self._fault(f"{key} is no short text", f"at most {FIELD_CHARS_MAX} printable characters")
                said[key] = ""
        name = said["name"]
        if not _NAME.match(name) or name in self._seen:
            what = "is there twice" if name in self._seen else "is no usable name"
            self._fault(f"{name!r:.40} {what}", "1 to 32 of a-z 0-9 _ -, each once")
        self._seen.add(name)
        if not said["asset"]:
            self._fault("asset is missing", "eip155:1/erc20:0x…, a name of your policy's, or the incident's own word")
        return Holding(
            name,
            said["asset"],
            self._number("usd", said["usd"], USD_MAX) or 0.0,
            self._number("unit_usd", said["unit_usd"], USD_MAX) if said["unit_usd"] else None,
            self._number("utilisation", said["utilisation"], 1.0) if said["utilisation"] else None,
            tuple(self._lever(one) for one in said["levers"].split()),
            tuple(said["ways_out"].split()),
        )

    def _number(self, key: str, written: str, most: float) -> float | None:
        try:
            value = float(written.replace("_", "").replace(",", ""))
        except ValueError:
            value = math.nan
        if not 0 <= value <= most:  # false for nan
            self._fault(f"{key} {written!r:.40} is out of bounds", f"a number from 0 to {most:g}")
            return None
        return value

    def _lever(self, written: str) -> tuple[str, Level]:
        call, _, rung = written.partition("=")
        if not _CALL.match(call) or (rung or "ISOLATE") not in _RUNGS:
            self._fault(f"lever {written!r:.60} is none", "calls like lending.ltv_zero=GUARD lending.freeze=ISOLATE")
            return "", Level.ISOLATE
        return call, _RUNGS[rung or "ISOLATE"]

    def _fault(self, what: str, cure: str) -> None:
        self.faults.append(f"line {self._line}: {what}; {cure}")

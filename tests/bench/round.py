"""One round of "one says, all answer" or "all say at once", as the floor and js-libp2p play it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.ground import Road

LEAD_MS = 500
APART_MS = {"answer": 250, "storm": 800}
LOSSY_APART_MS = 400
LAST_MS = 2_000
LOSSY_LAST_MS = 4_000


@dataclass
class Round:
    """What one member knows of one number. Times are the wall clock's; 0: not yet."""

    number: int
    said_ms: float = 0.0
    quorum_ms: float = 0.0
    authors: set[str] = field(default_factory=set)

    def count(self, author: str, quorum: int) -> None:
        self.authors.add(author)
        if len(self.authors) >= quorum and not self.quorum_ms:
            self.quorum_ms = time.time_ns() / 1e6

    def told(self) -> dict[str, float]:
        return {"number": self.number, "said_ms": self.said_ms, "quorum_ms": self.quorum_ms}


def schedule(mode: str, names: Sequence[Any], count: int, road: Road, slower: float = 1.0) -> dict[str, Any]:
    """{mode, until_ms, alarms: [(number, at_ms, member)…]}. `slower`: that many times more room between two."""
    apart_ms = (APART_MS[mode] + (LOSSY_APART_MS if road.loss_percent else 0)) * slower + 4 * road.delay_ms
    begin_ms = time.time() * 1000 + LEAD_MS
    alarms = []
    for number in range(1, count + 1):
        at_ms = begin_ms + number * apart_ms
        who = names if mode == "storm" else (names[number % len(names)],)
        alarms += [(number, at_ms, name) for name in who]
    last_ms = (LOSSY_LAST_MS if road.loss_percent else LAST_MS) + 4 * road.delay_ms
    return {"mode": mode, "until_ms": alarms[-1][1] + last_ms, "alarms": alarms}


def spans(told: Sequence[Sequence[Mapping[str, float]]], until: str, count: int) -> list[float]:
    """Per round that got to everybody: first said → `until` on the last member, ms."""
    found = []
    for number in range(1, count + 1):
        rounds = [one for rounds in told for one in rounds if one["number"] == number]
        ends = [one[until] for one in rounds if one.get(until)]
        if len(ends) == len(told):
            found.append(max(ends) - min(one["said_ms"] for one in rounds if one.get("said_ms")))
    return found

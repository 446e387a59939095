"""The alarm told again, naively, from the words of the wire specification: what the core is held to.

Plain rows and sorting; nothing of `protocol.alarm`, `protocol.release` or `protocol.feed` is used here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

NONE, WATCH, GUARD, ISOLATE, HALT = range(5)
HEARSAY, OBSERVED, VERIFIED = 1, 2, 3
SKEW_AHEAD_MS = 60_000
Id = tuple[int, int]
"""(key_version, seq)"""


@dataclass(frozen=True)
class Seat:
    name: str
    group: str
    suspended: bool


@dataclass(frozen=True)
class Rules:
    """An epoch in plain numbers. `sources`: id → (operator, scope). `lease_ms`: level → most."""

    seats: tuple[Seat, ...]
    thresholds: dict[int, int]
    sources: dict[str, tuple[str, str]]
    lease_ms: dict[int, int]
    network_epoch: bytes

    @property
    def f(self) -> int:
        return (len({seat.group for seat in self.seats}) - 1) // 3

    @property
    def quorum(self) -> int:
        return len({seat.group for seat in self.seats}) - self.f

    def group(self, name: str) -> str:
        return next(seat.group for seat in self.seats if seat.name == name)

    def may_count(self, name: str) -> bool:
        return any(seat.name == name and not seat.suspended for seat in self.seats)


@dataclass(frozen=True)
class Said:
    """One attestation as it was said. `hash` decides between two of one seq."""

    author: str
    id: Id
    hash: bytes
    epoch: bytes
    level: int
    basis: int
    sources: tuple[str, ...]
    claims: frozenset[tuple[str, bytes]]
    issued_ms: int
    since_ms: int
    expires_ms: int
    known_threat: bool = True

    @property
    def effective(self) -> int:
        if not self.known_threat:
            return NONE
        return min(self.level, WATCH) if self.basis == HEARSAY else self.level


@dataclass
class Releasing:
    author: str
    through_ms: int
    claims: frozenset[tuple[str, bytes]]


@dataclass
class Model:
    """Everything that was ever said on one topic, in a heap."""

    rules: Rules
    said: list[Said] = field(default_factory=list)
    released: list[Releasing] = field(default_factory=list)

    def latest(self) -> list[Said]:
        """The higher id of each author; of two of one id the lower hash."""
        best: dict[str, Said] = {}
        for one in self.said:
            there = best.get(one.author)
            if there is None or one.id > there.id or (one.id == there.id and one.hash < there.hash):
                best[one.author] = one
        return list(best.values())

    def point_ms(self) -> int:
        furthest = {seat.name: 0 for seat in self.rules.seats}
        for one in self.released:
            furthest[one.author] = max(furthest[one.author], one.through_ms)
        groups: dict[str, int] = {}
        for seat in self.rules.seats:
            if not seat.suspended:
                groups[seat.group] = min(furthest[seat.name], groups.get(seat.group, furthest[seat.name]))
        ranked = sorted(groups.values(), reverse=True)
        return ranked[self.rules.quorum - 1] if len(ranked) >= self.rules.quorum else 0

    def claim_is_spent(self, claim: tuple[str, bytes]) -> bool:
        told = {one.author for one in self.released if claim in one.claims}
        seats = [seat for seat in self.rules.seats if not seat.suspended]
        whole = {seat.group for seat in seats} - {seat.group for seat in seats if seat.name not in told}
        return len(whole) >= self.rules.quorum

    def covered(self, one: Said) -> bool:
        if one.since_ms <= self.point_ms():
            return True
        return bool(one.claims) and all(map(self.claim_is_spent, one.claims))

    def live(self, now_ms: int) -> list[Said]:
        return [
            one
            for one in self.latest()
            if one.epoch == self.rules.network_epoch
            and self.rules.may_count(one.author)
            and one.expires_ms > now_ms
            and one.issued_ms <= now_ms + SKEW_AHEAD_MS
            and one.since_ms <= one.issued_ms
            and one.expires_ms - one.issued_ms <= self.rules.lease_ms[one.level]
            and not self.covered(one)
        ]

    def level(self, now_ms: int) -> tuple[int, frozenset[str]]:
        """The network's word and the groups that carry it."""
        live = self.live(now_ms)
        for level in (HALT, ISOLATE, GUARD):
            groups = self.carriers(live, level)
            if groups is not None:
                return level, frozenset(groups)
        watching = {self.rules.group(one.author) for one in live if one.effective >= WATCH}
        return (WATCH if watching else NONE), frozenset(watching)

    def carriers(self, words: Iterable[Said], level: int) -> set[str] | None:
        counted: dict[str, list[Said]] = {}
        for one in sorted(words, key=lambda one: one.author):
            if one.effective >= level:
                counted.setdefault(self.rules.group(one.author), []).append(one)
        if level == GUARD:
            counted = self._one_eye_counts_once(counted)
        if len(counted) < self.rules.thresholds[level]:
            return None
        if level > GUARD and not self._sources_hold(counted):
            return None
        return set(counted)

    def _operators(self, one: Said) -> set[str]:
        return {self.rules.sources[source][0] for source in one.sources if source in self.rules.sources}

    def _one_eye_counts_once(self, counted: dict[str, list[Said]]) -> dict[str, list[Said]]:
        kept: dict[str, list[Said]] = {}
        used: set[str] = set()
        for group in sorted(counted, key=lambda group: min(one.author for one in counted[group])):
            eyes = {
                "many" if one.basis != OBSERVED or len(self._operators(one)) > 1
                else f"by {next(iter(self._operators(one)), 'nobody')}"
                for one in counted[group]
            }  # fmt: skip
            if len(eyes) == 1 and eyes != {"many"}:
                (eye,) = eyes
                if eye in used:
                    continue
                used.add(eye)
            kept[group] = counted[group]
        return kept

    def _sources_hold(self, counted: dict[str, list[Said]]) -> bool:
        views: list[dict[str, set[str]]] = []
        for words in counted.values():
            view: dict[str, set[str]] = {}
            for source in {source for one in words for source in one.sources if source in self.rules.sources}:
                operator, scope = self.rules.sources[source]
                view.setdefault(scope, set()).add(operator)
            views.append(view)
        everyone = {operator for view in views for operators in view.values() for operator in operators}
        for suspect in everyone:
            clean = [view for view in views if view and all(operators != {suspect} for operators in view.values())]
            if len(clean) <= self.rules.f:
                return False
        return bool(everyone)

    def ends_ms(self, words: Iterable[Said], level: int) -> int:
        """Of a certificate made of these: the threshold-th latest of its groups' expiries."""
        latest: dict[str, int] = {}
        for one in words:
            group = self.rules.group(one.author)
            latest[group] = max(one.expires_ms, latest.get(group, 0))
        return sorted(latest.values(), reverse=True)[self.rules.thresholds[level] - 1]


@dataclass
class Chain:
    """One author's entries: seq → the hashes said under it. `prev` says what each names before it."""

    said: dict[int, set[bytes]] = field(default_factory=dict)
    prev: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, seq: int, hash_: bytes, prev: bytes) -> None:
        self.said.setdefault(seq, set()).add(hash_)
        self.prev[hash_] = prev

    def whole(self) -> int:
        seq = -1
        while seq + 1 in self.said:
            seq += 1
        return seq

    def head(self) -> tuple[int, bytes]:
        top = max(self.said)
        return top, min(self.said[top])

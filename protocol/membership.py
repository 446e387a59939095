"""The member set of one epoch: who counts, how many are enough, which sources and contracts are known to all.

n control groups, f = ⌊(n−1)/3⌋ may lie, Q = n − f: for every n two quorums then meet in an honest group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName, NetworkId, PublicKey, SourceId
from protocol.limits import (
    EPOCH_OVERLAP_MS,
    LEASE_GUARD_MS_MAX,
    LEASE_HALT_MS_MAX,
    LEASE_ISOLATE_MS_MAX,
    LEASE_WATCH_MS_MAX,
    MEMBERS_MAX,
)
from protocol.messages import Level
from protocol.subjects import Subject

COUNTED = (Level.GUARD, Level.ISOLATE, Level.HALT)
LEASE_MS_MOST = {
    Level.NONE: LEASE_WATCH_MS_MAX,
    Level.WATCH: LEASE_WATCH_MS_MAX,
    Level.GUARD: LEASE_GUARD_MS_MAX,
    Level.ISOLATE: LEASE_ISOLATE_MS_MAX,
    Level.HALT: LEASE_HALT_MS_MAX,
}
"""No charter may allow a longer lease of an opinion."""
DEFAULT_FORMULAS = {Level.GUARD: "max(2, f + 1)", Level.ISOLATE: "Q", Level.HALT: "Q"}

_FUNCTIONS: dict[str, Callable[[list[int]], int]] = {"max": max, "min": min}
_TOKEN = re.compile(r" *(0|[1-9][0-9]{0,2}|max|min|[nfQ]|[-+*(),]) *")
"""The words of a formula, with the spaces around them."""


def evaluate(formula: str, n: int) -> int:
    """A threshold formula over n, f, Q, integers, + − *, max and min; ProtocolError(bad-charter) for anything else."""
    if len(formula) > 64:
        raise ProtocolError(Code.BAD_CHARTER, "a threshold formula has at most 64 characters")
    f = (n - 1) // 3
    return _Formula(formula, {"n": n, "f": f, "Q": n - f}).value()


class _Formula:
    """A grammar of its own: Python's parser would take hexadecimals, comments, `max(n, f,)` and `(max)(n, f)`."""

    def __init__(self, text: str, names: Mapping[str, int]) -> None:
        self.text, self.names = text, names
        self.words: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._bad()
            self.words.append(found[1])
            at = found.end()

    def value(self) -> int:
        value = self._sum()
        if self.words:
            raise self._bad()
        return value

    def _bad(self) -> ProtocolError:
        return ProtocolError(Code.BAD_CHARTER, f"threshold {self.text!r}: only n, f, Q, integers, + - *, max, min")

    def _take(self, *wanted: str) -> str:
        """The next word where it is one of these, or ""."""
        return self.words.pop(0) if self.words and self.words[0] in wanted else ""

    def _sum(self) -> int:
        value = self._product()
        while sign := self._take("+", "-"):
            value += self._product() if sign == "+" else -self._product()
        return value

    def _product(self) -> int:
        value = self._one()
        while self._take("*"):
            value *= self._one()
        return value

    def _one(self) -> int:
        word = self.words.pop(0) if self.words else ""
        if word in self.names:
            return self.names[word]
        if word.isdigit() and int(word) <= MEMBERS_MAX:
            return int(word)
        if word not in ("(", *_FUNCTIONS) or (word != "(" and not self._take("(")):
            raise self._bad()
        values = [self._sum()]
        while word != "(" and self._take(","):
            values.append(self._sum())
        if not self._take(")") or (word != "(" and len(values) < 2):
            raise self._bad()
        return values[0] if word == "(" else _FUNCTIONS[word](values)


DAY_MS = 86_400_000


@dataclass(frozen=True)
class Member:
    """One seat. Counting needs the first four fields, governance the others."""

    name: MemberName
    group: GroupName
    governance_key: PublicKey
    suspended: bool = False
    since: int = 0
    """Number of the epoch in which this seat came to sit in this group."""
    seated_ms: int = 0
    """When its term began; 0 where nobody said."""
    keyed_ms: int = 0
    """When its governance key came in force; 0 for a founder's first."""
    why: str = ""
    """Why it is suspended, for people."""
    proven: int = -1
    """The highest key_version for which a proof suspended it; −1 for none. It suspends no second time."""


@dataclass(frozen=True)
class Source:
    """One operator's view of one chain (CAIP-2) or service."""

    id: SourceId
    operator: str
    scope: str


@dataclass(frozen=True)
class Bridge:
    """Registered by the members, so that nobody can forge a loss with a bridge of their own making:
    an attacker's contract could hold borrowed tokens, "release" them to itself and prove a missing burn."""

    asset: Subject
    home: str
    escrow: bytes
    far: str
    twin: bytes


@dataclass(frozen=True)
class OracleFeed:
    """A price feed that members rely on and the references it is to agree with, on one chain."""

    subject: Subject
    chain: str
    feed: bytes
    references: tuple[bytes, ...]


@dataclass(frozen=True)
class Past:
    """What an epoch before this one leaves for proposals that name it."""

    hash: EpochHash
    number: int
    q: int
    activates_ms: int
    made_of: tuple[Digest, ...] = ()
    """The proposals that made it: none makes two epochs."""


@dataclass(frozen=True)
class Epoch:
    """Everything that counting needs, and what governance starts from. Immutable; a change makes another epoch."""

    network: NetworkId
    number: int
    hash: EpochHash
    activates_ms: int
    members: tuple[Member, ...]
    formulas: Mapping[Level, str] = field(default_factory=lambda: dict(DEFAULT_FORMULAS))
    lease_ms: Mapping[Level, int] = field(default_factory=lambda: dict(LEASE_MS_MOST))
    sources: tuple[Source, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    oracles: tuple[OracleFeed, ...] = ()
    parent: EpochHash | None = None
    """Of the epoch before; None for the first."""
    change_delay_ms: int = 3 * DAY_MS
    """Between a passed proposal and its ordering; vetoes count meanwhile."""
    loosen_delay_ms: int = 7 * DAY_MS
    """The same where a change loosens."""
    seat_term_ms: int = 365 * DAY_MS
    silence_ms: int = 3 * DAY_MS
    """Without a Heartbeat for that long, a seat may be proposed for suspension."""
    past: tuple[Past, ...] = ()
    """The epochs before, newest first, as many as open proposals may name."""
    made_of: tuple[Digest, ...] = ()
    """The proposals that made this one, by hash."""
    left: tuple[MemberName, ...] = ()
    """Names of seats that are gone, newest first: a name's feeds and KeySets stay its first owner's."""

    @cached_property
    def by_name(self) -> dict[MemberName, Member]:
        return {member.name: member for member in self.members}

    @cached_property
    def groups(self) -> tuple[GroupName, ...]:
        return tuple(sorted({member.group for member in self.members}))

    @cached_property
    def n(self) -> int:
        return len(self.groups)

    @cached_property
    def f(self) -> int:
        return (self.n - 1) // 3

    @cached_property
    def q(self) -> int:
        return self.n - self.f

    @cached_property
    def thresholds(self) -> dict[Level, int]:
        """Level → groups needed. Suspension changes none of them (S14)."""
        return {level: evaluate(self.formulas[level], self.n) for level in COUNTED}

    @cached_property
    def source_by_id(self) -> dict[SourceId, Source]:
        return {source.id: source for source in self.sources}

    @property
    def only_informs(self) -> bool:
        """Below four groups f is 0 and one stolen key could move everybody: policies Hold."""
        return self.n < 4

    def lease_bound_ms(self, level: Level) -> int:
        return self._lease_bounds_ms[level]

    @cached_property
    def _lease_bounds_ms(self) -> dict[Level, int]:
        return {level: min(self.lease_ms.get(level, most), most) for level, most in LEASE_MS_MOST.items()}

    def admits(self, spoken_in: EpochHash, issued_ms: int) -> bool:
        """Whether an opinion that names this epoch counts here: of the one before too, where it was first said before
        everybody can have heard of the change. By the author's own clock, so that it stays a pure function."""
        if spoken_in == self.hash:
            return True
        return spoken_in == self.parent and issued_ms < self.activates_ms + EPOCH_OVERLAP_MS

    def may_count(self, author: MemberName) -> bool:
        return author in self._counted

    @cached_property
    def _counted(self) -> frozenset[MemberName]:
        return frozenset(member.name for member in self.members if not member.suspended)

    def group_of(self, author: MemberName) -> GroupName:
        return self.by_name[author].group


def formula_faults(formulas: Mapping[Level, str], n: int) -> list[str]:
    """Why these thresholds are no valid charter for n groups: GUARD ≥ max(2, f+1), ISOLATE ≥ Q, HALT ≥ ISOLATE."""
    got = {level: evaluate(formulas[level], n) for level in COUNTED}
    f = (n - 1) // 3
    faults = []
    if got[Level.GUARD] < max(2, f + 1):
        faults.append(f"GUARD needs {got[Level.GUARD]} of {n} groups; at least max(2, f + 1) = {max(2, f + 1)}")
    if got[Level.ISOLATE] < n - f:
        faults.append(f"ISOLATE needs {got[Level.ISOLATE]} of {n} groups; at least Q = {n - f}")
    if got[Level.HALT] < got[Level.ISOLATE]:
        faults.append(f"HALT needs {got[Level.HALT]} groups, fewer than ISOLATE ({got[Level.ISOLATE]})")
    faults.extend(f"{level.name} needs {got[level]} of {n} groups: never" for level in COUNTED if got[level] > n)
    return faults

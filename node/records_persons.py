"""Records of what people asked of their node. Written and read as all of `records` are, which hands them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.messages import CLAIM, Claim, Level
from protocol.schema import Field, Schema, boolean, enumerated, many, raw_bytes, text, unsigned
from protocol.subjects import SUBJECT, Subject

Wish = bytes | tuple[Subject, int]
"""What a person wants to end: an own action by its key, or an alert by its topic."""


@dataclass(frozen=True)
class _OfEnding:
    """`key` is empty where a release is meant."""

    key: bytes
    subject: Subject
    threat: int

    @property
    def wish(self) -> Wish:
        return self.key or (self.subject, self.threat)


@dataclass(frozen=True)
class EndingAsked(_OfEnding):
    """One person's word where the policy wants two: it ends nothing, and waits for another's. Of a release, through_ms
    and claims are what will be said."""

    person: str
    until_ms: int
    through_ms: int
    claims: tuple[Claim, ...]
    at_ms: int


@dataclass(frozen=True)
class EndingClosed(_OfEnding):
    """How the wait ended: `done` by a second `person`, `taken back` by whoever that is, or `expired` (nobody)."""

    how: str
    person: str
    at_ms: int


@dataclass(frozen=True)
class AlertSeen:
    """Who acknowledged an alert, which stood at `level` then."""

    subject: Subject
    threat: int
    level: Level
    person: str
    at_ms: int


@dataclass(frozen=True)
class EvidenceRerun:
    """What came out when a person had a claim re-run, on the alert that it was asked on. `same`: as our own check found
    it before; `before`: how it had ruled, "" where it had not."""

    claim: Claim
    subject: Subject
    threat: int
    person: str
    asked_ms: int
    ruling: str
    why: str
    level: Level
    before: str
    same: bool
    at_ms: int


_AT = Field(60, "at_ms", unsigned())

BY_PERSONS: dict[int, Schema[Any]] = {
    17: Schema(
        EndingAsked,
        Field(1, "key", raw_bytes(0, 32)),
        Field(2, "subject", SUBJECT),
        Field(3, "threat", unsigned(255)),
        Field(4, "person", text(64)),
        Field(5, "until_ms", unsigned()),
        Field(6, "through_ms", unsigned()),
        Field(7, "claims", many(CLAIM.codec(), 64)),
        _AT,
    ),
    18: Schema(
        EndingClosed,
        Field(1, "key", raw_bytes(0, 32)),
        Field(2, "subject", SUBJECT),
        Field(3, "threat", unsigned(255)),
        Field(4, "how", text(16)),
        Field(5, "person", text(64)),
        _AT,
    ),
    19: Schema(
        AlertSeen,
        Field(1, "subject", SUBJECT),
        Field(2, "threat", unsigned(255)),
        Field(3, "level", enumerated(Level)),
        Field(4, "person", text(64)),
        _AT,
    ),
    20: Schema(
        EvidenceRerun,
        Field(1, "claim", CLAIM.codec()),
        Field(2, "subject", SUBJECT),
        Field(3, "threat", unsigned(255)),
        Field(4, "person", text(64)),
        Field(5, "asked_ms", unsigned()),
        Field(6, "ruling", text(16)),
        Field(7, "why", text(4096)),
        Field(8, "level", enumerated(Level)),
        Field(9, "before", text(16)),
        Field(10, "same", boolean()),
        _AT,
    ),
}
"""By the number under which each is stored."""

"""What is so, and what each member's eyes show of it. Claims are numbers here; their bytes are real."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.evidence import Judgement, Ruling, refuted, undecided
from protocol.ids import Digest, SourceId
from protocol.membership import Epoch
from protocol.messages import Level
from protocol.subjects import Subject
from tests.sim.cast import THREAT, claim


@dataclass(frozen=True)
class Fact:
    number: int
    subject: Subject
    threat: int
    level: Level
    since_ms: int
    true: bool
    shown_by: frozenset[str]
    """Operators that show it though it is not true."""


@dataclass
class Truth:
    """`blind_until_ms`: source → its operator is down until then."""

    epoch: Epoch
    chance: random.Random
    facts: dict[Digest, Fact] = field(default_factory=dict)
    blind_until_ms: dict[SourceId, int] = field(default_factory=dict)
    unseen: int = 0
    coming: set[bytes] = field(default_factory=set)
    """Digests of claims of a block that is not there yet: nobody can say yet whether it is so."""

    def happens(
        self, number: int, subject: Subject, level: Level, now_ms: int, true: bool = True, shown_by: Iterable[str] = ()
    ) -> Fact:
        fact = Fact(number, subject, THREAT, level, now_ms, true, frozenset(shown_by))
        self.facts[claim(number).claim.digest] = fact
        return fact

    def _shows(self, source: SourceId, fact: Fact | None) -> bool:
        if fact is None:
            return False
        return fact.true or self.epoch.source_by_id[source].operator in fact.shown_by

    def look(self, digest: Digest, eyes: tuple[SourceId, ...], now_ms: int) -> Judgement:
        """A deterministic verifier through these sources: all must answer and agree."""
        fact = self.facts.get(digest)
        if any(self.blind_until_ms.get(eye, 0) > now_ms for eye in eyes):
            self.unseen += 1
            return undecided("a provider does not answer")
        if fact is None and digest in self.coming:
            return undecided("its block is not there yet")
        shown = {self._shows(eye, fact) for eye in eyes}
        if len(shown) > 1:
            return undecided("the providers disagree")
        if fact is None or not shown.pop():
            return refuted("it is not so")
        return Judgement(Ruling.SUPPORTS, "it is so", fact.subject, fact.threat, fact.level, 10, eyes)

"""Seals in time and sends late: the missing word of a quorum, just before its end, in another order, with gaps."""

from __future__ import annotations

from typing import Any

from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

HELD_MAX = 12


class Withholder(Liar):
    script = "withholds"
    beat_ms = 700
    listens = True
    serves = False

    def __init__(self, world: Any, name: str) -> None:
        super().__init__(world, name)
        self.held: list[bytes] = []

    def alarmed(self, sender: str, sealed: bytes, told: dict[int, Any]) -> None:
        """Signs what all sign and keeps it."""
        if len(self.held) < HELD_MAX and self.chance.random() < 0.5:
            body = told[7]
            self._hold((body[2], body[3]), body[4], body[6])

    def _hold(self, topic: tuple[bytes, int], level: int, claims: list[dict[int, Any]]) -> None:
        """1 to f + 1 words, one after the other, on the same topic."""
        f = (self.world.options.n - 1) // 3
        lease_ms = self.lease_ms(level)
        if self.chance.random() < 0.4:
            lease_ms = min(lease_ms, self.chance.randrange(1_500, 15_000))
        for at in range(1 + self.chance.randrange(f + 1)):
            said = self.opinion(topic, ink.NONE if at % 2 else level, claims, expires_ms=self.now_ms + lease_ms)
            self.held.append(self.pen.say(ink.ATTESTATION, said, self.now_ms))
        if self.chance.random() < 0.6:
            self.later(lease_ms - self.chance.randrange(150, 900), self.flash, "just before their end")

    def act(self) -> None:
        if self.held:
            if self.chance.random() < 0.3:
                self.flash("late")
            return
        fact = self.fact()
        if fact is not None:
            claim = self.claimed(fact.number, push=False)
            self._hold((fact.subject.raw, fact.threat), int(fact.level), [claim])
        elif self.chance.random() < 0.3:
            self._hold(self.topic(), ink.ISOLATE, [self.claimed(self.false_number())])

    def flash(self, when: str) -> None:
        """All at once; or the newest first, or one of them alone, its predecessors never."""
        if not self.held:
            return
        shown, self.held = list(self.held), []
        way = self.chance.choice(("all", "backwards", "one"))
        if way == "backwards":
            shown.reverse()
        elif way == "one":
            shown = [self.chance.choice(shown)]
        to = self.chance.choice((None, self.one(), self.halves()[0]))
        self.tell(ink.entries(*shown), to)
        self.did(way, f"sends {len(shown)} words that it had kept, {when}, {way}")

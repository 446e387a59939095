"""Releases what it must not: before it is raised, while it is raised, from the future, what nobody ever raised."""

from __future__ import annotations

from typing import Any

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

HOUR_MS = 3_600_000
RACES_MAX = 16


class Releaser(Liar):
    script = "races_releases"
    beat_ms = 900
    listens = True
    races = 0

    def alarmed(self, sender: str, sealed: bytes, told: dict[int, Any]) -> None:
        """Its Release is there before the alarm that it releases has reached all."""
        body = told[7]
        topic = (body[2], body[3])
        if self.races >= RACES_MAX:
            return
        self.races += 1
        through_ms = self.chance.choice((self.now_ms, body[10], body[10] + 5_000))
        claims: list[Any] = self.chance.choice(([], body[6]))
        self.say(ink.RELEASE, ink.release(self.epoch, topic, through_ms, claims))
        if self.chance.random() < 0.5:
            self.say(ink.ATTESTATION, self.opinion(topic, body[4], body[6]))
        self.did("race", "releases an alarm while it is being raised")

    def act(self) -> None:
        self.chance.choice((self.future, self.flap, self.nobodys, self.past, self.to_halves))()

    def _topic(self) -> tuple[bytes, int]:
        fact = self.fact()
        return (fact.subject.raw, fact.threat) if fact is not None else self.topic()

    def future(self) -> None:
        """Were it taken, all would be blind to this topic until then."""
        through_ms = self.now_ms + self.chance.choice((1, HOUR_MS, 1 << 50))
        raw = ink.release(self.epoch, self._topic(), through_ms)
        sealed, _ = self.pen.seal(ink.RELEASE, raw, self.now_ms, self.pen.seq + 1, self.pen.head)
        self.tell(ink.entries(sealed))
        if self.chance.random() < 0.3:
            ahead_ms = self.now_ms + 7 * HOUR_MS
            body = ink.release(self.epoch, self._topic(), ahead_ms)
            self.tell(ink.entries(self.pen.say(ink.RELEASE, body, ahead_ms)))
        self.did("future", "a Release through a time that has not come")

    def flap(self) -> None:
        """Raise, release, raise: each says it is the newest."""
        topic, fact = self._topic(), self.fact()
        claims = [self.claimed(fact.number)] if fact is not None else [self.claimed(self.false_number())]
        self.say(ink.ATTESTATION, self.opinion(topic, ink.ISOLATE, claims))
        self.say(ink.RELEASE, ink.release(self.epoch, topic, self.now_ms, claims))
        self.say(ink.ATTESTATION, self.opinion(topic, ink.ISOLATE, claims))
        self.did("flap", "raises, releases and raises")

    def nobodys(self) -> None:
        for _ in range(4):
            topic = (ink.cbor([3, "eip155", "1", "erc20", self.chance.randbytes(20)]), self.chance.randrange(64))
            claims = [self.claimed(self.false_number(), push=False) for _ in range(4)]
            self.say(ink.RELEASE, ink.release(self.epoch, topic, self.now_ms, claims))
        self.did("nobody's", "releases what nobody raised")

    def past(self) -> None:
        """A later Release that reaches less far: it takes nothing back."""
        topic = self._topic()
        self.say(ink.RELEASE, ink.release(self.epoch, topic, self.now_ms))
        self.say(ink.RELEASE, ink.release(self.epoch, topic, self.chance.choice((0, self.now_ms - HOUR_MS))))
        wrong = ink.release(cast.FOREIGN, topic, self.now_ms)
        self.say(ink.RELEASE, wrong)
        self.did("past", "releases, and releases less; and for another epoch")

    def to_halves(self) -> None:
        """Half of the members hold its Release, half do not."""
        topic = self._topic()
        left, _ = self.halves()
        self.say(ink.RELEASE, ink.release(self.epoch, topic, self.now_ms), left)
        self.did("to halves", "a Release for half of the members")

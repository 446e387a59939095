"""All liars together: one false alarm with all their names, raised and withdrawn as one, and certificates that differ
from half to half."""

from __future__ import annotations

from typing import Any

from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

HEARD_MAX = 40


class Colluder(Liar):
    """Holds the pens of all liars, whatever else they play; each member hears each liar from itself."""

    script = "colludes"
    beat_ms = 900
    listens = True

    def __init__(self, world: Any, name: str) -> None:
        super().__init__(world, name)
        self.words: dict[tuple[bytes, int], dict[str, bytes]] = {}
        """Topic → author → its sealed alarm."""

    def act(self) -> None:
        acts = (self.raise_false, self.raise_false, self.flap, self.join, self.certificates, self.half_quorums)
        self.chance.choice(acts)()

    def band(self) -> list[Liar]:
        return [one for _, one in sorted(self.world.liars.items())]

    def alarmed(self, sender: str, sealed: bytes, told: dict[int, Any]) -> None:
        body = told[7]
        topic = (body[2], body[3])
        if topic in self.words or len(self.words) < HEARD_MAX:
            self.words.setdefault(topic, {})[told[1]] = sealed

    def raise_false(self) -> None:
        """Exactly as many as may lie, and all of them, on the same thing."""
        level, number = self.chance.choice((ink.GUARD, ink.ISOLATE)), self.false_number()
        topic = self.topic()
        for one in self.band():
            one.say(ink.ATTESTATION, one.opinion(topic, level, [one.claimed(number)]))
        self.did("false alarm", f"{len(self.band())} liars raise level {level} together")

    def flap(self) -> None:
        """Where they are the missing ones, the level goes up and down with them."""
        fact = self.fact()
        topic = (fact.subject.raw, fact.threat) if fact is not None else self.topic()
        for one in self.band():
            claims = [one.claimed(fact.number)] if fact is not None else []
            level = int(fact.level) if fact is not None else ink.GUARD
            for at, said in enumerate((level, ink.NONE, level)):
                self.later(40 * at, one.say, ink.ATTESTATION, one.opinion(topic, said, claims if said else ()))
        self.did("flap", "all raise, withdraw and raise")

    def join(self) -> None:
        """Behind a true alarm with another level and person's marks, so that certificates rest on other words."""
        fact = self.fact()
        if fact is None:
            return
        topic = (fact.subject.raw, fact.threat)
        for one in self.band():
            claims = [one.claimed(fact.number), one.claimed(self.false_number())]
            one.say(ink.ATTESTATION, one.opinion(topic, ink.HALT, claims, by_person=True))
        self.did("join", "all stand behind a true alarm, higher and with persons' marks")

    def half_quorums(self) -> None:
        """Each liar says it to one half and unsays it to the other: each half could make another certificate."""
        fact = self.fact()
        if fact is None:
            return
        topic = (fact.subject.raw, fact.threat)
        left, right = self.halves()
        for one in self.band():
            claim = one.claimed(fact.number)
            said = one.opinion(topic, int(fact.level), [claim])
            raw = one.pen.say(ink.ATTESTATION, said, self.now_ms)
            unsaid = one.pen.other(ink.ATTESTATION, one.opinion(topic, ink.NONE), self.now_ms)
            one.tell(ink.entries(raw), left)
            one.tell(ink.entries(unsaid), right)
        self.did("half quorums", f"all say it to {left} and unsay it to {right}")

    def certificates(self) -> None:
        """Of heard words and their own: too few, enough with a liar's, one author twice, the same claims higher."""
        if not self.words:
            return
        topic = self.chance.choice(sorted(self.words))
        heard = [raw for _, raw in sorted(self.words[topic].items())]
        level = int(ink.payload_of(heard[0])[7][4])
        claims = ink.payload_of(heard[0])[7][6]
        own = []
        for one in self.band():
            own.append(one.pen.say(ink.ATTESTATION, one.opinion(topic, level, claims), self.now_ms))
        kept = self.chance.sample(heard, max(1, len(heard) - self.chance.randrange(3)))
        for entries in ([*kept, *own], own, [*own, *own, *own], [*heard, heard[0]]):
            told = self.chance.choice((level, level, ink.ISOLATE, ink.HALT))
            frame = ink.certified(ink.certificate(self.epoch, topic, told, entries))
            self.tell(frame, self.one(), sync=True)
        self.did("certificates", "certificates of its own making")

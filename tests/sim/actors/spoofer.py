"""Says it saw through eyes that it has not, or did not look."""

from __future__ import annotations

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar


class Spoofer(Liar):
    script = "spoofs_sources"
    beat_ms = 800

    def act(self) -> None:
        fact = self.fact()
        number = fact.number if fact is not None and self.chance.random() < 0.6 else self.false_number()
        topic = (fact.subject.raw, fact.threat) if fact is not None else self.topic()
        claims = [self.claimed(number)] if self.chance.random() < 0.7 else []
        register = [str(one.id) for one in self.world.epoch.sources]
        sources = self.chance.choice(
            (
                ["a-source-of-mine", "another"],
                self.chance.sample(register, min(4, len(register))),
                [one for one in register if not one.startswith(self.name)][:4],
                [one for one in register if one.startswith("vendor")][:1],
                [],
            )
        )
        basis = self.chance.choice((ink.HEARSAY, ink.OBSERVED, ink.OBSERVED, ink.VERIFIED))
        level = self.chance.choice((ink.WATCH, ink.GUARD, ink.ISOLATE, ink.HALT))
        person = self.chance.random() < 0.25
        body = self.opinion(topic, level, claims, sources=sources, basis=basis, by_person=person)
        self.say(ink.ATTESTATION, body)
        self.did("sources", f"level {level}, basis {basis}, through {sources}")
        if self.chance.random() < 0.2:
            self.say(ink.MANIFEST, {1: sorted({cast.JUNK.raw, topic[0]})})
            self.did("manifest", "runs what nobody else has heard of")

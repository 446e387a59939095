"""Four ways to lie with claims: what is false, what is true of something else, what means less than is said, and what
is true, told for the liar's own ends."""

from __future__ import annotations

from typing import Any

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import FRESH, Liar

FACTS_MAX = 2
LEVELS = (ink.GUARD, ink.ISOLATE, ink.ISOLATE, ink.HALT)


class Forger(Liar):
    """VERIFIED, and it is not so: with the claim's bytes, without, with other ones, of a kind nobody knows."""

    script = "forges_claims"
    beat_ms = 800

    def act(self) -> None:
        self.chance.choice((self.false, self.false, self.without_blob, self.mismatched, self.unknown, self.early))()

    def false(self) -> None:
        numbers = self.chance.sample(range(500_000, 500_040), self.chance.choice((1, 1, 1, 1, 2, 3, 8)))
        claims = [self.claimed(number) for number in numbers]
        level = self.chance.choice(LEVELS)
        self.say(ink.ATTESTATION, self.opinion(self.topic(), level, claims))
        self.did("false", f"VERIFIED at {level} on {len(claims)} claims that are not so")

    def without_blob(self) -> None:
        claim = {1: ink.SHORTFALL, 2: self.chance.randbytes(32), 3: self.chance.randbytes(32)}
        self.say(ink.ATTESTATION, self.opinion(self.topic(), ink.ISOLATE, [claim]))
        self.did("without blob", "a claim of which nobody has the bytes")

    def mismatched(self) -> None:
        """Another id than its bytes give: a true claim's bytes under a new name, a new claim under a true name."""
        fact = self.fact()
        true = self.claimed(fact.number if fact is not None else 0)
        false = self.claimed(self.false_number())
        mixed = {1: true[1], 2: false[2], 3: true[3]} if self.chance.random() < 0.5 else {**false, 2: true[2]}
        topic = (fact.subject.raw, fact.threat) if fact is not None else self.topic()
        self.say(ink.ATTESTATION, self.opinion(topic, ink.ISOLATE, [mixed]))
        self.did("mismatched", "a claim whose bytes are another's")

    def unknown(self) -> None:
        blob = ink.cbor(["oracle-of-delphi", {1: self.chance.randbytes(8)}])
        claim = {1: "oracle-of-delphi", 2: ink.sha(blob + b"id"), 3: ink.sha(blob)}
        self.tell(ink.listed(ink.BLOBS, [blob]))
        self.say(ink.ATTESTATION, self.opinion(self.topic(), ink.ISOLATE, [claim]))
        self.did("unknown", "a claim of a type that nobody knows")

    def early(self) -> None:
        """Names a block that is not there yet: when the claim comes true, it has named it already."""
        number = self.chance.choice((FRESH, FRESH, *range(1, 9)))
        claim = self.claimed(number)
        topic = (cast.subject_of_claim(number).raw, cast.THREAT)
        self.say(ink.ATTESTATION, self.opinion(topic, self.chance.choice(LEVELS), [claim]))
        self.did("early", "names a claim before it can be so")


class Irrelevant(Liar):
    """It is so, and it does not bear on this: another subject, another threat, nobody's subject, a log."""

    script = "irrelevant_claims"
    beat_ms = 800

    def act(self) -> None:
        fact = self.fact()
        if fact is None or self.chance.random() < 0.2:
            self.log()
            return
        claim = self.claimed(fact.number)
        others = [one.raw for one in (*cast.SUBJECTS, cast.JUNK) if one.raw != fact.subject.raw]
        topic = self.chance.choice(((self.chance.choice(others), fact.threat), (fact.subject.raw, cast.OTHER_THREAT)))
        self.say(ink.ATTESTATION, self.opinion(topic, self.chance.choice(LEVELS), [claim]))
        self.did("elsewhere", f"claim {fact.number} is true, of another subject or threat than it says")

    def log(self) -> None:
        claim, blob = ink.log_seen(self.chance.randbytes(32), b"\x01" * 20, cast.THREAT)
        self.blobs[claim[3]] = blob
        self.tell(ink.listed(ink.BLOBS, [blob]))
        self.say(ink.ATTESTATION, self.opinion(self.topic(), ink.HALT, [claim]))
        self.did("log", "HALT, for a log of one wei")


class Immaterial(Liar):
    """It is so, and means little: a grain of sand, told as an avalanche."""

    script = "immaterial_claims"
    beat_ms = 1_000
    made = 0

    def act(self) -> None:
        fact = self.fact(ink.WATCH, ink.GUARD)
        if fact is None or (self.made < FACTS_MAX and self.chance.random() < 0.2):
            if self.made >= FACTS_MAX:
                return
            self.made += 1
            subject, level = self.chance.choice(cast.SUBJECTS), self.chance.choice((ink.WATCH, ink.WATCH, ink.GUARD))
            number = self.makes_true(subject, level)
            fact = self.world.truth.facts[ink.shortfall(number)[0][3]]
        claims = [self.claimed(fact.number)]
        if self.chance.random() < 0.3:
            claims.append(self.claimed(self.false_number()))
        level = self.chance.choice((ink.ISOLATE, ink.HALT))
        self.say(ink.ATTESTATION, self.opinion((fact.subject.raw, fact.threat), level, claims))
        self.did("more than it is", f"claim {fact.number} supports {fact.level.name}, it says {level}")


class TrueClaimant(Liar):
    """Tells first what is so, of nobody's subject too, and binds to it what is not; withdraws it, tells it again."""

    script = "true_claim"
    beat_ms = 1_100
    made = 0

    def act(self) -> None:
        own: Any = self.fact()
        if self.made < FACTS_MAX and (self.made == 0 or self.chance.random() < 0.1):
            self.made += 1
            subject = self.chance.choice((*cast.SUBJECTS, cast.JUNK))
            level = self.chance.choice((ink.GUARD, ink.ISOLATE))
            own = self.world.truth.facts[ink.shortfall(self.makes_true(subject, level))[0][3]]
        topic, level = (own.subject.raw, own.threat), int(own.level)
        roll = self.chance.random()
        if roll < 0.2:
            self.say(ink.ATTESTATION, self.opinion(topic, ink.NONE))
            self.did("withdraws", "withdraws what was true")
            return
        claims = [self.claimed(own.number)]
        more = self.chance.sample(range(500_000, 500_040), self.chance.choice((0, 0, 1, 1, 2, 7)))
        claims += [self.claimed(number) for number in more]
        to = None if roll < 0.8 else self.one()
        self.say(ink.ATTESTATION, self.opinion(topic, level, claims), to)
        self.did("tells", f"claim {own.number}, which is so, and {len(more)} that are not")
